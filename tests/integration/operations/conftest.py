"""Worlds to try operations in: on a bare API server, and on one with controllers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import World, settings_for, world
from tests.integration.operations.kinds import serve_kinds, with_kinds
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase


@pytest.fixture
async def bare(
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    tmp_path: Path,
) -> AsyncIterator[World]:
    """``main`` is an API server that stores objects and never acts on them."""
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as made:
        yield made


@pytest.fixture
def throwaway(bare_clusters: list[TestCluster]) -> Iterator[Callable[[], TestCluster]]:
    """Makes bare clusters of this test's own."""
    made: list[TestCluster] = []

    def make() -> TestCluster:
        made.append(bare_clusters[0].extra_apiserver(f"x-{secrets.token_hex(4)}"))
        return made[-1]

    yield make
    for cluster in made:
        cluster.remove()


@pytest.fixture(scope="module")
def operators_server(bare_clusters: list[TestCluster]) -> Iterator[TestCluster]:
    """An API server that serves operators' kinds, for the tests of one file."""
    made = bare_clusters[0].extra_apiserver(f"x-{secrets.token_hex(4)}")
    serve_kinds(made)
    yield made
    made.remove()


@pytest.fixture
async def operators(
    database: TestDatabase, operators_server: TestCluster, git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    """``main`` serves operators' kinds; the operators are the test."""
    async with with_kinds(tmp_path, database, git_repo, operators_server) as made:
        yield made


@pytest.fixture
async def full(
    database: TestDatabase, full_cluster: TestCluster, git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    """``main`` has controllers, so that Deployments become Healthy and namespaces go away."""
    async with world(settings_for(tmp_path), database, git_repo, full_cluster) as made:
        yield made
        made.request("DELETE", f"/api/v1/namespaces/{made.namespace}")
