"""What an application reads: one row a source, and the repositories that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import Insert, insert

from fleet.errors import Forbidden
from fleet.model.applications import ApplicationDocument
from fleet.model.ids import ApplicationId, ProjectId, RepositoryId
from fleet.model.objects import Manifest
from fleet.registry.database import Tx
from fleet.registry.selection import AnyRow
from fleet.registry.tables import TABLES

PROJECTS = TABLES["projects"]
SOURCES = TABLES["application_sources"]
REPOSITORIES = TABLES["repositories"]


async def refuse_foreign(
    tx: Tx, project_id: ProjectId, repository_ids: Sequence[RepositoryId]
) -> None:
    """Credentials registered for one project do not read for another."""
    own = select(PROJECTS.c.name).where(PROJECTS.c.id == project_id).scalar_subquery()
    query = select(REPOSITORIES.c.url).where(
        REPOSITORIES.c.id.in_(repository_ids),
        REPOSITORIES.c.project != "",
        REPOSITORIES.c.project != own,
    )
    url = (await tx.execute(query)).scalars().first()
    if url is not None:
        raise Forbidden(
            f"repository {url} belongs to another project",
            hint="An administrator can open it to all projects with `fleet repo add --upsert`.",
            object=f"Repository/{url}",
        )


def _write() -> Insert:
    made = insert(SOURCES)
    columns = ("repository_id", "chart", "path", "target_revision")
    changed: dict[str, Any] = {name: made.excluded[name] for name in columns} | {"inputs": {}}
    return made.on_conflict_do_update(index_elements=["application_id", "position"], set_=changed)


_WRITE = _write()


async def write_sources(
    tx: Tx,
    id: ApplicationId,
    document: ApplicationDocument,
    repository_ids: Sequence[RepositoryId],
    *,
    keep: frozenset[int],
) -> None:
    """One row a source; those at the positions ``keep`` keep what their last render read."""
    rows = [
        {
            "application_id": id,
            "position": position,
            "repository_id": repository,
            "chart": source.chart,
            "path": source.path,
            "target_revision": source.follows,
        }
        for (position, source), repository in zip(
            document.spec.followed, repository_ids, strict=True
        )
        if position not in keep
    ]
    if rows:
        await tx.execute(_WRITE, rows)


async def unchanged_sources(
    tx: Tx, before: AnyRow, document: ApplicationDocument, repositories: Sequence[RepositoryId]
) -> frozenset[int]:
    """Positions whose source is word for word the same, from the same repository."""
    query = select(SOURCES.c.position, SOURCES.c.repository_id).where(
        SOURCES.c.application_id == before.id
    )
    known = {row.position: row.repository_id for row in await tx.execute(query)}
    old, new = _raw_sources(before.document), _raw_sources(document.document)
    return frozenset(
        position
        for position, (was, wanted) in enumerate(zip(old, new, strict=False))
        if was == wanted and known.get(position) == repositories[position]
    )


def _raw_sources(document: Manifest) -> list[Any]:
    spec = document.get("spec") or {}
    return list(spec.get("sources") or [spec.get("source") or spec.get("sourceHydrator")])


async def forget_unread_repositories(tx: Tx) -> None:
    """Rows that only an application's URL made go with the last application that has it."""
    reads = select(SOURCES.c.position).where(SOURCES.c.repository_id == REPOSITORIES.c.id)
    await tx.execute(REPOSITORIES.delete().where(REPOSITORIES.c.implicit, ~exists(reads)))
