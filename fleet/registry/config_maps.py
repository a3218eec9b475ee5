"""Argo CD's ConfigMaps that Fleet reads, kept as they were applied."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from fleet.model.objects import Manifest
from fleet.model.scope import Actor
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.tables import TABLES

CONFIG_MAPS = TABLES["config_maps"]


async def config_map(tx: Tx, name: str) -> Manifest | None:
    """The document, None where none was applied."""
    query = select(CONFIG_MAPS.c.document).where(CONFIG_MAPS.c.name == name)
    document: Manifest | None = (await tx.execute(query)).scalar_one_or_none()
    return document


async def list_config_maps(tx: Tx) -> list[Manifest]:
    """Every document, by name."""
    query = select(CONFIG_MAPS.c.document).order_by(CONFIG_MAPS.c.name)
    return list((await tx.execute(query)).scalars())


async def put_config_map(tx: Tx, actor: Actor, name: str, document: Manifest) -> str:
    """Keep it in place of the one there is; says whether it was ``created``, ``configured``
    or ``unchanged``."""
    query = select(CONFIG_MAPS.c.document).where(CONFIG_MAPS.c.name == name)
    before = (await tx.execute(query.with_for_update())).scalar_one_or_none()
    if before == document:
        return "unchanged"
    new = insert(CONFIG_MAPS).values(name=name, document=document)
    await tx.execute(
        new.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "document": new.excluded.document,
                "generation": CONFIG_MAPS.c.generation + 1,
                "changed_at": func.clock_timestamp(),
            },
        )
    )
    action = "create" if before is None else "update"
    await record_change(tx, actor, action, "ConfigMap", name, before=before, after=document)
    return "created" if before is None else "configured"
