"""Pruning: an object that was applied is deleted, if it is still the one and still marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fleet.cluster import delete, drop_finalizer, get_metadata
from fleet.errors import KindUnknown
from fleet.model.applications import LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.live import LiveMeta
from fleet.model.objects import HOOK_FINALIZER, Tracking
from fleet.model.operations import Action, Outcome, Task
from fleet.operations.crashpoints import writing
from fleet.operations.marks import claim_on, mark_on
from fleet.operations.tasks import KEPT, Result, Workplace, unknown_kind
from fleet.plan import Consent, read_object_options


async def prune(place: Workplace, task: Task, row: LiveResource | None, *, dry_run: bool) -> Result:
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
    ours = mark_on(meta) == Tracking(str(place.application_id), task.ref) or _is_taken(place, meta)
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


def _is_taken(place: Workplace, meta: LiveMeta) -> bool:
    """Whether it is a leftover of Argo CD's application, and nobody took it meanwhile."""
    takeover = place.takeover
    if takeover is None or meta.ref not in takeover.leftovers:
        return False
    claim = claim_on(place.customized.tracking, meta)
    return claim is not None and not takeover.why_not(claim) and mark_on(meta) is None


def kept_by_option(place: Workplace, annotations: Mapping[str, str]) -> str:
    """Why its sync options keep a live object that Git does not hold; "" when it may go."""
    options = read_object_options({"metadata": {"annotations": annotations}}, place.sync_options)
    consent = options.delete if place.awaits_end else options.prune
    if consent is Consent.GIVEN or (consent is Consent.CONFIRM and place.approved):
        return ""
    return f"{KEPT} {'Delete' if place.awaits_end else 'Prune'}={consent.value}"
