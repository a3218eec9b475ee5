"""Operations on their way to a plan."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from fleet.model.clusters import Cluster
from fleet.model.ids import OperationId
from fleet.model.operations import Operation, OperationKind, OperationPhase
from fleet.model.scope import FLEET
from fleet.operations.judging import automated_options
from fleet.operations.progress import Progress
from fleet.operations.views import View
from fleet.plan import SyncDecision


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


def is_not_rendered(view: View) -> bool:
    """A sync that was asked for right after the application waits for its first render."""
    return view.prepared is None and view.app.render_error is None and view.app.deleting is None


def first_revision(view: View) -> str:
    return view.app.revisions[0] if view.app.revisions else ""
