"""Projects, as Argo CD's AppProject documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from pydantic import Field

from fleet.api.answers import accepted, created
from fleet.api.caller import Caller, Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Document, Limit, Moment, Nothing
from fleet.api.routes.actions import check_pairs
from fleet.api.shapes import page, time_text, window_shape, without_nothing
from fleet.errors import Place, Refused, SpecInvalid
from fleet.model.ids import PlannedSyncId
from fleet.model.operations import SyncOptions
from fleet.model.parsing import parse_project
from fleet.model.planned import PlannedSync
from fleet.model.projects import DEFAULT_PROJECT, Project
from fleet.model.windows import SyncWindow
from fleet.operations import planned as plans
from fleet.operations import projects as operations
from fleet.operations.inheriting import inherited_by
from fleet.policy import is_open, next_flip
from fleet.registry import planned, projects

router = guarded_router("projects")


class CreateBody(Body):
    document: Document
    upsert: bool = False


class ReplaceBody(Body):
    document: Document


class PlanBody(Body):
    """``at`` None: now. Without anything else, each application syncs as it says itself."""

    at: Moment | None = None
    prune: bool = False
    dry_run: bool = False
    sync_options: Annotated[tuple[str, ...], Field(max_length=100)] = ()


async def found(caller: Caller, action: str, name: str) -> Project:
    """The project, if the caller may see it and do that to it.

    Raises:
        NotFound: there is none that they may see.
        Forbidden: they may not do that.
    """
    async with caller.runtime.db.reading() as tx:
        project = await projects.get_project(tx, caller.scope, name)
    await caller.require(action, "projects", name, name)
    return project


@router.get("/projects", summary="Projects, by name")
async def list_projects(
    caller: Calling, name: str = "", limit: Limit = PAGE, after: After = ""
) -> dict[str, Any]:
    await caller.require_some("projects")
    async with caller.runtime.db.reading() as tx:
        listed, cursor = await projects.list_projects(
            tx, caller.scope, name, limit=limit, after=after
        )
    return page((project.document for project in listed), cursor)


@router.post("/projects", summary="Create a project")
async def post_project(caller: Calling, body: CreateBody) -> Response:
    project = parse_project(body.document)
    for action in ("create", "update") if body.upsert else ("create",):
        await caller.require(action, "projects", project.name, project.name)
    put = await operations.put_project(caller.runtime, caller.actor, project, upsert=body.upsert)
    return created(
        {"action": put.action, "project": project.document, "warnings": list(put.warnings)},
        put.action,
    )


@router.post("/projects/default/close", summary="Let the project default allow nothing")
async def post_close(caller: Calling, _: Nothing | None = None) -> dict[str, Any]:
    await caller.require("update", "projects", DEFAULT_PROJECT, DEFAULT_PROJECT)
    put, document = await operations.close_default(caller.runtime, caller.actor, caller.scope)
    return {"action": put.action, "project": document, "warnings": []}


@router.get("/projects/{name}", summary="One project")
async def get_project(caller: Calling, name: str) -> dict[str, Any]:
    project = await found(caller, "get", name)
    return project.document


@router.put("/projects/{name}", summary="Replace a project's document")
async def put_project(caller: Calling, name: str, body: ReplaceBody) -> dict[str, Any]:
    await caller.require("update", "projects", name, name)
    project = parse_project(body.document)
    if project.name != name:
        raise SpecInvalid(
            f"is {project.name!r}, not {name!r}: a project cannot be renamed",
            place=Place(field="document.metadata.name"),
            object=f"AppProject/{name}",
        )
    async with caller.runtime.db.reading() as tx:
        await projects.get_project(tx, caller.scope, name)
    put = await operations.put_project(caller.runtime, caller.actor, project, upsert=True)
    return {"action": put.action, "project": project.document, "warnings": list(put.warnings)}


@router.get(
    "/projects/{name}/syncwindows",
    summary="Its sync windows, own and inherited, and which are open",
)
async def get_windows(caller: Calling, name: str) -> dict[str, Any]:
    """One page: they stand in one document."""
    project = await found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        rules = await projects.rules_of(tx, name)
    if rules.windows_fault:
        raise Refused(rules.windows_fault, object=f"AppProject/{name}")
    now, own = caller.runtime.now(), len(project.spec.windows)
    shapes = (_window_shape(window, now, inherited=window.id >= own) for window in rules.windows)
    return page(shapes, "")


def _window_shape(window: SyncWindow, now: datetime, *, inherited: bool) -> dict[str, Any]:
    return {
        **window_shape(window),
        **({"inherited": True} if inherited else {}),
        "open": is_open(window, now),
        "changesAt": time_text(next_flip(window, now)),
    }


@router.get("/projects/{name}/globalprojects", summary="The global projects it inherits from")
async def get_globals(caller: Calling, name: str) -> dict[str, Any]:
    """One page: there are few."""
    project = await found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        givers = await inherited_by(tx, project.document)
    return page(({"name": giver} for giver in givers), "")


@router.get("/projects/{name}/syncs", summary="Planned syncs of all its applications, latest first")
async def get_syncs(
    caller: Calling, name: str, limit: Limit = PAGE, after: After = ""
) -> dict[str, Any]:
    await found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        syncs, cursor = await planned.list_planned(tx, caller.scope, name, limit=limit, after=after)
    return page(map(_planned_shape, syncs), cursor)


@router.post("/projects/{name}/syncs", summary="Sync all its applications, at a moment or now")
async def post_sync(caller: Calling, name: str, body: PlanBody) -> Response:
    await caller.require("sync", "applications", "*", name)
    check_pairs(body.sync_options)
    made = await plans.plan_sync(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        body.at or caller.runtime.now(),
        SyncOptions(prune=body.prune, dry_run=body.dry_run, sync_options=body.sync_options),
    )
    return accepted(_planned_shape(made))


@router.delete("/projects/{name}/syncs/{id}", summary="Let a planned sync not take place")
async def delete_sync(caller: Calling, name: str, id: UUID) -> dict[str, Any]:
    await caller.require("sync", "applications", "*", name)
    cancelled = await plans.cancel_planned(
        caller.runtime, caller.actor, caller.scope, name, PlannedSyncId(id)
    )
    return _planned_shape(cancelled)


def _planned_shape(sync: PlannedSync) -> dict[str, Any]:
    return {
        "id": str(sync.id),
        "project": sync.project,
        "at": time_text(sync.at),
        "state": _state(sync),
        "prune": sync.options.prune,
        "dryRun": sync.options.dry_run,
        "syncOptions": list(sync.options.sync_options),
        "createdBy": sync.created_by,
        "createdAt": time_text(sync.created_at),
        "endedAt": time_text(sync.ended_at),
        "cancelledBy": sync.cancelled_by,
        "results": [
            without_nothing(
                {
                    "application": result.application,
                    "operation": str(result.operation or ""),
                    "error": result.error,
                    "message": result.message,
                }
            )
            for result in sync.results
        ],
    }


def _state(sync: PlannedSync) -> str:
    if sync.cancelled_by:
        return "Cancelled"
    if sync.ended_at is not None:
        return "Started"
    return "Starting" if sync.results else "Planned"


@router.delete("/projects/{name}", summary="Forget a project that no application is in")
async def delete_project(caller: Calling, name: str) -> dict[str, Any]:
    await caller.require("delete", "projects", name, name)
    await operations.remove_project(caller.runtime, caller.actor, name)
    return {"name": name}
