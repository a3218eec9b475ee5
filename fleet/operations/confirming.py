"""Deletions that wait until somebody agrees: ``Prune=confirm`` and ``Delete=confirm``.

A sync does not wait: it leaves such an object where it is, says so and ends, and a sync of just
these follows once somebody agrees. The deletion of an application does not begin before. To
agree is ``confirm_deletion``, or Argo CD's annotation on the Application with the time.
"""

from __future__ import annotations

from fleet.errors import Refused
from fleet.model.applications import LiveResource
from fleet.model.objects import ObjectRef
from fleet.model.operations import Operation, SyncOptions
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.applications import request_sync, wake
from fleet.operations.crashpoints import committing
from fleet.operations.reaching import require_worker
from fleet.operations.runtime import Runtime
from fleet.operations.tasks import KEPT
from fleet.plan import Consent, read_outliving_options
from fleet.registry import applications, projects
from fleet.registry.application_views import Freshness, get_application
from fleet.registry.audit import record_change


async def confirm_deletion(
    runtime: Runtime, actor: Actor, scope: Scope, name: str
) -> Operation | None:
    """Agree to the deletions that wait for it; the sync that carries out those of a sync, None
    for those of the application's own deletion, which goes on.

    Raises:
        NotFound: no such application.
        Refused: nothing waits; or an operation runs already.
        WindowClosed: sync windows are against it.
        NoWorker: no worker is alive that would do it.
    """
    now = runtime.now()
    fresh = Freshness(now, runtime.settings.reconcile_interval_seconds)
    async with committing(runtime.db, "request") as tx:
        whole = await get_application(tx, scope, name, fresh=fresh)
        app = await applications.find_application(tx, scope, name)
        await require_worker(tx, app.cluster_id)
        operation = None
        if whole.summary.deleting:
            await applications.approve_deletion(tx, actor, app.id, now)
        else:
            options = whole.document.spec.sync_policy.options
            refs = _waiting(whole.resources, options)
            if not refs:
                raise Refused(
                    f"Application/{name}: nothing waits for a confirmation",
                    object=f"Application/{name}",
                )
            project = (await projects.get_project(tx, EVERYTHING, app.project)).spec
            asked = SyncOptions(prune=True, resources=refs, approved=True)
            operation = await request_sync(tx, actor, app, project, asked, now)
            after = {"operation": str(operation.id), "objects": [str(ref) for ref in refs]}
            await record_change(tx, actor, "confirm-deletion", "Application", name, after=after)
        await wake(tx, app)
    return operation


def _waiting(rows: tuple[LiveResource, ...], options: tuple[str, ...]) -> tuple[ObjectRef, ...]:
    """Objects that left Git and wait. Of one that says so on the cluster alone, the last sync
    has found out."""
    told = f"{KEPT} Prune={Consent.CONFIRM}"
    return tuple(
        row.ref
        for row in rows
        if row.requires_pruning
        and (
            read_outliving_options(row.sync_options, options).prune is Consent.CONFIRM
            or row.message == told
        )
    )
