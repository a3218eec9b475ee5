"""What Fleet itself holds, as the applications see it that have it in Git."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson

from fleet.model.children import APPLICATION, Held, Parent, Standing
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import Manifest, ObjectRef
from fleet.registry.database import Tx
from fleet.registry.statements import text

#: The column of ``children`` that refers to an object of a kind.
COLUMNS = {
    "Application": "application_id",
    "AppProject": "project_id",
    "ApplicationSet": "document_id",
}

_PARENT = """
    select a.id, a.name, p.name as project, p.document
      from applications a join projects p on p.id = a.project_id where a.id = :id
"""
_ANCESTORS = """
    with recursive up as (
        select c.parent_id, 1 as depth from children c where c.application_id = :id
        union
        select c.parent_id, u.depth + 1 from children c join up u on c.application_id = u.parent_id
         where u.depth < 100)
    select a.name from up join applications a on a.id = up.parent_id order by up.depth
"""

_APPLICATIONS = """
    select a.id, a.name, a.document, a.generation, a.created_at, a.deleting,
      c.parent_id, coalesce(b.name, '') as parent, coalesce(c.namespace, '') as namespace,
      c.applied, a.cluster_id is not null as has_cluster, a.operation_id is not null as is_at_work,
      p.name as project, a.sync_status, a.health_status, a.health_message, a.judged_key,
      a.manifests_sha256, a.rendered_generation, a.render_error, a.attempt_phase,
      a.attempted_key, a.revisions,
      exists (select from application_sources s join repository_refs r
        on r.repository_id = s.repository_id and r.chart = s.chart
          and r.target_revision = s.target_revision
        where s.application_id = a.id and r.revision <> r.evaluated) as lags
    from applications a join projects p on p.id = a.project_id
      left join children c on c.application_id = a.id
      left join applications b on b.id = c.parent_id
"""
_PROJECTS = """
    select a.id, a.name, a.document, a.generation, a.created_at, c.parent_id,
      coalesce(b.name, '') as parent, coalesce(c.namespace, '') as namespace, c.applied
    from projects a left join children c on c.project_id = a.id
      left join applications b on b.id = c.parent_id
"""
_DOCUMENTS = """
    select a.id, a.name, a.document, a.generation, a.created_at, c.parent_id,
      coalesce(b.name, '') as parent, coalesce(c.namespace, '') as namespace, c.applied
    from kept_documents a left join children c on c.document_id = a.id
      left join applications b on b.id = c.parent_id
    where a.kind = 'ApplicationSet'
"""
_QUERIES = {
    "Application": f"{_APPLICATIONS} where",
    "AppProject": f"{_PROJECTS} where",
    "ApplicationSet": f"{_DOCUMENTS} and",
}


async def parent_of(tx: Tx, id: ApplicationId) -> Parent | None:
    """The application and where it comes from itself; None when it is gone."""
    row = (await tx.execute(text(_PARENT), {"id": id})).one_or_none()
    if row is None:
        return None
    above = await tx.execute(text(_ANCESTORS), {"id": id})
    return Parent(
        ApplicationId(row.id), row.name, row.project, row.document, tuple(above.scalars())
    )


async def find_held(tx: Tx, kind: str, name: str) -> tuple[Held, Any] | None:
    """The object of a kind, and its row; None when there is none."""
    rows = await tx.execute(text(f"{_QUERIES[kind]} a.name = :name"), {"name": name})
    row = rows.one_or_none()
    return None if row is None else (held_of(row), row)


async def list_held(tx: Tx, kind: str) -> list[tuple[Held, Any]]:
    """Every object of a kind that an application has in Git, by name."""
    query = f"{_QUERIES[kind]} c.id is not null order by a.name"
    return [(held_of(row), row) for row in await tx.execute(text(query))]


def held_of(row: Any) -> Held:
    return Held(
        uid=UUID(str(row.id)),
        name=row.name,
        document=row.document,
        generation=row.generation,
        created_at=row.created_at,
        parent_id=ApplicationId(row.parent_id) if row.parent_id else None,
        parent=row.parent,
        namespace=row.namespace,
        applied=row.applied,
    )


def standing_of(row: Any, *, wanted_key: str, auto_sync: bool, is_skipped: bool) -> Standing:
    """Where an application stands, from its row and what its document says."""
    return Standing(
        project=row.project,
        sync=SyncStatus(row.sync_status),
        health=Health(HealthStatus(row.health_status), row.health_message),
        revision=row.revisions[0] if row.revisions else "",
        has_cluster=row.has_cluster,
        auto_sync=auto_sync,
        is_skipped=is_skipped,
        is_rendered=row.rendered_generation >= row.generation,
        render_error=str((row.render_error or {}).get("message", "")),
        lags=row.lags,
        wanted_key=wanted_key,
        judged_key=row.judged_key,
        attempted_key=row.attempted_key,
        attempt_phase=row.attempt_phase,
        is_at_work=row.is_at_work,
        deleting=row.deleting,
    )


async def note_applied(
    tx: Tx, kind: str, object: UUID, parent: ApplicationId, namespace: str, applied: Manifest
) -> None:
    """Write down whose an object is, and what was applied."""
    column = COLUMNS[kind]
    await tx.execute(
        text(
            f"insert into children ({column}, parent_id, namespace, applied)"  # noqa: S608
            " values (:object, :parent, :namespace, cast(:applied as jsonb))"
            f" on conflict ({column}) do update set parent_id = excluded.parent_id,"
            "   namespace = excluded.namespace, applied = excluded.applied"
        ),
        {
            "object": object,
            "parent": parent,
            "namespace": namespace,
            "applied": orjson.dumps(applied).decode(),
        },
    )


#: Those that wait for a child, and those that are about to look at it.
_WAITS = """
    and exists (select from resources r where r.application_id = b.id
      and r.api_group = :group and r.kind = :kind and r.namespace = c.namespace and r.name = a.name
      and (r.health_status = 'Progressing' or r.seen_version <> ''))
"""


async def marks_of(
    tx: Tx, kind: str, objects: Iterable[UUID], *, waiting: bool = False
) -> dict[ClusterId, list[ObjectRef]]:
    """As what, and where, those have these objects in their inventories that have them in Git:
    nothing for objects that nobody has. ``waiting``: only those that may wait for one."""
    column = COLUMNS[kind]
    table = "projects" if kind == "AppProject" else "applications"
    rows = await tx.execute(
        text(
            "select b.cluster_id, c.namespace, a.name from children c"  # noqa: S608
            f" join {table} a on a.id = c.{column} join applications b on b.id = c.parent_id"
            f" where c.{column} = any(:objects) and b.cluster_id is not null"
            f" {_WAITS if waiting else ''} order by 1, 2, 3"
        ),
        {"objects": list(objects)}
        | ({"group": APPLICATION.group, "kind": kind} if waiting else {}),
    )
    found: dict[ClusterId, list[ObjectRef]] = {}
    for cluster, namespace, name in rows:
        ref = ObjectRef(APPLICATION.group, kind, namespace, name)
        found.setdefault(ClusterId(cluster), []).append(ref)
    return found
