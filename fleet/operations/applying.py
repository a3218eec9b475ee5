"""Carrying out tasks: the only operation code that writes to a cluster.

Every write passes one gate: the project of the application, its sync windows, and whether
this pass may still write at all. Nothing here decides what should be done; a task that
cannot be done becomes an outcome with a reason, a cluster that does not answer ends the
step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fleet.cluster import (
    NAMESPACE,
    Gate,
    delete,
    drop_finalizer,
    ensure_namespace,
    get_metadata,
    get_object,
    meta_of,
    owned_fields,
)
from fleet.diff import matches, respecting
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
from fleet.model.objects import (
    HOOK_FINALIZER,
    TRACKING_ANNOTATION,
    GroupKind,
    Manifest,
    ObjectRef,
    Tracking,
)
from fleet.model.operations import Action, Outcome, Plan, Step, Task
from fleet.operations.applied import action_of, applied_row
from fleet.operations.connections import Link
from fleet.operations.crashpoints import writing
from fleet.operations.errands import Errand, Held
from fleet.operations.ignoring import rules_about
from fleet.operations.runtime import Runtime
from fleet.operations.sending import send
from fleet.plan import (
    Consent,
    DesiredObject,
    KindPolicy,
    kinds_brought,
    read_object_options,
)

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


async def carry_out(
    place: Workplace,
    tasks: Sequence[Task],
    desired: Mapping[ObjectRef, DesiredObject],
    rows: Mapping[ObjectRef, LiveResource],
    *,
    dry_run: DryRun | None = None,
) -> Batch:
    """Do all of ``tasks`` side by side, as many at once as the cluster answers well.

    Args:
        rows: the recorded resources; what we owned of an object decides a conflict.
        dry_run: nothing is stored anywhere.
    """
    return side_by_side(
        await asyncio.gather(
            *(
                _one(place, task, _wanted(desired, task.ref), rows.get(task.ref), dry_run=dry_run)
                for task in tasks
            ),
            return_exceptions=True,
        )
    )


def _wanted(desired: Mapping[ObjectRef, DesiredObject], ref: ObjectRef) -> DesiredObject | None:
    """What is wanted, also if its kind turned out to have no namespaces after the plan was made."""
    return desired.get(ref) or desired.get(replace(ref, namespace=""))


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


async def _one(
    place: Workplace,
    task: Task,
    wanted: DesiredObject | None,
    row: LiveResource | None,
    *,
    dry_run: DryRun | None,
) -> Result:
    try:
        if task.step in (Step.SKIP, Step.AWAIT):
            action = Action.SKIPPED if task.step is Step.SKIP else Action.UNCHANGED
            return Result(task, Outcome(task.ref, action, task.wave, task.reason), row)
        if task.step is Step.CREATE_NAMESPACE:
            return await _namespace(place, task, dry_run=dry_run is not None)
        if task.step is Step.PRUNE:
            return await _prune(place, task, row, dry_run=dry_run is not None)
        if wanted is None:
            reason = "it is no longer rendered"
            return Result(task, Outcome(task.ref, Action.SKIPPED, task.wave, reason), row)
        return await _apply(place, task, wanted, row, dry_run=dry_run is not None)
    except INTERRUPTIONS:
        raise
    except FleetError as error:
        if isinstance(error, ObjectRejected) and error.reason == LATER:
            return Result(task, Outcome(task.ref, None, task.wave, error.message), row)
        if dry_run and wanted and _comes_later(dry_run, wanted, error):
            return Result(task, Outcome(task.ref, Action.CREATED, task.wave, UNCHECKED), row)
        message = f"{error.message} {error.hint}".strip()
        failed = Outcome(task.ref, Action.FAILED, task.wave, message, error.type, task.phase)
        return Result(task, failed, row)


def _comes_later(dry_run: DryRun, wanted: DesiredObject, error: FleetError) -> bool:
    is_expected = isinstance(error, KindUnknown) and wanted.options.skip_missing_kind
    return is_expected or dry_run.brings_what_lacks(wanted.ref, wanted.version, error)


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


async def _namespace(place: Workplace, task: Task, *, dry_run: bool) -> Result:
    if dry_run:
        live = await get_metadata(place.link.client, NAMESPACE, "", task.ref.name)
        action = Action.CREATED if live is None else Action.UNCHANGED
        told = Outcome(task.ref, action, task.wave, "dry run", phase=task.phase)
        return Result(task, told, None)
    with writing("namespace"):
        created = await ensure_namespace(
            place.link.client,
            task.ref.name,
            place.namespace_labels,
            place.namespace_annotations,
            gate=place.gate,
        )
    action = Action.CREATED if created else Action.UNCHANGED
    return Result(task, Outcome(task.ref, action, task.wave, phase=task.phase), None)


async def _apply(
    place: Workplace,
    task: Task,
    wanted: DesiredObject,
    row: LiveResource | None,
    *,
    dry_run: bool,
) -> Result:
    kind = kind_of(place, wanted.ref, wanted.version)
    to_send = replace(wanted, manifest=await _to_send(place, kind, wanted))
    errand = place.errand(to_send, row, force=task.force, dry_run=dry_run)
    with writing("apply"):
        sent = await send(errand)
    if isinstance(sent, Held):
        return await _held(place, task, errand, sent)
    after = await applied_row(place.runtime, errand, wanted.manifest, sent.live, place.customized)
    action = Action.CREATED if sent.created else action_of(row, after)
    told = f"dry run: {sent.told}".removesuffix(": ") if dry_run else sent.told
    outcome = Outcome(task.ref, action, task.wave, told)
    if dry_run:
        return Result(task, outcome, row, sent.live)
    place.runtime.writes.put((place.cluster_id, wanted.ref), after.resource_version)
    return Result(task, outcome, after, sent.live)


async def _held(place: Workplace, task: Task, errand: Errand, held: Held) -> Result:
    """Of an object that was not written: it has to be tried again, or is let be."""
    if held.now:
        return Result(task, Outcome(task.ref, None, task.wave, held.why), errand.row)
    skipped = Outcome(task.ref, Action.SKIPPED, task.wave, held.why)
    row = errand.row
    if errand.dry_run or held.live is None or (row is not None and row.applied_sha256):
        return Result(task, skipped, row)
    # somebody else's, and it stays theirs: it is not to be pruned one day
    found = await applied_row(
        place.runtime, errand, errand.wanted.manifest, held.live, place.customized
    )
    theirs = replace(found, owned="", owned_fields=None, applied_sha256="", in_inventory=False)
    return Result(task, skipped, theirs)


async def _to_send(place: Workplace, kind: ApiKind, wanted: DesiredObject) -> Manifest:
    """The manifest; with ignored fields as they live where the application wants them left."""
    manifest, rules = wanted.manifest, place.ignored
    options = read_object_options(manifest, place.sync_options)
    if not options.respect_ignored or not any(matches(rule, wanted.ref) for rule in rules):
        return manifest
    live = await get_object(place.link.client, kind, wanted.ref.namespace, wanted.ref.name)
    if live is None:
        return manifest  # there is nothing yet to be left as it is
    return respecting(
        manifest,
        live,
        desired_rules=await rules_about(place.runtime.jq, rules, manifest),
        live_rules=await rules_about(place.runtime.jq, rules, live),
        owned=owned_fields(meta_of(kind, live)) or {},
    )


async def _prune(
    place: Workplace, task: Task, row: LiveResource | None, *, dry_run: bool
) -> Result:
    """Delete an object that we applied, if it is still the one and still marked as ours."""
    kind = place.discovery.find(task.ref.group_kind, row.version if row else "")
    try:
        if kind is None:
            raise unknown_kind(task.ref)
        return await _prune_served(place, kind, task, row, dry_run=dry_run)
    except KindUnknown:
        if not await place.link.has_dropped(task.ref.group_kind):
            raise
    gone = Outcome(task.ref, Action.PRUNED, task.wave, "went with its kind")
    return Result(task, gone, None)


async def _prune_served(
    place: Workplace, kind: ApiKind, task: Task, row: LiveResource | None, *, dry_run: bool
) -> Result:
    client = place.link.client
    meta = await get_metadata(client, kind, task.ref.namespace, task.ref.name)
    gone = Outcome(task.ref, Action.PRUNED, task.wave, "pruned")
    if meta is None:
        return Result(task, gone, None)
    claim = Tracking.parse(meta.annotations.get(TRACKING_ANNOTATION, ""))
    ours = claim == Tracking(str(place.application_id), task.ref)
    same = row is None or not row.uid or row.uid == meta.uid
    kept = kept_by_option(place, meta.annotations)
    if kept and ours:
        outcome = Outcome(task.ref, Action.SKIPPED, task.wave, kept)
        return Result(task, outcome, replace(row, message=kept) if row else None)
    if not (ours and same):
        reason = (
            "left alone: it does not carry this application's mark any more"
            if not ours
            else "left alone: another object of the same name took its place"
        )
        return Result(task, Outcome(task.ref, Action.SKIPPED, task.wave, reason), None)
    if dry_run:
        return Result(task, replace(gone, message="dry run"), row)
    if HOOK_FINALIZER in meta.finalizers:
        # of a hook whose sync was never ended: nobody else takes it off
        with writing("hook-release"):
            await drop_finalizer(client, kind, meta, HOOK_FINALIZER, gate=place.gate)
    with writing("delete"):
        await delete(
            client,
            kind,
            task.ref.namespace,
            task.ref.name,
            uid=meta.uid,
            gate=place.gate,
            propagation=place.propagation,
        )
    if place.awaits_end and row is not None:
        return Result(task, gone, replace(row, message="is being deleted"))
    return Result(task, gone, None)


def kept_by_option(place: Workplace, annotations: Mapping[str, str]) -> str:
    """Why its sync options keep a live object that Git does not hold; "" when it may go."""
    options = read_object_options({"metadata": {"annotations": annotations}}, place.sync_options)
    consent = options.delete if place.awaits_end else options.prune
    if consent is Consent.GIVEN or (consent is Consent.CONFIRM and place.approved):
        return ""
    return f"{KEPT} {'Delete' if place.awaits_end else 'Prune'}={consent.value}"
