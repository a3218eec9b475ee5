"""What a pass writes down: plans before it acts, everything else after, a batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from fleet import metrics
from fleet.errors import LeaseLost
from fleet.logs import fields
from fleet.model.applications import LiveResource
from fleet.model.children import APPLICATION as CHILD
from fleet.model.clusters import Cluster
from fleet.model.health import HealthStatus, SyncStatus
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import ObjectRef
from fleet.model.operations import Operation, OperationPhase, Plan, Step
from fleet.model.scope import FLEET
from fleet.operations.crashpoints import committing
from fleet.operations.hooks import expected_row, hooks_by_key
from fleet.operations.itself.telling import Marks, tell, tell_of
from fleet.operations.judging import AUTOMATED, sync_key
from fleet.operations.progress import Progress
from fleet.operations.runtime import Runtime
from fleet.operations.standing import MISSING, desired_of
from fleet.registry import (
    applications,
    children,
    deployments,
    drift,
    sightings,
    standings,
    syncs,
    work,
)
from fleet.registry.together import Together, Writes, together

log = logging.getLogger(__name__)


class Place(Protocol):
    """The pass, as far as recording needs it."""

    @property
    def runtime(self) -> Runtime: ...
    @property
    def cluster(self) -> Cluster: ...
    @property
    def epoch(self) -> int: ...


@dataclass(frozen=True)
class Part:
    """What one pass has to write; ``standing`` is of what came of it."""

    place: Place
    batch: Sequence[Progress]
    standing: Sequence[standings.Standing] = ()


async def record_plans(place: Place, begun: Sequence[Progress]) -> None:
    """Commit operations that begin, with inventory rows for all that they will apply.

    An operation that somebody else requested meanwhile goes first: ours is dropped, and
    the application's mark stays.
    """
    if not begun:
        return
    await place.runtime.plans.put(Part(place, begun), len(begun), write_plans)
    for one in begun:
        if one.operation is not None:
            log.info("%s began", one.operation.kind, extra=_about(one.operation))


async def write_plans(parts: Sequence[Part], waits: bool) -> None:
    """Operations that begin in some passes, in one transaction."""
    begun = [
        (part.place, one, one.operation)
        for part in parts
        for one in part.batch
        if one.operation is not None
    ]
    ended = [one.superseded for _, one, _ in begun if one.superseded is not None]
    asked = [operation for _, one, operation in begun if not _is_ours(one)]
    wanted = [
        syncs.Begin(place.cluster.id, operation, sync_key(one.view), one.view.app.attempted_at)
        for place, one, operation in begun
        if _is_ours(one)
    ]
    async with committing(parts[0].place.runtime.db, "plan") as tx:
        async with together(tx) as said:
            _fence(said, parts, waits)
            await syncs.put_operations(said, ended)
            await syncs.release_operations(said, [operation.id for operation in ended])
            started = await syncs.begin_operations(said, wanted)
            await syncs.put_operations(said, asked)
        ids = frozenset(id for (id,) in started.rows)
        kept = [
            _Kept(place, one, operation, _expected(one))
            for place, one, operation in begun
            if operation.id in ids or not _is_ours(one)
        ]
        async with together(tx) as said:
            await _widen(said, kept)
    for _, one, _ in begun:
        if _is_ours(one):
            _settle(one, ids)
    for it in kept:
        it.one.rows.update(it.expected)


def _fence(said: Together, parts: Sequence[Part], waits: bool) -> None:
    epochs = {part.place.cluster.id: part.place.epoch for part in parts}
    if len(epochs) < len(parts):
        raise LeaseLost("two passes over one cluster are not written together")
    work.fence_all(said, epochs, waits=waits)


@dataclass(frozen=True)
class _Kept:
    """An operation that has begun, and ``_expected`` of it."""

    place: Place
    one: Progress
    operation: Operation
    expected: Mapping[ObjectRef, LiveResource]


async def _widen(said: Writes, kept: Sequence[_Kept]) -> None:
    """What is known of operations as they begin: what they skip, and what will be there."""
    for it in kept:
        if not _is_ours(it.one) and it.operation.attempt > 1:
            await syncs.forget_results(said, it.operation)
    await syncs.put_results(said, [(it.operation, it.operation.outcomes) for it in kept])
    await work.put_resources(
        said,
        [
            (it.place.cluster.id, it.one.view.app.id, row)
            for it in kept
            for row in it.expected.values()
        ],
    )
    await work.note_kinds(said, sorted({it.place.cluster.id for it in kept if it.expected}))


def _about(operation: Operation, why: str = "") -> dict[str, object]:
    return fields(
        application=operation.application,
        cluster=operation.cluster,
        sync=operation.id,
        trigger=operation.trigger,
        revision=operation.revision,
        why=why,
    )


def _is_ours(one: Progress) -> bool:
    """Begun by Fleet itself, not asked for by somebody."""
    return one.view.operation is None or one.superseded is not None


def _settle(one: Progress, started: frozenset[object]) -> None:
    operation = one.operation
    assert operation is not None
    if operation.id not in started:
        one.operation = None
        one.interrupted = True
        return
    one.held = operation.id
    if operation.trigger in AUTOMATED:
        one.attempted_key = sync_key(one.view)
        one.attempt_phase = str(OperationPhase.RUNNING)
        one.attempted_at = operation.started_at


def _expected(one: Progress) -> dict[ObjectRef, LiveResource]:
    """Rows of objects and hooks that are not in the inventory yet and are about to be made."""
    operation = one.operation
    plan: Plan | None = operation.plan if operation else None
    if operation is None or plan is None or operation.options.dry_run:
        return {}
    desired = desired_of(one.view)
    hooks = hooks_by_key(one.view, operation.run)
    found: dict[ObjectRef, LiveResource] = {}
    for task in plan.tasks:
        row = found.get(task.ref) or one.rows.get(task.ref)
        if task.step is Step.HOOK and row is None and task.key in hooks:
            found[task.ref] = expected_row(task, hooks[task.key])
            continue
        if task.step is not Step.APPLY or (row is not None and row.in_inventory):
            continue
        wanted = desired[task.ref]
        base = row or LiveResource(
            task.ref,
            wanted.version,
            SyncStatus.OUT_OF_SYNC,
            MISSING,
            wave=wanted.wave,
            message="was not applied yet",
        )
        # without a hash of what was applied it counts as not applied, and may be pruned
        found[task.ref] = replace(base, in_inventory=True, applied_sha256="", uid="")
    return found


async def record_hooks(place: Place, one: Progress) -> None:
    """Commit what is known of an operation before its hooks are let go: then they may be gone,
    and nobody could tell any more how they ended. Its outcomes say that objects were applied,
    so their rows have to say it, too."""
    operation = one.operation
    if operation is None or one.noted == len(one.fresh):
        return
    fresh = one.fresh[one.noted :]
    async with committing(place.runtime.db, "hooks") as tx, together(tx) as said:
        work.fence_all(said, {place.cluster.id: place.epoch})
        await syncs.put_results(said, [(operation, fresh)])
        await syncs.put_operations(said, [operation])
        await _record_rows(said, [(place, one)])
    one.noted += len(fresh)


async def record_batch(place: Place, batch: Sequence[Progress]) -> None:
    """Write results, rows, standings and history of a batch in one transaction."""
    now = place.runtime.now()
    stays = [one for one in batch if not one.removed]
    rows = {one.view.app.id: one.judged() for one in stays}
    for one in stays:
        one.note_settled(rows[one.view.app.id])
        one.stay_awake(now)
    standing = [one.standing(rows[one.view.app.id]) for one in stays]
    await place.runtime.records.put(Part(place, batch, standing), len(batch), write_records)
    moved = {it.id for it in standing if it.changed}
    told = {one.view.app.id for one in stays if one.view.app.is_child}
    await tell_of(place.runtime.db, moved & told)
    if unseen := _children_to_see(stays, rows):
        await tell(place.runtime.db, {place.cluster.id: unseen})
    for one in batch:
        if one.finished is not None:
            operation = one.finished
            metrics.OPERATIONS.labels(operation.kind, operation.trigger, operation.phase).inc()
            level = logging.INFO if operation.phase is OperationPhase.SUCCEEDED else logging.WARNING
            log.log(
                level,
                "%s ended: %s",
                operation.kind,
                operation.phase,
                extra=_about(operation, operation.message),
            )
        if one.removed:
            await _forget(place, one)


async def write_records(parts: Sequence[Part], waits: bool) -> None:
    """What came of some passes, in one transaction."""
    runtime = parts[0].place.runtime
    now = runtime.now()
    placed = [(part.place, one) for part in parts for one in part.batch]
    stays = [(place, one) for place, one in placed if not one.removed]
    progress = [one for _, one in stays]
    async with committing(runtime.db, "record") as tx, together(tx) as said:
        _fence(said, parts, waits)
        await _record_operations(said, [one for _, one in placed])
        await _record_rows(said, stays)
        await deployments.record_deployments(said, [o.deployed for o in progress if o.deployed])
        healthy = [o.view.app.id for o in progress if o.became_healthy(o.judged())]
        await deployments.record_healthy(said, healthy, now)
        await drift.open_drift(said, [entry for one in progress for entry in one.drifted], now)
        for healed_by in sorted({one.healed_by for one in progress}):
            healed = [one for one in progress if one.healed_by == healed_by]
            keys = [(one.view.app.id, object) for one in healed for object in one.settled]
            await drift.close(said, keys, healed_by, now)
        standing = [it for part in parts for it in part.standing]
        await standings.record_standings(said, standing, now)


def _children_to_see(
    stays: Sequence[Progress], rows: Mapping[ApplicationId, Mapping[ObjectRef, LiveResource]]
) -> list[ObjectRef]:
    """Children that an application has since this pass and waits for: while it had no row of
    them, it could not be told of what they did."""
    return [
        ref
        for one in stays
        for ref, row in rows[one.view.app.id].items()
        if (ref.group, ref.kind) == (CHILD.group, CHILD.kind)
        and row.health is not None
        and row.health.status is HealthStatus.PROGRESSING
        and not (ref in one.view.rows and one.view.rows[ref].in_inventory)
    ]


async def _record_operations(tx: Writes, batch: Sequence[Progress]) -> None:
    touched: list[tuple[Progress, Operation]] = []
    for one in batch:
        operation = one.finished or one.operation
        if operation is not None:
            touched.append((one, operation))
    await syncs.put_results(tx, [(operation, one.fresh[one.noted :]) for one, operation in touched])
    changed = [
        operation
        for one, operation in touched
        if one.fresh or one.finished or operation != one.view.operation
    ]
    await syncs.put_operations(tx, changed)


async def _record_rows(tx: Writes, placed: Sequence[tuple[Place, Progress]]) -> None:
    changed: list[work.Found] = []
    removed: list[tuple[ApplicationId, ObjectRef]] = []
    other_kinds: set[ClusterId] = set()
    for place, one in placed:
        cluster, app, known = place.cluster.id, one.view.app.id, one.view.rows
        now = one.judged()
        mine = [(ref, row) for ref, row in now.items() if known.get(ref) != row]
        gone = [(app, ref) for ref in known.keys() - now.keys()]
        changed += [(cluster, app, row) for _, row in mine]
        removed += gone
        if gone or any(_kept_in(known.get(ref)) != _kept_in(row) for ref, row in mine):
            other_kinds.add(cluster)
    await work.put_resources(tx, changed)
    await work.remove_resources(tx, removed)
    await sightings.clear_seen(
        tx,
        [
            (one.view.app.id, ref, one.view.seen[ref])
            for _, one in placed
            for ref in sorted(one.looked & one.view.seen.keys())
        ],
    )
    await work.note_kinds(tx, sorted(other_kinds))


def _kept_in(row: LiveResource | None) -> str:
    """The version in which an object of the inventory is known; "" for one that is not in it."""
    return row.version if row is not None and row.in_inventory else ""


async def _forget(place: Place, one: Progress) -> None:
    """The last act of a deletion, once nothing of the application is left."""
    now, app, db = place.runtime.now(), one.view.app, place.runtime.db
    marks: Marks = {}
    async with committing(db, "forget") as tx:
        if app.is_child:
            marks = await children.marks_of(tx, "Application", [app.id])
        await applications.remove_application(tx, FLEET, app.id, now)
    await tell(db, marks, gone=True)
