"""Syncs of all applications of a project, planned for a moment, and what is done when it comes.

The row is what counts: a job that is lost, doubled or late finds it open, and goes on with
the application after the last one that it has a result of.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from fleet.errors import FleetError, Forbidden, SpecInvalid
from fleet.model.ids import PlannedSyncId
from fleet.model.operations import SyncOptions
from fleet.model.planned import PlannedResult, PlannedSync
from fleet.model.projects import ProjectSpec
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.access import rights_of_author
from fleet.operations.applications import refuse_unknown, request_sync
from fleet.operations.crashpoints import committing
from fleet.operations.runtime import Runtime
from fleet.policy import Rights
from fleet.registry import applications, planned, projects, queue
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.database import Tx, rehearsed
from fleet.registry.locking import lock_applications

#: Applications asked to sync in one transaction, which holds the head of the audit log.
TOGETHER = 100
#: A moment so long ago means now: the request was on its way, or clocks differ.
JUST_NOW = timedelta(minutes=1)


async def plan_sync(
    runtime: Runtime, actor: Actor, scope: Scope, project: str, at: datetime, options: SyncOptions
) -> PlannedSync:
    """Plan one sync of every application that the project has at ``at``.

    Raises:
        NotFound: no such project.
        SpecInvalid: a sync option that this version does not act on, or a moment that is past:
            a mistyped date must not sync a whole project now.
    """
    refuse_unknown(options.sync_options)
    if at < runtime.now() - JUST_NOW:
        raise SpecInvalid(
            f"AppProject/{project}: {at:%Y-%m-%dT%H:%M:%SZ} is past",
            hint="Without a time, its applications are synced now.",
            object=f"AppProject/{project}",
        )
    async with committing(runtime.db, "request") as tx:
        id = await projects.project_id(tx, scope, project)
        made = await planned.create_planned(tx, actor, id, project, at, options)
        if at <= runtime.now():
            await queue.wake(tx, "planned", [str(made.id)])
    return made


async def cancel_planned(
    runtime: Runtime, actor: Actor, scope: Scope, project: str, id: PlannedSyncId
) -> PlannedSync:
    """Let a planned sync not take place.

    Raises:
        NotFound: the project has none of this id.
        Refused: it has ended, or has begun.
    """
    async with committing(runtime.db, "request") as tx:
        await planned.get_planned(tx, scope, project, id)
        return await planned.cancel_planned(tx, actor, id, runtime.now())


async def start_planned(runtime: Runtime, id: PlannedSyncId) -> None:
    """Ask every application of the project to sync, if the moment has come."""
    is_open = True
    while is_open:
        async with committing(runtime.db, "request") as tx:
            is_open = await _start_some(runtime, tx, id)


async def _start_some(runtime: Runtime, tx: Tx, id: PlannedSyncId) -> bool:
    """The next ``TOGETHER``; whether there may be more."""
    now = runtime.now()
    this = await planned.hold_planned(tx, id, now)
    if this is None:
        return False
    last = this.results[-1].application if this.results else ""
    apps = await applications.applications_of_project(
        tx, EVERYTHING, this.project, after=last, limit=TOGETHER
    )
    # before the audit log's head, for which others wait with an application in hand
    await lock_applications(tx, [app.id for app in apps])
    actor = Actor(this.created_by, role=this.role)
    rights = await rights_of_author(tx, actor)
    project = await projects.rules_of(tx, this.project)
    results = [await _start(tx, actor, rights, app, project, this.options, now) for app in apps]
    is_last = len(apps) < TOGETHER
    await planned.add_results(tx, id, results, ended_at=now if is_last else None)
    began = {it.application for it in results if it.operation is not None}
    woken = {str(app.cluster_id) for app in apps if app.name in began and app.cluster_id}
    await queue.wake(tx, "reconcile", woken)
    return not is_last


async def _start(
    tx: Tx,
    actor: Actor,
    rights: Rights,
    app: ApplicationRef,
    project: ProjectSpec,
    options: SyncOptions,
    now: datetime,
) -> PlannedResult:
    """Ask for one sync; refused, it leaves nothing behind and does not stop the others."""
    try:
        async with rehearsed(tx, undo=False):
            allowed = rights.may("sync", "applications", app.name, app.project)
            if not allowed:
                raise Forbidden(f"{actor.name}: {allowed.reason}")
            operation = await request_sync(tx, actor, app, project, options, now)
    except FleetError as error:
        return PlannedResult(app.name, error=error.type, message=error.message)
    return PlannedResult(app.name, operation=operation.id)
