"""The leader's timetable, by itself."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

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
