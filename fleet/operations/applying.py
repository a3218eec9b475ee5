"""Carrying out tasks: with ``pruning`` and ``hooks`` the operation code that writes to a cluster.

Every write passes one gate: the project of the application, its sync windows, and whether
this pass may still write at all. Nothing here decides what should be done; a task that
cannot be done becomes an outcome with a reason, a cluster that does not answer ends the
step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fleet.cluster import (
    NAMESPACE,
    ensure_namespace,
    get_metadata,
    get_object,
    meta_of,
    owned_fields,
)
from fleet.diff import matches, respecting
from fleet.errors import FleetError, KindUnknown, ObjectRejected
from fleet.model.applications import LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest, ObjectRef
from fleet.model.operations import Action, Outcome, Step, Task
from fleet.operations.applied import action_of, applied_row
from fleet.operations.crashpoints import writing
from fleet.operations.errands import Errand, Held
from fleet.operations.ignoring import rules_about
from fleet.operations.pruning import prune
from fleet.operations.sending import send
from fleet.operations.tasks import (
    INTERRUPTIONS,
    LATER,
    UNCHECKED,
    Batch,
    DryRun,
    Result,
    Workplace,
    kind_of,
    side_by_side,
)
from fleet.plan import DesiredObject, read_object_options


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
            return await prune(place, task, row, dry_run=dry_run is not None)
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
