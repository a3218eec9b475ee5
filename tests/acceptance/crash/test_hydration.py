"""Killed between render, commit and push: the next one does what is left, and nothing twice."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from fleet.operations.crashpoints import HYDRATION
from tests.acceptance.crash.children import Where, work
from tests.acceptance.crash.driven import drive
from tests.cluster.kube import TestCluster
from tests.integration.operations.farms import BRANCH, Farm
from tests.integration.operations.harness import config_map, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

FEW = ("push:before", "push:after")
SWEEP = (
    *(label for label in HYDRATION if label not in FEW),
    "hydrate:before-commit:2",
    "hydrate:after-commit:2",
)
PLACES = [pytest.param(place, id=place) for place in FEW] + [
    pytest.param(place, id=place, marks=pytest.mark.sweep) for place in SWEEP
]


@pytest.mark.parametrize("place", PLACES)
async def test_killed_there_a_dry_commit_is_pushed_once(
    place: str,
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    tmp_path: Path,
) -> None:
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as made:
        farm = Farm(made)
        dry = made.commit(web=(config_map("web"),))
        await farm.allow_push()
        await farm.add("web")
        where = Where(
            database.app_url, str(tmp_path), (str(made.clusters["main"].id),), str(made.repository)
        )
        died = await asyncio.to_thread(drive, "children", where.as_json(), place)
        assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
        await work(where)
        assert farm.commits() == 1
        state = await farm.state("web")
        assert (state["current"]["phase"], state["last"]["drySHA"]) == ("Hydrated", dry)
        assert (await made.app("web"))["revisions"] == [git_repo.sha(BRANCH)]
        assert made.read("web") is not None
