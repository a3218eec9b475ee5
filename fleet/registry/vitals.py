"""How the whole fleet does, in a few numbers, for the leader to show as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.model.clusters import NOBODYS_QUEUE
from fleet.registry.database import Tx
from fleet.registry.queue import LIVE_SECONDS


@dataclass(frozen=True, slots=True)
class Vitals:
    """Times are in seconds; 0 where there is nothing that could be late. A cluster is in one
    state: paused, stranger, unserved, failed, unread or read. Ages leave out clusters that
    nobody reads on purpose (paused) or that are counted as stranger or unserved."""

    workers: int
    jobs_waiting: int
    oldest_job_seconds: float
    clusters: Mapping[str, int]
    oldest_reading_seconds: float
    repositories_failing: int
    soonest_token_end_seconds: float | None  # None where Fleet renews no token


async def vitals(tx: Tx, now: datetime) -> Vitals:
    """One statement for the queue, one for the clusters."""
    about = {"now": now, "nobody": NOBODYS_QUEUE, "live": LIVE_SECONDS}
    rest = (await tx.execute(_REST, about)).one()
    states: dict[str, int] = {}
    oldest, soonest = 0.0, None
    for row in await tx.execute(_CLUSTERS, about):
        states[row.state] = row.number
        if row.state in ("failed", "unread", "read"):
            oldest = max(oldest, float(row.oldest))
        if row.soonest is not None:
            soonest = min(float(row.soonest), soonest if soonest is not None else float("inf"))
    return Vitals(
        workers=rest.workers,
        jobs_waiting=rest.waiting,
        oldest_job_seconds=float(rest.oldest),
        clusters=states,
        oldest_reading_seconds=oldest,
        repositories_failing=rest.failing,
        soonest_token_end_seconds=soonest,
    )


_REST = sa.text("""
    select (select count(*) from procrastinate_workers
             where last_heartbeat > now() - make_interval(secs => :live)) as workers,
           (select count(*) from repositories where failing_since is not null) as failing,
           count(j.id) as waiting,
           coalesce(extract(epoch from now() - min(e.at)), 0) as oldest
      from procrastinate_jobs j
      left join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
     where j.status = 'todo' and j.queue_name <> :nobody
       and (j.scheduled_at is null or j.scheduled_at <= now())
""")

_CLUSTERS = sa.text("""
    select state, count(*) as number,
           max(extract(epoch from cast(:now as timestamptz) - read_at)) as oldest,
           min(extract(epoch from token_expires_at - cast(:now as timestamptz))) as soonest
      from (select case
                     when paused_by <> '' and (paused_until is null or paused_until > :now)
                       then 'paused'
                     when uid <> '' and uid <> confirmed_uid then 'stranger'
                     when queue = :nobody then 'unserved'
                     when status = 'Failed' then 'failed'
                     when observed_at is null then 'unread'
                     else 'read' end as state,
                   coalesce(observed_at, created_at) as read_at, token_expires_at
              from clusters) as found
     group by state
""")
