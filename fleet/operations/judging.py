"""What should begin, and what it would do, from where an application stands. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from fleet.model.applications import LiveResource, is_shadow
from fleet.model.clusters import Cluster
from fleet.model.decisions import ALLOWED
from fleet.model.health import SyncStatus
from fleet.model.holds import Switch
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Operation,
    OperationKind,
    OperationPhase,
    Plan,
    Step,
    SyncOptions,
    Trigger,
)
from fleet.model.retries import Retry
from fleet.model.windows import Hold
from fleet.operations.allowing import SHADOWED, gate_of
from fleet.operations.outliving import known_to_stay, outliving
from fleet.operations.standing import (
    SKIPPED,
    desired_of,
    is_complete,
    same_as_applied,
    sync_status,
)
from fleet.operations.views import View
from fleet.plan import (
    AutoPolicy,
    AutoSituation,
    LastSync,
    RunningSync,
    Situation,
    SyncDecision,
    Verdict,
    build_deletion,
    build_plan,
    decide_sync,
    next_attempt,
    paused_triggers,
    read_application_options,
)
from fleet.plan.hooks import DELETE_PHASES

#: Operations that Fleet begins by itself, and may therefore end by itself.
AUTOMATED = frozenset({Trigger.AUTOMATED, Trigger.SELF_HEAL})


def verdicts_of(
    view: View, rows: Mapping[ObjectRef, LiveResource], *, everything: bool
) -> dict[ObjectRef, Verdict]:
    """What a sync has to do about each wanted object.

    Args:
        everything: a person asked: what exists and equals Git without ever having been
            applied by us is applied, so that it becomes ours.
    """
    found = {}
    for ref, wanted in desired_of(view).items():
        row = rows[ref]
        same = same_as_applied(view, wanted, row)
        if row.sync is SyncStatus.SYNCED and (row.in_inventory or not everything):
            found[ref] = Verdict.SYNCED
        elif same and row.drift and row.in_inventory:
            found[ref] = Verdict.TAKEN
        else:
            found[ref] = Verdict.OUT_OF_SYNC
    return found


def plan_for(
    view: View,
    rows: Mapping[ObjectRef, LiveResource],
    cluster: Cluster,
    options: SyncOptions,
    *,
    automated: bool,
    namespace_ready: bool,
    run: str = "",
    approved: bool = False,
) -> Plan:
    """The plan of a sync or rollback; of a deletion when the application is being deleted.

    Args:
        rows: ``standing_rows`` of the view.
        run: names this run of its hooks; "" runs none.
        approved: somebody agreed to the deletions that wait for that.
    """
    gate = gate_of(view.project, cluster, view.app.project)
    if view.app.deleting is not None:
        if errors := view.policy.settings.errors:
            return Plan((), refused="; ".join(errors[:5]))
        # what may keep an object stands on the object: it is read before the object goes
        return build_deletion(
            [r for ref, r in view.rows.items() if not view.policy.excludes(ref.group_kind)],
            gate=lambda *_: ALLOWED,
            owners=view.owners,
            hooks=view.hooks,
            run=run,
            approved=approved,
        )
    if view.app.render_error is not None and not options.manifests_sha256:
        # what was rendered last is not what Git wants: applying it would look like success
        why = view.app.render_error.get("message", "")
        return Plan((), refused=f"what Git wants cannot be rendered: {why}")
    if view.prepared is None:
        return Plan((), refused="nothing was rendered yet")
    if view.prepared.problems:
        return Plan((), refused="; ".join(p.message for p in view.prepared.problems[:5]))
    if view.ignored.errors:
        # what may differ would be overwritten
        return Plan((), refused="; ".join(view.ignored.errors[:5]))
    policy = view.spec.sync_policy
    written = (*policy.options, *options.sync_options)
    return build_plan(
        Situation(
            desired=view.prepared.objects,
            inventory=tuple(rows.values()),
            options=options,
            gate=gate,
            complete=is_complete(view),
            allow_empty=bool(policy.automated and policy.automated.allow_empty),
            verdicts=verdicts_of(view, rows, everything=not automated),
            owners=view.owners,
            application_options=read_application_options(written),
            object_options={
                **outliving(rows, written),
                **(known_to_stay(rows) if automated and not approved else {}),
            },
            hooks=view.hooks,
            run=run,
            set_apart=frozenset(view.prepared.set_apart),
            namespace=view.app.namespace,
            namespace_ready=namespace_ready,
            approved=approved,
        )
    )


def automated_options(view: View) -> SyncOptions:
    """What a sync that begins by itself does."""
    return SyncOptions(prune=_prunes(view))


def _prunes(view: View) -> bool:
    """Whether syncs that begin by themselves prune."""
    automated = view.spec.sync_policy.automated
    return bool(automated and automated.prune) and Switch.PRUNE not in view.app.holds.paused


def would_act(
    view: View, rows: Mapping[ObjectRef, LiveResource], cluster: Cluster, *, approved: bool
) -> bool:
    """Whether a sync that begins by itself would send anything, or fail to.

    What belongs to another application, is kept by a sync option or may not be pruned stays
    out of sync for ever: syncs that only skip it would follow each other without end.
    """
    plan = plan_for(
        view,
        rows,
        cluster,
        automated_options(view),
        automated=True,
        namespace_ready=True,
        approved=approved,
    )
    idle = (Step.SKIP, Step.AWAIT)
    return bool(plan.refused) or any(task.step not in idle for task in plan.tasks)


def owes_hooks(view: View) -> bool:
    """Whether the last sync of what is wanted now failed, and there are hooks to run: what it
    applied may be in sync, and what was to follow has not."""
    failed = view.app.attempt_phase in (OperationPhase.FAILED, OperationPhase.ERROR)
    is_same = view.app.attempted_key == sync_key(view)
    return failed and is_same and any(hook.phase not in DELETE_PHASES for hook in view.hooks)


def retry_at(operation: Operation, policy: Retry, now: datetime) -> datetime | None:
    """When a failed sync that somebody asked for is tried again; None: it stays failed.

    As was asked for, else as the application says; without a limit there are no retries.
    Refused plans would be refused again.
    """
    if operation.trigger is not Trigger.MANUAL or operation.options.dry_run:
        return None
    if operation.plan is not None and operation.plan.refused:
        return None
    retry = operation.options.retry or policy
    return next_attempt(retry, max(operation.attempt, 1), now, default_limit=0)


def next_try(operation: Operation) -> Operation:
    """The operation as it was asked for, to be planned once more: for the manifests that it names
    or keeps to, else for what Git wants by now."""
    again = replace(operation, attempt=max(operation.attempt, 1) + 1, outcomes=())
    if operation.options.manifests_sha256:
        return again
    return replace(again, revision="", sources=(), manifests_sha256="")


def sync_key(view: View) -> str:
    """Names what a sync would apply: the manifests and how they are applied."""
    options = view.spec.sync_policy.options
    return key_of(view.app.manifests_sha256, view.app.generation, options)


def key_of(manifests_sha256: str, generation: int, options: Sequence[str]) -> str:
    """``sync_key`` of an application that is known by its row."""
    parts = [manifests_sha256, str(generation), *options]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def auto_decision(
    view: View,
    rows: Mapping[ObjectRef, LiveResource],
    now: datetime,
    hold: Hold | None = None,
) -> SyncDecision:
    """Whether a sync begins by itself now."""
    app, policy = view.app, view.spec.sync_policy
    automated = policy.automated
    objects = [row for row in rows.values() if not row.hook]
    unsynced = [row for row in objects if row.sync is SyncStatus.OUT_OF_SYNC]
    last = None
    if app.attempted_key and app.attempted_at is not None and app.attempt_phase:
        last = LastSync(
            app.attempted_key, OperationPhase(app.attempt_phase), app.attempts, app.attempted_at
        )
    return decide_sync(
        AutoSituation(
            policy=AutoPolicy(
                is_on=policy.auto_sync,
                prune=_prunes(view),
                self_heal=bool(automated and automated.self_heal),
                allow_empty=bool(automated and automated.allow_empty),
                retry=policy.retry,
            ),
            key=sync_key(view),
            sync=SyncStatus.OUT_OF_SYNC if view.is_apart else sync_status(view, rows.values()),
            only_prunes_left=bool(unsynced) and all(row.requires_pruning for row in unsynced),
            would_prune_all=bool(objects) and all(row.requires_pruning for row in objects),
            running=_running(view),
            last=last,
            heal_count=app.heals,
            last_healed_at=app.healed_at,
            deleting=app.deleting is not None,
            blocked=_why_blocked(view),
            hold=hold,
            paused=paused_triggers(view.app.holds),
            owes_hooks=owes_hooks(view),
        ),
        now,
    )


def _running(view: View) -> RunningSync | None:
    """The sync that runs, and the key of what it applies: of one that a person asked for no key
    is kept, so its manifests decide."""
    operation = view.operation
    if operation is None:
        return None
    key = view.app.attempted_key
    if operation.trigger not in AUTOMATED:
        is_same = operation.manifests_sha256 == view.app.manifests_sha256
        key = sync_key(view) if is_same else operation.manifests_sha256
    is_stuck = operation.phase is OperationPhase.RUNNING and not operation.options.dry_run
    return RunningSync(key, is_stuck)


def _why_blocked(view: View) -> str:
    if view.is_skipped:
        return SKIPPED
    if is_shadow(view.app.document):
        return SHADOWED
    if view.app.render_error is not None:
        return "what Git wants cannot be rendered"
    if view.prepared is not None and view.prepared.problems:
        return view.prepared.problems[0].message
    if view.ignored.errors:
        return view.ignored.errors[0]
    if view.operation is not None and view.operation.kind is not OperationKind.SYNC:
        return f"a {view.operation.kind} is running"
    return ""
