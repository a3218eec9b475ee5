"""The worker: takes wake-ups, survives bad ones, and finishes what it has when told to stop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from fleet.daemon import worker
from fleet.daemon.jobs import TOGETHER
from fleet.daemon.worker import run_worker
from fleet.model.ids import ClusterId, RepositoryId
from fleet.model.selectors import parse_selector
from fleet.operations.runtime import Runtime
from fleet.registry import clusters, queue, routing
from fleet.registry.database import Tx
from tests.cluster.kube import TestCluster
from tests.integration.daemon.conftest import Start
from tests.integration.operations.harness import ADMIN, World, config_map, until


async def _synced(world: World, name: str, revision: str) -> bool:
    return bool((await world.app(name))["synced_revision"] == revision)


async def test_a_new_application_is_synced_without_anyone_asking_again(
    bare: World, start: Start
) -> None:
    sha = bare.commit(web=(config_map("a"),))
    await start(functools.partial(run_worker, bare.runtime))
    await bare.add_app("web")
    await until(lambda: _synced(bare, "web", sha))
    assert bare.read("a") is not None
    await until(lambda: _idle(bare))
    async with bare.runtime.db.reading() as tx:
        assert await queue.live_workers(tx) == 1


async def _idle(world: World) -> bool:
    return not await world.rows("select 1 from procrastinate_jobs")


async def test_a_job_that_fails_does_not_end_the_worker(
    bare: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[ClusterId] = []
    real = worker.reconcile_cluster

    async def breaks_once(runtime: Runtime, id: ClusterId, epoch: int) -> None:
        if not broken:
            broken.append(id)
            raise ZeroDivisionError
        await real(runtime, id, epoch)

    monkeypatch.setattr(worker, "reconcile_cluster", breaks_once)
    await start(functools.partial(run_worker, bare.runtime))
    await bare.run("delete from procrastinate_jobs")
    async with bare.runtime.db.transaction() as tx:
        await queue.wake(tx, "reconcile", [str(bare.clusters["main"].id)])
    await until(lambda: _is(broken))
    sha = bare.commit(web=(config_map("a"),))
    await bare.add_app("web")
    await until(lambda: _synced(bare, "web", sha))


async def test_a_worker_that_selects_takes_only_what_is_of_its_clusters(
    bare: World, bare_clusters: list[TestCluster], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, list[str]] = {"any": [], "eu": []}
    eu = await bare.add_cluster("eu-1", bare_clusters[1])
    async with bare.runtime.db.transaction() as tx:
        await clusters.update_cluster(tx, ADMIN, eu.id, {"labels": {"region": "eu"}})
    names = {eu.id: "eu-1", bare.clusters["main"].id: "main"}

    async def note(runtime: Runtime, id: ClusterId, epoch: int) -> None:
        taken["eu" if runtime.selector.requirements else "any"].append(names[id])

    async def note_poll(runtime: Runtime, id: RepositoryId) -> None:
        taken["eu" if runtime.selector.requirements else "any"].append("poll")

    monkeypatch.setattr(worker, "reconcile_cluster", note)
    monkeypatch.setattr(worker, "poll_repository", note_poll)
    selective = replace(bare.runtime, selector=parse_selector("region=eu"))
    await start(functools.partial(run_worker, selective))

    async def lives() -> bool:
        async with bare.runtime.db.reading() as tx:
            crew = await routing.crew_of(tx, eu.id)
        return crew is not None and crew.selector == "region=eu"

    await until(lives)
    await start(functools.partial(run_worker, bare.runtime))
    await until(lambda: _idle(bare))
    for found in taken.values():
        found.clear()
    async with bare.runtime.db.transaction() as tx:
        await queue.wake(tx, "reconcile", [str(id) for id in names])
        await queue.wake(tx, "poll", [str(bare.repository)])
    await until(lambda: _idle(bare))
    assert {who: sorted(what) for who, what in taken.items()} == {
        "any": ["main", "poll"],
        "eu": ["eu-1"],
    }


async def _is(value: object) -> bool:
    return bool(value)


async def test_a_worker_that_stops_finishes_the_pass_in_hand(
    bare: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(runtime: Runtime, id: ClusterId, epoch: int) -> None:
        began.set()
        await go_on.wait()
        ended.set()

    monkeypatch.setattr(worker, "reconcile_cluster", slow)
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(bare.runtime, stop))
    async with bare.runtime.db.transaction() as tx:
        await queue.wake(tx, "reconcile", [str(bare.clusters["main"].id)])
    await asyncio.wait_for(began.wait(), 30)
    stop.set()
    await asyncio.sleep(0)
    assert not running.done()
    go_on.set()
    await asyncio.wait_for(running, 30)
    assert ended.is_set()
    assert await _idle(bare)


async def test_passes_over_one_cluster_never_run_side_by_side(
    bare: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, epochs = 0, 0, []
    turn = asyncio.Event()

    async def counted(runtime: Runtime, id: ClusterId, epoch: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        epochs.append(epoch)
        async with bare.runtime.db.transaction() as tx:
            if len(epochs) < 4:
                await queue.wake(tx, "reconcile", [str(id)])
        running -= 1
        if len(epochs) == 4:
            turn.set()

    monkeypatch.setattr(worker, "reconcile_cluster", counted)
    for _ in range(2):
        await start(functools.partial(run_worker, bare.runtime))
    async with bare.runtime.db.transaction() as tx:
        await queue.wake(tx, "reconcile", [str(bare.clusters["main"].id)])
    await asyncio.wait_for(turn.wait(), 30)
    assert most == 1
    assert epochs == sorted(set(epochs))


async def test_jobs_are_taken_and_ended_together(
    bare: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement takes many and a few end them all, where procrastinate says eight a job."""
    keys = [str(uuid4()) for _ in range(TOGETHER)]
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()
    taken: list[int] = []
    ended: list[int] = []
    take, finish = queue.take, queue.finish

    async def waits(runtime: Runtime, id: ClusterId, epoch: int) -> None:
        begun.release()
        await go_on.wait()

    async def note_taken(*asked: Any) -> tuple[queue.TakenJob, ...]:
        jobs = await take(*asked)
        taken.append(len(jobs))
        return jobs

    async def note_ended(tx: Tx, ids: Sequence[int]) -> None:
        ended.append(len(ids))
        await finish(tx, ids)

    monkeypatch.setattr(worker, "reconcile_cluster", waits)
    monkeypatch.setattr(queue, "take", note_taken)
    monkeypatch.setattr(queue, "finish", note_ended)
    await bare.run("delete from procrastinate_jobs")
    async with bare.runtime.db.transaction() as tx:
        await queue.wake(tx, "reconcile", keys)
    await start(functools.partial(run_worker, bare.runtime))
    for _ in keys:
        await asyncio.wait_for(begun.acquire(), 60)
    assert [count for count in taken if count] == [TOGETHER]
    go_on.set()
    await until(lambda: _idle(bare))
    assert sum(ended) == TOGETHER
    assert len(ended) <= TOGETHER / 2
