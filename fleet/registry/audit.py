"""Writing the audit log: who did, or was not allowed to do, what to what."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.errors import RegistryError
from fleet.model.scope import Actor
from fleet.model.secret_text import without_secrets
from fleet.registry.chain import HEAD, LOG, entry_hash
from fleet.registry.database import Database, Tx, ring_of
from fleet.registry.redaction import redacted

_LOCK_HEAD = (
    sa.select(HEAD.c.seq, HEAD.c.chain_hash, sa.func.clock_timestamp().label("now"))
    .where(HEAD.c.only)
    .with_for_update()
)
_SALT_BYTES = 16
#: The entry and the head that it becomes, in one round trip.
_APPEND = sa.insert(LOG).add_cte(
    sa.update(HEAD)
    .where(HEAD.c.only)
    .values(seq=sa.bindparam("moved_seq"), chain_hash=sa.bindparam("moved_hash"))
    .cte("moved")
)


async def record_change(
    tx: Tx,
    actor: Actor,
    action: str,
    object_kind: str,
    object: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    decision: str = "allowed",
    at: datetime | None = None,
) -> int:
    """Append one entry inside the transaction that makes the change; returns its number.

    Holds the head of the chain until the transaction ends, so call it last: entries of
    concurrent transactions wait for each other here. Secrets in ``before`` and ``after``
    are masked (``redaction``). ``at`` is PostgreSQL's clock unless given.
    """
    ring = ring_of(tx)
    salt = secrets.token_bytes(_SALT_BYTES)
    shown = redacted(before, salt), redacted(after, salt)
    head = (await tx.execute(_LOCK_HEAD)).one_or_none()
    if head is None:
        raise RegistryError(
            "the head of the audit log is gone", hint="Run `fleet audit verify`; restore a backup."
        )
    entry = {
        "seq": head.seq + 1,
        "at": at or head.now,
        "actor": actor.name,
        "source_ip": actor.source_ip,
        "action": action,
        "decision": decision,
        "object_kind": object_kind,
        "object": without_secrets(object),
        "before": shown[0],
        "after": shown[1],
        "request_id": actor.request_id,
    }
    chain_hash = entry_hash(ring, ring.current, entry, head.chain_hash)
    moved = {"moved_seq": entry["seq"], "moved_hash": chain_hash}
    row = {**entry, "previous_hash": head.chain_hash, "chain_hash": chain_hash}
    await tx.execute(_APPEND, {**row, **moved})
    return int(head.seq) + 1


async def record_denied(
    db: Database,
    actor: Actor,
    action: str,
    object_kind: str,
    object: str,
    reason: str = "",
) -> None:
    """Append a refused attempt, in a transaction of its own: the caller's is rolled back."""
    after = {"reason": reason} if reason else None
    async with db.transaction() as tx:
        await record_change(tx, actor, action, object_kind, object, after=after, decision="denied")
