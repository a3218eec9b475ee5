"""The right to write about clusters, asked for several of them in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fleet.errors import LeaseLost
from fleet.model.ids import ClusterId
from fleet.registry import work
from fleet.registry.database import Database
from fleet.registry.keyring import KeyRing
from fleet.registry.together import together
from tests.integration.registry import seeds


async def _two(db: Database, ring: KeyRing) -> tuple[ClusterId, ClusterId]:
    async with db.transaction() as tx:
        one, other = [await seeds.cluster(tx, ring, name) for name in ("eu-1", "us-1")]
    return one.id, other.id


async def _fence(db: Database, epochs: Mapping[ClusterId, int]) -> None:
    async with db.transaction() as tx, together(tx) as said:
        work.fence_all(said, epochs, waits=False)


async def _is_newest(db: Database, cluster: ClusterId, epoch: int) -> bool:
    async with db.asking() as tx:
        return await work.is_newest(tx, cluster, epoch)


async def test_passes_over_many_clusters_are_let_through_each_with_its_epoch(
    db: Database, ring: KeyRing
) -> None:
    one, other = await _two(db, ring)
    for _ in range(2):  # the plan, then the record
        await _fence(db, {one: 7, other: 4})
    assert [await _is_newest(db, one, epoch) for epoch in (6, 7)] == [False, True]
    assert [await _is_newest(db, other, epoch) for epoch in (3, 4)] == [False, True]


async def test_one_that_lost_its_cluster_lets_none_through(db: Database, ring: KeyRing) -> None:
    one, other = await _two(db, ring)
    await _fence(db, {other: 9})
    with pytest.raises(LeaseLost):
        await _fence(db, {one: 7, other: 8})
    assert await _is_newest(db, one, 6)


async def test_many_do_not_wait_for_a_cluster_that_somebody_writes_about(
    db: Database, ring: KeyRing
) -> None:
    one, other = await _two(db, ring)
    async with db.transaction() as tx:
        await work.fence(tx, other, 1)
        with pytest.raises(LeaseLost):
            await _fence(db, {one: 7, other: 8})
    await _fence(db, {one: 7, other: 8})
    assert not await _is_newest(db, other, 7)
