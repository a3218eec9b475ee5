"""Which workers serve which cluster.

A worker takes jobs from one queue: ``fleet worker`` from that which anyone may take from,
``fleet worker --select …`` from that of its selector. A cluster has one queue, too: that of
the live selector that matches its labels (the one with the most requirements, of several);
if none does, anyone's; if it is reserved, nobody's. Jobs about a cluster go to its queue.

The column ``clusters.queue`` says where each cluster is, and follows what it depends on:
labels and annotations in the transaction that changes them, workers within a second (the
leader asks; a worker that starts does it itself). Jobs that lie in another queue by then
are moved. A worker that had one in hand goes on to its end: the queue's lock and the epoch
of its writes hold, whichever queue the next one is in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from fleet.model.clusters import ANYONES_QUEUE, NOBODYS_QUEUE, RESERVED
from fleet.model.ids import ClusterId
from fleet.model.selectors import Selector, parse_selector
from fleet.registry.database import Tx
from fleet.registry.queue import CLUSTER_TASKS, LIVE_SECONDS, wake
from fleet.registry.selection import selects
from fleet.registry.tables import TABLES

CLUSTERS = TABLES["clusters"]

#: A worker without a sign of life for this long is gone: others take what it had. Heartbeats
#: come every 2 s, so it missed several.
GONE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of one queue that live."""

    selector: str  # "" of workers that select nothing
    live: int


def queue_of(selector: Selector) -> str:
    """The queue of workers with this selector. Short, because PostgreSQL's channels are."""
    text = str(selector)
    return f"select-{sha256(text.encode()).hexdigest()[:16]}" if text else ANYONES_QUEUE


async def register(
    tx: Tx, worker_id: int, selector: Selector, *, watches: bool, holder: str
) -> None:
    """Say what a worker serves that has just been given its id by the queue."""
    await tx.execute(
        _REGISTER,
        {
            "id": worker_id,
            "queue": queue_of(selector),
            "selector": str(selector),
            "watches": watches,
            "holder": holder,
        },
    )
    await settle(tx)


async def settle(tx: Tx) -> tuple[ClusterId, ...]:
    """Put every cluster into the queue where it belongs now, and its jobs with it; returns
    the clusters that moved, which are woken."""
    # one at a time: two that update many rows in different orders would deadlock
    await tx.execute(sa.text("select pg_advisory_xact_lock(hashtext('fleet routes'))"))
    await tx.execute(_FORGET)
    belongs = await _belongs(tx)
    moved = (
        sa.update(CLUSTERS)
        .where(CLUSTERS.c.queue != belongs)
        .values(queue=belongs)
        .returning(CLUSTERS.c.id)
    )
    ids = tuple(ClusterId(id) for id in (await tx.execute(moved)).scalars())
    await tx.execute(_MOVE_JOBS, {"tasks": list(CLUSTER_TASKS)})
    # a pass that failed there may do well here
    await wake(tx, "reconcile", [str(id) for id in ids])
    return ids


async def settle_one(tx: Tx, id: ClusterId) -> None:
    """The same for a cluster whose labels or annotations changed; the caller holds its row.
    Its jobs are moved by the next ``settle``."""
    belongs = await _belongs(tx)
    await tx.execute(sa.update(CLUSTERS).where(CLUSTERS.c.id == id).values(queue=belongs))


async def crews(tx: Tx) -> dict[str, Crew]:
    """Queue → its workers; queues without a live one are left out."""
    rows = await tx.execute(_CREWS, {"seconds": LIVE_SECONDS})
    return {row.queue: Crew(row.selector, row.live) for row in rows}


async def crew_of(tx: Tx, cluster: ClusterId) -> Crew | None:
    """The workers that serve a cluster; None when none does."""
    query = sa.select(CLUSTERS.c.queue).where(CLUSTERS.c.id == cluster)
    queue = (await tx.execute(query)).scalar()
    return (await crews(tx)).get(queue or "")


async def watching(tx: Tx, queue: str) -> int:
    """How many workers of a queue keep watches."""
    rows = await tx.execute(_WATCHING, {"queue": queue, "seconds": GONE_SECONDS})
    return int(rows.scalar_one())


async def _belongs(tx: Tx) -> sa.ColumnElement[str]:
    """Where a cluster belongs, as an expression over its row: what a concurrent transaction
    changes in the row meanwhile counts."""
    rows = await tx.execute(_SELECTORS, {"seconds": GONE_SECONDS})
    live = sorted((parse_selector(text) for text in rows.scalars()), key=_narrowest_first)
    reserved = CLUSTERS.c.annotations.op("->>")(RESERVED) == "true"
    whens: Iterable[tuple[Any, Any]] = [
        *((selects(selector, CLUSTERS.c.labels), queue_of(selector)) for selector in live),
        (reserved, NOBODYS_QUEUE),
    ]
    return sa.case(*whens, else_=ANYONES_QUEUE)


def _narrowest_first(selector: Selector) -> tuple[int, str]:
    return -len(selector.requirements), str(selector)


_REGISTER = sa.text("""
    insert into workers (worker_id, queue, selector, watches, holder)
    values (:id, :queue, :selector, :watches, :holder)
        on conflict (worker_id) do update
       set queue = excluded.queue, selector = excluded.selector,
           watches = excluded.watches, holder = excluded.holder
""")

_FORGET = sa.text("""
    delete from workers w
     where not exists (select from procrastinate_workers p where p.id = w.worker_id)
""")

_SELECTORS = sa.text("""
    select distinct w.selector
      from workers w join procrastinate_workers p on p.id = w.worker_id
     where w.selector <> '' and p.last_heartbeat > now() - make_interval(secs => :seconds)
""")

# A job that a worker takes right now is passed over; so is one that somebody holds.
_MOVE_JOBS = sa.text("""
    with astray as (
        select j.id, c.queue from procrastinate_jobs j
          join clusters c on c.id::text = j.args ->> 'key'
         where j.status = 'todo' and j.task_name = any(:tasks) and j.queue_name <> c.queue
         order by j.id
           for no key update of j skip locked
    ), moved as (
        update procrastinate_jobs j set queue_name = astray.queue
          from astray where j.id = astray.id
        returning j.queue_name,
                  json_build_object('type', 'job_inserted', 'job_id', j.id)::text as payload
    )
    select pg_notify('procrastinate_queue_v1#' || queue_name, payload) from moved
""")

_CREWS = sa.text("""
    select coalesce(w.queue, 'default') as queue, max(coalesce(w.selector, '')) as selector,
           count(*) as live
      from procrastinate_workers p left join workers w on w.worker_id = p.id
     where p.last_heartbeat > now() - make_interval(secs => :seconds)
     group by 1
""")

_WATCHING = sa.text("""
    select count(*) from workers w join procrastinate_workers p on p.id = w.worker_id
     where w.queue = :queue and w.watches
       and p.last_heartbeat > now() - make_interval(secs => :seconds)
""")
