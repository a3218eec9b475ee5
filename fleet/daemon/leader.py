"""The one leader: a lease in PostgreSQL, a timetable in memory, a tick a second.

Losing the lease (or PostgreSQL) stops the timetable at once; nothing the old leader still
enqueues can harm, because a job is only a wake-up. The lease is renewed on a connection
of its own, so that a busy pool never costs the leadership.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from time import monotonic

from fleet import metrics
from fleet.daemon.schedule import Entry, Planned, Timetable
from fleet.errors import RegistryError
from fleet.logs import fields
from fleet.operations.openings import Openings
from fleet.operations.runtime import Runtime
from fleet.operations.settings_in_force import note_settings
from fleet.registry import (
    idempotency,
    leases,
    planned,
    queue,
    retention,
    routing,
    timetable,
    vitals,
)
from fleet.registry.database import Database, Tx

log = logging.getLogger(__name__)

LEASE_SECONDS = 10
TICK_SECONDS = 1.0
KEEPING_SECONDS = 3600.0
#: How old the metrics of the whole fleet may be.
VITALS_SECONDS = 10.0
RENEW_TOKENS_SECONDS = 300
#: The interval of what runs one time only.
ONCE = 0


class Leader:
    """Tries to lead until stopped.

    Args:
        holder: names this process in the lease row.
        own: a database handle that nothing else uses.
    """

    def __init__(self, runtime: Runtime, own: Database, holder: str) -> None:
        self._runtime = runtime
        self._own = own
        self._holder = holder
        self._timetable: Timetable | None = None
        self._renewed = 0.0
        self._kept_at = float("-inf")
        self._counted_at = float("-inf")
        # what is written down of the timetable, by key; None before it was for the first time
        self._shown: dict[str, Planned] | None = None
        # of clusters, and of which state of them
        self._of_clusters: tuple[Entry, ...] = ()
        self._state: str | None = None
        # clusters to wake with the next tick
        self._due: set[str] = set()
        self._openings = Openings()

    @property
    def is_leading(self) -> bool:
        return self._timetable is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Lead or wait to lead, until ``stop`` is set; then hand over at once."""
        while not stop.is_set():
            try:
                await self._turn()
            except RegistryError as error:
                log.warning("the leader cannot reach the database", extra=fields(why=error.message))
                if monotonic() - self._renewed > LEASE_SECONDS:
                    self._step_down("the lease could not be renewed")
            except Exception:
                # a bug in one tick must not end all scheduling; the log has its traceback
                log.exception("a turn of the leader failed")
            try:
                await asyncio.wait_for(stop.wait(), TICK_SECONDS)
            except TimeoutError:
                continue
        self._step_down("stopping")
        # without a database there is nothing to hand over: the lease runs out
        with contextlib.suppress(RegistryError):
            async with self._own.transaction() as tx:
                await leases.release(tx, "leader", self._holder)

    async def _turn(self) -> None:
        async with self._own.transaction() as tx:
            epoch = await leases.acquire(tx, "leader", self._holder, ttl_seconds=LEASE_SECONDS)
        if epoch is None:
            self._step_down("another process leads")
            return
        self._renewed = monotonic()
        if self._timetable is None:
            log.info("leading", extra=fields(holder=self._holder, epoch=epoch))
            await self._note_settings()
            self._timetable, self._shown, self._state = Timetable(self._wake), None, None
            self._timetable.start()
            metrics.LEADER.set(1)
        await self._tick(self._timetable)

    def _step_down(self, why: str) -> None:
        if self._timetable is not None:
            log.info("no longer leading", extra=fields(why=why))
            self._timetable.stop()
            self._timetable = None
            self._due.clear()
            metrics.LEADER.set(0)
            metrics.FLEET.show({})
            self._counted_at = float("-inf")

    async def _note_settings(self) -> None:
        async with self._runtime.db.transaction() as tx:
            if await note_settings(tx, self._runtime):
                log.info("the settings about resources are new: everything is looked at again")

    async def _wake(self, key: str) -> None:
        task, _, what = key.partition(":")
        if task == "reconcile":
            # there may be thousands, and none has to be punctual: the next tick wakes them together
            self._due.add(what)
            return
        async with self._runtime.db.transaction() as tx:
            await queue.wake(tx, task, [what])
            await timetable.note_runs(tx, [key])

    async def _tick(self, table: Timetable) -> None:
        """What a second brings: changed schedules, due retries, dead workers."""
        now, due = self._runtime.now(), frozenset(self._due)
        async with self._own.transaction() as tx:
            moved = await routing.settle(tx)
        if moved:
            log.info("clusters have other workers now", extra=fields(clusters=len(moved)))
        async with self._own.transaction() as tx:
            entries = await self._entries(tx)
            retried = await timetable.clusters_due(tx, now)
            await queue.wake(tx, "reconcile", due.union(map(str, retried)))
            await timetable.note_runs(tx, [f"reconcile:{cluster}" for cluster in sorted(due)])
            # with the tick and the takeover of its job this keeps the promise of 15 seconds
            await queue.requeue_stalled(tx, routing.GONE_SECONDS)
        self._due -= due
        if monotonic() - self._kept_at > KEEPING_SECONDS:
            await self._keep_house()
            self._kept_at = monotonic()
        if monotonic() - self._counted_at > VITALS_SECONDS:
            await self._count(now)
            self._counted_at = monotonic()
        table.update(entries, now)
        await self._show({planned.key: planned for planned in table.planned()})

    async def _show(self, wanted: dict[str, Planned]) -> None:
        """Write down what the timetable holds, where that changed."""
        known = self._shown or {}
        changed = [planned for key, planned in wanted.items() if known.get(key) != planned]
        is_gone = self._shown is None or bool(known.keys() - wanted.keys())
        if not (changed or is_gone):
            return
        async with self._own.transaction() as tx:
            if is_gone:
                await timetable.drop_others(tx, list(wanted))
            await timetable.show(
                tx,
                [(p.key, p.name, p.interval_seconds, p.next_run_at, p.paused) for p in changed],
            )
        self._shown = wanted

    async def _count(self, now: datetime) -> None:
        async with self._own.reading() as tx:
            found = await vitals.vitals(tx, now)
        shown: dict[str, float | dict[str, float]] = {
            "fleet_workers": found.workers,
            "fleet_jobs_waiting": found.jobs_waiting,
            "fleet_oldest_job_seconds": found.oldest_job_seconds,
            "fleet_clusters": {state: float(n) for state, n in found.clusters.items()},
            "fleet_oldest_reading_seconds": found.oldest_reading_seconds,
            "fleet_repositories_failing": found.repositories_failing,
        }
        if found.soonest_token_end_seconds is not None:
            shown["fleet_soonest_token_end_seconds"] = found.soonest_token_end_seconds
        metrics.FLEET.show(shown)

    async def _keep_house(self) -> None:
        """What an hour brings: new partitions, answers nobody asks for again. What is too old
        a worker drops: it verifies the audit log first, which may outlast the lease."""
        async with self._own.transaction() as tx:
            await retention.ensure_partitions(tx)
            await idempotency.purge(tx)
            if self._runtime.settings.history_retention_months > 0:
                await queue.wake(tx, "retain", ["history"])

    async def _clusters(self, tx: Tx) -> tuple[Entry, ...]:
        """Entries of clusters, read anew where one of them changed."""
        settings, now = self._runtime.settings, self._runtime.now()
        state = await timetable.clusters_state(tx, now)
        if state != self._state:
            self._of_clusters = tuple(
                Entry(
                    f"reconcile:{row.id}",
                    f"reconcile {row.name}",
                    interval := row.interval_seconds or settings.reconcile_interval_seconds,
                    settings.reconcile_jitter_seconds if row.interval_seconds is None else 0,
                    row.paused,
                    _due(row.observed_at, interval),
                )
                for row in await timetable.cluster_rows(tx, now)
            )
            self._state = state
        return self._of_clusters

    async def _entries(self, tx: Tx) -> tuple[Entry, ...]:
        settings = self._runtime.settings
        found = [*await self._clusters(tx)]
        found += [
            Entry(
                f"poll:{row.id}",
                f"poll {row.name}",
                row.interval_seconds or settings.poll_interval_seconds,
                settings.poll_jitter_seconds if row.interval_seconds is None else 0,
                row.paused,
                _due(row.observed_at, row.interval_seconds or settings.poll_interval_seconds),
            )
            for row in await timetable.repository_rows(tx)
        ]
        found += [
            Entry(f"window:{it.project}", f"sync window {it.name}", ONCE, 0, due_at=it.at)
            for it in await self._openings.next(tx, self._runtime.now())
        ]
        found += [
            Entry(f"planned:{id}", f"planned sync {project} {id}", ONCE, 0, due_at=at)
            for id, project, at in await planned.open_planned(tx)
        ]
        found.append(
            Entry(
                "renew:tokens", "renew tokens", RENEW_TOKENS_SECONDS, 0, due_at=self._runtime.now()
            )
        )
        return tuple(found)


def _due(seen: datetime | None, interval_seconds: int) -> datetime | None:
    return None if seen is None else seen + timedelta(seconds=interval_seconds)
