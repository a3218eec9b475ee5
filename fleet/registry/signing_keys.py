"""Public keys that may sign what is deployed: GPG's, SSH's, cosign's. Which project trusts
which, it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from fleet.model.integrity import SigningKey
from fleet.model.scope import Actor
from fleet.registry import queue
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.desired import check_all
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    after_parts,
    missing,
    page_of,
    parts_cursor,
)
from fleet.registry.tables import TABLES

KEYS = TABLES["signing_keys"]
KIND = "SigningKey"


async def add_signing_keys(
    tx: Tx, actor: Actor, keys: Sequence[SigningKey]
) -> tuple[SigningKey, ...]:
    """Trust keys; returns those that were not known before. What failed without them is
    looked at again."""
    rows = [
        {
            "id": key.id,
            "kind": key.kind,
            "subtype": key.subtype,
            "fingerprint": key.fingerprint,
            "owner": key.owner,
            "data": key.data,
        }
        for key in {key.id: key for key in keys}.values()
    ]
    added = await tx.execute(insert(KEYS).values(rows).on_conflict_do_nothing().returning(*KEYS.c))
    fresh = tuple(_key_of(row) for row in added)
    for key in fresh:
        await record_change(tx, actor, "create", KIND, key.id, after=_shown(key))
    if fresh:
        await queue.wake(tx, "poll", map(str, await check_all(tx)))
    return fresh


async def remove_signing_key(tx: Tx, actor: Actor, id: str) -> None:
    """Trust a key no longer: what only it signed cannot be rendered any more; it stays as it
    is deployed. Raises NotFound with the nearest ids."""
    query = KEYS.delete().where(KEYS.c.id == id).returning(*KEYS.c)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise await missing(tx, KIND, id, select(KEYS.c.id))
    await record_change(tx, actor, "delete", KIND, id, before=_shown(_key_of(row)))
    await queue.wake(tx, "poll", map(str, await check_all(tx)))


async def get_signing_key(tx: Tx, id: str) -> SigningKey:
    """Raises NotFound with the nearest ids."""
    row = (await tx.execute(select(KEYS).where(KEYS.c.id == id))).one_or_none()
    if row is None:
        raise await missing(tx, KIND, id, select(KEYS.c.id))
    return _key_of(row)


async def list_signing_keys(
    tx: Tx, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[SigningKey, ...], str]:
    """A page by id, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    id = KEYS.c.id
    query = select(KEYS).where(after_parts((id,), after)).order_by(id)
    page, cursor = await page_of(tx, query, limit, lambda row: parts_cursor(row.id))
    return tuple(_key_of(row) for row in page), cursor


async def signing_keys(tx: Tx) -> tuple[SigningKey, ...]:
    """All of them."""
    return tuple(_key_of(row) for row in await tx.execute(select(KEYS).order_by(KEYS.c.id)))


def _key_of(row: Row[Any]) -> SigningKey:
    return SigningKey(row.id, row.kind, row.subtype, row.fingerprint, row.owner, row.data)


def _shown(key: SigningKey) -> dict[str, Any]:
    return {"id": key.id, "kind": key.kind, "fingerprint": key.fingerprint, "owner": key.owner}
