"""Wake-ups: jobs of procrastinate, written in the transaction that makes them needed.

A job says only *look at this key*; what is to do is in the rows. Jobs of one task and key
coalesce (``queueing_lock``) and never run side by side (``lock``). procrastinate's own
client opens connections of its own; here a job commits with the rows that it announces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Result

from fleet.model.clusters import ANYONES_QUEUE
from fleet.model.scope import Scope
from fleet.registry.database import Tx

#: Tasks whose key is a cluster: they run where it can be reached (``routing``). What has to do
#: with no cluster is done by workers that select none.
CLUSTER_TASKS = ("reconcile", "token")
#: A worker reports every few seconds; without a sign for this long it is not counted.
LIVE_SECONDS = 15.0


async def wake(
    tx: Tx,
    task: str,
    keys: Iterable[str],
    *,
    priority: int = 0,
    scheduled_at: datetime | None = None,
) -> None:
    """Make sure that ``task`` runs once for each key after this transaction commits.

    A job that waits already serves; it is brought forward if ``priority`` is higher or
    ``scheduled_at`` (None: at once) earlier. Call it last: concurrent transactions that
    wake the same new key wait for each other.
    """
    # sorted, so that two transactions that wake the same keys do not deadlock
    missing = sorted(set(keys))
    values = {
        "task": task,
        "priority": priority,
        "at": scheduled_at,
        "anyone": ANYONES_QUEUE,
        "routed": task in CLUSTER_TASKS,
    }
    while missing:
        inserted = await tx.execute(_INSERT, {**values, "keys": missing})
        served = set(inserted.scalars())
        waiting = [key for key in missing if key not in served]
        if waiting:
            served |= await _hold(tx, values, waiting)
        # a job that a worker took between the two statements may have read too early
        missing = [key for key in missing if key not in served]


async def _hold(tx: Tx, values: dict[str, Any], keys: list[str]) -> set[str]:
    """Keep waiting jobs waiting until this transaction commits; returns their keys.

    Without it a worker could take such a job now, read the rows before our change is
    there, and the wake-up would be lost. It passes over a locked job, so it is told again.
    """
    rows = (await tx.execute(_HOLD, {**values, "keys": keys})).all()
    late = [row.id for row in rows if row.late]
    if late:
        await tx.execute(_BRING_FORWARD, {**values, "ids": late})
    return {row.key for row in rows}


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job in the hands of a worker. ``row`` is as procrastinate reads it."""

    id: int
    priority: int
    row: dict[str, Any]


async def take(tx: Tx, queues: Sequence[str], worker: int, most: int) -> tuple[TakenJob, ...]:
    """Give a worker the jobs that are next, ``most`` at most, the first of them first. It has
    to run and to ``finish`` them."""
    rows = await tx.execute(_TAKE, {"queues": list(queues), "worker": worker, "most": most})
    taken = [TakenJob(row["id"], row["priority"], dict(row)) for row in rows.mappings()]
    return tuple(sorted(taken, key=lambda job: (-job.priority, job.id)))


async def finish(tx: Tx, ids: Sequence[int]) -> None:
    """Jobs that were taken have ended. One that counted as stalled meanwhile is gone already."""
    await tx.execute(_FINISH, {"ids": list(ids)})


async def give_back(tx: Tx, ids: Sequence[int]) -> None:
    """Wake again what was taken and not begun: anew, as what stalled is."""
    await _wake_anew(tx, await tx.execute(_GIVE_BACK, {"ids": list(ids)}))


async def _wake_anew(tx: Tx, gone: Result[Any]) -> int:
    rows = gone.all()
    for row in rows:
        await wake(tx, row.task_name, [row.key], priority=row.priority)
    return len(rows)


async def requeue_stalled(tx: Tx, stalled_seconds: float) -> int:
    """Wake again what dead workers had in hand; returns how many jobs that were.

    The jobs are made anew rather than retried: a new job has a higher number, which is
    the epoch that its writes check, so a worker that was only slow is fenced off.
    """
    return await _wake_anew(tx, await tx.execute(_TAKE_STALLED, {"seconds": stalled_seconds}))


async def live_workers(tx: Tx, within_seconds: float = LIVE_SECONDS) -> int:
    """Workers that gave a sign of life lately."""
    found = await tx.execute(_LIVE, {"seconds": within_seconds})
    return int(found.scalar_one())


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process, and whether its last sign of life still counts. ``selector`` is ""
    where it selects nothing, and ``holder`` where it does not say where it runs."""

    id: int
    seen_at: datetime
    live: bool
    selector: str
    holder: str


async def list_workers(
    tx: Tx, scope: Scope, within_seconds: float = LIVE_SECONDS
) -> tuple[WorkerRow, ...]:
    """Every worker that the queue knows, the liveliest first, for who sees all jobs."""
    about = {"seconds": within_seconds, "everything": scope.seen("jobs").is_all}
    rows = await tx.execute(_WORKERS, about)
    return tuple(WorkerRow(*row) for row in rows)


_INSERT = sa.text("""
    insert into procrastinate_jobs
           (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
    select coalesce((select c.queue from clusters c where c.id = case
               when :routed and key ~ '^[0-9a-f-]{36}$' then cast(key as uuid) end), :anyone),
           task, :priority, task || ':' || key, task || ':' || key,
           jsonb_build_object('key', key), cast(:at as timestamptz)
      from unnest(cast(:keys as text[])) as key, cast(:task as text) as task
        on conflict do nothing
    returning args ->> 'key'
""")

_HOLD = sa.text("""
    with held as (
        select id, args ->> 'key' as key, queue_name,
               priority < :priority
               or scheduled_at > coalesce(cast(:at as timestamptz), '-infinity') as late
          from procrastinate_jobs
         where status = 'todo'
           and queueing_lock in (select cast(:task as text) || ':' || key
                                   from unnest(cast(:keys as text[])) as key)
         order by id
           for key share
    ), payload as (
        select *, json_build_object('type', 'job_inserted', 'job_id', id)::text as text from held
    )
    select id, key, coalesce(late, false) as late,
           pg_notify('procrastinate_queue_v1#' || queue_name, text),
           pg_notify('procrastinate_any_queue_v1', text)
      from payload
""")

_BRING_FORWARD = sa.text("""
    update procrastinate_jobs
       set priority = greatest(priority, :priority),
           scheduled_at = case when scheduled_at > coalesce(cast(:at as timestamptz), '-infinity')
                               then cast(:at as timestamptz) else scheduled_at end
     where id = any(cast(:ids as bigint[])) and status = 'todo'
""")

_TAKE_STALLED = sa.text("""
    delete from procrastinate_jobs j
     where j.status = 'doing'
       and not exists (
           select from procrastinate_workers w
            where w.id = j.worker_id
              and w.last_heartbeat > now() - make_interval(secs => :seconds))
    returning j.task_name, j.args ->> 'key' as key, j.priority
""")

# Of one lock at most one job waits, as ``wake`` makes them, and one runs. Whether one runs is
# asked as a value, which cannot become a join over the whole queue.
_TAKE = sa.text("""
    with next as materialized (
        select id from procrastinate_jobs as j
         where status = 'todo' and queue_name = any(cast(:queues as varchar[]))
           and (scheduled_at is null or scheduled_at <= now())
           and (select count(*) from procrastinate_jobs as r
                 where r.lock = j.lock and r.status = 'doing') = 0
         order by priority desc, id
         limit :most
           for update skip locked
    )
    update procrastinate_jobs set status = 'doing', worker_id = :worker
     where id = any(array(select id from next))
    returning id, status, task_name, priority, lock, queueing_lock, args, scheduled_at,
              queue_name, attempts, worker_id
""")

_FINISH = sa.text("""
    delete from procrastinate_jobs where id = any(cast(:ids as bigint[])) and status = 'doing'
""")

_GIVE_BACK = sa.text("""
    delete from procrastinate_jobs where id = any(cast(:ids as bigint[])) and status = 'doing'
    returning task_name, args ->> 'key' as key, priority
""")

_LIVE = sa.text("""
    select count(*) from procrastinate_workers
     where last_heartbeat > now() - make_interval(secs => :seconds)
""")

_WORKERS = sa.text("""
    select p.id, p.last_heartbeat, p.last_heartbeat > now() - make_interval(secs => :seconds),
           coalesce(w.selector, ''), coalesce(w.holder, '')
      from procrastinate_workers p left join workers w on w.worker_id = p.id
     where :everything order by p.last_heartbeat desc, p.id
""")
