"""One Fleet for all tests that leave nothing behind but what they made themselves."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fleet.model.new_application import new_application
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.parts import Parts, Run
from tests.acceptance.shared import Shared, forget_applications, shared_machine
from tests.acceptance.stage import RENDER_SECONDS, Stage
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import World, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase
from tests.tools import tools_home


@pytest.fixture(scope="session")
def stage(
    bare_clusters: list[TestCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A running Fleet with one registered cluster that nobody else writes to."""
    cluster = bare_clusters[0].extra_apiserver(f"stage-{secrets.token_hex(4)}")
    git = tmp_path_factory.mktemp("repositories")
    settings = {"ALLOWED_FILE_ROOTS": str(git), "RENDER_TIMEOUT_SECONDS": RENDER_SECONDS}
    with machine(**settings) as made:
        (made.home / "tools").symlink_to(tools_home() / "tools")
        with made.up():
            made.ok("cluster", "add", "target", *connection(cluster), "-y")
            yield Stage(made, cluster, git)
    cluster.remove()


@pytest.fixture(scope="session")
def shared_fleet(full_cluster: TestCluster) -> Iterator[Machine]:
    with shared_machine(full_cluster) as made:
        yield made


@pytest.fixture
def shared(shared_fleet: Machine, full_cluster: TestCluster, namespace: str) -> Iterator[Shared]:
    """The running Fleet that many stories share, without an application."""
    yield Shared(shared_fleet, full_cluster, namespace)
    forget_applications(shared_fleet)


@pytest.fixture
def running() -> Iterator[Machine]:
    """A Fleet of a test's own, with its default settings."""
    with machine() as made, made.up():
        yield made


@pytest.fixture
async def bare(
    database: TestDatabase, bare_clusters: list[TestCluster], git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    """What processes of ``run`` work on: a database, a repository and one cluster, ``main``."""
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as made:
        await made.run("delete from procrastinate_jobs")
        made.create_namespace()
        yield made


@pytest.fixture
def parts(database: TestDatabase, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(database.app_url, tmp_path)
    yield made
    made.end()


@pytest.fixture
def run(parts: Parts) -> Run:
    """Starts parts: ``await run("worker", FLEET_CRASH_AT=…)``; they are killed at the end."""
    return parts.start


def connection(cluster: TestCluster) -> tuple[str, ...]:
    return ("--kubeconfig", str(cluster.kubeconfig), "--context", cluster.name)


def apply_shop(
    running: Machine, cluster: TestCluster, repo_url: str, namespace: str, sync_option: str
) -> None:
    """Register the cluster as ``world``, the repository, and the application ``shop`` in it."""
    document = new_application(
        "shop",
        repo_url=repo_url,
        path="shop",
        revision="main",
        dest_name="world",
        dest_namespace=namespace,
        sync_options=(sync_option,),
    )
    running.ok("cluster", "add", "world", *connection(cluster), "-y")
    running.ok("repo", "add", repo_url)
    running.ok("apply", "-f", "-", stdin=json.dumps(document))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what commands are given as files."""
    return tmp_path_factory.mktemp("files")
