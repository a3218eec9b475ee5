"""Killed while applications of applications come, change and go: the next one finishes."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from fleet.model.clusters import IN_CLUSTER_NAME
from fleet.registry import chain
from tests.acceptance.crash.children import Where, work
from tests.acceptance.crash.driven import drive
from tests.cluster.kube import TestCluster
from tests.integration.operations.apps import (
    BACKGROUND,
    add_root,
    application,
    names,
    roll,
)
from tests.integration.operations.harness import World, config_map, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

FEW = ("put:after-commit", "delete:after")
SWEEP = (
    "put:before-commit",
    "put:after-commit:2",
    "put:before-commit:3",
    "plan:after-commit",
    "apply:before",
    "apply:after:2",
    "delete:before",
    "delete:after:2",
    "record:before-commit",
    "record:after-commit:2",
    "forget:after-commit",
)
PLACES = [pytest.param(place, id=place) for place in FEW] + [
    pytest.param(place, id=place, marks=pytest.mark.sweep) for place in SWEEP
]


async def _prepare(world: World) -> None:
    goes = application(world, "goes", finalizers=(BACKGROUND,))
    world.commit(
        root=(goes, application(world, "web")),
        goes=(config_map("gone"),),
        web=(config_map("page"),),
    )
    await add_root(world)
    await roll(world, 4)
    assert await names(world) == ["goes", "root", "web"]
    changed = application(world, "web", wave=1, revisionHistoryLimit=3)
    world.commit(
        root=(application(world, "comes"), changed),
        comes=(config_map("new"),),
        web=(config_map("page"),),
    )


@pytest.mark.parametrize("place", PLACES)
async def test_killed_there_the_next_one_finishes(
    place: str,
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    tmp_path: Path,
) -> None:
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as made:
        await _prepare(made)
        ids = tuple(str(made.clusters[name].id) for name in (IN_CLUSTER_NAME, "main"))
        where = Where(database.app_url, str(tmp_path), ids, str(made.repository))
        died = await asyncio.to_thread(drive, "children", where.as_json(), place)
        assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
        await work(where)
        assert await names(made) == ["comes", "root", "web"]
        assert (await made.app("web"))["document"]["spec"]["revisionHistoryLimit"] == 3
        assert made.read("gone") is None
        assert made.read("new") is not None
        for name in ("comes", "root", "web"):
            app = await made.app(name)
            assert (app["sync_status"], app["health_status"]) == ("Synced", "Healthy"), app
        told = await made.rows(
            "select action, object from audit.changes where object_kind = 'Application'"
            " and object in ('comes', 'goes') order by 2, 1"
        )
        # a deletion is wanted, and is an operation; then it is over
        assert [(row["action"], row["object"]) for row in told] == [
            ("create", "comes"),
            ("create", "goes"),
            ("delete", "goes"),
            ("delete", "goes"),
            ("remove", "goes"),
        ]
        async with made.runtime.db.reading() as tx:
            assert (await chain.verify(tx, made.runtime.ring)).ok
