"""A Fleet with a real database, and the API over it as an administrator sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet.model.secret import Secret
from fleet.operations.opening import open_runtime
from fleet.operations.runtime import Runtime
from tests.cluster.kube import TestCluster
from tests.integration.api.callers import Api, account
from tests.integration.operations.harness import World, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase


@pytest.fixture
async def runtime(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A Fleet that knows nothing yet."""
    settings = settings_for(tmp_path)
    async with open_runtime(settings, Secret(database.app_url), name="test") as opened:
        yield opened


@pytest.fixture
async def api(runtime: Runtime) -> Api:
    return await account(runtime, "admin", "anna")


@pytest.fixture
async def bare(
    database: TestDatabase, bare_clusters: list[TestCluster], git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    """A Fleet with a cluster and a repository; a test polls and passes when it wants to."""
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as made:
        yield made


@pytest.fixture
async def operator(bare: World) -> Api:
    """An administrator of ``bare``."""
    return await account(bare.runtime, "admin", "otto")
