"""Applications: what people want, and what they ask for.

Where an application stands is written by the passes (``standings``, ``desired``); how it
is shown is in ``application_views``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from fleet.errors import AlreadyExists, NotFound, Refused
from fleet.model.applications import DRY, ApplicationDocument, Urgency
from fleet.model.ids import ApplicationId, ClusterId, ProjectId, RepositoryId
from fleet.model.objects import Manifest
from fleet.model.scope import Actor
from fleet.registry import hydrations, sightings
from fleet.registry.application_refs import (
    ApplicationRef,
    applications_of_cluster,
    applications_of_project,
    exists_application,
    find_application,
)
from fleet.registry.application_sources import (
    SOURCES,
    forget_unread_repositories,
    refuse_foreign,
    unchanged_sources,
    write_sources,
)
from fleet.registry.application_views import (
    ApplicationFilter,
    Freshness,
    get_application,
    list_applications,
)
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.deployments import close_deployments
from fleet.registry.drift import close_all
from fleet.registry.selection import AnyRow
from fleet.registry.tables import TABLES
from fleet.registry.work import note_kinds

__all__ = [
    "ApplicationFilter",
    "ApplicationRef",
    "Freshness",
    "applications_of_cluster",
    "applications_of_project",
    "create_application",
    "exists_application",
    "find_application",
    "get_application",
    "list_applications",
    "mark_deleting",
    "remove_application",
    "rename_application",
    "replace_document",
    "request_refresh",
]

APPLICATIONS = TABLES["applications"]
RESOURCES = TABLES["resources"]
_CREATE = (
    insert(APPLICATIONS)
    .on_conflict_do_nothing(constraint="uq_applications_name")
    .returning(APPLICATIONS.c.id)
)


async def create_application(
    tx: Tx,
    actor: Actor,
    document: ApplicationDocument,
    *,
    project_id: ProjectId,
    cluster_id: ClusterId | None,
    repository_ids: Sequence[RepositoryId],
) -> ApplicationId:
    """Make an application. It is rendered when its repositories are polled next.

    Args:
        cluster_id: None when the destination names no registered cluster.
        repository_ids: one for each of ``spec.followed``, in order.

    Raises:
        AlreadyExists: the name is taken.
        Forbidden: a repository belongs to another project.
    """
    await refuse_foreign(tx, project_id, repository_ids)
    values = {"name": document.name, **_columns(document, project_id, cluster_id)}
    made = (await tx.execute(_CREATE, values)).scalar_one_or_none()
    if made is None:
        raise _taken(document.name)
    id = ApplicationId(made)
    await write_sources(tx, id, document, repository_ids, keep=frozenset())
    await record_change(tx, actor, "create", "Application", document.name, after=document.document)
    return id


def _columns(
    document: ApplicationDocument, project_id: ProjectId, cluster_id: ClusterId | None
) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "cluster_id": cluster_id,
        "namespace": document.spec.destination.namespace,
        "labels": document.labels,
        "document": document.document,
    }


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"an application named {name!r} exists already",
        hint="Choose another name, or change that one with `fleet app set` or `fleet apply`.",
        object=f"Application/{name}",
    )


async def replace_document(
    tx: Tx,
    actor: Actor,
    id: ApplicationId,
    document: ApplicationDocument,
    *,
    project_id: ProjectId,
    cluster_id: ClusterId | None,
    repository_ids: Sequence[RepositoryId],
    urgency: int = Urgency.PERSON,
) -> bool:
    """Want this from now on; False when it was wanted already and nothing was written.

    An application that goes to another cluster starts anew there; what it has in the old
    one stays there and is forgotten.

    Raises:
        Refused: it is being deleted, or changes its cluster while an operation runs.
        Forbidden: a repository belongs to another project.
    """
    before = await _held(tx, id)
    await refuse_foreign(tx, project_id, repository_ids)
    same = (before.document, before.project_id, before.cluster_id)
    keep = await unchanged_sources(tx, before, document, repository_ids)
    count = len(document.spec.sources)
    if same == (document.document, project_id, cluster_id) and len(keep) == count:
        return False
    _refuse_if_bound(before, cluster_id)
    values = _columns(document, project_id, cluster_id) | _next_generation(urgency)
    if before.cluster_id != cluster_id:
        values |= _UNSEEN
        await tx.execute(RESOURCES.delete().where(RESOURCES.c.application_id == id))
    elif _ignored(before.document) != _ignored(document.document):
        # what counts as a difference is another thing now: every object is read again
        own = and_(RESOURCES.c.application_id == id, RESOURCES.c.in_inventory)
        await tx.execute(update(RESOURCES).where(own).values(seen_version=sightings.any_version()))
    await tx.execute(update(APPLICATIONS).where(APPLICATIONS.c.id == id).values(**values))
    left = [position for position, _ in document.spec.followed]
    extra = and_(SOURCES.c.application_id == id, SOURCES.c.position.not_in(left))
    await tx.execute(SOURCES.delete().where(extra))
    await write_sources(tx, id, document, repository_ids, keep=keep)
    await forget_unread_repositories(tx)
    await record_change(
        tx,
        actor,
        "update",
        "Application",
        before.name,
        before=before.document,
        after=document.document,
    )
    return True


async def note_missing(tx: Tx, name: str, missing: Sequence[str]) -> None:
    """Have an application that no pass looks at say what it waits for."""
    conditions = [{"type": "InvalidSpecError", "message": message} for message in missing]
    await tx.execute(
        update(APPLICATIONS).where(APPLICATIONS.c.name == name).values(conditions=conditions)
    )


def _ignored(document: Manifest) -> Any:
    return (document.get("spec") or {}).get("ignoreDifferences") or []


#: Nothing is known of an application in a cluster where no pass has looked at it.
_UNSEEN: dict[str, Any] = {
    "sync_status": "Unknown",
    "health_status": "Unknown",
    "health_message": "",
    "health_since": None,
    "conditions": [],
    "images": [],
    "compared_at": None,
    "synced_revision": "",
}


def _next_generation(urgency: int) -> dict[str, Any]:
    return {
        "generation": APPLICATIONS.c.generation + 1,
        "changed_at": func.clock_timestamp(),
        "urgency": func.least(APPLICATIONS.c.urgency, urgency),
        "dirty_at": func.clock_timestamp(),
    }


def _refuse_if_bound(before: AnyRow, cluster_id: ClusterId | None) -> None:
    if before.deleting is not None:
        raise Refused(
            f"application {before.name!r} is being deleted", object=f"Application/{before.name}"
        )
    if before.cluster_id != cluster_id and before.operation_id is not None:
        raise Refused(
            f"application {before.name!r} cannot change its cluster while an operation runs",
            hint=f"Wait for it, or end it with `fleet app terminate-op {before.name}`.",
            object=f"Application/{before.name}",
        )


async def rename_application(
    tx: Tx, actor: Actor, id: ApplicationId, name: str, *, releases: Sequence[int] = ()
) -> None:
    """One UPDATE: identity, history and what is deployed stay.

    Args:
        releases: positions of sources whose Helm release keeps the name that it has had from
            the application.

    Raises:
        AlreadyExists: the name is taken.
    """
    before = await _held(tx, id)
    if before.name == name:
        return
    pinned = _with_release_names(before.document, releases, before.name)
    document = {**pinned, "metadata": {**pinned["metadata"], "name": name}}
    values = {"name": name, "document": document, **_next_generation(Urgency.PERSON)}
    try:
        async with tx.begin_nested():
            await tx.execute(update(APPLICATIONS).where(APPLICATIONS.c.id == id).values(**values))
    except IntegrityError as error:
        raise _taken(name) from error
    await record_change(
        tx,
        actor,
        "rename",
        "Application",
        name,
        before={"name": before.name},
        after={"name": name} | ({"releaseName": before.name} if releases else {}),
    )


def _with_release_names(document: Manifest, positions: Sequence[int], name: str) -> Manifest:
    """The document with ``helm.releaseName`` in the sources at these positions."""
    spec = dict(document["spec"])
    if not positions:
        return document

    def named(source: dict[str, Any]) -> dict[str, Any]:
        return {**source, "helm": {**(source.get("helm") or {}), "releaseName": name}}

    if spec.get("sources"):
        spec["sources"] = [
            named(source) if position in positions else source
            for position, source in enumerate(spec["sources"])
        ]
    else:
        spec["source"] = named(spec["source"])
    return {**document, "spec": spec}


async def mark_deleting(
    tx: Tx, actor: Actor, id: ApplicationId, *, cascade: bool, propagation: str, now: datetime
) -> None:
    """Ask the passes to take the application away.

    Args:
        cascade: delete what it has in the cluster too.
        propagation: foreground | background | orphan, as Kubernetes means it.
    """
    before = await _held(tx, id)
    wanted = {
        "cascade": cascade,
        "propagation": propagation,
        "by": actor.name,
        "at": now.isoformat(),
    }
    if tracks := (before.deleting or {}).get("tracks"):
        wanted["tracks"] = tracks  # whose mark its objects carry; it waits for nobody any more
    await tx.execute(
        update(APPLICATIONS)
        .where(APPLICATIONS.c.id == id)
        .values(deleting=wanted, urgency=Urgency.PERSON, dirty_at=func.clock_timestamp())
    )
    await record_change(tx, actor, "delete", "Application", before.name, after=wanted)


async def approve_deletion(tx: Tx, actor: Actor, id: ApplicationId, now: datetime) -> None:
    """Note that somebody agreed to what the deletion that runs waits for."""
    before = await _held(tx, id)
    approval = {"approved": True, "approvedBy": actor.name, "approvedAt": now.isoformat()}
    await tx.execute(
        update(APPLICATIONS)
        .where(APPLICATIONS.c.id == id)
        .values(
            deleting=APPLICATIONS.c.deleting.op("||")(approval),
            urgency=Urgency.PERSON,
            dirty_at=func.clock_timestamp(),
        )
    )
    await record_change(tx, actor, "confirm-deletion", "Application", before.name, after=approval)


async def remove_application(tx: Tx, actor: Actor, id: ApplicationId, now: datetime) -> None:
    """The end of a deletion: its rows go, its history stays."""
    before = await _held(tx, id)
    await close_deployments(tx, id, now)
    await close_all(tx, id, "deleted", now)
    await tx.execute(APPLICATIONS.delete().where(APPLICATIONS.c.id == id))
    if before.cluster_id is not None:
        await note_kinds(tx, [ClusterId(before.cluster_id)])
    await forget_unread_repositories(tx)
    await record_change(tx, actor, "remove", "Application", before.name, before=before.document)


async def request_refresh(
    tx: Tx, actor: Actor, id: ApplicationId, mode: Literal["normal", "hard"]
) -> tuple[RepositoryId, ...]:
    """Ask for a look at Git and at live; ``hard`` renders again too.

    Returns:
        The repositories to poll now.
    """
    held = await _held(tx, id)
    wanted = case((APPLICATIONS.c.refresh == "hard", "hard"), else_=mode)
    await tx.execute(update(APPLICATIONS).where(APPLICATIONS.c.id == id).values(refresh=wanted))
    query = select(SOURCES.c.repository_id, SOURCES.c.position).where(
        SOURCES.c.application_id == id
    )
    read = (await tx.execute(query)).all()
    if any(row.position == DRY for row in read):
        await hydrations.ask(tx, id)
    await record_change(tx, actor, "refresh", "Application", held.name, after={"mode": mode})
    return tuple(RepositoryId(found) for found in sorted({row.repository_id for row in read}))


async def _held(tx: Tx, id: ApplicationId) -> AnyRow:
    """The application's row, locked until the transaction ends."""
    a = APPLICATIONS.c
    columns = (a.id, a.name, a.project_id, a.cluster_id, a.document, a.deleting, a.operation_id)
    query = select(*columns).where(a.id == id).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"the application {id} does not exist", object=f"Application/{id}")
    return row
