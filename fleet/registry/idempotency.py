"""``Idempotency-Key``: a write that is asked for twice is done once.

``claim`` in a transaction of its own, do the work, ``finish`` in the transaction of the
work: if that one is lost, so is the answer, and a later request may do it again.
An answer that shows a secret (a new token) must not be kept: ``release`` its claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.errors import Refused, UsageError
from fleet.registry.database import Tx
from fleet.registry.tables import Base

KEYS = Base.metadata.tables["idempotency_keys"]

#: A claim without an answer for this long was left by a process that died.
ABANDONED = "5 minutes"
KEPT = "24 hours"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request was told: HTTP status and JSON body."""

    status: int
    response: dict[str, Any]


async def claim(tx: Tx, account: str, key: str, request_sha256: str) -> Answer | None:
    """None: go on, the key is ours. An answer: give it again and do nothing.

    Args:
        request_sha256: of method, path and body: one key, one request.

    Raises:
        UsageError: the key was used for another request.
        Refused: the first request with it is still at work.
    """
    new = insert(KEYS).values(account=account, key=key, request_sha256=request_sha256)
    abandoned = sa.and_(
        KEYS.c.status.is_(None),
        KEYS.c.request_sha256 == request_sha256,
        KEYS.c.created_at < sa.func.now() - sa.cast(ABANDONED, sa.Interval),
    )
    taken = new.on_conflict_do_update(
        index_elements=["account", "key"], set_={"created_at": sa.func.now()}, where=abandoned
    )
    if (await tx.execute(taken.returning(KEYS.c.key))).one_or_none() is not None:
        return None
    row = (await tx.execute(sa.select(KEYS).where(_is(account, key)))).one()
    if row.request_sha256 != request_sha256:
        raise UsageError(
            f"Idempotency-Key {key!r} was used for another request",
            hint="Use a new key for each new request.",
        )
    if row.status is None:
        raise Refused(
            f"the request with Idempotency-Key {key!r} is still at work",
            hint="Wait a moment and send it again.",
        )
    return Answer(row.status, row.response or {})


async def finish(tx: Tx, account: str, key: str, answer: Answer) -> None:
    """Keep the answer, in the transaction that did the work."""
    await tx.execute(
        sa.update(KEYS)
        .where(_is(account, key))
        .values(status=answer.status, response=answer.response)
    )


async def release(tx: Tx, account: str, key: str) -> None:
    """Forget a claim whose request had no effect, so that it can be sent again."""
    await tx.execute(sa.delete(KEYS).where(_is(account, key), KEYS.c.status.is_(None)))


async def purge(tx: Tx) -> int:
    """Forget what is older than a day; returns how many keys that were."""
    old = sa.delete(KEYS).where(KEYS.c.created_at < sa.func.now() - sa.cast(KEPT, sa.Interval))
    return int((await tx.execute(old)).rowcount)


def _is(account: str, key: str) -> Any:
    return sa.and_(KEYS.c.account == account, KEYS.c.key == key)
