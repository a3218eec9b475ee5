"""Wake-ups against a real procrastinate worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from procrastinate import App, PsycopgConnector
from sqlalchemy import text

from fleet.model.clusters import ANYONES_QUEUE
from fleet.registry import queue
from fleet.registry.database import Database, Tx

#: Far beyond any test, so that only a notification can be what woke the worker.
NEVER_POLL_SECONDS = 3600.0


class Listening(PsycopgConnector):
    """Tells when the worker listens: what is announced before, only polling would find."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ready = asyncio.Event()

    async def _loop_notify(self, *args: Any, **options: Any) -> None:
        self.ready.set()
        await super()._loop_notify(*args, **options)


class Work:
    """A worker whose jobs note their key, and stand still while ``gate`` is shut."""

    def __init__(self, db: Database) -> None:
        self.connector = Listening(conninfo=db.conninfo().reveal(), min_size=1, max_size=4)
        self.app = App(connector=self.connector)
        self.gate = asyncio.Event()
        self.gate.set()
        self.started: asyncio.Queue[str] = asyncio.Queue()
        self.done: asyncio.Queue[str] = asyncio.Queue()
        self.app.task(name="reconcile")(self._reconcile)

    async def _reconcile(self, key: str) -> None:
        self.started.put_nowait(key)
        await self.gate.wait()
        self.done.put_nowait(key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.app.open_async():
            worker = asyncio.create_task(
                self.app.run_worker_async(
                    concurrency=4,
                    fetch_job_polling_interval=NEVER_POLL_SECONDS,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=0.1,
                )
            )
            async with asyncio.timeout(20):
                await self.connector.ready.wait()
            yield
            self.gate.set()
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


@pytest.fixture
async def work(db: Database) -> Work:
    return Work(db)


async def _wake(db: Database, *keys: str, **options: Any) -> None:
    async with db.transaction() as tx:
        await queue.wake(tx, "reconcile", keys, **options)


async def _jobs(db: Database) -> list[Any]:
    query = text(
        "select id, queueing_lock, lock, status::text, priority, scheduled_at, args"
        " from procrastinate_jobs order by id"
    )
    async with db.transaction() as tx:
        return list((await tx.execute(query)).all())


async def _next(queue_of_keys: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(20):
        return await queue_of_keys.get()


async def test_waiting_and_new_jobs_run(db: Database, work: Work) -> None:
    await _wake(db, "a")
    async with work.running():
        assert await _next(work.done) == "a"
        await _wake(db, "b", "c")  # several rows in one statement: each is announced
        assert {await _next(work.done), await _next(work.done)} == {"b", "c"}


async def test_what_waits_already_is_not_added_again(db: Database) -> None:
    await _wake(db, "a", "b", "a")
    await _wake(db, "b", "c")
    jobs = await _jobs(db)
    assert [job.queueing_lock for job in jobs] == ["reconcile:a", "reconcile:b", "reconcile:c"]
    assert all(job.lock == job.queueing_lock for job in jobs)
    assert jobs[0].args == {"key": "a"}


async def test_a_running_job_gets_one_successor(db: Database, work: Work) -> None:
    async with work.running():
        work.gate.clear()
        await _wake(db, "a")
        assert await _next(work.started) == "a"
        for _ in range(3):
            await _wake(db, "a")
        assert [job.status for job in await _jobs(db)] == ["doing", "todo"]
        assert work.started.empty()  # the lock: never side by side
        work.gate.set()
        assert [await _next(work.done), await _next(work.done)] == ["a", "a"]
        assert work.done.empty()


async def test_nothing_is_queued_before_the_commit(db: Database) -> None:
    with pytest.raises(KeyError):
        await _wake_and_fail(db)
    assert await _jobs(db) == []


async def _wake_and_fail(db: Database) -> None:
    async with db.transaction() as tx:
        await queue.wake(tx, "reconcile", ["a"])
        raise KeyError


async def test_no_wake_up_is_lost_between_look_and_commit(db: Database, work: Work) -> None:
    """A job waits; a transaction that changed rows wakes it and has not committed. A worker
    that ran the job now would not see the rows, and nobody would tell it again."""
    await _wake(db, "a")
    async with db.transaction() as tx:
        await queue.wake(tx, "reconcile", ["a"])
        async with work.running():
            await _wake(db, "b")
            assert await _next(work.done) == "b"  # the worker looked, and passed over a
            assert work.started.qsize() == 1
            await tx.commit()
            assert await _next(work.done) == "a"  # told again at the commit, not by polling


async def test_waking_the_same_key_does_not_wait(db: Database) -> None:
    await _wake(db, "a")
    async with db.transaction() as one, db.transaction() as other:
        await queue.wake(one, "reconcile", ["a"])
        await other.execute(text("set local lock_timeout = '1s'"))
        await queue.wake(other, "reconcile", ["a"])


async def test_opposite_orders_do_not_deadlock(db: Database) -> None:
    keys = [f"k{n}" for n in range(50)]
    await asyncio.gather(*(_wake(db, *order) for order in (keys, keys[::-1]) for _ in range(2)))
    assert len(await _jobs(db)) == 50


async def test_brought_forward(db: Database) -> None:
    now = datetime.now(UTC)
    soon, later = now + timedelta(minutes=1), now + timedelta(hours=1)
    await _wake(db, "a", scheduled_at=later)
    await _wake(db, "a", scheduled_at=soon)
    assert [(job.priority, job.scheduled_at) for job in await _jobs(db)] == [(0, soon)]
    await _wake(db, "a", scheduled_at=later, priority=5)
    assert [(job.priority, job.scheduled_at) for job in await _jobs(db)] == [(5, soon)]
    await _wake(db, "a", priority=2)
    assert [(job.priority, job.scheduled_at) for job in await _jobs(db)] == [(5, None)]
    await _wake(db, "a", scheduled_at=later)
    assert [(job.priority, job.scheduled_at) for job in await _jobs(db)] == [(5, None)]


async def test_live_workers(db: Database, work: Work) -> None:
    async def count(within: float) -> int:
        async with db.reading() as tx:
            return await queue.live_workers(tx, within)

    assert await count(60) == 0
    async with work.running():
        await _wake(db, "a")
        await _next(work.done)
        assert await count(60) == 1
        assert await count(-1) == 0
    assert await count(60) == 0  # a worker that ends says so


async def test_jobs_of_a_dead_worker_are_made_anew(db: Database, work: Work) -> None:
    await _wake(db, "a", "b", priority=3)
    async with db.transaction() as tx:
        worker = (await tx.execute(text("select procrastinate_register_worker_v1()"))).scalar_one()
        await _take(tx, worker)
        await _take(tx, worker)
    await _wake(db, "b")  # b waits a second time, a does not
    old = {job.queueing_lock: job.id for job in await _jobs(db) if job.status == "doing"}

    async def requeue(stalled_seconds: float) -> int:
        async with db.transaction() as tx:
            return await queue.requeue_stalled(tx, stalled_seconds)

    assert await requeue(60) == 0  # it gave a sign of life just now
    assert await requeue(0) == 2
    jobs = await _jobs(db)
    assert [(job.queueing_lock, job.status, job.priority) for job in jobs] == [
        ("reconcile:b", "todo", 3),
        ("reconcile:a", "todo", 3),
    ]
    assert all(job.id > old[job.queueing_lock] for job in jobs)  # a higher epoch
    async with work.running():
        assert {await _next(work.done), await _next(work.done)} == {"a", "b"}


async def test_a_job_without_a_worker_is_stalled(db: Database) -> None:
    await _wake(db, "a")
    async with db.transaction() as tx:
        worker = (await tx.execute(text("select procrastinate_register_worker_v1()"))).scalar_one()
        await _take(tx, worker)
        await tx.execute(text("select procrastinate_unregister_worker_v1(:id)"), {"id": worker})
        assert await queue.requeue_stalled(tx, 60) == 1


async def _take(tx: Tx, worker: object) -> None:
    await tx.execute(text("select procrastinate_fetch_job_v2(null, :id)"), {"id": worker})


@pytest.fixture
async def worker(db: Database) -> int:
    """The id of a worker that lives."""
    async with db.transaction() as tx:
        made = await tx.execute(text("select procrastinate_register_worker_v1()"))
        return int(made.scalar_one())


async def _taken(db: Database, worker: int, most: int = 10) -> list[str]:
    """Keys of the jobs that the worker takes, in their order."""
    async with db.stating() as tx:
        jobs = await queue.take(tx, [ANYONES_QUEUE], worker, most)
    return [job.row["args"]["key"] for job in jobs]


async def test_what_is_most_urgent_is_taken_first_and_once(db: Database, worker: int) -> None:
    await _wake(db, "a", "b")
    await _wake(db, "c", priority=5)
    assert await _taken(db, worker, most=2) == ["c", "a"]
    assert await _taken(db, worker) == ["b"]
    assert await _taken(db, worker) == []


async def test_what_is_due_later_or_of_another_queue_is_left(db: Database, worker: int) -> None:
    await _wake(db, "a", "b", "c")
    await _wake(db, "later", scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    async with db.transaction() as tx:
        moved = "update procrastinate_jobs set queue_name = 'eu' where args ->> 'key' = 'b'"
        await tx.execute(text(moved))
    assert await _taken(db, worker) == ["a", "c"]


async def test_a_successor_is_not_taken_before_its_predecessor_ended(
    db: Database, worker: int
) -> None:
    await _wake(db, "a")
    (first,) = [job.id for job in await _jobs(db)]
    assert await _taken(db, worker) == ["a"]
    await _wake(db, "a", "b")
    assert await _taken(db, worker) == ["b"]
    async with db.stating() as tx:
        await queue.finish(tx, [first])
    assert await _taken(db, worker) == ["a"]


async def test_to_end_a_job_that_counted_as_stalled_leaves_what_took_its_place(
    db: Database, worker: int
) -> None:
    await _wake(db, "a")
    (first,) = [job.id for job in await _jobs(db)]
    assert await _taken(db, worker) == ["a"]
    async with db.transaction() as tx:
        await tx.execute(text("delete from procrastinate_workers"))
        assert await queue.requeue_stalled(tx, 60) == 1
    async with db.stating() as tx:
        await queue.finish(tx, [first])
    assert [job.status for job in await _jobs(db)] == ["todo"]


async def test_what_is_given_back_waits_again_under_a_higher_number(
    db: Database, worker: int
) -> None:
    await _wake(db, "a", priority=3)
    (first,) = [job.id for job in await _jobs(db)]
    assert await _taken(db, worker) == ["a"]
    async with db.transaction() as tx:
        await queue.give_back(tx, [first])
    (again,) = await _jobs(db)
    assert (again.status, again.priority) == ("todo", 3)
    assert again.id > first


async def test_no_keys_is_no_statement(db: Database) -> None:
    await _wake(db)
    assert await _jobs(db) == []


async def test_commit_announces_each_new_row(db: Database) -> None:
    conninfo = db.conninfo().reveal()
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as listener:
        await listener.execute('listen "procrastinate_any_queue_v1"')
        await _wake(db, "a", "b", "c")
        told = [n.payload async for n in listener.notifies(timeout=20, stop_after=3)]
    assert len(set(told)) == 3
