"""Leases: who leads, who watches which cluster. PostgreSQL's clock decides alone.

An epoch goes up with each change of hands and never comes back, so what an old holder
still writes can be told by its epoch and refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.registry.database import Tx
from fleet.registry.tables import Base

LEASES = Base.metadata.tables["leases"]


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is held at this moment."""

    name: str
    holder: str
    epoch: int
    expires_at: datetime


async def acquire(tx: Tx, name: str, holder: str, ttl_seconds: float) -> int | None:
    """The lease's epoch when ``holder`` has it from now on, None when another one does.

    Who holds it already keeps it, with the same epoch, for another ``ttl_seconds``.
    """
    return (await acquire_many(tx, [name], holder, ttl_seconds)).get(name)


async def acquire_many(
    tx: Tx, names: Iterable[str], holder: str, ttl_seconds: float
) -> dict[str, int]:
    """``acquire`` for many leases in one statement: name → epoch of those that are held."""
    # sorted, so that two processes that want the same leases do not deadlock
    wanted = sorted(set(names))
    if not wanted:
        return {}
    now = sa.func.clock_timestamp()
    until = now + sa.cast(sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_seconds), sa.Interval)
    rows = sa.select(
        sa.func.unnest(sa.cast(wanted, sa.ARRAY(sa.Text))),
        sa.literal(holder),
        sa.literal(1),
        now,
        until,
    )
    new = insert(LEASES).from_select(["name", "holder", "epoch", "renewed_at", "expires_at"], rows)
    free = LEASES.c.expires_at <= now
    mine = LEASES.c.holder == holder
    change = new.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "holder": holder,
            "epoch": sa.case((sa.and_(mine, ~free), LEASES.c.epoch), else_=LEASES.c.epoch + 1),
            "renewed_at": now,
            "expires_at": until,
        },
        where=sa.or_(free, mine),
    ).returning(LEASES.c.name, LEASES.c.epoch)
    return {row.name: row.epoch for row in await tx.execute(change)}


async def keep_many(
    tx: Tx, names: Iterable[str], holder: str, ttl_seconds: float
) -> dict[str, int]:
    """``acquire_many`` for who asks each second: a lease with two thirds of its time left is
    not written again."""
    wanted = set(names)
    fresh = sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_seconds * 2 / 3)
    # all that it holds, rather than a statement with a thousand names in it
    query = sa.select(LEASES.c.name, LEASES.c.epoch).where(
        LEASES.c.holder == holder,
        LEASES.c.expires_at > sa.func.clock_timestamp() + sa.cast(fresh, sa.Interval),
    )
    rows = await tx.execute(query)
    kept = {row.name: row.epoch for row in rows if row.name in wanted}
    return kept | await acquire_many(tx, wanted - kept.keys(), holder, ttl_seconds)


async def release(tx: Tx, name: str, holder: str) -> None:
    """Let go at once; nothing happens when ``holder`` has it no longer."""
    await release_many(tx, [name], holder)


async def release_many(tx: Tx, names: Iterable[str], holder: str) -> None:
    """``release`` for many. The rows stay, because their epochs have to go on."""
    given = sorted(set(names))
    if not given:
        return
    now = sa.func.clock_timestamp()
    await tx.execute(
        sa.update(LEASES)
        .where(LEASES.c.name.in_(given), LEASES.c.holder == holder)
        .where(LEASES.c.expires_at > now)
        .values(expires_at=now)
    )


async def holder_of(tx: Tx, name: str) -> Held | None:
    """Who holds the lease now."""
    query = sa.select(LEASES).where(
        LEASES.c.name == name, LEASES.c.expires_at > sa.func.clock_timestamp()
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else Held(row.name, row.holder, row.epoch, row.expires_at)


async def held_by(tx: Tx, holder: str, prefix: str = "") -> dict[str, int]:
    """Name → epoch of the leases that ``holder`` has now, those that start with ``prefix``."""
    query = sa.select(LEASES.c.name, LEASES.c.epoch).where(
        LEASES.c.holder == holder,
        LEASES.c.name.startswith(prefix, autoescape=True),
        LEASES.c.expires_at > sa.func.clock_timestamp(),
    )
    return {row.name: row.epoch for row in await tx.execute(query)}


async def holders(tx: Tx, prefix: str) -> dict[str, str]:
    """Name → holder of all leases that somebody has now, those that start with ``prefix``."""
    query = sa.select(LEASES.c.name, LEASES.c.holder).where(
        LEASES.c.name.startswith(prefix, autoescape=True),
        LEASES.c.expires_at > sa.func.clock_timestamp(),
    )
    return {row.name: row.holder for row in await tx.execute(query)}
