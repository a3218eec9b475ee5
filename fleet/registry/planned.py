"""Planned syncs of projects as rows: open until every application was asked to sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, update

from fleet.errors import NotFound, Refused
from fleet.model.ids import OperationId, PlannedSyncId, ProjectId
from fleet.model.operations import SyncOptions
from fleet.model.planned import PlannedResult, PlannedSync
from fleet.model.scope import Actor, Scope
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.operation_json import options_from_json, options_to_json
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    before_cursor,
    page_of,
    project_in_scope,
    time_cursor,
)
from fleet.registry.tables import TABLES

PLANNED = TABLES["planned_syncs"]
PROJECTS = TABLES["projects"]


async def create_planned(
    tx: Tx, actor: Actor, project: ProjectId, name: str, at: datetime, options: SyncOptions
) -> PlannedSync:
    """Plan a sync of all applications that the project ``name`` has by then."""
    values = {
        "project_id": project,
        "at": at,
        "options": options_to_json(options),
        "created_by": actor.name,
        "role": actor.role,
    }
    made = await tx.execute(PLANNED.insert().values(values).returning(PLANNED.c.id))
    id = PlannedSyncId(made.scalar_one())
    planned = await _of(tx, _all().where(PLANNED.c.id == id))
    assert planned is not None
    after = {"planned": str(id), "at": at.isoformat(), "options": values["options"]}
    await record_change(tx, actor, "plan-sync", "AppProject", name, after=after)
    return planned


async def list_planned(
    tx: Tx, scope: Scope, project: str, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[PlannedSync, ...], str]:
    """A page of a project's planned syncs, the latest first, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    query = _all().where(PROJECTS.c.name == project, project_in_scope(scope, PROJECTS.c.name))
    query = query.where(before_cursor(PLANNED.c.at, PLANNED.c.id, after))
    query = query.order_by(PLANNED.c.at.desc(), PLANNED.c.id.desc())
    page, cursor = await page_of(tx, query, limit, lambda row: time_cursor(row.at, row.id))
    return tuple(_planned_of(row) for row in page), cursor


async def get_planned(tx: Tx, scope: Scope, project: str, id: PlannedSyncId) -> PlannedSync:
    """One planned sync of a project.

    Raises:
        NotFound: it has none of this id that may be seen.
    """
    query = _all().where(PLANNED.c.id == id, PROJECTS.c.name == project)
    planned = await _of(tx, query.where(project_in_scope(scope, PROJECTS.c.name)))
    if planned is None:
        raise NotFound(
            f"project {project} has no planned sync {id}",
            hint=f"`fleet proj syncs {project}` lists those it has.",
            object=f"PlannedSync/{id}",
        )
    return planned


async def cancel_planned(tx: Tx, actor: Actor, id: PlannedSyncId, now: datetime) -> PlannedSync:
    """Let a planned sync not take place.

    Raises:
        Refused: it has ended, or has begun.
    """
    query = _all().where(PLANNED.c.id == id)
    planned = await _of(tx, query.with_for_update(of=PLANNED))
    if planned is None or planned.ended_at is not None or planned.results:
        raise Refused(
            f"the planned sync {id} has {'ended' if planned is None else _state(planned)} already",
            object=f"PlannedSync/{id}",
        )
    await tx.execute(
        update(PLANNED).where(PLANNED.c.id == id).values(ended_at=now, cancelled_by=actor.name)
    )
    await record_change(
        tx, actor, "cancel-sync", "AppProject", planned.project, {"planned": str(id)}
    )
    return replace(planned, ended_at=now, cancelled_by=actor.name)


def _state(planned: PlannedSync) -> str:
    if planned.cancelled_by:
        return f"been cancelled by {planned.cancelled_by}"
    return "begun" if planned.ended_at is None else "ended"


async def hold_planned(tx: Tx, id: PlannedSyncId, now: datetime) -> PlannedSync | None:
    """A planned sync that is due, its row locked until the commit; None when there is nothing
    to do about it (any more, or yet)."""
    c = PLANNED.c
    query = _all().where(c.id == id, c.ended_at.is_(None), c.at <= now)
    return await _of(tx, query.with_for_update(of=PLANNED))


async def add_results(
    tx: Tx, id: PlannedSyncId, results: Sequence[PlannedResult], *, ended_at: datetime | None
) -> None:
    """Add what became of applications; with ``ended_at``, there are no more."""
    c = PLANNED.c
    await tx.execute(
        update(PLANNED)
        .where(c.id == id)
        .values(results=c.results.op("||")([_result_row(it) for it in results]), ended_at=ended_at)
    )


async def open_planned(tx: Tx) -> tuple[tuple[PlannedSyncId, str, datetime], ...]:
    """Of every planned sync that is open: id, project, when. The earliest first."""
    query = (
        select(PLANNED.c.id, PROJECTS.c.name, PLANNED.c.at)
        .join(PROJECTS, PROJECTS.c.id == PLANNED.c.project_id)
        .where(PLANNED.c.ended_at.is_(None))
        .order_by(PLANNED.c.at, PLANNED.c.id)
    )
    return tuple((PlannedSyncId(id), name, at) for id, name, at in await tx.execute(query))


def _all() -> Select[Any]:
    return select(PLANNED, PROJECTS.c.name.label("project")).join(
        PROJECTS, PROJECTS.c.id == PLANNED.c.project_id
    )


async def _of(tx: Tx, query: Select[Any]) -> PlannedSync | None:
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _planned_of(row)


def _planned_of(row: Row[Any]) -> PlannedSync:
    return PlannedSync(
        id=PlannedSyncId(row.id),
        project=row.project,
        at=row.at,
        options=options_from_json(row.options),
        created_by=row.created_by,
        role=row.role,
        created_at=row.created_at,
        results=tuple(_result_of(entry) for entry in row.results),
        ended_at=row.ended_at,
        cancelled_by=row.cancelled_by,
    )


def _result_of(stored: dict[str, str]) -> PlannedResult:
    operation = stored.get("operation", "")
    return PlannedResult(
        application=stored["application"],
        operation=OperationId(UUID(operation)) if operation else None,
        error=stored.get("error", ""),
        message=stored.get("message", ""),
    )


def _result_row(result: PlannedResult) -> dict[str, str]:
    row = {
        "application": result.application,
        "operation": str(result.operation or ""),
        "error": result.error,
        "message": result.message,
    }
    return {key: value for key, value in row.items() if value}
