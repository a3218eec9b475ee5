"""One Fleet for all tests that leave nothing behind but what they made themselves."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fleet_process import machine
from tests.acceptance.stage import RENDER_SECONDS, Stage
from tests.cluster.kube import TestCluster
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


def connection(cluster: TestCluster) -> tuple[str, ...]:
    return ("--kubeconfig", str(cluster.kubeconfig), "--context", cluster.name)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what commands are given as files."""
    return tmp_path_factory.mktemp("files")
