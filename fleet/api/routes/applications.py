"""Applications: read, put, deleted. What is done with them is in ``actions``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field

from fleet.api.answers import JSON, accepted, created
from fleet.api.caller import Caller, Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Document, Limit
from fleet.api.shapes import (
    application_document,
    history_shape,
    operation_shape,
    page,
    ref_shape,
    resource_shape,
    summary_shape,
    time_text,
)
from fleet.errors import Place, SpecInvalid
from fleet.model.applications import Application
from fleet.model.diffs import DriftRecord
from fleet.model.health import HealthStatus, SyncStatus
from fleet.model.parsing import parse_application
from fleet.model.selectors import parse_selector
from fleet.operations import applications as operations
from fleet.operations import putting
from fleet.operations.diffing import live_manifests, wanted_manifests
from fleet.operations.moving import Fate
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.operations.windowing import standing_of
from fleet.registry import applications, drift, history, projects
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.applications import ApplicationFilter, Freshness
from fleet.registry.database import Tx

router = guarded_router("applications")
ORPHANED = Query(description="Objects in its namespace that belong to no application, instead.")


class CreateBody(Body):
    """``validate`` false: what it names, a project and a cluster, may come later."""

    document: Document
    upsert: bool = False
    checked: Annotated[bool, Field(alias="validate")] = True


class ReplaceBody(Body):
    """``generation``: the one that the change was made from; another by now is refused.
    ``move``: what becomes of its objects in a cluster that it leaves; nothing: as its finalizer
    says."""

    document: Document
    move: Fate | None = None
    dry_run: bool = False
    generation: Annotated[int, Field(ge=1)] | None = None


def freshness(runtime: Runtime) -> Freshness:
    """By what the age of what is shown is judged."""
    return Freshness(runtime.now(), runtime.settings.reconcile_interval_seconds)


async def found(caller: Caller, action: str, name: str) -> ApplicationRef:
    """The application, if the caller may see it and do that to it.

    Raises:
        NotFound: there is none that they may see.
        Forbidden: they may not do that.
    """
    async with caller.runtime.db.reading() as tx:
        app = await applications.find_application(tx, caller.scope, name)
    await caller.require(action, "applications", name, app.project)
    return app


async def whole(tx: Tx, caller: Caller, name: str) -> Application:
    """The application as it stands now."""
    return await applications.get_application(
        tx, caller.scope, name, fresh=freshness(caller.runtime)
    )


async def shown(caller: Caller, name: str) -> dict[str, Any]:
    """The application as people see it, and whether its sync windows let it sync now."""
    async with caller.runtime.db.reading() as tx:
        app = await whole(tx, caller, name)
        project = await projects.rules_of(tx, app.summary.project)
    return application_document(app, standing_of(app.summary, project, caller.runtime.now()))


@router.get("/applications", summary="Applications, by name, each in one line")
async def list_applications(
    caller: Calling,
    selector: str = "",
    project: Annotated[list[str] | None, Query()] = None,
    cluster: str = "",
    namespace: str = "",
    repo: str = "",
    sync: SyncStatus | None = None,
    health: HealthStatus | None = None,
    name: str = "",
    limit: Limit = PAGE,
    after: After = "",
) -> dict[str, Any]:
    await caller.require_some("applications")
    wanted = ApplicationFilter(
        selector=parse_selector(selector),
        name=name,
        projects=tuple(project or ()),
        cluster=cluster,
        namespace=namespace,
        repo=repo,
        sync=sync,
        health=health,
    )
    async with caller.runtime.db.reading() as tx:
        shown, cursor = await applications.list_applications(
            tx,
            caller.scope,
            wanted,
            fresh=freshness(caller.runtime),
            limit=limit,
            after=after,
        )
    return page(map(summary_shape, shown), cursor)


@router.post("/applications", summary="Create an application")
async def post_application(
    caller: Calling, body: CreateBody, upsert: Annotated[bool, Query()] = False
) -> Response:
    document = parse_application(body.document)
    may_exist = upsert or body.upsert
    for action in ("create", "update") if may_exist else ("create",):
        await caller.require(action, "applications", document.name, document.spec.project)
    put = await putting.put_application(
        caller.runtime,
        caller.actor,
        caller.scope,
        document,
        upsert=may_exist,
        early=not body.checked,
    )
    return await _put(caller, put)


@router.get("/applications/{name}", summary="One application, in Argo CD's shape")
async def get_application(caller: Calling, name: str) -> dict[str, Any]:
    await found(caller, "get", name)
    return await shown(caller, name)


@router.put("/applications/{name}", summary="Replace an application's document")
async def put_application(caller: Calling, name: str, body: ReplaceBody) -> Response:
    await found(caller, "update", name)
    document = parse_application(body.document)
    if document.name != name:
        raise SpecInvalid(
            f"is {document.name!r}, not {name!r}",
            place=Place(field="document.metadata.name"),
            hint=f"Rename it with `fleet app rename {name} {document.name}`.",
            object=f"Application/{name}",
        )
    await caller.require("update", "applications", name, document.spec.project)
    if body.move is Fate.PRUNE:
        await found(caller, "delete", name)
    put = await putting.put_application(
        caller.runtime,
        caller.actor,
        caller.scope,
        document,
        upsert=True,
        generation=body.generation,
        fate=body.move,
        dry_run=body.dry_run,
    )
    return await _put(caller, put)


async def _put(caller: Caller, put: Put) -> Response:
    content = {
        "action": put.action,
        "application": await shown(caller, put.name),
        "warnings": list(put.warnings),
    }
    return created(content, put.action)


@router.delete("/applications/{name}", summary="Delete an application, with its objects or not")
async def delete_application(
    caller: Calling,
    name: str,
    cascade: Annotated[
        bool | None, Query(description="Delete its objects, too; by default as finalizers say.")
    ] = None,
    propagation_policy: Annotated[str, Query(alias="propagationPolicy")] = "",
    force_forget: Annotated[
        bool, Query(alias="forceForget", description="Leave its objects, whatever is at work.")
    ] = False,
) -> Response:
    await found(caller, "delete", name)
    if force_forget:
        left = await operations.forget_application(caller.runtime, caller.actor, caller.scope, name)
        return JSON({"name": name, "operation": None, "left": left})
    operation = await operations.delete_application(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        cascade=cascade,
        propagation=propagation_policy,
    )
    if operation is None:
        return JSON({"name": name, "operation": None})
    return accepted({"name": name, "operation": operation_shape(operation)})


@router.get("/applications/{name}/resources", summary="Its objects, with sync and health")
async def get_resources(
    caller: Calling, name: str, orphaned: Annotated[bool, ORPHANED] = False
) -> dict[str, Any]:
    """One page: the objects of one application are compared, and answered, together."""
    await found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        app = await whole(tx, caller, name)
    if orphaned:
        return page(map(ref_shape, app.orphans), "")
    return page(map(resource_shape, app.resources), "")


@router.get("/applications/{name}/manifests", summary="What it wants, or what is live")
async def get_manifests(
    caller: Calling,
    name: str,
    source: Literal["git", "live"] = "git",
    revision: Annotated[str, Query(max_length=1024)] = "",
) -> dict[str, Any]:
    """One page: manifests are rendered, and stored, as a whole."""
    await found(caller, "get", name)
    if source == "live" and revision:
        raise SpecInvalid("live objects have no revision", place=Place(field="revision"))
    if source == "live":
        shown = await live_manifests(caller.runtime, caller.scope, name)
    else:
        shown = await wanted_manifests(caller.runtime, caller.scope, name, revision)
    at = shown.revisions[0] if shown.revisions else ""
    return {"source": source, "revision": at, **page(shown.items, "")}


@router.get("/applications/{name}/history", summary="What it ran from when to when, newest first")
async def get_history(
    caller: Calling, name: str, limit: Limit = PAGE, after: After = ""
) -> dict[str, Any]:
    app = await found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        entries, cursor = await history.list_deployments(
            tx, caller.scope, app.id, limit=limit, after=after
        )
    return page(map(history_shape, entries), cursor)


@router.get("/applications/{name}/events", summary="What changed without Fleet, newest first")
async def get_events(
    caller: Calling, name: str, limit: Limit = PAGE, after: After = ""
) -> dict[str, Any]:
    app = await found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        records, cursor = await drift.list_drift(tx, caller.scope, app.id, limit=limit, after=after)
    return page(map(_drift_shape, records), cursor)


def _drift_shape(record: DriftRecord) -> dict[str, Any]:
    return {
        "object": record.object,
        "cluster": record.cluster,
        "fields": list(record.fields),
        "manager": record.manager,
        "firstSeen": time_text(record.first_seen),
        "lastSeen": time_text(record.last_seen),
        "healedAt": time_text(record.healed_at),
        "healedBy": record.healed_by,
    }
