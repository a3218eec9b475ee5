"""The numbers that the leader shows of the whole fleet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fleet.model.clusters import RESERVED
from fleet.registry import queue
from fleet.registry.database import Database, Tx, now_of
from fleet.registry.keyring import KeyRing
from fleet.registry.vitals import vitals
from tests.integration.registry import seeds

LATE = "observed_at = now() - interval '1 hour'"


async def add(tx: Tx, ring: KeyRing, name: str, change: str = "", **fields: Any) -> str:
    cluster = await seeds.cluster(tx, ring, name, **fields)
    if change:
        await tx.execute(text(f"update clusters set {change} where name = '{name}'"))
    return str(cluster.id)


async def test_an_empty_fleet_is_late_with_nothing(db: Database) -> None:
    async with db.transaction() as tx:
        found = await vitals(tx, await now_of(tx))
    assert (found.workers, found.jobs_waiting, found.clusters) == (0, 0, {})
    assert (found.oldest_job_seconds, found.oldest_reading_seconds) == (0, 0)
    assert found.soonest_token_end_seconds is None


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("observed_at = now()", "read"),
        ("observed_at = null", "unread"),
        ("status = 'Failed', observed_at = now()", "failed"),
        (f"uid = 'other', status = 'Failed', {LATE}", "stranger"),
        (f"paused_by = 'anna', status = 'Failed', {LATE}", "paused"),
        ("paused_by = 'anna', paused_until = now() - interval '1 s', observed_at = now()", "read"),
    ],
)
async def test_a_cluster_is_in_one_state(
    db: Database, ring: KeyRing, change: str, state: str
) -> None:
    async with db.transaction() as tx:
        await add(tx, ring, "eu-1", change)
        found = await vitals(tx, await now_of(tx))
    assert found.clusters == {state: 1}
    assert found.oldest_reading_seconds < 60


async def test_the_latest_of_each_counts(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("insert into procrastinate_workers default values"))
        day = "token_expires_at = now() + interval '1 day'"
        ids = [
            await add(tx, ring, "a", f"{LATE}, status = 'Failed', {day}"),
            await add(tx, ring, "b", "observed_at = now(), token_expires_at = now()"),
            await add(tx, ring, "c", LATE, annotations={RESERVED: "true"}),
        ]
        await queue.wake(tx, "reconcile", ids)
        soon = await now_of(tx) + timedelta(hours=1)
        await queue.wake(tx, "poll", ["p"], scheduled_at=soon)
        await tx.execute(text("update procrastinate_events set at = now() - interval '90 s'"))
        found = await vitals(tx, await now_of(tx))
    assert (found.workers, found.jobs_waiting) == (1, 2)  # the third waits for nobody
    assert 90 <= found.oldest_job_seconds < 150
    assert 3600 <= found.oldest_reading_seconds < 3660
    assert found.clusters == {"failed": 1, "read": 1, "unserved": 1}
    assert found.soonest_token_end_seconds is not None
    assert -60 < found.soonest_token_end_seconds <= 0
