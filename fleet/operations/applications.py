"""What people do with applications that there are: sync, roll back, refresh, delete.

Each is one transaction that checks, writes, audits and wakes; the passes do the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from fleet.errors import Place, Refused, SpecInvalid
from fleet.model.applications import deletes_its_objects, finalizers_of, propagation_of
from fleet.model.holds import Pin
from fleet.model.operations import (
    Operation,
    OperationKind,
    SyncOptions,
    Trigger,
)
from fleet.model.projects import ProjectSpec
from fleet.model.scope import Actor, Scope
from fleet.model.sync_options import SYNC_OPTION_VALUES
from fleet.operations.allowing import SHADOWED
from fleet.operations.crashpoints import committing
from fleet.operations.holding import OPEN_END, Terms, pin_application, stay_of
from fleet.operations.itself.telling import tell
from fleet.operations.reaching import require_reader, require_worker
from fleet.operations.runtime import Runtime
from fleet.operations.windowing import check_request, hold_of_request
from fleet.plan import read_application_options
from fleet.policy import BREAK_GLASS
from fleet.registry import (
    applications,
    children,
    forgetting,
    history,
    holds,
    projects,
    queue,
    syncs,
)
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.history import OperationRequest

RefreshMode = Literal["normal", "hard"]


async def sync_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, options: SyncOptions
) -> Operation:
    """Ask for a sync now.

    Raises:
        NotFound: no such application.
        SpecInvalid: a sync option that this version does not act on.
        WindowClosed: sync windows are against it.
        Refused: an operation runs already, or nothing could be rendered yet.
        NoWorker: no worker is alive that would do it.
    """
    refuse_unknown(options.sync_options)
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        await require_worker(tx, app.cluster_id)
        project = await projects.rules_of(tx, app.project)
        operation = await request_sync(tx, actor, app, project, options, runtime.now())
        await wake(tx, app)
    return operation


async def request_sync(
    tx: Tx,
    actor: Actor,
    app: ApplicationRef,
    project: ProjectSpec,
    options: SyncOptions,
    now: datetime,
) -> Operation:
    """Write down a sync that somebody asks for; whoever calls wakes the cluster.

    Args:
        project: the application's.

    Raises:
        WindowClosed: sync windows are against it.
        Refused: an operation runs already, or nothing could be rendered yet.
    """
    check_request(app, project, options, now)
    request = OperationRequest(app.id, OperationKind.SYNC, Trigger.MANUAL, options)
    operation = await history.create_operation(tx, actor, request, now)
    await note_broken_glass(tx, actor, app, project, operation, now)
    return operation


async def note_broken_glass(
    tx: Tx,
    actor: Actor,
    app: ApplicationRef,
    project: ProjectSpec,
    operation: Operation,
    now: datetime,
) -> None:
    """An entry of its own in the audit log: who, why, and what stood against it."""
    reason = operation.options.break_glass
    if not reason:
        return
    hold = hold_of_request(app, project, now)
    after = {
        "operation": str(operation.id),
        "reason": reason,
        "overridden": "" if hold is None else str(hold),
    }
    await record_change(tx, actor, BREAK_GLASS, "Application", app.name, after=after)


async def rollback_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    number: int,
    *,
    prune: bool,
    dry_run: bool = False,
    break_glass: str = "",
    terms: Terms = OPEN_END,
) -> Operation:
    """Apply the stored manifests of an earlier deployment, whatever Git holds by now. Where
    auto-sync is on they stay what is wanted, on ``terms``.

    Raises:
        NotFound: no such application, or no deployment of this number.
        SpecInvalid: ``terms`` are over already.
        WindowClosed: sync windows are against it.
        Refused: an operation runs already.
        NoWorker: no worker is alive that would do it.
    """
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        await require_worker(tx, app.cluster_id)
        entry = await history.deployment_by_number(tx, scope, app.id, number)
        now, stored = runtime.now(), entry.manifests_sha256
        what = f"deployment {number}"
        stay = stay_of(actor, terms, now, otherwise="rolled back")
        options = SyncOptions(
            prune=prune, dry_run=dry_run, manifests_sha256=stored, break_glass=break_glass
        )
        project = await projects.rules_of(tx, app.project)
        check_request(app, project, options, now)
        operation = await history.create_operation(
            tx,
            actor,
            OperationRequest(
                app.id,
                OperationKind.ROLLBACK,
                Trigger.ROLLBACK,
                options,
                revision=entry.revision,
                sources=entry.sources,
                manifests_sha256=stored,
            ),
            now,
        )
        await note_broken_glass(tx, actor, app, project, operation, now)
        if not dry_run:
            pin = Pin(stay, what, stored, entry.revision, entry.sources)
            await pin_application(tx, actor, app, pin, now)
        await wake(tx, app)
    return operation


async def refresh_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, mode: RefreshMode
) -> None:
    """Ask for a look at Git and at live now; ``hard`` renders again, too.

    Raises:
        NotFound: no such application.
        NoWorker: no worker is alive that would do it.
    """
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        await require_reader(tx)
        await require_worker(tx, app.cluster_id)
        polled = await applications.request_refresh(tx, actor, app.id, mode)
        await queue.wake(tx, "poll", [str(id) for id in polled])


async def delete_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    *,
    cascade: bool | None = None,
    propagation: str = "",
) -> Operation | None:
    """Delete an application; with ``cascade`` everything that it applied goes first.

    A sync that runs is ended. Returns the running deletion, or None when the application is gone
    already.

    Args:
        cascade: None as its finalizers say: without one its objects stay.
        propagation: foreground, background or orphan; "" as its finalizers say.

    Raises:
        NotFound: no such application.
        Refused: it is being deleted already; or, with ``cascade``, it is in shadow mode.
        SpecInvalid: no such propagation policy.
        NoWorker: with ``cascade``, no worker is alive that would do it.
    """
    if propagation not in ("", "foreground", "background", "orphan"):
        raise SpecInvalid(
            f"{propagation!r} is no propagation policy",
            place=Place(field="propagationPolicy"),
            hint="Use foreground, background or orphan.",
        )
    now = runtime.now()
    async with runtime.db.reading() as tx:
        app = await applications.find_application(tx, scope, name)
        marks = await children.marks_of(tx, "Application", [app.id]) if app.is_child else {}
    operation = await _delete(
        runtime, actor, scope, name, cascade=cascade, propagation=propagation, now=now
    )
    await tell(runtime.db, marks, gone=operation is None)
    return operation


async def _delete(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    *,
    cascade: bool | None,
    propagation: str,
    now: datetime,
) -> Operation | None:
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        held = await holds.hold_application(tx, app.id)
        finalizers = finalizers_of(held.document)
        cascades = deletes_its_objects(finalizers) if cascade is None else cascade
        if not cascades or app.cluster_id is None:
            await syncs.end_operations(tx, app.id, f"deleted by {actor.name}", now)
            await applications.remove_application(tx, actor, app.id, now)
            return None
        if app.is_shadow:
            raise Refused(
                f"Application/{name}: its objects are not deleted: {SHADOWED}",
                hint=f"`fleet app delete {name} --cascade=false` leaves them;"
                f" `fleet app set {name} --no-shadow` ends that.",
                object=f"Application/{name}",
            )
        await require_worker(tx, app.cluster_id)
        propagation = propagation or propagation_of(finalizers)
        await applications.mark_deleting(
            tx, actor, app.id, cascade=True, propagation=propagation, now=now
        )
        operation = await history.create_operation(
            tx,
            actor,
            OperationRequest(app.id, OperationKind.DELETE, Trigger.DELETE, SyncOptions(prune=True)),
            now,
        )
        await wake(tx, app)
    return operation


async def forget_application(runtime: Runtime, actor: Actor, scope: Scope, name: str) -> int:
    """Forget an application whatever is at work on it; its objects stay where they are. For a
    cluster that is gone for good, which a deletion would wait for.

    Returns how many objects are left to themselves.

    Raises:
        NotFound: no such application.
    """
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        return await forgetting.forget_application(tx, actor, app.id, runtime.now())


async def terminate_application(runtime: Runtime, actor: Actor, scope: Scope, name: str) -> None:
    """End the running operation where it stands.

    Raises:
        NotFound: no such application.
        Refused: nothing runs.
    """
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        await history.terminate_operation(tx, actor, app.id)
        await wake(tx, app)


def refuse_unknown(given: Sequence[str]) -> None:
    """An application may carry options that do nothing, and says so; who asks for one sync with
    them expects them to be acted upon."""
    read = read_application_options(given)
    if read.unknown:
        raise SpecInvalid(
            f"{', '.join(read.unknown)}: no such sync option, or no such value of it",
            place=Place(field="syncOptions"),
            hint=f"Known are {', '.join(sorted(SYNC_OPTION_VALUES))}.",
        )


async def wake(tx: Tx, app: ApplicationRef) -> None:
    """Have a pass over the application's cluster made, once this commits."""
    if app.cluster_id is not None:
        await queue.wake(tx, "reconcile", [str(app.cluster_id)])
