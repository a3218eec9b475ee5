"""One holder at a time, epochs that never come back."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

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
    async with db.reading() as tx:
        before = await leases.holder_of(tx, "leader")
    assert await _acquire(db, "a", 600) == 1  # keeps it for longer, same epoch
    async with db.reading() as tx:
        after = await leases.holder_of(tx, "leader")
    assert before is not None
    assert after is not None
    assert (after.name, after.holder, after.epoch) == ("leader", "a", 1)
    assert after.expires_at > before.expires_at


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
