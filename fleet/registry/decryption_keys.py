"""Private keys that open encrypted files of repositories: for one project, or for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from fleet.model.decryption import DecryptionKey
from fleet.model.scope import EVERYTHING, Actor
from fleet.registry import queue
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.desired import check_all
from fleet.registry.keyring import KeyRing
from fleet.registry.projects import project_id
from fleet.registry.sealing import Place, open_sealed, seal
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    after_parts,
    missing,
    page_of,
    parts_cursor,
)
from fleet.registry.tables import TABLES

KEYS = TABLES["decryption_keys"]
PROJECTS = TABLES["projects"]
KIND = "DecryptionKey"
#: "" for the keys of all projects.
PROJECT = func.coalesce(PROJECTS.c.name, "")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What may be seen of a key. ``project`` is "" for one of all projects."""

    id: str
    kind: str
    project: str
    owner: str


async def add_decryption_keys(
    tx: Tx, actor: Actor, ring: KeyRing, keys: Sequence[DecryptionKey], project: str
) -> tuple[StoredKey, ...]:
    """Keep keys; returns those that were not known before. What failed without them is
    rendered again.

    Args:
        project: whose applications may use them; "" for all.

    Raises:
        NotFound: there is no such project.
    """
    owner = await project_id(tx, EVERYTHING, project) if project else None
    fresh = []
    for key in {key.id: key for key in keys}.values():
        id = uuid4()
        values = {
            "id": id,
            "recipient": key.id,
            "kind": key.kind,
            "project_id": owner,
            "owner": key.owner,
            "sealed": seal(ring, _place(id), key.secret),
        }
        query = insert(KEYS).values(values).on_conflict_do_nothing().returning(KEYS.c.id)
        if (await tx.execute(query)).one_or_none():
            stored = StoredKey(key.id, key.kind, project, key.owner)
            await record_change(tx, actor, "create", KIND, key.id, after=_shown(stored))
            fresh.append(stored)
    if fresh:
        await queue.wake(tx, "poll", map(str, await check_all(tx, owner)))
    return tuple(fresh)


async def remove_decryption_key(tx: Tx, actor: Actor, id: str, project: str) -> None:
    """Forget a key: what it alone opens cannot be rendered any more; it stays as it is deployed.

    Raises:
        NotFound: there is no such key or project; names the nearest.
    """
    owner = await project_id(tx, EVERYTHING, project) if project else None
    of_project = KEYS.c.project_id.is_(None) if owner is None else KEYS.c.project_id == owner
    query = KEYS.delete().where(KEYS.c.recipient == id, of_project).returning(*KEYS.c)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise await missing(tx, KIND, id, select(KEYS.c.recipient).where(of_project))
    stored = StoredKey(row.recipient, row.kind, project, row.owner)
    await record_change(tx, actor, "delete", KIND, id, before=_shown(stored))
    await queue.wake(tx, "poll", map(str, await check_all(tx, owner)))


async def list_decryption_keys(
    tx: Tx, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[StoredKey, ...], str]:
    """A page by id and project, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    order = (KEYS.c.recipient, PROJECT)
    query = _with_project(KEYS.c.recipient, KEYS.c.kind, KEYS.c.owner)
    query = query.where(after_parts(order, after)).order_by(*order)
    page, cursor = await page_of(
        tx, query, limit, lambda row: parts_cursor(row.recipient, row.project)
    )
    return tuple(_stored(row) for row in page), cursor


async def usable_keys(tx: Tx, ring: KeyRing, project: str) -> tuple[DecryptionKey, ...]:
    """All that a project's applications may be decrypted with, its own first.

    Raises:
        SealBroken: one was sealed with a key that the ring lacks.
    """
    query = _with_project(*KEYS.c).where(PROJECT.in_(("", project)))
    rows = await tx.execute(query.order_by(PROJECT.desc(), KEYS.c.recipient))
    found: dict[str, DecryptionKey] = {}
    for row in rows:
        secret = open_sealed(ring, _place(row.id), row.sealed)
        key = DecryptionKey(row.recipient, row.kind, secret, row.owner)
        found.setdefault(key.id, key)
    return tuple(found.values())


def _with_project(*columns: Any) -> Select[Any]:
    joined = KEYS.outerjoin(PROJECTS, PROJECTS.c.id == KEYS.c.project_id)
    return select(*columns, PROJECT.label("project")).select_from(joined)


def _place(id: UUID) -> Place:
    return Place("decryption_keys", str(id), "sealed")


def _stored(row: Row[Any]) -> StoredKey:
    return StoredKey(row.recipient, row.kind, row.project, row.owner)


def _shown(key: StoredKey) -> dict[str, Any]:
    return {"id": key.id, "kind": key.kind, "project": key.project, "owner": key.owner}
