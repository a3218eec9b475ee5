"""Killed anywhere, Fleet goes on where it stopped: every labelled point, with the same checks.

The world is prepared so that one round of work passes every label: a commit that changes,
adds and removes objects of one application, and another application that is being deleted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application
from fleet.operations.crashpoints import LABELS
from fleet.registry import chain
from tests.acceptance.crash.driver import Job, work
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import ADMIN, World, config_map, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

ROOT = Path(__file__).parents[3]
#: One of each sort; the sweep takes the rest, and later visits to the same places.
FEW = (
    "evaluate:after-commit",
    "plan:after-commit",
    "apply:after",
    "delete:after",
    "record:before-commit",
    "forget:before-commit",
)
AGAIN = (
    "apply:before:2",
    "apply:after:2",
    "delete:before:3",
    "delete:after:2",
    "record:after-commit:2",
)
SWEEP = (*(label for label in LABELS if label not in FEW), *AGAIN)


def _places() -> list[object]:
    few = [pytest.param(label, id=label) for label in FEW]
    return few + [pytest.param(label, id=label, marks=pytest.mark.sweep) for label in SWEEP]


async def _prepare(world: World) -> list[str]:
    """Deploy two applications, then leave work to do; commits in their order."""
    for name in ("web", "old"):
        await world.add_app(name, sync_options=("PrunePropagationPolicy=background",))
    world.create_namespace()
    first = await world.deliver(
        web=(config_map("changes", x="1"), config_map("leaves"), config_map("stays")),
        old=(config_map("gone"), config_map("gone-too")),
    )
    await world.pretend_worker()
    await delete_application(
        world.runtime, ADMIN, EVERYTHING, "old", cascade=True, propagation="background"
    )
    second = world.commit(
        web=(config_map("changes", x="2"), config_map("comes"), config_map("stays"))
    )
    return [first, second]


def _drive(job: Job, crash_at: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.acceptance.crash.driver"],
        input=job.as_json(),
        env={**os.environ, "FLEET_CRASH_AT": crash_at},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,  # a slow machine is no failure
        check=False,
    )


async def _check_live(world: World) -> None:
    """I1: what Git wants is what runs, and nothing else of ours."""
    data = {name: world.read(name) for name in ("changes", "comes", "stays")}
    assert {name: live and live["data"] for name, live in data.items()} == {
        "changes": {"x": "2"},
        "comes": {"colour": "blue"},
        "stays": {"colour": "blue"},
    }
    for name in ("leaves", "gone", "gone-too"):
        assert world.read(name) is None, name


async def _check_rows(world: World, commits: list[str]) -> None:
    """One history row a sync, nothing twice, nothing stuck, revisions only forwards."""
    (app,) = await world.rows("select * from applications")
    assert (app["name"], app["sync_status"], app["health_status"]) == ("web", "Synced", "Healthy")
    assert (app["urgency"], app["operation_id"], app["due_at"]) == (100, None, None)
    assert (app["revisions"], app["synced_revision"]) == ([commits[1]], commits[1])
    operations = await world.operations("web")
    assert [(row["revision"], row["phase"]) for row in operations] == [
        (commits[0], "Succeeded"),
        (commits[1], "Succeeded"),
    ]
    gone = await world.operations("old")
    assert [(row["kind"], row["phase"]) for row in gone] == [
        ("sync", "Succeeded"),
        ("delete", "Succeeded"),
    ]
    results = await world.results("web")
    assert set(results) == {"ConfigMap/changes", "ConfigMap/comes", "ConfigMap/leaves"}
    assert results["ConfigMap/leaves"] == ("pruned", "")
    # what was applied and killed before it was written down is found there, not made again
    assert results["ConfigMap/comes"][0] in {"created", "configured"}
    assert {error for _, error in results.values()} == {""}
    resources = await world.resources("web")
    assert set(resources) == {"ConfigMap/changes", "ConfigMap/comes", "ConfigMap/stays"}
    assert all(row["in_inventory"] for row in resources.values())
    assert len(await world.rows("select 1 from resources")) == 3
    deployments = await world.rows(
        "select * from deployments where application = 'web' order by deployed_from"
    )
    assert [(row["revision"], row["deployed_until"] is None) for row in deployments] == [
        (commits[0], False),
        (commits[1], True),
    ]
    assert await world.rows("select 1 from drift_events") == []


async def _check_audit(world: World) -> None:
    async with world.runtime.db.reading() as tx:
        found = await chain.verify(tx, world.runtime.ring)
    assert found.ok, found
    told = await world.rows(
        "select object from audit.changes where object_kind = 'Application' and action = 'delete'"
    )
    assert len(told) <= 2, told  # what was asked for, and what came of it


@pytest.mark.parametrize("place", _places())
async def test_killed_there_the_next_one_finishes(
    place: str,
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path)
    async with world(settings, database, git_repo, bare_clusters[0]) as prepared:
        commits = await _prepare(prepared)
        job = Job(
            database.app_url,
            str(tmp_path),
            str(prepared.clusters["main"].id),
            str(prepared.repository),
        )
        died = await asyncio.to_thread(_drive, job, place)
        assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
        await work(job)
        await _check_live(prepared)
        await _check_rows(prepared, commits)
        await _check_audit(prepared)
        # and once more: there is nothing left to do, and nothing is written
        before = await prepared.versions()
        assert await work(job) == 1
        assert await prepared.versions() == before
