"""Config management plugins that an administrator registered."""

from __future__ import annotations

from sqlalchemy import func, select, update

from fleet.errors import AlreadyExists
from fleet.model.objects import Manifest
from fleet.model.plugins import KIND, Plugin, PluginSpec, parse_plugin
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

PLUGINS = TABLES["plugins"]


async def put_plugin(tx: Tx, actor: Actor, plugin: Plugin, *, upsert: bool) -> str:
    """Register a plugin, or give it this document: ``created``, ``configured``, ``unchanged``.

    What may render otherwise with it is evaluated again.

    Raises:
        AlreadyExists: without ``upsert``, the name is taken.
    """
    name, document = plugin.spec.name, plugin.document
    query = select(PLUGINS.c.document).where(PLUGINS.c.name == name).with_for_update()
    before: Manifest | None = (await tx.execute(query)).scalar_one_or_none()
    if before is not None and not upsert:
        raise AlreadyExists(f"a plugin named {name!r} exists already", object=f"{KIND}/{name}")
    if before == document:
        return "unchanged"
    if before is None:
        await tx.execute(PLUGINS.insert().values(name=name, document=document))
        await record_change(tx, actor, "create", KIND, name, after=document)
    else:
        changed = {"document": document, "changed_at": func.clock_timestamp()}
        await tx.execute(update(PLUGINS).where(PLUGINS.c.name == name).values(changed))
        await record_change(tx, actor, "update", KIND, name, before=before, after=document)
    await _evaluate_again(tx)
    return "created" if before is None else "configured"


async def remove_plugin(tx: Tx, actor: Actor, name: str) -> None:
    """Raises NotFound with the nearest names. What it rendered stays as it is until then."""
    query = PLUGINS.delete().where(PLUGINS.c.name == name).returning(PLUGINS.c.document)
    before = (await tx.execute(query)).scalar_one_or_none()
    if before is None:
        raise await missing(tx, KIND, name, select(PLUGINS.c.name))
    await record_change(tx, actor, "delete", KIND, name, before=before)
    await _evaluate_again(tx)


async def _evaluate_again(tx: Tx) -> None:
    await queue.wake(tx, "poll", map(str, await check_all(tx)))


async def get_plugin(tx: Tx, name: str) -> Manifest:
    """Its document; raises NotFound with the nearest names."""
    query = select(PLUGINS.c.document).where(PLUGINS.c.name == name)
    found: Manifest | None = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise await missing(tx, KIND, name, select(PLUGINS.c.name))
    return found


async def list_plugins(
    tx: Tx, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[Manifest, ...], str]:
    """A page of documents by name, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    name = PLUGINS.c.name
    query = select(PLUGINS).where(after_parts((name,), after)).order_by(name)
    page, cursor = await page_of(tx, query, limit, lambda row: parts_cursor(row.name))
    return tuple(row.document for row in page), cursor


async def plugin_specs(tx: Tx) -> tuple[PluginSpec, ...]:
    """All that are registered, by name: the order in which they are asked."""
    rows = await tx.execute(select(PLUGINS.c.document).order_by(PLUGINS.c.name))
    return tuple(parse_plugin(document).spec for document in rows.scalars())
