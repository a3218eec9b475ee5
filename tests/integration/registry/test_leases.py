"""One holder at a time, epochs that never come back."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from fleet.errors import LeaseLost, RegistryUnavailable
from fleet.registry import leases
from fleet.registry.database import Database


async def _acquire(db: Database, holder: str, ttl: float = 60, name: str = "leader") -> int | None:
    async with db.transaction() as tx:
        return await leases.acquire(tx, name, holder, ttl)


async def _expire(db: Database, name: str = "leader") -> None:
    """As if its time were over."""
    async with db.transaction() as tx:
        await tx.execute(
            text("update leases set expires_at = clock_timestamp() where name = :name"),
            {"name": name},
        )


async def test_one_holder(db: Database) -> None:
    assert await _acquire(db, "a") == 1
    assert await _acquire(db, "b") is None
    assert await _acquire(db, "a") == 1  # keeps it, same epoch
    async with db.reading() as tx:
        held = await leases.holder_of(tx, "leader")
    assert held is not None
    assert (held.name, held.holder, held.epoch) == ("leader", "a", 1)


async def test_an_expired_lease_changes_hands_with_a_new_epoch(db: Database) -> None:
    await _acquire(db, "a")
    await _expire(db)
    async with db.reading() as tx:
        assert await leases.holder_of(tx, "leader") is None
    assert await _acquire(db, "b") == 2
    assert await _acquire(db, "a") is None


async def test_who_lost_time_gets_a_new_epoch_too(db: Database) -> None:
    await _acquire(db, "a")
    await _expire(db)
    assert await _acquire(db, "a") == 2


async def test_a_release_counts_at_once_and_epochs_go_on(db: Database) -> None:
    await _acquire(db, "a")
    async with db.transaction() as tx:
        await leases.release(tx, "leader", "b")  # not b's to release
        assert await leases.holder_of(tx, "leader") is not None
        await leases.release(tx, "leader", "a")
    assert await _acquire(db, "b") == 2


async def test_of_many_at_once_one_wins(db: Database) -> None:
    won = await asyncio.gather(*(_acquire(db, f"p{n}") for n in range(8)))
    assert sorted(won, key=str) == [1, *[None] * 7]


async def test_renew(db: Database) -> None:
    await _acquire(db, "a")
    async with db.transaction() as tx:
        before = await leases.holder_of(tx, "leader")
        await leases.renew(tx, "leader", "a", 1, 600)
        after = await leases.holder_of(tx, "leader")
    assert before is not None
    assert after is not None
    assert after.expires_at > before.expires_at


@pytest.mark.parametrize(("holder", "epoch"), [("b", 1), ("a", 2)])
async def test_only_the_holder_renews_and_writes(db: Database, holder: str, epoch: int) -> None:
    await _acquire(db, "a")
    async with db.transaction() as tx:
        with pytest.raises(LeaseLost):
            await leases.renew(tx, "leader", holder, epoch, 60)
        with pytest.raises(LeaseLost):
            await leases.require(tx, "leader", holder, epoch)


async def test_an_expired_lease_is_lost_even_if_nobody_took_it(db: Database) -> None:
    await _acquire(db, "a")
    await _expire(db)
    async with db.transaction() as tx:
        with pytest.raises(LeaseLost):
            await leases.require(tx, "leader", "a", 1)
        with pytest.raises(LeaseLost):
            await leases.renew(tx, "leader", "a", 1, 60)


async def test_nobody_takes_over_in_the_middle_of_a_fenced_write(db: Database) -> None:
    await _acquire(db, "a")
    async with db.transaction() as writing:
        await leases.require(writing, "leader", "a", 1)
        with pytest.raises(RegistryUnavailable, match="lock was not free"):
            await _take_impatiently(db)
    await _expire(db)
    assert await _acquire(db, "b") == 2


async def _take_impatiently(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("set local lock_timeout = '20ms'"))
        await tx.execute(text("update leases set expires_at = clock_timestamp()"))


async def test_many(db: Database) -> None:
    async with db.transaction() as tx:
        assert await leases.acquire_many(tx, ["watch:1", "watch:2", "watch:1"], "a", 60) == {
            "watch:1": 1,
            "watch:2": 1,
        }
        assert await leases.acquire_many(tx, ["watch:2", "watch:3"], "b", 60) == {"watch:3": 1}
        assert await leases.acquire_many(tx, [], "b", 60) == {}
        await leases.acquire(tx, "leader", "a", 60)
        assert await leases.held_by(tx, "a", "watch:") == {"watch:1": 1, "watch:2": 1}
        await leases.release_many(tx, ["watch:1", "watch:3"], "a")
        assert await leases.held_by(tx, "a", "watch:") == {"watch:2": 1}
        assert await leases.held_by(tx, "b") == {"watch:3": 1}


async def test_many_in_opposite_orders_do_not_deadlock(db: Database) -> None:
    names = [f"watch:{n}" for n in range(50)]

    async def take(holder: str, order: list[str]) -> int:
        async with db.transaction() as tx:
            return len(await leases.acquire_many(tx, order, holder, 60))

    taken = await asyncio.gather(take("a", names), take("b", names[::-1]))
    assert sum(taken) == 50


async def test_who_asks_each_second_writes_each_few_seconds(db: Database) -> None:
    async def renewed() -> list[object]:
        async with db.reading() as tx:
            rows = await tx.execute(text("select renewed_at from leases order by name"))
            return list(rows.scalars())

    async def keep(holder: str, *names: str) -> dict[str, int]:
        async with db.transaction() as tx:
            return await leases.keep_many(tx, names, holder, 60)

    assert await keep("a", "watch:1", "watch:2") == {"watch:1": 1, "watch:2": 1}
    before = await renewed()
    assert await keep("a", "watch:1", "watch:2") == {"watch:1": 1, "watch:2": 1}
    assert await renewed() == before
    assert await keep("b", "watch:1", "watch:2") == {}
    async with db.transaction() as tx:
        # as if a third of their time had passed
        await tx.execute(text("update leases set expires_at = expires_at - interval '21 s'"))
    assert await keep("a", "watch:1") == {"watch:1": 1}
    assert [new > old for new, old in zip(await renewed(), before, strict=True)] == [True, False]
    await _expire(db, "watch:2")
    assert await keep("b", "watch:1", "watch:2") == {"watch:2": 2}
