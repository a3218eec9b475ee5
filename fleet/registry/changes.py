"""Reading the audit log: what was changed or refused, by whom, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.errors import UsageError
from fleet.model.scope import Scope
from fleet.registry.chain import LOG
from fleet.registry.database import Tx
from fleet.registry.selection import DEFAULT_LIMIT, page_of


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """All that is given must hold. ``since`` is included, ``until`` is not."""

    actor: str = ""
    action: str = ""
    object_kind: str = ""
    object: str = ""
    decision: str = ""  # allowed | denied
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Change:
    """One entry; ``before`` and ``after`` were masked when it was written."""

    seq: int
    at: datetime
    actor: str
    source_ip: str
    action: str
    decision: str
    object_kind: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str
    chain_hash: str


async def list_changes(
    tx: Tx,
    scope: Scope,
    wanted: ChangeFilter | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[Change, ...], str]:
    """A page, and the cursor for the next. Entries belong to no project: only who sees
    all of them sees any.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    if not scope.seen("audit").is_all:
        return (), ""
    query = _filtered(sa.select(LOG), wanted or ChangeFilter())
    if after:
        query = query.where(LOG.c.seq < _position(after))
    page, cursor = await page_of(
        tx, query.order_by(LOG.c.seq.desc()), limit, lambda row: str(row.seq)
    )
    return tuple(_change_of(row) for row in page), cursor


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise UsageError("the cursor does not belong to this list")
    return int(cursor)


def _filtered(query: sa.Select[Any], wanted: ChangeFilter) -> sa.Select[Any]:
    c = LOG.c
    equal = (
        (c.actor, wanted.actor),
        (c.action, wanted.action),
        (c.object_kind, wanted.object_kind),
        (c.object, wanted.object),
        (c.decision, wanted.decision),
    )
    for column, value in equal:
        if value:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(c.at < wanted.until)
    return query


def _change_of(row: sa.Row[Any]) -> Change:
    return Change(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        source_ip=row.source_ip,
        action=row.action,
        decision=row.decision,
        object_kind=row.object_kind,
        object=row.object,
        before=row.before,
        after=row.after,
        request_id=row.request_id,
        chain_hash=row.chain_hash,
    )
