"""The leader's timetable, by itself."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from fleet.daemon.schedule import Entry, Timetable
from fleet.errors import RegistryUnavailable


async def test_a_job_that_cannot_be_queued_is_a_warning_and_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: asyncio.Queue[str] = asyncio.Queue()

    async def wake(key: str) -> None:
        tries.put_nowait(key)
        raise RegistryUnavailable("PostgreSQL: the disk of PostgreSQL is full")

    table = Timetable(wake)
    table.start()
    try:
        entry = Entry("reconcile:1", "eu-1", interval_seconds=1, jitter_seconds=0)
        table.update([entry], datetime.now(UTC))
        for _ in range(2):
            assert await asyncio.wait_for(tries.get(), 60) == "reconcile:1"
    finally:
        table.stop()
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert {record.name for record in caplog.records} == {"fleet.daemon.schedule"}


class Once:
    """A timetable with one entry that runs once, and what it woke."""

    def __init__(self) -> None:
        self.woken: asyncio.Queue[str] = asyncio.Queue()
        self.failures = 0

    async def wake(self, key: str) -> None:
        if self.failures:
            self.failures -= 1
            raise RegistryUnavailable("PostgreSQL: away")
        self.woken.put_nowait(key)

    async def next(self) -> str:
        return await asyncio.wait_for(self.woken.get(), 60)


def once(due_at: datetime) -> Entry:
    return Entry("window:1", "sync window shop", 0, 0, due_at=due_at)


async def test_what_runs_once_runs_at_its_moment_and_not_again() -> None:
    seen = Once()
    table = Timetable(seen.wake)
    table.start()
    try:
        now = datetime.now(UTC)
        entry = once(now + timedelta(milliseconds=50))
        assert table.update([entry], now)
        assert await seen.next() == "window:1"
        for seconds in (1, 2, 30):
            assert not table.update([entry], now + timedelta(seconds=seconds))
        # it is wanted still: nobody did what it is for
        assert table.update([entry], now + timedelta(seconds=90))
        assert await seen.next() == "window:1"
        # the next opening
        assert table.update([once(now + timedelta(days=1))], now)
        (planned,) = table.planned()
        assert planned.next_run_at == now + timedelta(days=1)
        assert table.update([], now)
        assert table.planned() == ()
    finally:
        table.stop()


async def test_what_runs_once_runs_though_its_moment_was_missed() -> None:
    seen = Once()
    table = Timetable(seen.wake)
    table.start()
    try:
        now = datetime.now(UTC)
        entry = once(now + timedelta(days=1))
        table.update([entry], now)
        # the clock was set forward
        assert table.update([entry], now + timedelta(days=2))
        assert await seen.next() == "window:1"
        table.update([], now)
        # and a leader that comes later
        seen.failures = 1
        past = once(now - timedelta(days=3))
        assert table.update([past], now)
        while seen.failures:
            await asyncio.sleep(0)
        assert table.update([past], now)  # it could not be queued
        assert await seen.next() == "window:1"
    finally:
        table.stop()


@pytest.mark.parametrize(
    ("interval", "jitter", "spread"), [(120, 60, 60), (10, 60, 10), (60, 60, 60), (10, 0, 0)]
)
def test_what_is_read_often_is_not_spread_until_it_is_stale(
    interval: int, jitter: int, spread: int
) -> None:
    entry = Entry("reconcile:1", "eu-1", interval_seconds=interval, jitter_seconds=jitter)
    assert entry.spread_seconds == spread
