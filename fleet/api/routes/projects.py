"""Projects, as Argo CD's AppProject documents."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from fleet.api.answers import created
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Document, Limit, Nothing
from fleet.api.shapes import page
from fleet.errors import Place, SpecInvalid
from fleet.model.parsing import parse_project
from fleet.model.projects import DEFAULT_PROJECT
from fleet.operations import projects as operations
from fleet.registry import projects

router = guarded_router("projects")


class CreateBody(Body):
    document: Document
    upsert: bool = False


class ReplaceBody(Body):
    document: Document


@router.get("/projects", summary="Projects, by name")
async def list_projects(
    caller: Calling, name: str = "", limit: Limit = PAGE, after: After = ""
) -> dict[str, Any]:
    await caller.require("get", "projects", project=caller.home)
    async with caller.runtime.db.reading() as tx:
        found, cursor = await projects.list_projects(
            tx, caller.scope, name, limit=limit, after=after
        )
    return page((project.document for project in found), cursor)


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
    await caller.require("get", "projects", name, caller.home or name)
    async with caller.runtime.db.reading() as tx:
        project = await projects.get_project(tx, caller.scope, name)
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


@router.delete("/projects/{name}", summary="Forget a project that no application is in")
async def delete_project(caller: Calling, name: str) -> dict[str, Any]:
    await caller.require("delete", "projects", name, name)
    await operations.remove_project(caller.runtime, caller.actor, name)
    return {"name": name}
