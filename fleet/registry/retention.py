"""Months of history: made in advance, and dropped where retention is switched on."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from fleet.errors import Refused
from fleet.model.scope import FLEET
from fleet.registry.audit import record_change
from fleet.registry.chain import (
    ANCHORS,
    HEAD,
    LOG,
    Link,
    Verification,
    anchor_signature,
    follow,
    head_of,
    start_of,
    verify,
)
from fleet.registry.database import Database, Tx
from fleet.registry.keyring import KeyRing

MONTHS_AHEAD = 3


async def ensure_partitions(tx: Tx, months_ahead: int = MONTHS_AHEAD) -> tuple[str, ...]:
    """Make what partitions are missing up to ``months_ahead``; returns the new ones.

    The leader calls it daily. Rows that came before their partition are moved into it.
    """
    made = await tx.execute(sa.select(sa.func.fleet_ensure_partitions(months_ahead)))
    return tuple(made.scalars())


async def drop_before(db: Database, ring: KeyRing, month: datetime) -> tuple[str, ...]:
    """Drop all history of the months before ``month``; returns the dropped partitions.

    The chain of the audit log is verified and anchored first, so that what is left still
    verifies. Following it takes as long as it is, and every change waits for its head: it
    is followed before the head is held, and under it only what came since.

    Raises:
        Refused: the chain does not verify; dropping would destroy the evidence.
    """
    first = month.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    async with db.reading() as tx:
        verified = await _verified(tx, ring, first)
    async with db.transaction() as tx:
        await tx.execute(sa.select(HEAD.c.seq).with_for_update())
        await ensure_partitions(tx)
        if verified is not None:
            _refuse_broken(await follow(tx, ring, verified))
            await _anchor(tx, ring, first)
        dropped = await tx.execute(sa.select(sa.func.fleet_drop_partitions(first)))
        partitions = list(dropped.scalars())
        if partitions:
            about = f"before {first:%Y-%m}"
            before = {"partitions": partitions}
            await record_change(tx, FLEET, "drop", "History", about, before=before)
        return tuple(partitions)


async def _verified(tx: Tx, ring: KeyRing, first: datetime) -> Link | None:
    """The newest link of a chain that is whole; None when no entry is older than ``first``."""
    last = await _last_before(tx, first)
    if last is None or last.seq <= (await start_of(tx)).seq:
        return None
    _refuse_broken(await verify(tx, ring))
    return await head_of(tx)


def _refuse_broken(found: Verification) -> None:
    if not found.ok:
        raise Refused(
            f"history is kept: the audit log does not verify ({found.message})",
            hint="Run `fleet audit verify`, and find out who changed it before anything is lost.",
        )


async def _last_before(tx: Tx, first: datetime) -> Link | None:
    newest = sa.select(LOG.c.seq, LOG.c.chain_hash).where(LOG.c.at < first)
    row = (await tx.execute(newest.order_by(LOG.c.seq.desc()).limit(1))).one_or_none()
    return Link(row.seq, row.chain_hash) if row else None


async def _anchor(tx: Tx, ring: KeyRing, first: datetime) -> None:
    """Vouch for every entry older than ``first``: they were verified."""
    last = await _last_before(tx, first)
    if last is None or last.seq <= (await start_of(tx)).seq:
        return
    signature = anchor_signature(ring, ring.current, last.seq, last.chain_hash)
    await tx.execute(
        sa.insert(ANCHORS).values(seq=last.seq, chain_hash=last.chain_hash, signature=signature)
    )
