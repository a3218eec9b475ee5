"""The chain of the audit log: each entry's hash covers the entry before it.

``chain_hash`` is ``<key id>:<HMAC-SHA-256>`` with a key derived from the key ring, which
PostgreSQL does not have: whoever can change rows cannot make them fit again. The key id is
in the hash, so a chain goes on through rotations and verifies as long as the ring keeps
the old keys. What only the newest entries would show (cutting off the tail) is found by
comparing with a head that was exported before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from fleet.registry.database import Tx, now_of
from fleet.registry.keyring import KeyRing
from fleet.registry.tables import Base

LOG = Base.metadata.tables["audit_log"]
HEAD = Base.metadata.tables["audit_head"]
ANCHORS = Base.metadata.tables["audit_anchors"]
INSTANCE = Base.metadata.tables["instance"]

BATCH = 1000
#: What an entry's hash covers, in this order, before the hash of the previous entry.
COVERED = (
    "seq",
    "at",
    "actor",
    "source_ip",
    "action",
    "decision",
    "object_kind",
    "object",
    "before",
    "after",
    "request_id",
)


@dataclass(frozen=True, slots=True)
class Verification:
    """``first_bad_seq`` is the first entry that does not fit, None when all do."""

    ok: bool
    checked: int
    first_bad_seq: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the chain, by number and hash; number 0 is before the first."""

    seq: int
    chain_hash: str


def entry_hash(ring: KeyRing, kid: str, entry: Mapping[str, Any], previous: str) -> str:
    """The ``chain_hash`` of an entry that follows the one whose hash is ``previous``."""
    covered = [_canonical(entry[name]) for name in COVERED]
    return _signed(ring, kid, "audit", [*covered, previous])


def anchor_signature(ring: KeyRing, kid: str, seq: int, chain_hash: str) -> str:
    """Vouches that everything up to ``seq`` was verified before it was dropped."""
    return _signed(ring, kid, "audit anchor", [seq, chain_hash])


async def verify(tx: Tx, ring: KeyRing) -> Verification:
    """Follow the chain from its start to its head.

    Finds entries that were changed, removed, added, doubled or put in another order.

    Raises:
        SealBroken: the ring lacks a key that signed a part of the chain.
    """
    start = await start_of(tx)
    bad_anchor = await _bad_anchor(tx, ring)
    if bad_anchor is not None:
        return Verification(False, 0, bad_anchor, f"the anchor at {bad_anchor} is not ours")
    return await follow(tx, ring, start)


async def export_head(tx: Tx, ring: KeyRing) -> dict[str, Any]:
    """The newest link, signed, to keep where whoever can write to PostgreSQL cannot.

    Returns:
        ``instance``, ``seq``, ``chain_hash``, ``exported_at`` (RFC 3339), ``signature``.
    """
    head = (await tx.execute(sa.select(HEAD.c.seq, HEAD.c.chain_hash))).one()
    exported: dict[str, Any] = {
        "instance": str((await tx.execute(sa.select(INSTANCE.c.id))).scalar_one()),
        "seq": head.seq,
        "chain_hash": head.chain_hash,
        "exported_at": (await now_of(tx)).astimezone(UTC).isoformat(),
    }
    return {**exported, "signature": _head_signature(ring, ring.current, exported)}


async def verify_against(tx: Tx, ring: KeyRing, head: Mapping[str, Any]) -> Verification:
    """``verify``, and that the chain still contains the exported ``head``.

    Finds what ``verify`` alone cannot: entries cut off at the end, a chain begun anew, a
    database restored from before the export.
    """
    if not _is_our_head(ring, head):
        return Verification(False, 0, None, "the exported head is not signed by this key ring")
    instance = str((await tx.execute(sa.select(INSTANCE.c.id))).scalar_one())
    if head["instance"] != instance:
        return Verification(False, 0, None, "the exported head is of another Fleet")
    found = await verify(tx, ring)
    if not found.ok or await _contains(tx, int(head["seq"]), str(head["chain_hash"])):
        return found
    return Verification(
        False,
        found.checked,
        int(head["seq"]),
        f"entry {head['seq']}, exported as the newest at {head['exported_at']}, "
        "is no longer there as it was",
    )


async def start_of(tx: Tx) -> Link:
    """Where verification begins: after the last anchor, or before entry 1."""
    newest = sa.select(ANCHORS.c.seq, ANCHORS.c.chain_hash).order_by(ANCHORS.c.seq.desc()).limit(1)
    row = (await tx.execute(newest)).one_or_none()
    return Link(row.seq, row.chain_hash) if row else Link(0, "")


async def head_of(tx: Tx) -> Link:
    """The newest link, as the chain says itself: ``follow`` tells whether it is true."""
    row = (await tx.execute(sa.select(HEAD.c.seq, HEAD.c.chain_hash))).one()
    return Link(row.seq, row.chain_hash)


async def follow(tx: Tx, ring: KeyRing, start: Link) -> Verification:
    """``verify`` from a link on, up to the head."""
    seq, previous = start.seq, start.chain_hash
    async for entry in _entries_after(tx, start.seq):
        complaint = _complaint(ring, entry, seq, previous)
        if complaint:
            bad = min(entry["seq"], seq + 1)
            return Verification(False, seq - start.seq, bad, complaint)
        seq, previous = entry["seq"], entry["chain_hash"]
    head = (await tx.execute(sa.select(HEAD.c.seq, HEAD.c.chain_hash))).one_or_none()
    checked = seq - start.seq
    if head is None or head.seq < seq:
        return Verification(False, checked, seq, "the head was set back")
    if (head.seq, head.chain_hash) != (seq, previous):
        return Verification(False, checked, seq + 1, f"entries {seq + 1} to {head.seq} are missing")
    return Verification(True, checked, None, f"the chain is whole up to entry {seq}")


def _complaint(ring: KeyRing, entry: Mapping[str, Any], seq: int, previous: str) -> str:
    """Why ``entry`` cannot follow entry ``seq``; "" when it does."""
    here = entry["seq"]
    if here == seq:
        return f"entry {here} is there twice"
    if here != seq + 1:
        return f"entry {seq + 1} is missing"
    kid = entry["chain_hash"].partition(":")[0]
    expected = entry_hash(ring, kid, entry, entry["previous_hash"])
    if not hmac.compare_digest(expected, entry["chain_hash"]):
        return f"entry {here} was changed"
    if not hmac.compare_digest(entry["previous_hash"], previous):
        return f"entry {here} does not follow the entry before it"
    return ""


async def _entries_after(tx: Tx, seq: int) -> AsyncIterator[Mapping[str, Any]]:
    """In order, a batch at a time; a doubled ``seq`` is yielded as often as it is there."""
    after = sa.tuple_(LOG.c.seq, LOG.c.at)
    at = datetime.max.replace(tzinfo=UTC)  # everything with a seq up to the start is left out
    while True:
        page = (
            sa.select(LOG)
            .where(after > sa.tuple_(sa.literal(seq), sa.literal(at, LOG.c.at.type)))
            .order_by(LOG.c.seq, LOG.c.at)
            .limit(BATCH)
        )
        rows = (await tx.execute(page)).mappings().all()
        for row in rows:
            yield dict(row)
        if len(rows) < BATCH:
            return
        seq, at = rows[-1]["seq"], rows[-1]["at"]


async def _bad_anchor(tx: Tx, ring: KeyRing) -> int | None:
    for row in await tx.execute(sa.select(ANCHORS).order_by(ANCHORS.c.seq)):
        kid = row.signature.partition(":")[0]
        expected = anchor_signature(ring, kid, row.seq, row.chain_hash)
        if not hmac.compare_digest(expected, row.signature):
            return int(row.seq)
    return None


async def _contains(tx: Tx, seq: int, chain_hash: str) -> bool:
    """True when entry ``seq`` has this hash, or was dropped and vouched for since."""
    start = await start_of(tx)
    if seq < start.seq or (seq, chain_hash) == (start.seq, start.chain_hash):
        return True
    found = await tx.execute(sa.select(LOG.c.chain_hash).where(LOG.c.seq == seq))
    return chain_hash in found.scalars().all()


def _is_our_head(ring: KeyRing, head: Mapping[str, Any]) -> bool:
    signature = head.get("signature")
    if not isinstance(signature, str) or not set(_HEAD_FIELDS) <= set(head):
        return False
    kid = signature.partition(":")[0]
    return kid in ring.kids and hmac.compare_digest(_head_signature(ring, kid, head), signature)


_HEAD_FIELDS = ("instance", "seq", "chain_hash", "exported_at")


def _head_signature(ring: KeyRing, kid: str, head: Mapping[str, Any]) -> str:
    return _signed(ring, kid, "audit head", [head[name] for name in _HEAD_FIELDS])


def _signed(ring: KeyRing, kid: str, purpose: str, covered: list[Any]) -> str:
    text = json.dumps([kid, *covered], sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hmac.new(ring.derive(kid, purpose), text.encode(), hashlib.sha256)
    return f"{kid}:{digest.hexdigest()}"


def _canonical(value: Any) -> Any:
    """The same for a value before it was stored and after ``jsonb`` gave it back."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float) and value.is_integer():
        return int(value)  # jsonb writes 1e3 as 1000
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return value
