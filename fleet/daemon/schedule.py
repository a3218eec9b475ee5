"""The leader's timetable: one APScheduler job a cluster and a repository, and one for each
moment at which a sync window opens or a planned sync begins; in memory.

What should run is read from PostgreSQL every second; APScheduler says when. A job only
wakes the queue, so a lost, doubled or late one does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from fleet.errors import RegistryError
from fleet.logs import fields

log = logging.getLogger(__name__)

#: A tick that comes later than this is not made up for: the next one is near.
MISFIRE_SECONDS = 30
#: What runs once and is still wanted after this runs again: nobody did what it is for.
AGAIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to wake at an interval. ``key`` is the queue's: ``reconcile:<cluster id>``.

    ``due_at`` is when it should first run; None means now. Without an interval (0) that is
    the only time it runs.
    """

    key: str
    name: str
    interval_seconds: int
    jitter_seconds: int
    paused: bool = False
    due_at: datetime | None = None

    @property
    def spread_seconds(self) -> int:
        """At most this much later than asked for. No more than the interval: what is read every
        ten seconds must not count as stale, which is three intervals, because of the spread."""
        return min(self.jitter_seconds, self.interval_seconds)


@dataclass(frozen=True, slots=True)
class Planned:
    """A job as APScheduler holds it now."""

    key: str
    name: str
    interval_seconds: int
    next_run_at: datetime | None  # None while paused
    paused: bool


class Timetable:
    """Keeps APScheduler's jobs equal to the entries it is given.

    Args:
        wake: called with an entry's key when it is due.
    """

    def __init__(self, wake: Callable[[str], Awaitable[None]]) -> None:
        self._wake = wake
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": MISFIRE_SECONDS,
            },
        )
        self._entries: dict[str, Entry] = {}
        # key of what runs once → when it was due, and when it ran
        self._ran: dict[str, tuple[datetime | None, datetime]] = {}
        self._now = datetime.min.replace(tzinfo=UTC)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Forget every job; the next leader makes its own."""
        self._entries.clear()
        self._ran.clear()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _run(self, key: str) -> None:
        # cancelled only by ``stop``, which APScheduler would log as a failure of the job
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await self._wake(key)
                self._note_once(key)
            except RegistryError as error:  # the next one is near
                log.warning("a job could not be queued", extra=fields(job=key, why=error))

    def update(self, wanted: Iterable[Entry], now: datetime) -> bool:
        """Add, change, pause and drop jobs; True when anything changed."""
        entries = {entry.key: entry for entry in wanted}
        self._now = now
        changed = False
        for key in self._entries.keys() - entries.keys():
            self._ran.pop(key, None)
            if self._scheduler.get_job(key) is not None:  # what runs once is gone afterwards
                self._scheduler.remove_job(key)
            changed = True
        for key, entry in entries.items():
            if self._differs(self._entries.get(key), entry) or self._is_missed(entry, now):
                self._put(entry, now)
                changed = True
        self._entries = entries
        return changed

    @staticmethod
    def _differs(old: Entry | None, new: Entry) -> bool:
        """``due_at`` moves with every run and is only read when a job is made, but for what
        runs once."""
        if old is None:
            return True
        if new.interval_seconds == 0 and old.due_at != new.due_at:
            return True
        return (old.interval_seconds, old.jitter_seconds, old.paused, old.name) != (
            new.interval_seconds,
            new.jitter_seconds,
            new.paused,
            new.name,
        )

    def _is_missed(self, entry: Entry, now: datetime) -> bool:
        """It runs once, its time has come, and it did not run, since the clock was set or the
        wake-up could not be queued; or it ran, and it is wanted still."""
        if entry.interval_seconds or entry.due_at is None or entry.due_at > now:
            return False
        due_at, ran_at = self._ran.get(entry.key, (None, now))
        return due_at != entry.due_at or now - ran_at >= AGAIN

    def _note_once(self, key: str) -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.interval_seconds == 0:
            self._ran[key] = entry.due_at, self._now

    def _put(self, entry: Entry, now: datetime) -> None:
        if entry.interval_seconds == 0:
            self._put_once(entry, now)
            return
        first = max(now, entry.due_at) if entry.due_at else now
        spread = timedelta(milliseconds=secrets.randbelow(entry.spread_seconds * 1000 + 1))
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=entry.interval_seconds, jitter=entry.spread_seconds or None),
            args=(entry.key,),
            id=entry.key,
            name=entry.name,
            replace_existing=True,
            # what was never read is read at once; the rest is spread out after a restart
            next_run_time=None if entry.paused else (first + spread if entry.due_at else now),
        )

    def _put_once(self, entry: Entry, now: datetime) -> None:
        is_due = entry.due_at is None or entry.due_at <= now
        self._scheduler.add_job(
            self._run,
            DateTrigger(datetime.now(UTC) if is_due else entry.due_at),
            args=(entry.key,),
            id=entry.key,
            name=entry.name,
            replace_existing=True,
            misfire_grace_time=None,  # there is no next time
        )

    def planned(self) -> tuple[Planned, ...]:
        """Every job with its next run, by key."""
        jobs = {job.id: job for job in self._scheduler.get_jobs()}
        return tuple(
            Planned(
                key,
                entry.name,
                entry.interval_seconds,
                None if entry.paused else jobs[key].next_run_time,
                entry.paused,
            )
            for key, entry in sorted(self._entries.items())
            if key in jobs
        )
