"""Applications found by name, as far as acting on one needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, func, select

from fleet.model.applications import SHADOW_ANNOTATION
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.scope import Scope
from fleet.registry.database import Tx
from fleet.registry.selection import AnyRow, in_scope, missing
from fleet.registry.tables import TABLES

APPLICATIONS = TABLES["applications"]
CHILDREN = TABLES["children"]
CLUSTERS = TABLES["clusters"]
PROJECTS = TABLES["projects"]


@dataclass(frozen=True, slots=True)
class ApplicationRef:
    """Enough to act on an application that was found by name.

    ``cluster`` and ``server`` are "" where its destination names no registered cluster.
    """

    id: ApplicationId
    name: str
    project: str
    cluster_id: ClusterId | None
    generation: int
    namespace: str = ""
    cluster: str = ""
    server: str = ""
    is_child: bool = False  # another application has it in Git
    is_shadow: bool = False  # nothing is written for it


_SHADOW = APPLICATIONS.c.document[("metadata", "annotations", SHADOW_ANNOTATION)]


def _refs(scope: Scope) -> Select[Any]:
    a, c = APPLICATIONS.c, CLUSTERS.c
    return (
        select(
            *(a.id, a.name, a.cluster_id, a.generation, a.namespace),
            PROJECTS.c.name.label("project"),
            func.coalesce(c.name, "").label("cluster"),
            func.coalesce(c.server, "").label("server"),
            func.coalesce(func.trim(_SHADOW.astext), "").label("shadow"),
            exists().where(CHILDREN.c.application_id == a.id).label("is_child"),
        )
        .join(PROJECTS, PROJECTS.c.id == a.project_id)
        .outerjoin(CLUSTERS, c.id == a.cluster_id)
        .where(in_scope(scope, PROJECTS.c.name, APPLICATIONS.c.name))
    )


def _ref_of(row: AnyRow) -> ApplicationRef:
    cluster = ClusterId(row.cluster_id) if row.cluster_id else None
    return ApplicationRef(
        id=ApplicationId(row.id),
        name=row.name,
        project=row.project,
        cluster_id=cluster,
        generation=row.generation,
        namespace=row.namespace,
        cluster=row.cluster,
        server=row.server,
        is_child=row.is_child,
        is_shadow=row.shadow not in ("", "false"),
    )


async def find_application(tx: Tx, scope: Scope, name: str) -> ApplicationRef:
    """Raises NotFound with the nearest names, as if what may not be seen did not exist."""
    row = (await tx.execute(_refs(scope).where(APPLICATIONS.c.name == name))).one_or_none()
    if row is None:
        names = _refs(scope).with_only_columns(APPLICATIONS.c.name)
        raise await missing(tx, "Application", name, names)
    return _ref_of(row)


async def applications_of_project(
    tx: Tx, scope: Scope, project: str, *, after: str = "", limit: int
) -> tuple[ApplicationRef, ...]:
    """Applications of a project by name, from the one after ``after``."""
    query = _refs(scope).where(PROJECTS.c.name == project, APPLICATIONS.c.name > after)
    rows = await tx.execute(query.order_by(APPLICATIONS.c.name).limit(limit))
    return tuple(_ref_of(row) for row in rows)


async def exists_application(tx: Tx, scope: Scope, name: str) -> bool:
    """There is one of this name that may be seen."""
    query = select(exists(_refs(scope).where(APPLICATIONS.c.name == name)))
    return bool((await tx.execute(query)).scalar_one())


async def applications_of_cluster(
    tx: Tx, scope: Scope, cluster: ClusterId
) -> tuple[ApplicationRef, ...]:
    """Applications whose destination is the cluster, by name."""
    query = _refs(scope).where(APPLICATIONS.c.cluster_id == cluster)
    return tuple(_ref_of(row) for row in await tx.execute(query.order_by(APPLICATIONS.c.name)))
