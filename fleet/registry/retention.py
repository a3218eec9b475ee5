"""Months of history: made in advance, and dropped where retention is switched on."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from fleet.errors import Refused
from fleet.registry.chain import ANCHORS, HEAD, LOG, anchor_signature, start_of, verify
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

    The chain of the audit log is verified and anchored first, in the same transaction, so
    that what is left still verifies.

    Raises:
        Refused: the chain does not verify; dropping would destroy the evidence.
    """
    first = month.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    async with db.transaction() as tx:
        await tx.execute(sa.select(HEAD.c.seq).with_for_update())
        await ensure_partitions(tx)
        await _anchor(tx, ring, first)
        dropped = await tx.execute(sa.select(sa.func.fleet_drop_partitions(first)))
        return tuple(dropped.scalars())


async def _anchor(tx: Tx, ring: KeyRing, first: datetime) -> None:
    """Vouch for every entry older than ``first``, unless there is none."""
    newest = sa.select(LOG.c.seq, LOG.c.chain_hash).where(LOG.c.at < first)
    last = (await tx.execute(newest.order_by(LOG.c.seq.desc()).limit(1))).one_or_none()
    if last is None or last.seq <= (await start_of(tx)).seq:
        return
    found = await verify(tx, ring)
    if not found.ok:
        raise Refused(
            f"history is kept: the audit log does not verify ({found.message})",
            hint="Run `fleet audit verify`, and find out who changed it before anything is lost.",
        )
    signature = anchor_signature(ring, ring.current, last.seq, last.chain_hash)
    await tx.execute(
        sa.insert(ANCHORS).values(seq=last.seq, chain_hash=last.chain_hash, signature=signature)
    )
