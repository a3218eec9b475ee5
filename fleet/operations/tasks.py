"""What carrying out a task needs, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleet.cluster import NAMESPACE, Gate
from fleet.errors import (
    ClusterAuthFailed,
    ClusterUnreachable,
    FleetError,
    KindUnknown,
    LeaseLost,
    ObjectRejected,
    WindowClosed,
)
from fleet.model.applications import IgnoreDifference, LiveResource
from fleet.model.argo_tracking import Takeover
from fleet.model.clusters import ApiKind, Discovery
from fleet.model.customizations import NONE, Customizations
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import GroupKind, Manifest, ObjectRef
from fleet.model.operations import Outcome, Plan, Step, Task
from fleet.operations.connections import Link
from fleet.operations.errands import Errand
from fleet.operations.runtime import Runtime
from fleet.plan import DesiredObject, KindPolicy, kinds_brought, read_object_options

#: Begins the message of an object that left Git and stays because of a sync option.
KEPT = "is kept by its sync option"
#: Of a dry run: the server cannot say yet what would become of an object.
UNCHECKED = "dry run, not checked: what it needs comes with the same sync"
#: Why what Fleet itself holds is refused now, and not for good: it is tried again.
LATER = "Later"
#: These end a step at once: the next pass takes it up where it stopped.
INTERRUPTIONS = (ClusterUnreachable, ClusterAuthFailed, LeaseLost, WindowClosed)


@dataclass(frozen=True)
class Workplace:
    """Where and in whose name tasks are carried out.

    ``gate`` is asked before each write, with what is about to be sent.
    """

    runtime: Runtime
    cluster_id: ClusterId
    link: Link
    discovery: Discovery
    application_id: ApplicationId
    gate: Gate
    propagation: str = "foreground"
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_annotations: Mapping[str, str] = field(default_factory=dict)
    #: differences that others may make; what is sent does not follow from them
    ignored: tuple[IgnoreDifference, ...] = ()
    policy: KindPolicy = KindPolicy()
    #: of the Application itself
    annotations: Mapping[str, str] = field(default_factory=dict)
    #: of the application and of the sync that runs; an object's own stand above them
    sync_options: tuple[str, ...] = ()
    #: a deleted object keeps its row until it is really gone
    awaits_end: bool = False
    #: somebody agreed to deletions that wait for that
    approved: bool = False
    #: names the try of the operation that is carried out; "" for a look
    run: str = ""
    #: how people judge kinds by scripts of their own
    customized: Customizations = NONE
    #: whose objects are taken over by the operation that is carried out
    takeover: Takeover | None = None

    def errand(
        self,
        wanted: DesiredObject,
        row: LiveResource | None,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> Errand:
        """The object with how it is to be written.

        Raises:
            KindUnknown: the cluster does not serve it.
        """
        return Errand(
            client=self.link.client,
            kind=kind_of(self, wanted.ref, wanted.version),
            wanted=wanted,
            options=read_object_options(wanted.manifest, self.sync_options),
            gate=self.gate,
            row=row,
            force=force,
            dry_run=dry_run,
            run=self.run,
            ignored=self.ignored,
            jq=self.runtime.jq,
            tracking=self.customized.tracking,
            takeover=self.takeover,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task: the outcome, and the object's row afterwards (None: gone)."""

    task: Task
    outcome: Outcome
    resource: LiveResource | None
    live: Manifest | None = None


@dataclass(frozen=True)
class DryRun:
    """What the sync would bring and others of its objects need. The server cannot say what
    would become of those: it is told as created.

    Attributes:
        kinds: each in a version, of CustomResourceDefinitions.
    """

    namespaces: frozenset[str]
    kinds: frozenset[tuple[GroupKind, str]]

    @classmethod
    def of(cls, plan: Plan, desired: Mapping[ObjectRef, DesiredObject]) -> DryRun:
        made = [t.ref for t in plan.tasks if t.step in (Step.APPLY, Step.CREATE_NAMESPACE)]
        namespaces = {ref.name for ref in made if ref.group_kind == NAMESPACE.group_kind}
        objects = [desired[ref] for ref in made if ref in desired]
        return cls(frozenset(namespaces), kinds_brought(objects))

    def brings_what_lacks(self, ref: ObjectRef, version: str, error: FleetError) -> bool:
        if isinstance(error, KindUnknown):
            return (ref.group_kind, version) in self.kinds
        return (
            isinstance(error, ObjectRejected)
            and error.reason == "NotFound"
            and ref.namespace in self.namespaces
        )


@dataclass(frozen=True)
class Batch:
    """Results of tasks that ran side by side, and what cut the rest short."""

    results: tuple[Result, ...]
    interrupted: FleetError | None = None


def side_by_side(answers: Sequence[Result | BaseException]) -> Batch:
    """What tasks came to that were gathered with their exceptions."""
    results: list[Result] = []
    interrupted: FleetError | None = None
    for answer in answers:
        if isinstance(answer, Result):
            results.append(answer)
        elif isinstance(answer, FleetError):
            # a window that closed ends less than any other of them
            if interrupted is None or not isinstance(answer, WindowClosed):
                interrupted = answer
        else:
            raise answer
    return Batch(tuple(results), interrupted)


def kind_of(place: Workplace, ref: ObjectRef, version: str) -> ApiKind:
    """The kind as the cluster serves it.

    Raises:
        KindUnknown: it does not, in that version.
    """
    kind = place.discovery.find(ref.group_kind, version)
    if kind is None or (version and kind.version != version):
        raise unknown_kind(ref, version)
    return kind


def unknown_kind(ref: ObjectRef, version: str = "") -> KindUnknown:
    """The error that says so; ``version`` is the one that is meant, "" any."""
    meant = f"{ref.group_kind} in version {version}" if version else str(ref.group_kind)
    return KindUnknown(
        f"{ref}: the cluster does not serve {meant}",
        hint="Install its CustomResourceDefinition first, or use a version that is served.",
        object=str(ref),
    )
