"""What the leader schedules for one moment: windows that open, syncs that were planned."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fleet.daemon.leader import Leader
from fleet.daemon.worker import run_worker
from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING, Actor
from fleet.operations.planned import cancel_planned, plan_sync
from fleet.registry.database import Database
from tests.integration.daemon.conftest import Start
from tests.integration.operations.harness import ADMIN, World, config_map, until
from tests.integration.operations.windows import HOUR, PROJECT, put_windows, window

OTTO = Actor("local:otto", role="admin")


async def _job(world: World, part: str) -> dict[str, Any] | None:
    rows = await world.rows("select * from scheduled_jobs")
    return next((row for row in rows if part in row["name"]), None)


async def _next(world: World, part: str) -> Any:
    job = await _job(world, part)
    return job and job["next_run_at"]


async def test_the_next_opening_of_a_project_is_scheduled(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    await put_windows(bare, window(bare, "deny", -10, HOUR), window(bare, "allow", 90, 5))
    await start(Leader(bare.runtime, own(), "me").run)
    opens = await until(lambda: _next(bare, f"sync window {PROJECT}"))
    assert timedelta(minutes=48) < opens - bare.clock() < timedelta(minutes=50)
    await put_windows(bare, window(bare, "allow", 90, 5))
    later = await until(lambda: _moved(bare, opens))
    assert timedelta(minutes=88) < later - bare.clock() < timedelta(minutes=90)
    await put_windows(bare)
    await until(lambda: _gone(bare, "sync window"))


async def _moved(world: World, before: Any) -> Any:
    found = await _next(world, "sync window")
    return found if found != before else None


async def _gone(world: World, part: str) -> bool:
    return await _job(world, part) is None


async def test_applications_that_wait_sync_when_their_window_opens(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    """All by themselves; no row says any more when they are due, so it is the leader's job."""
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    for name in ("web", "api"):
        await bare.add_app(name, project=PROJECT)
    await bare.deliver(web=(config_map("a"),), api=(config_map("b"),))
    await bare.run("update applications set due_at = null")
    await bare.run("update clusters set attempted_at = now()")
    await bare.run("update repositories set attempted_at = now()")
    await bare.run("delete from procrastinate_jobs")
    await start(Leader(bare.runtime, own(), "me").run)
    await start(functools.partial(run_worker, bare.runtime))
    await until(lambda: _next(bare, "sync window"))
    assert bare.read("a") is None
    bare.clock.forward(50 * 60)
    await until(lambda: _is_there(bare, "a"))
    await until(lambda: _is_there(bare, "b"))


async def _is_there(world: World, name: str) -> bool:
    return world.read(name) is not None


async def test_a_planned_sync_takes_place_though_another_leads_by_then(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    await bare.put_project(PROJECT)
    await bare.add_app("web", project=PROJECT, auto=False)
    await bare.deliver(web=(config_map("a"),))
    at = bare.clock() + timedelta(hours=1)
    plan = functools.partial(plan_sync, bare.runtime, OTTO, EVERYTHING, PROJECT, at, SyncOptions())
    await plan()
    other = await plan()
    stop = await start(Leader(bare.runtime, own(), "first").run)
    await until(lambda: _next(bare, f"planned sync {PROJECT} {other.id}"))
    await cancel_planned(bare.runtime, ADMIN, EVERYTHING, PROJECT, other.id)
    await until(lambda: _gone(bare, str(other.id)))
    assert await _job(bare, f"planned sync {PROJECT}")
    stop.set()
    bare.clock.forward(2 * 3600)  # nobody leads when it should begin
    await start(Leader(bare.runtime, own(), "second").run)
    await start(functools.partial(run_worker, bare.runtime))
    await until(lambda: _is_there(bare, "a"))
    (operation,) = await bare.operations("web")
    assert operation["initiated_by"] == OTTO.name
    await until(lambda: _gone(bare, "planned sync"))
