"""Operations on their way to a plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from fleet.model.clusters import Cluster
from fleet.model.health import HealthStatus, SyncStatus
from fleet.model.ids import OperationId
from fleet.model.operations import Operation, OperationKind, OperationPhase
from fleet.model.scope import FLEET
from fleet.operations.judging import automated_options
from fleet.operations.progress import Progress
from fleet.operations.runtime import Runtime
from fleet.operations.views import View
from fleet.plan import SyncDecision
from fleet.registry import leaving

#: A poll that was woken with the application has rendered it by then, as a rule.
RENDERING = timedelta(seconds=1)
#: What is left behind in a move asks this often whether it may go.
VERIFYING = timedelta(seconds=5)
#: A deletion that waits for settings that can be read; applying them wakes it.
UNREADABLE = timedelta(seconds=60)


def automated_sync(
    view: View, cluster: Cluster, decision: SyncDecision, now: datetime
) -> Operation:
    """The operation that Fleet begins by itself, before it has a plan."""
    assert decision.trigger is not None
    return Operation(
        id=OperationId(uuid4()),
        application_id=view.app.id,
        application=view.app.name,
        project=view.app.project,
        cluster=cluster.name,
        namespace=view.app.namespace,
        kind=OperationKind.SYNC,
        trigger=decision.trigger,
        initiated_by=FLEET.name,
        revision="",
        previous_revision="",
        sources=(),
        manifests_sha256="",
        phase=OperationPhase.PENDING,
        message=decision.reason,
        options=automated_options(view),
        plan=None,
        outcomes=(),
        attempt=decision.attempt,
        created_at=now,
        started_at=None,
        finished_at=None,
    )


def is_new(one: Progress) -> bool:
    """Begun or tried anew in this pass: its plan is not recorded yet."""
    before, now = one.view.operation, one.operation
    if now is None or now.plan is None:
        return False
    return (
        before is None
        or before.plan is None
        or (before.id, before.attempt) != (now.id, now.attempt)
    )


async def not_yet(runtime: Runtime, view: View) -> tuple[str, timedelta] | None:
    """Why an operation that was asked for cannot be planned yet, and when to ask again."""
    if view.app.deleting is not None:
        if errors := view.policy.settings.errors:
            # an object whose kind is left out would go; what may differ is of no matter
            return f"waits: {errors[0]}", UNREADABLE
        id = view.app.deleting.get("successor")
        why = await _why_not_verified(runtime, id) if id else ""
        return (why, VERIFYING) if why else None
    # asked for right after the application, it waits for the first render
    is_rendered = view.prepared is not None or view.app.render_error is not None
    return None if is_rendered else ("", RENDERING)


async def _why_not_verified(runtime: Runtime, id: str) -> str:
    """What keeps the objects that an application left behind in a move from being pruned."""
    async with runtime.db.reading() as tx:
        found = await leaving.successor_of(tx, id)
    if found is None:
        return ""  # it was deleted meanwhile, and nothing is to be verified
    is_well = found.health in (HealthStatus.HEALTHY, HealthStatus.SUSPENDED)
    if found.is_rendered and not found.is_busy and found.sync == SyncStatus.SYNCED and is_well:
        return ""
    where = f" on cluster {found.cluster}" if found.cluster else ""
    return (
        f"waits until application {found.name} is Synced and Healthy{where};"
        f" it is {found.sync} and {found.health}"
    )


def first_revision(view: View) -> str:
    return view.app.revisions[0] if view.app.revisions else ""
