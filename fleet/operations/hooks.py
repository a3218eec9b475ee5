"""Running hooks: made once a run, let go or deleted when they are through.

A live hook carries the run that it was made for. Whoever is killed after making one and before
writing that down finds it again by that mark; one of an earlier run is deleted first, where its
policy says so. While it runs a finalizer keeps it, so that its result is seen whatever deletes
it meanwhile; the result is recorded before the finalizer goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.cluster import apply, delete, drop_finalizer, get_metadata, get_object, meta_of
from fleet.errors import FleetError, ObjectRejected
from fleet.model.applications import LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.live import LiveMeta
from fleet.model.objects import (
    HOOK_FINALIZER,
    HOOK_RUN_ANNOTATION,
    TRACKING_ANNOTATION,
    Manifest,
    ObjectRef,
    Tracking,
    annotations_of,
)
from fleet.model.operations import Action, HookState, Operation, Outcome, Step, Task, TaskKey
from fleet.operations.assessing import has_health, health_of
from fleet.operations.crashpoints import writing
from fleet.operations.images import images_of
from fleet.operations.tasks import (
    INTERRUPTIONS,
    UNCHECKED,
    Batch,
    DryRun,
    Result,
    Workplace,
    kind_of,
    side_by_side,
)
from fleet.operations.views import View
from fleet.plan import (
    DesiredHook,
    is_deleted_after,
    is_deleted_before,
    is_marked_as_hook,
    run_mark,
)
from fleet.plan.advance import GONE
from fleet.registry import sightings

ENDED = "was ended with its sync"
_GOING = "an earlier run of it is being deleted"
#: Somebody else may write a hook's object while its finalizer is taken off.
_TRIES = 3


@dataclass(frozen=True)
class Run:
    """One try of an operation, as far as its hooks are concerned.

    Attributes:
        id: marks what is made in it.
        hooks: what may run, by phase and name.
        outcomes: recorded so far.
    """

    id: str
    hooks: Mapping[TaskKey, DesiredHook]
    outcomes: Mapping[TaskKey, Outcome]
    rows: Mapping[ObjectRef, LiveResource]
    dry_run: DryRun | None = None


def run_of(
    view: View,
    operation: Operation,
    rows: Mapping[ObjectRef, LiveResource],
    dry_run: DryRun | None = None,
) -> Run:
    outcomes = {outcome.key: outcome for outcome in operation.outcomes}
    return Run(operation.run, hooks_by_key(view, operation.run), outcomes, rows, dry_run)


def hooks_by_key(view: View, run: str) -> dict[TaskKey, DesiredHook]:
    return {(hook.phase, hook.named(run)): hook for hook in view.hooks}


async def carry_out_hooks(place: Workplace, tasks: Sequence[Task], run: Run) -> Batch:
    """Make or end hooks, side by side.

    An outcome without an action: of one to be made, it has to be tried again, for the reason
    in its message; of one to be ended, there is none.
    """
    return side_by_side(
        await asyncio.gather(*(_one(place, task, run) for task in tasks), return_exceptions=True)
    )


async def _one(place: Workplace, task: Task, run: Run) -> Result:
    row = run.rows.get(task.ref)
    try:
        if task.step is Step.END_HOOK:
            return await _end(place, task, run, row)
        hook = run.hooks.get(task.key)
        if hook is None:
            skipped = _outcome(task, Action.SKIPPED, "it is no longer rendered")
            return Result(task, replace(skipped, hook=HookState.SUCCEEDED, ended=True), row)
        return await _start(place, task, hook, run, row)
    except INTERRUPTIONS:
        raise
    except FleetError as error:
        wanted, dry_run = run.hooks.get(task.key), run.dry_run
        if dry_run and wanted and dry_run.brings_what_lacks(task.ref, wanted.version, error):
            return Result(task, _shown(task, UNCHECKED), row)
        message = f"{error.message} {error.hint}".strip()
        if task.step is Step.END_HOOK:
            before = run.outcomes.get(task.key) or _failed(task, ENDED)
            told = f"{before.message}; it was not let go: {message}".removeprefix("; ")
            return Result(task, replace(before, message=told, ended=True), row)
        return Result(task, replace(_failed(task, message), error=error.type), row)


def _outcome(task: Task, action: Action | None, message: str = "") -> Outcome:
    return Outcome(task.ref, action, task.wave, message, phase=task.phase, hook=HookState.RUNNING)


def _failed(task: Task, message: str) -> Outcome:
    return replace(_outcome(task, Action.FAILED, message), hook=HookState.FAILED)


# beginning


async def _start(
    place: Workplace, task: Task, hook: DesiredHook, run: Run, row: LiveResource | None
) -> Result:
    kind = kind_of(place, task.ref, hook.version)
    live = await get_metadata(place.link.client, kind, task.ref.namespace, task.ref.name)
    if live is not None and _is_of_run(place, live, task, run):
        body = await get_object(place.link.client, kind, task.ref.namespace, task.ref.name)
        if body is not None:
            return await _made(place, kind, task, body, Action.CREATED)
    if live is not None and (reason := _why_not_ours(place, live)):
        return Result(task, replace(_failed(task, reason), ended=True), row)
    if run.dry_run is not None:
        return await _tried(place, kind, task, hook, run, is_there=live is not None)
    if live is not None and is_deleted_before(kind.group_kind, annotations_of(hook.manifest)):
        with writing("hook-delete"):
            await _remove(place, kind, live)
        if await get_metadata(place.link.client, kind, task.ref.namespace, task.ref.name):
            return Result(task, _outcome(task, None, _GOING), row)
    return await _make(place, kind, task, hook, run)


async def _make(place: Workplace, kind: ApiKind, task: Task, hook: DesiredHook, run: Run) -> Result:
    held = has_health(place.customized, hook.manifest)
    manifest = hook.manifest_of(run.id, place.application_id, held=held)
    with writing("hook"):
        applied = await apply(place.link.client, kind, manifest, force=True, gate=place.gate)
    action = Action.CREATED if applied.created else Action.CONFIGURED
    result = await _made(place, kind, task, applied.object, action)
    if result.resource is not None:
        version = result.resource.resource_version
        place.runtime.writes.put((place.cluster_id, task.ref), version)
    return result


async def _made(
    place: Workplace, kind: ApiKind, task: Task, live: Manifest, action: Action
) -> Result:
    """A hook that is there now. What has no health is through at once."""
    health = await health_of(place.runtime.scripts, place.customized, live)
    row = hook_row(kind, task.ref, live, task.wave, health)
    outcome = _outcome(task, action)
    if row.health is None:
        kept = not is_deleted_after(annotations_of(live), HookState.SUCCEEDED)
        ended = kept and HOOK_FINALIZER not in meta_of(kind, live).finalizers
        outcome = replace(outcome, hook=HookState.SUCCEEDED, ended=ended)
    return Result(task, outcome, row, live)


async def _tried(
    place: Workplace, kind: ApiKind, task: Task, hook: DesiredHook, run: Run, *, is_there: bool
) -> Result:
    """A dry run: would the server take it? One of an earlier run hides the answer."""
    row = run.rows.get(task.ref)
    if is_there:
        return Result(task, _shown(task, "dry run, not checked: one of before is there"), row)
    manifest = hook.manifest_of(run.id, place.application_id, held=False)
    client, gate = place.link.client, place.gate
    tried = await apply(client, kind, manifest, force=True, gate=gate, dry_run=True)
    return Result(task, _shown(task, "dry run"), row, tried.object)


def _shown(task: Task, message: str) -> Outcome:
    """Of a dry run: nothing was made, and nothing has to be ended."""
    outcome = _outcome(task, Action.CREATED, message)
    return replace(outcome, hook=HookState.SUCCEEDED, ended=True)


def _is_of_run(place: Workplace, live: LiveMeta, task: Task, run: Run) -> bool:
    is_ours = _claim(live) == str(place.application_id)
    return is_ours and live.annotations.get(HOOK_RUN_ANNOTATION) == run_mark(run.id, task.phase)


def _claim(live: LiveMeta) -> str:
    tracking = Tracking.parse(live.annotations.get(TRACKING_ANNOTATION, ""))
    return tracking.application_id if tracking else ""


def _why_not_ours(place: Workplace, live: LiveMeta) -> str:
    """Why a live object is not replaced by the hook of its name; "" when it may be: it is
    ours, or a hook that nobody of Fleet's made, as Argo CD leaves them."""
    claim = _claim(live)
    if claim == str(place.application_id) or (not claim and is_marked_as_hook(live.annotations)):
        return ""
    if claim:
        return "an object of this name belongs to another application"
    return "an object of this name is there already, and is no hook"


# ending


async def _end(place: Workplace, task: Task, run: Run, row: LiveResource | None) -> Result:
    """Let go of a hook, and delete it if that is its policy or if it still runs."""
    before = run.outcomes.get(task.key)
    kind = place.discovery.find(task.ref.group_kind, row.version if row else "")
    live = None
    if kind is not None:
        live = await get_metadata(place.link.client, kind, task.ref.namespace, task.ref.name)
    if kind is None or live is None or not _is_of_run(place, live, task, run):
        return Result(task, _never_made(task, before), row if live is not None else None)
    is_given_up = before is None or before.action is None or before.hook is HookState.RUNNING
    if before is None or is_given_up:
        action = before.action if before and before.action else Action.CREATED
        outcome = replace(_failed(task, ENDED), action=action, ended=True)
    else:
        outcome = replace(before, ended=True)
    state = outcome.hook or HookState.FAILED
    if is_given_up or is_deleted_after(live.annotations, state):
        with writing("hook-delete"):
            await _remove(place, kind, live)
        return Result(task, outcome, None)
    version = live.resource_version
    if HOOK_FINALIZER in live.finalizers:
        with writing("hook-release"):
            version = await _release(place, kind, live)
        place.runtime.writes.put((place.cluster_id, task.ref), version)
    return Result(task, outcome, replace(row, resource_version=version) if row else None)


def _never_made(task: Task, before: Outcome | None) -> Outcome:
    """Of a hook that is not there: gone by now, or it was never made."""
    if before is not None and before.action is not None:
        running = before.hook is HookState.RUNNING
        return replace(before, hook=HookState.FAILED if running else before.hook, ended=True)
    return _outcome(task, None)


async def _remove(place: Workplace, kind: ApiKind, live: LiveMeta) -> None:
    """Delete a hook's object, ours or one that was left; its finalizer first, which nobody
    else takes off."""
    if HOOK_FINALIZER in live.finalizers:
        await _release(place, kind, live)
    if not live.deletion_timestamp:
        await delete(
            place.link.client,
            kind,
            live.ref.namespace,
            live.ref.name,
            uid=live.uid,
            gate=place.gate,
            propagation=place.propagation,
        )


async def _release(place: Workplace, kind: ApiKind, live: LiveMeta) -> str:
    """Take our finalizer off; the object's version afterwards, "" when it is gone."""
    client, found = place.link.client, live
    for attempt in range(1, _TRIES + 1):
        try:
            return await drop_finalizer(client, kind, found, HOOK_FINALIZER, gate=place.gate)
        except ObjectRejected as refused:
            if refused.reason != "Conflict" or attempt == _TRIES:
                raise
        again = await get_metadata(client, kind, live.ref.namespace, live.ref.name)
        if again is None or again.uid != live.uid or HOOK_FINALIZER not in again.finalizers:
            return again.resource_version if again else ""
        found = again
    return found.resource_version


# looking


def hook_row(
    kind: ApiKind, ref: ObjectRef, live: Manifest, wave: int, health: Health | None
) -> LiveResource:
    """The row of a live hook. It is never compared, and so never out of sync."""
    meta = meta_of(kind, live)
    if meta.deletion_timestamp and health is not None and health.status in _UNDERWAY:
        health = Health(HealthStatus.DEGRADED, GONE)
    return LiveResource(
        ref=ref,
        version=kind.version,
        sync=SyncStatus.SYNCED,
        health=health,
        wave=wave,
        hook=True,
        uid=meta.uid,
        resource_version=meta.resource_version,
        in_inventory=True,
        images=images_of(live),
    )


_UNDERWAY = frozenset({HealthStatus.PROGRESSING, HealthStatus.SUSPENDED})


def expected_row(task: Task, hook: DesiredHook) -> LiveResource:
    """Of a hook that is about to be made: whoever is killed then leaves a trace of it."""
    return LiveResource(
        ref=task.ref,
        version=hook.version,
        sync=SyncStatus.SYNCED,
        health=None,
        wave=task.wave,
        hook=True,
        resource_version=sightings.GONE,
        in_inventory=True,
    )
