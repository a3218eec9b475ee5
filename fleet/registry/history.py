"""What was done and what ran: operations with their results, and deployments.

Names and projects are kept as they were at the time; the scope goes by that project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, Select, func, null, select, update

from fleet.errors import NotFound, Refused
from fleet.model.applications import (
    SKIP_RECONCILE_ANNOTATION,
    Urgency,
    skips_reconciling,
)
from fleet.model.holds import holds_from_json
from fleet.model.ids import ApplicationId, OperationId
from fleet.model.operations import (
    HistoryEntry,
    Operation,
    OperationKind,
    OperationPhase,
    SyncOptions,
    Trigger,
)
from fleet.model.scope import Actor, Scope
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.operation_json import options_to_json
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    before_cursor,
    in_scope,
    number_cursor,
    page_of,
    time_cursor,
)
from fleet.registry.syncs import operation_from_row, operations_by_id
from fleet.registry.tables import TABLES

OPERATIONS = TABLES["operations"]
DEPLOYMENTS = TABLES["deployments"]
APPLICATIONS = TABLES["applications"]
PROJECTS = TABLES["projects"]
CLUSTERS = TABLES["clusters"]


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """``since`` is included, ``until`` is not."""

    application: str = ""
    application_id: ApplicationId | None = None
    project: str = ""
    cluster: str = ""
    phases: tuple[OperationPhase, ...] = ()
    trigger: Trigger | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_operations(
    tx: Tx,
    scope: Scope,
    wanted: OperationFilter | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[Operation, ...], str]:
    """A page, the newest first, without plans and outcomes, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    columns = [column for column in OPERATIONS.c if column.name != "plan"]
    query = _filtered(select(*columns, null().label("plan")), wanted or OperationFilter())
    query = query.where(in_scope(scope, OPERATIONS.c.project, OPERATIONS.c.application))
    query = query.where(before_cursor(OPERATIONS.c.created_at, OPERATIONS.c.id, after))
    query = query.order_by(OPERATIONS.c.created_at.desc(), OPERATIONS.c.id.desc())
    page, cursor = await page_of(tx, query, limit, lambda row: time_cursor(row.created_at, row.id))
    return tuple(operation_from_row(row._asdict()) for row in page), cursor


def _filtered(query: Select[Any], wanted: OperationFilter) -> Select[Any]:
    c = OPERATIONS.c
    equal: tuple[tuple[Any, Any], ...] = (
        (c.application, wanted.application),
        (c.application_id, wanted.application_id),
        (c.project, wanted.project),
        (c.cluster, wanted.cluster),
        (c.trigger, str(wanted.trigger) if wanted.trigger else None),
    )
    for column, value in equal:
        if value:
            query = query.where(column == value)
    if wanted.phases:
        query = query.where(c.phase.in_([str(phase) for phase in wanted.phases]))
    if wanted.since is not None:
        query = query.where(c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(c.created_at < wanted.until)
    return query


async def get_operation(tx: Tx, scope: Scope, id: OperationId) -> Operation:
    """One operation with its outcomes so far."""
    query = select(OPERATIONS.c.created_at).where(
        OPERATIONS.c.id == id, in_scope(scope, OPERATIONS.c.project, OPERATIONS.c.application)
    )
    created = (await tx.execute(query)).scalar_one_or_none()
    if created is None:
        raise NotFound(f"the operation {id} does not exist", object=f"Operation/{id}")
    return (await operations_by_id(tx, [(id, created)]))[id]


#: With what was to be kept with the operation; that may be older than what is kept of operations.
_DEPLOYED = select(DEPLOYMENTS, OPERATIONS.c.options["info"].label("info")).outerjoin(
    OPERATIONS, OPERATIONS.c.id == DEPLOYMENTS.c.operation_id
)


async def history_of(
    tx: Tx, scope: Scope, application: ApplicationId, limit: int
) -> tuple[HistoryEntry, ...]:
    """The newest ``limit`` deployments of an application, the oldest of them first."""
    query = (
        _DEPLOYED.where(DEPLOYMENTS.c.application_id == application)
        .where(in_scope(scope, DEPLOYMENTS.c.project, DEPLOYMENTS.c.application))
        .order_by(DEPLOYMENTS.c.number.desc())
        .limit(limit)
    )
    rows = (await tx.execute(query)).all()
    return tuple(_entry_of(row) for row in reversed(rows))


async def list_deployments(
    tx: Tx,
    scope: Scope,
    application: ApplicationId,
    *,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[HistoryEntry, ...], str]:
    """A page of an application's deployments, the newest first, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    c = DEPLOYMENTS.c
    query = _DEPLOYED.where(
        c.application_id == application, in_scope(scope, c.project, c.application)
    )
    if after:
        query = query.where(c.number < number_cursor(after))
    page, cursor = await page_of(
        tx, query.order_by(c.number.desc()), limit, lambda row: str(row.number)
    )
    return tuple(_entry_of(row) for row in page), cursor


async def deployment_by_number(
    tx: Tx, scope: Scope, application: ApplicationId, number: int
) -> HistoryEntry:
    """The deployment that users call by ``number``; NotFound names the newest there are."""
    c = DEPLOYMENTS.c
    visible = (c.application_id == application, in_scope(scope, c.project, c.application))
    row = (await tx.execute(_DEPLOYED.where(*visible, c.number == number))).one_or_none()
    if row is None:
        newest = select(c.number).where(*visible).order_by(c.number.desc()).limit(5)
        raise _no_number(number, (await tx.execute(newest)).scalars().all())
    return _entry_of(row)


def _no_number(number: int, newest: Sequence[int]) -> NotFound:
    known = ", ".join(str(entry) for entry in sorted(newest))
    return NotFound(
        f"there is no deployment {number} in the history",
        hint=f"The newest are: {known}." if known else "Nothing was deployed yet.",
    )


def _entry_of(row: Row[Any]) -> HistoryEntry:
    return HistoryEntry(
        id=row.number,
        operation_id=OperationId(row.operation_id),
        revision=row.revision,
        sources=tuple(row.sources),
        manifests_sha256=row.manifests_sha256,
        initiated_by=row.initiated_by,
        started_at=row.started_at,
        deployed_at=row.deployed_from,
        deployed_until=row.deployed_until,
        healthy_at=row.healthy_at,
        info=tuple((name, value) for name, value in row.info or ()),
    )


@dataclass(frozen=True)
class OperationRequest:
    """What a person asks for. Revision, sources and manifests are those of a rollback;
    empty otherwise: the pass that begins the sync fills in what is desired then."""

    application_id: ApplicationId
    kind: OperationKind
    trigger: Trigger
    options: SyncOptions
    revision: str = ""
    sources: tuple[dict[str, Any], ...] = ()
    manifests_sha256: str = ""


async def create_operation(
    tx: Tx, actor: Actor, request: OperationRequest, now: datetime
) -> Operation:
    """Put a requested operation in front of everything else that its cluster has to do.

    A rollback, a deletion, or a sync of newer manifests supersedes a sync that runs: that is
    ended with its hooks first.

    Raises:
        NotFound: the application was deleted meanwhile.
        Refused: an operation runs already, the application is being deleted, or is to be left
            alone.
    """
    row = await _held(tx, request.application_id)
    waits = row.operation_id is not None
    if waits and not await _supersedes(tx, row, request, actor, now):
        raise await _busy(tx, row)
    if row.deleting is not None and request.kind is not OperationKind.DELETE:
        raise Refused(
            f"application {row.name!r} is being deleted", object=f"Application/{row.name}"
        )
    if skips_reconciling(row.document) and request.kind is not OperationKind.DELETE:
        raise Refused(
            f"application {row.name!r} is neither compared nor synced: its annotation"
            f" {SKIP_RECONCILE_ANNOTATION} says so",
            hint="Remove the annotation once nobody else deploys it.",
            object=f"Application/{row.name}",
        )
    values = _requested(request, actor, row, now)
    made = await tx.execute(OPERATIONS.insert().values(values).returning(*OPERATIONS.c))
    operation = operation_from_row(made.mappings().one())
    place = "next_operation" if waits else "operation"
    await tx.execute(
        update(APPLICATIONS)
        .where(APPLICATIONS.c.id == request.application_id)
        .values(
            {f"{place}_id": operation.id, f"{place}_created_at": operation.created_at},
        )
        .values(
            urgency=Urgency.PERSON,
            dirty_at=func.clock_timestamp(),
        )
    )
    after = {
        "operation": str(operation.id),
        "options": options_to_json(request.options),
        "revision": request.revision,
    }
    await record_change(tx, actor, str(request.kind), "Application", row.name, after=after)
    return operation


async def _supersedes(
    tx: Tx, row: Row[Any], request: OperationRequest, actor: Actor, now: datetime
) -> bool:
    """Whether what is asked for goes before the sync that runs, which is told to end then: a
    rollback and a deletion do, and a sync of other manifests than those that it is at."""
    if request.options.dry_run or row.next_operation_id is not None:
        return False
    c = OPERATIONS.c
    may_end = [
        c.id == row.operation_id,
        c.created_at == row.operation_created_at,
        c.kind != str(OperationKind.DELETE),
        c.finished_at.is_(None),
    ]
    if request.kind is OperationKind.SYNC:
        pin = holds_from_json(row.holds).at(now).pin
        wanted = pin.manifests_sha256 if pin is not None else row.manifests_sha256
        at_hand = ("", request.manifests_sha256 or wanted)
        may_end += [c.kind == str(OperationKind.SYNC), c.manifests_sha256.not_in(at_hand)]
    ended = await tx.execute(
        update(OPERATIONS)
        .where(*may_end)
        .values(
            phase=str(OperationPhase.TERMINATING),
            message=f"superseded by a {request.kind} by {actor.name}",
        )
    )
    return ended.rowcount == 1


async def _held(tx: Tx, id: ApplicationId) -> Row[Any]:
    """The application with the names around it, its row locked until the commit."""
    query = (
        select(
            APPLICATIONS,
            PROJECTS.c.name.label("project"),
            func.coalesce(CLUSTERS.c.name, "").label("cluster"),
        )
        .join(PROJECTS, PROJECTS.c.id == APPLICATIONS.c.project_id)
        .outerjoin(CLUSTERS, CLUSTERS.c.id == APPLICATIONS.c.cluster_id)
        .where(APPLICATIONS.c.id == id)
        .with_for_update(of=APPLICATIONS)
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"the application {id} does not exist", object=f"Application/{id}")
    return row


async def _busy(tx: Tx, row: Row[Any]) -> Refused:
    c = OPERATIONS.c
    query = select(c.kind, c.phase, c.initiated_by).where(
        c.id == row.operation_id, c.created_at == row.operation_created_at
    )
    running = (await tx.execute(query)).one_or_none()
    what = "an operation"
    if running is not None:
        what = f"a {running.kind} by {running.initiated_by} ({running.phase})"
    return Refused(
        f"application {row.name!r} has {what} at work: {row.operation_id}",
        hint=f"Wait for it, or end it with `fleet app terminate-op {row.name}`.",
        object=f"Application/{row.name}",
    )


def _requested(
    request: OperationRequest, actor: Actor, row: Row[Any], now: datetime
) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "created_at": now,
        "application_id": request.application_id,
        "cluster_id": row.cluster_id,
        "application": row.name,
        "project": row.project,
        "cluster": row.cluster,
        "namespace": row.namespace,
        "kind": str(request.kind),
        "trigger": str(request.trigger),
        "initiated_by": actor.name,
        "revision": request.revision,
        "previous_revision": row.synced_revision,
        "sources": list(request.sources),
        "manifests_sha256": request.manifests_sha256,
        "phase": str(OperationPhase.PENDING),
        "options": options_to_json(request.options),
    }


async def terminate_operation(tx: Tx, actor: Actor, application: ApplicationId) -> OperationId:
    """Ask the running operation to end; the next pass ends it where it stands.

    Raises:
        Refused: nothing runs.
    """
    row = await _held(tx, application)
    if row.operation_id is None:
        raise Refused(
            f"application {row.name!r} has no operation at work", object=f"Application/{row.name}"
        )
    await tx.execute(
        update(OPERATIONS)
        .where(
            OPERATIONS.c.id == row.operation_id,
            OPERATIONS.c.created_at == row.operation_created_at,
            OPERATIONS.c.finished_at.is_(None),
        )
        .values(phase=str(OperationPhase.TERMINATING), message=f"terminated by {actor.name}")
    )
    await tx.execute(
        update(APPLICATIONS)
        .where(APPLICATIONS.c.id == application)
        .values(urgency=Urgency.PERSON, dirty_at=func.clock_timestamp())
    )
    after = {"operation": str(row.operation_id)}
    await record_change(tx, actor, "terminate", "Application", row.name, after=after)
    return OperationId(row.operation_id)
