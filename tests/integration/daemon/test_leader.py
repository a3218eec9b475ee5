"""The leader: one at a time, with a timetable that follows what is registered."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import metrics
from fleet.daemon.leader import Leader
from fleet.daemon.worker import run_worker
from fleet.errors import RegistryUnavailable
from fleet.model.scope import EVERYTHING
from fleet.operations.clusters import pause_cluster, remove_cluster, resume_cluster
from fleet.registry import queue, timetable
from fleet.registry.database import Database
from tests.cluster.kube import TestCluster
from tests.integration.daemon.conftest import Start
from tests.integration.operations.harness import ADMIN, World, config_map, until


async def _holder(world: World) -> str:
    rows = await world.rows(
        "select holder from leases where name = 'leader' and expires_at > clock_timestamp()"
    )
    return str(rows[0]["holder"]) if rows else ""


async def _jobs(world: World) -> dict[str, timetable.ShownJob]:
    async with world.runtime.db.reading() as tx:
        return {job.name: job for job in await timetable.shown(tx, EVERYTHING)}


async def _waiting(world: World, task: str) -> list[dict[str, Any]]:
    return await world.rows(
        "select * from procrastinate_jobs where task_name = :task and status = 'todo'", task=task
    )


async def test_one_leads_and_another_takes_over_when_the_lease_expires(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    first, second = Leader(bare.runtime, own(), "first"), Leader(bare.runtime, own(), "second")
    await start(first.run)
    await until(lambda: _is(lambda: first.is_leading))
    await start(second.run)
    (epoch,) = [row["epoch"] for row in await bare.rows("select epoch from leases")]
    # as if the first had been frozen for longer than its lease
    first._own = frozen = _Frozen()  # type: ignore[assignment]
    await bare.run("update leases set expires_at = clock_timestamp() where name = 'leader'")
    await until(lambda: _is(lambda: second.is_leading))
    assert await _holder(bare) == "second"
    (now,) = [row["epoch"] for row in await bare.rows("select epoch from leases")]
    assert now > epoch
    frozen.over.set()
    await until(lambda: _is(lambda: not first.is_leading))


class _Frozen:
    """A database that gives no answer, until that is over; then it is one that is gone."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def transaction(self) -> _Frozen:
        return self

    async def __aenter__(self) -> None:
        await self.over.wait()
        raise RegistryUnavailable("gone")

    async def __aexit__(self, *_: object) -> None:
        return None


async def _is(question: Callable[[], bool]) -> bool:
    return question()


async def test_who_stops_hands_over_at_once(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    first, second = Leader(bare.runtime, own(), "first"), Leader(bare.runtime, own(), "second")
    stop = await start(first.run)
    await until(lambda: _is(lambda: first.is_leading))
    await start(second.run)
    stop.set()
    await until(lambda: _is(lambda: second.is_leading), seconds=8)  # the lease lasts for 10 s
    assert not first.is_leading


async def test_the_timetable_follows_clusters_and_repositories(
    bare: World, bare_clusters: list[TestCluster], own: Callable[[], Database], start: Start
) -> None:
    await bare.add_app("web")
    leader = Leader(bare.runtime, own(), "me")
    await start(leader.run)
    await until(lambda: _has(bare, "reconcile main"))
    jobs = await _jobs(bare)
    assert set(jobs) == {"reconcile main", f"poll {bare.repo.url}", "renew tokens"}
    assert jobs["reconcile main"].interval_seconds == 120
    await bare.add_cluster("second", bare_clusters[1], interval_seconds=600)
    await until(lambda: _has(bare, "reconcile second"))
    assert (await _jobs(bare))["reconcile second"].interval_seconds == 600
    await pause_cluster(bare.runtime, ADMIN, EVERYTHING, "second", reason="move", until=None)
    await until(lambda: _paused(bare, "reconcile second"))
    assert (await _jobs(bare))["reconcile second"].next_run_at is None
    await resume_cluster(bare.runtime, ADMIN, EVERYTHING, "second")
    await until(lambda: _not(_paused(bare, "reconcile second")))
    await remove_cluster(bare.runtime, ADMIN, EVERYTHING, "second")
    await until(lambda: _not(_has(bare, "reconcile second")))


async def _has(world: World, job: str) -> bool:
    return job in await _jobs(world)


async def _paused(world: World, job: str) -> bool:
    return (await _jobs(world))[job].paused


async def _not(question: Any) -> bool:
    return not await question


async def test_a_pause_ends_by_itself(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    await pause_cluster(bare.runtime, ADMIN, EVERYTHING, "main", reason="move", until=soon)
    await start(Leader(bare.runtime, own(), "me").run)
    await until(lambda: _has(bare, "reconcile main"))
    assert (await _jobs(bare))["reconcile main"].paused
    bare.clock.forward(3601)
    await until(lambda: _not(_paused(bare, "reconcile main")))


async def test_what_was_never_read_is_read_at_once(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    await bare.add_app("web")
    await bare.run("update clusters set attempted_at = null")
    await bare.run("delete from procrastinate_jobs")
    await start(Leader(bare.runtime, own(), "me").run)
    await until(lambda: _waiting(bare, "reconcile"))
    await until(lambda: _waiting(bare, "poll"))


async def test_retention_is_a_workers_job(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    settings = replace(bare.runtime.settings, history_retention_months=3)
    runtime = replace(bare.runtime, settings=settings)
    await start(Leader(runtime, own(), "me").run)
    await until(lambda: _waits(bare, "retain"))
    await start(functools.partial(run_worker, runtime))
    await until(lambda: _is_done(bare, "retain"))


async def _waits(world: World, task: str) -> bool:
    return bool(await _waiting(world, task))


async def _is_done(world: World, task: str) -> bool:
    query = "select 1 from procrastinate_jobs where task_name = :task"
    return not await world.rows(query, task=task)


async def test_a_retry_that_is_due_wakes_its_cluster(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    await bare.add_app("web", sync_options=())
    await bare.deliver(web=(config_map("a"),))  # its namespace is not there
    await bare.run("delete from procrastinate_jobs")
    await start(Leader(bare.runtime, own(), "me").run)
    await until(lambda: _has(bare, "reconcile main"))
    assert (await bare.app("web"))["due_at"] > bare.clock()
    bare.clock.forward(6)
    await until(lambda: _waiting(bare, "reconcile"))


async def test_what_a_dead_worker_had_in_hand_is_taken_up(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    await bare.run("delete from procrastinate_jobs")
    async with bare.runtime.db.transaction() as tx:
        await queue.wake(tx, "reconcile", [str(bare.clusters["main"].id)])
    await bare.run(
        "with dead as (insert into procrastinate_workers (last_heartbeat)"
        " values (now() - interval '1 minute') returning id)"
        " update procrastinate_jobs set status = 'doing', worker_id = dead.id from dead"
    )
    (taken,) = await bare.rows("select id from procrastinate_jobs")
    await start(Leader(bare.runtime, own(), "me").run)
    (anew,) = await until(lambda: _waiting(bare, "reconcile"))
    assert anew["id"] > taken["id"]  # the epoch of its writes


async def test_the_leader_alone_shows_how_the_fleet_does(
    bare: World, own: Callable[[], Database], start: Start
) -> None:
    def shown() -> set[str]:
        said = metrics.exposition().decode().splitlines()
        return {line.partition("{")[0].split()[0] for line in said if not line.startswith("#")}

    async def is_shown() -> bool:
        return metrics.WHOLE.keys() - shown() == {"fleet_soonest_token_end_seconds"}

    async def is_gone() -> bool:
        return not metrics.WHOLE.keys() & shown()

    await start(Leader(bare.runtime, own(), "me").run)
    await until(is_shown)
    await bare.run(
        "update leases set holder = 'other', epoch = epoch + 1,"
        " expires_at = clock_timestamp() + interval '1 hour' where name = 'leader'"
    )
    await until(is_gone)
