"""An application that goes elsewhere: to another cluster, namespace or project.

What it applied is never forgotten on the way. In another namespace or project it stays in the
same inventory. In another cluster the application begins anew: what is there already becomes its
own, and what it leaves behind is given to an application of its own that is being deleted. That
one waits until the move is verified, and then prunes, as any deletion does: resumed after a
crash, and patient with a cluster that does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet.errors import Forbidden, Refused
from fleet.model.applications import (
    ApplicationDocument,
    LiveResource,
    deletes_its_objects,
    finalizers_of,
)
from fleet.model.clusters import Cluster
from fleet.model.operations import OperationKind, SyncOptions, Trigger
from fleet.model.projects import Project
from fleet.model.scope import Actor
from fleet.operations.allowing import gate_of
from fleet.plan.planning import DELETE
from fleet.registry import history, holds, leaving, queue, work
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.database import Tx
from fleet.registry.history import OperationRequest
from fleet.registry.locking import lock_cluster

_NAMED = 5


class Fate(StrEnum):
    """What becomes of objects in a cluster that their application leaves."""

    PRUNE = "prune"
    RELEASE = "release"


@dataclass(frozen=True)
class Move:
    """Where an application goes, and from where. ``cluster`` and ``project`` are None while they
    are awaited."""

    held: ApplicationRef
    document: ApplicationDocument
    cluster: Cluster | None
    project: Project | None

    @property
    def there(self) -> str:
        wanted = self.document.spec.destination
        return self.cluster.name if self.cluster else wanted.name or wanted.server

    @property
    def changes_cluster(self) -> bool:
        return self.held.cluster_id not in (None, self.cluster.id if self.cluster else None)

    @property
    def changes_namespace(self) -> bool:
        return self.held.namespace != self.document.spec.destination.namespace

    @property
    def changes_project(self) -> bool:
        return self.held.project != self.document.spec.project

    @property
    def changes_anything(self) -> bool:
        return self.changes_cluster or self.changes_namespace or self.changes_project


async def take_leave(
    tx: Tx, actor: Actor, move: Move, fate: Fate | None, now: datetime
) -> tuple[str, ...]:
    """Provide for what the application applied so far, before its document says where it goes;
    returns the steps of the move, for people.

    Args:
        fate: of objects in a cluster that it leaves; None as its finalizer says.

    Raises:
        Refused: nobody says what is to become of them.
        Forbidden: the new project does not allow them, so they could never be pruned again.
    """
    if not move.changes_anything:
        return ()
    if move.changes_cluster and move.held.cluster_id is not None:
        # before the application, as a pass does
        await lock_cluster(tx, move.held.cluster_id)
    rows = (await work.resources_of(tx, [move.held.id]))[move.held.id]
    left = [row.live for row in rows if row.live.in_inventory]
    if not left:
        return ()
    steps: list[str] = []
    if move.changes_project:
        _require_allowed(move, left)
        steps.append(f"from now on project {move.document.spec.project} decides about its objects")
    if move.changes_cluster:
        steps += await _leave_cluster(tx, actor, move, left, fate, now)
    elif move.changes_namespace:
        steps += _leave_namespace(move)
    return tuple(steps)


async def arrive(tx: Tx, actor: Actor, move: Move, now: datetime) -> tuple[str, ...]:
    """After the document says where it goes: what the application left there before is its own
    again.

    Raises:
        Refused: it is being pruned by now.
    """
    if not move.changes_cluster or move.cluster is None:
        return ()
    back = await leaving.take_back(tx, actor, move.held, move.cluster.id, now)
    return (f"{back} objects that it left there are its own again",) if back else ()


def _require_allowed(move: Move, left: Sequence[LiveResource]) -> None:
    if move.changes_cluster or move.project is None or move.cluster is None:
        return  # they are not the new project's to allow, or it is not there to say
    gate = gate_of(move.project.spec, move.cluster, move.project.name)
    refused = [
        f"{row.ref}: {decision.reason}"
        for row in left
        if not (decision := gate(row.ref, bool(row.ref.namespace), DELETE))
    ]
    if refused:
        more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        raise Forbidden(
            f"Application/{move.held.name}: project {move.project.name} does not allow what it"
            f" applied, and could not prune it: {'; '.join(refused[:_NAMED])}{more}",
            hint="Allow these in the project, or take them out of Git first.",
            object=f"Application/{move.held.name}",
        )


def _leave_namespace(move: Move) -> list[str]:
    old, new = move.held.namespace, move.document.spec.destination.namespace
    automated = move.document.spec.sync_policy.automated
    prunes = automated is not None and automated.is_on and automated.prune
    how = "are pruned" if prunes else "stay OutOfSync until a sync with --prune takes them"
    return [
        (
            f"what goes to the application's namespace is applied in {new}, and adopted where it is"
            " there already"
        ),
        f"once that is Healthy, the objects that were applied in {old} {how}",
    ]


async def _leave_cluster(
    tx: Tx,
    actor: Actor,
    move: Move,
    left: Sequence[LiveResource],
    fate: Fate | None,
    now: datetime,
) -> list[str]:
    held, old, new = move.held, move.held.cluster, move.there
    document = (await holds.hold_application(tx, held.id)).document
    if fate is None and not deletes_its_objects(finalizers_of(document)):
        raise Refused(
            f"Application/{held.name}: moving it to cluster {new} would leave {len(left)} objects"
            f" behind in {old}",
            hint=f"Say what becomes of them: fleet app set {held.name} --move prune, or"
            " --move release.",
            object=f"Application/{held.name}",
        )
    first = f"it is applied to cluster {new}; what is there already is adopted"
    if fate is Fate.RELEASE:
        await leaving.note_released(tx, actor, held, [str(row.ref) for row in left])
        return [first, f"{len(left)} objects in cluster {old} are left where they are"]
    name, id = await leaving.leave_behind(tx, actor, held, now)
    request = OperationRequest(id, OperationKind.DELETE, Trigger.DELETE, SyncOptions(prune=True))
    await history.create_operation(tx, actor, request, now)
    await queue.wake(tx, "reconcile", [str(held.cluster_id)])
    return [
        first,
        f"application {name} waits until it is Synced and Healthy there",
        f"then {len(left)} objects are pruned from cluster {old}, and {name} is gone",
    ]
