"""Global projects: what other projects inherit is written into their rows when it changes,
so that a pass reads it with the project and pays nothing for it."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.model.global_projects import (
    SETTINGS_CONFIG,
    GlobalProject,
    read_global_projects,
)
from fleet.model.objects import Manifest
from fleet.policy import effective_document
from fleet.registry import projects, queue
from fleet.registry.config_maps import config_map
from fleet.registry.database import Tx
from fleet.registry.projects import Inheriting
from fleet.render.yaml import load_one


async def inherit(tx: Tx, found: Sequence[GlobalProject]) -> tuple[str, ...]:
    """Have every project inherit as this says; names global projects that are not there yet."""
    rows = await projects.inheriting(tx)
    await _settle(tx, found, rows)
    names = {row.name for row in rows}
    return tuple(it.project for it in found if it.project not in names)


async def settle_inheritance(tx: Tx, changed: str) -> None:
    """After project ``changed`` was put: what it inherits, and what others inherit of it."""
    found = await global_projects(tx)
    is_global = any(it.project == changed for it in found)
    await _settle(tx, found, await projects.inheriting(tx, "" if is_global else changed))


async def global_projects(tx: Tx) -> tuple[GlobalProject, ...]:
    """As they are named by now."""
    document = await config_map(tx, SETTINGS_CONFIG)
    text = "" if document is None else (document.get("data") or {}).get("globalProjects", "")
    return read_global_projects(text, load_one)


async def inherited_by(tx: Tx, document: Manifest) -> tuple[str, ...]:
    """Names of the global projects from which a project inherits, in order."""
    metadata = document["metadata"]
    found = await global_projects(tx)
    labels = metadata.get("labels") or {}
    return tuple(it.project for it in found if it.reaches(metadata["name"], labels))


async def _settle(tx: Tx, found: Sequence[GlobalProject], rows: Sequence[Inheriting]) -> None:
    wanted = {it.project for it in found}
    documents = await projects.documents_of(tx, wanted) if wanted else {}
    clusters: set[str] = set()
    for row in rows:
        labels = (row.document.get("metadata") or {}).get("labels") or {}
        givers = [it.project for it in found if it.reaches(row.name, labels)]
        inherits = [documents[name] for name in givers if name in documents]
        effective = effective_document(row.document, inherits) if inherits else None
        if effective != row.effective:
            clusters |= set(map(str, await projects.set_effective(tx, row, effective)))
    await queue.wake(tx, "reconcile", clusters)
