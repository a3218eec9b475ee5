"""From a pass and an application to where its tasks are carried out, and the gate before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol
from uuid import UUID

from fleet.cluster import Gate
from fleet.errors import Forbidden
from fleet.model.clusters import ApiKind, Cluster, Discovery
from fleet.model.ids import ApplicationId
from fleet.model.objects import ObjectRef, annotations_of
from fleet.model.operations import Operation
from fleet.model.sync_options import SYNC_OPTION_VALUES
from fleet.operations.allowing import check_shadow, gate_of
from fleet.operations.connections import Link
from fleet.operations.fencing import Fence
from fleet.operations.ignoring import rules_for
from fleet.operations.runtime import Runtime
from fleet.operations.tasks import Workplace
from fleet.operations.views import View
from fleet.operations.windowing import check_windows
from fleet.policy import Impersonation, acts_as

#: What Argo CD calls ``PrunePropagationPolicy``; its default.
PROPAGATION = "foreground"


class Place(Protocol):
    """The pass, as far as writing needs it."""

    discovery: Discovery

    @property
    def runtime(self) -> Runtime: ...
    @property
    def cluster(self) -> Cluster: ...
    @property
    def link(self) -> Link: ...
    @property
    def fence(self) -> Fence: ...


def workplace_of(place: Place, view: View, *, carries_out: Operation | None = None) -> Workplace:
    """Where and by which rules the tasks of one application are carried out.

    Args:
        carries_out: the operation that is written for; None for a look, which sync windows
            do not concern.
    """
    policy = view.spec.sync_policy
    acting = acts_as(view.project, server=place.cluster.server, namespace=view.app.namespace)
    return Workplace(
        runtime=place.runtime,
        cluster_id=place.cluster.id,
        link=place.link.on_behalf(view.app.id).acting_as(acting.user),
        discovery=place.discovery,
        application_id=_tracked(view),
        gate=_gate(place, view, carries_out, acting),
        propagation=(view.app.deleting or {}).get("propagation") or _propagation(view),
        namespace_labels=dict(policy.namespace_labels),
        namespace_annotations=dict(policy.namespace_annotations),
        ignored=rules_for(place.runtime, view.spec),
        policy=view.policy,
        annotations=annotations_of(view.app.document),
        sync_options=_sync_options(view),
        awaits_end=view.app.deleting is not None,
        run=carries_out.run if carries_out is not None else "",
        approved=bool(carries_out and carries_out.plan and carries_out.plan.approved),
        customized=view.customized,
        takeover=carries_out.options.takeover if carries_out is not None else None,
    )


def _tracked(view: View) -> ApplicationId:
    """Whose mark the objects carry: of those that were left behind in a move, the mover's."""
    tracks = (view.app.deleting or {}).get("tracks")
    return ApplicationId(UUID(tracks)) if tracks else view.app.id


def _gate(place: Place, view: View, operation: Operation | None, acting: Impersonation) -> Gate:
    """The one choke point: asked before every write, with what is about to be sent: is
    this pass still the newest, is it the time for it, and does the project allow it?"""
    ask = gate_of(view.project, place.cluster, view.app.project)
    cascade = view.app.deleting is not None

    def gate(kind: ApiKind, namespace: str, name: str, verb: str) -> None:
        place.fence.check()
        if operation is not None:
            check_windows(view, operation, place.cluster, place.runtime.now())
        ref = ObjectRef(kind.group, kind.kind, namespace, name)
        check_shadow(view.app.document, ref, verb)
        own_namespace = ref == ObjectRef("", "Namespace", "", view.app.namespace)
        asked = "create-namespace" if own_namespace and verb == "apply" else verb
        if cascade and verb == "delete":
            return  # what was applied may be taken away, whatever the project says by now
        if acting.refusal:
            raise Forbidden(f"{ref}: {acting.refusal}", object=str(ref))
        decision = ask(ref, kind.namespaced, asked)
        if not decision and asked != verb:
            decision = ask(ref, kind.namespaced, verb)
        if not decision:
            raise Forbidden(f"{ref}: {decision.reason}", object=str(ref))

    return gate


def _propagation(view: View) -> str:
    """The last of what the application and whoever asked for the sync say, if it is known."""
    name = "PrunePropagationPolicy"
    found = replace(view.spec.sync_policy, options=_sync_options(view)).option(name)
    return found if found and found in SYNC_OPTION_VALUES[name] else PROPAGATION


def _sync_options(view: View) -> tuple[str, ...]:
    asked = view.operation.options.sync_options if view.operation is not None else ()
    return (*view.spec.sync_policy.options, *asked)
