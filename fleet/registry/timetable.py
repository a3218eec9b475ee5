"""What the leader has to know each second, in few and cheap queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fleet.model.ids import ClusterId
from fleet.model.scope import Scope
from fleet.registry.database import Tx
from fleet.registry.statements import text


@dataclass(frozen=True, slots=True)
class TimetableRow:
    """A cluster or repository, and how often it wants to be looked at (None: the setting)."""

    id: UUID
    name: str
    interval_seconds: int | None
    paused: bool
    observed_at: datetime | None
    changed_at: datetime
    managed_kinds: tuple[str, ...] = ()
    queue: str = ""  # of a cluster
    settings_generation: int = 0  # of a cluster: what argocd-cm says is of all of them


async def cluster_rows(tx: Tx, now: datetime) -> tuple[TimetableRow, ...]:
    """Every registered cluster, by name."""
    rows = await tx.execute(
        text(
            "select id, name, interval_seconds, paused_by <> ''"
            " and (paused_until is null or paused_until > :now) as paused, attempted_at,"
            " changed_at, managed_kinds, queue,"
            " coalesce((select generation from config_maps where name = 'argocd-cm'), 0)"
            " from clusters order by name"
        ),
        {"now": now},
    )
    return tuple(
        TimetableRow(id, name, interval, paused, seen, changed, tuple(kinds), queue, settings)
        for id, name, interval, paused, seen, changed, kinds, queue, settings in rows
    )


async def clusters_state(tx: Tx, now: datetime) -> str:
    """What ``cluster_rows`` would say, but for when each was tried last, as a short text: who
    asks each second reads a thousand rows only when it is another one."""
    found = await tx.execute(
        text(
            "select coalesce((select generation from config_maps where name = 'argocd-cm'), 0)"
            " || ' ' || coalesce(md5(string_agg(cast(row(id, name, interval_seconds,"
            " paused_by <> '' and (paused_until is null or paused_until > :now),"
            " changed_at, managed_kinds, queue) as text), '' order by id)), '') from clusters"
        ),
        {"now": now},
    )
    return str(found.scalar_one())


async def repository_rows(tx: Tx) -> tuple[TimetableRow, ...]:
    """Every repository that an application follows, by URL; the others are not polled."""
    rows = await tx.execute(
        text(
            "select id, url, cast(options ->> 'intervalSeconds' as integer), false, attempted_at,"
            " changed_at"
            " from repositories r where exists (select from application_sources s"
            " where s.repository_id = r.id) order by url"
        )
    )
    return tuple(TimetableRow(*row) for row in rows)


async def clusters_due(tx: Tx, now: datetime) -> tuple[ClusterId, ...]:
    """Clusters with an application whose retry, heal or check is due; none where passes do
    nothing."""
    rows = await tx.execute(
        text(
            "select distinct a.cluster_id from applications a"
            " join clusters c on c.id = a.cluster_id where a.due_at <= :now"
            " and not (c.paused_by <> '' and (c.paused_until is null or c.paused_until > :now))"
        ),
        {"now": now},
    )
    return tuple(ClusterId(row[0]) for row in rows)


async def note_runs(tx: Tx, keys: Sequence[str]) -> None:
    """These jobs ran now."""
    if keys:
        await tx.execute(
            text(
                "update scheduled_jobs set last_run_at = clock_timestamp() where key = any(:keys)"
            ),
            {"keys": list(keys)},
        )


async def drop_others(tx: Tx, keys: Sequence[str]) -> None:
    """Of what is shown, leave these only."""
    await tx.execute(
        text("delete from scheduled_jobs where key <> all(:keys)"), {"keys": list(keys)}
    )


async def show(tx: Tx, planned: Sequence[tuple[str, str, int, datetime | None, bool]]) -> None:
    """Write down what the leader holds, for ``fleet daemon jobs``.

    Args:
        planned: key, name, interval in seconds, next run, paused.
    """
    keys, names, intervals, runs, paused = zip(*planned, strict=True) if planned else ([],) * 5
    await tx.execute(
        text(
            "insert into scheduled_jobs (key, name, interval_seconds, next_run_at, paused)"
            " select * from unnest(cast(:keys as text[]), cast(:names as text[]),"
            " cast(:intervals as integer[]), cast(:runs as timestamptz[]),"
            " cast(:paused as boolean[])) on conflict (key) do update"
            " set name = excluded.name, interval_seconds = excluded.interval_seconds,"
            " next_run_at = excluded.next_run_at, paused = excluded.paused"
            " where (scheduled_jobs.name, scheduled_jobs.interval_seconds,"
            "  scheduled_jobs.next_run_at, scheduled_jobs.paused) is distinct from"
            "  (excluded.name, excluded.interval_seconds, excluded.next_run_at,"
            "  excluded.paused)"
        ),
        {
            "keys": list(keys),
            "names": list(names),
            "intervals": list(intervals),
            "runs": list(runs),
            "paused": list(paused),
        },
    )


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A line of ``fleet daemon jobs``."""

    key: str
    name: str
    interval_seconds: int
    next_run_at: datetime | None
    last_run_at: datetime | None
    paused: bool


async def shown(tx: Tx, scope: Scope) -> tuple[ShownJob, ...]:
    """What the leader holds, as it last wrote it down, for who sees all jobs."""
    rows = await tx.execute(
        text(
            "select key, name, interval_seconds, next_run_at, last_run_at, paused"
            " from scheduled_jobs where :everything order by name"
        ),
        {"everything": scope.seen("jobs").is_all},
    )
    return tuple(ShownJob(*row) for row in rows)
