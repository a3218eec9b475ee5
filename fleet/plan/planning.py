"""Drift and policy → a sync plan.

The rules, in the order in which they are asked:

1. The project refuses one object that would be applied: nothing is done, all reasons told.
2. Only what differs is applied, wave by wave and kind by kind, and what every sync makes
   anew (``Force=true,Replace=true``); the namespace comes first when ``CreateNamespace=true``
   asks for it.
3. An object that another application owns is left alone, applied or pruned.
4. Hooks run in their phase, before, among or after what is applied and pruned: all of them
   whatever differs, and none when only chosen objects are synced.
5. Pruned is only what is in the inventory (what we applied last) or is taken over for that,
   was asked for, and may be deleted; never while the render or a list was incomplete; never
   everything at once without ``allowEmpty``. Prunes follow all applies, in the reverse order.
6. What goes to another namespace is pruned where it was once all that was applied is well.
7. Namespaces, volumes and CustomResourceDefinitions take other data with them. They are
   pruned like the rest, as in Argo CD, but last of all: a failure before keeps them.

A plan does not depend on the order of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from fleet.model.applications import LiveResource
from fleet.model.decisions import Decision
from fleet.model.health import HealthStatus
from fleet.model.objects import ObjectRef
from fleet.model.operations import Plan, Step, SyncOptions, SyncPhase, Task
from fleet.plan.desired import CRD, DesiredObject
from fleet.plan.hooks import DELETE_PHASES, DesiredHook
from fleet.plan.options import Consent, Method, ObjectOptions, read_application_options
from fleet.plan.order import apply_key

#: (object, is it namespaced, "apply" | "delete" | "create-namespace") → may the project.
Gate: TypeAlias = Callable[[ObjectRef, bool, str], Decision]

APPLY = "apply"
DELETE = "delete"
CREATE_NAMESPACE = "create-namespace"

#: In these an object does not hold up what comes after it: waiting would not change it.
MOVES_ON = frozenset({HealthStatus.HEALTHY, HealthStatus.SUSPENDED})
PROTECTED_KINDS = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        (CRD.group, CRD.kind),
    }
)

#: Begins the reason of an object that left Git and that somebody has to let go.
WAITS = "waits for a confirmation"
_REASONS_SHOWN = 20


class Verdict(StrEnum):
    """What comparing one desired object with live found."""

    SYNCED = "synced"
    OUT_OF_SYNC = "out-of-sync"
    TAKEN = "taken"  # another writer took a field that we applied: it is taken back by force


@dataclass(frozen=True)
class Situation:
    """Everything a plan follows from.

    Attributes:
        desired: refs are unique, any order.
        inventory: what is known of the application's objects; only those with
            ``in_inventory`` were applied by us and can be pruned.
        verdicts: of desired objects; one that is missing counts as out of sync.
        options: ``prune`` says whether this sync prunes at all.
        gate: asks the project.
        owners: of objects that another application applied: its name.
        complete: the render and every list were complete.
        application_options: of the application, under the options asked for this sync.
        object_options: of inventory objects as last applied; those of ``application_options``
            where missing.
        hooks: as rendered, in the order in which they run inside a phase.
        run: names this run of them; "" when none is run.
        set_apart: rendered as hooks: not applied, and not prunable either.
        namespace: of the destination.
        namespace_ready: it exists, with the metadata that was asked for.
        approved: somebody agreed to the deletions that wait for that.
    """

    desired: tuple[DesiredObject, ...]
    inventory: tuple[LiveResource, ...]
    options: SyncOptions
    gate: Gate
    complete: bool
    allow_empty: bool
    verdicts: Mapping[ObjectRef, Verdict] = field(default_factory=dict)
    owners: Mapping[ObjectRef, str] = field(default_factory=dict)
    application_options: ObjectOptions = ObjectOptions()
    object_options: Mapping[ObjectRef, ObjectOptions] = field(default_factory=dict)
    hooks: tuple[DesiredHook, ...] = ()
    run: str = ""
    set_apart: frozenset[ObjectRef] = frozenset()
    namespace: str = ""
    namespace_ready: bool = True
    approved: bool = False

    def is_selected(self, ref: ObjectRef) -> bool:
        """A selection without a namespace means that object in any namespace."""
        chosen = self.options.resources
        return not chosen or any(
            (one.group, one.kind, one.name) == (ref.group, ref.kind, ref.name)
            and one.namespace in {"", ref.namespace}
            for one in chosen
        )

    def options_of(self, ref: ObjectRef) -> ObjectOptions:
        return self.object_options.get(ref, self.application_options)


def build_plan(situation: Situation) -> Plan:
    """The plan: each desired object at most once; each inventory object that is not desired
    pruned, or skipped with the reason."""
    selected = [object for object in situation.desired if situation.is_selected(object.ref)]
    changes, foreign = _applies(situation, selected)
    prunes, kept = _prunes(situation)
    hooks = _hooks(situation)
    main = _in_apply_order([*changes, *hooks[SyncPhase.SYNC]])
    namespace = _namespace_task(
        situation, [*hooks[SyncPhase.PRE_SYNC], *main, *hooks[SyncPhase.POST_SYNC]]
    )
    prune_last = situation.application_options.prune_last or _moves(situation, prunes)
    last = [*hooks[SyncPhase.POST_SYNC], *(task for task in prunes if prune_last or task.last)]
    applies = _in_apply_order([*main, *_awaited(situation, selected, main, last)])
    refusal = _refusal(situation, selected, namespace, prunes)
    if refusal:
        return Plan((), refused=refusal)
    skips = sorted([*foreign, *kept], key=lambda task: task.ref)
    return Plan(
        (
            *namespace,
            *hooks[SyncPhase.PRE_SYNC],
            *applies,
            *prunes,
            *hooks[SyncPhase.POST_SYNC],
            *hooks[SyncPhase.SYNC_FAIL],
            *skips,
        ),
        prune_last=prune_last,
        approved=situation.approved,
    )


def build_deletion(
    inventory: Iterable[LiveResource],
    *,
    gate: Gate,
    owners: Mapping[ObjectRef, str],
    hooks: Sequence[DesiredHook] = (),
    run: str = "",
    approved: bool = False,
) -> Plan:
    """The plan that deletes an application's objects with it: all of the inventory in reverse
    order, but what belongs to another application. ``Delete=false`` is asked of the live
    object, above the application's options, just before it would go. Hooks run before the
    first object goes, and after the last one is gone."""
    of_deletion = [hook for hook in hooks if hook.phase in DELETE_PHASES]
    if refused := _shared_hooks(of_deletion, owners):
        return Plan((), refused=refused)
    before = _tasks_of(hooks, SyncPhase.PRE_DELETE, run)
    after = _tasks_of(hooks, SyncPhase.POST_DELETE, run)
    rerun = {task.ref for task in (*before, *after)}
    prunes: list[Task] = []
    kept: list[Task] = []
    for resource in inventory:
        if not resource.in_inventory or resource.ref in rerun:
            continue
        reason = _foreign(resource.ref, owners)
        decision = gate(resource.ref, bool(resource.ref.namespace), DELETE)
        reason = reason or ("" if decision else decision.reason)
        (kept if reason else prunes).append(_prune(resource, reason))
    skips = sorted(kept, key=lambda task: task.ref)
    return Plan((*before, *_in_prune_order(prunes), *after, *skips), approved=approved)


def crds_before(plan: Plan) -> tuple[ObjectRef, ...]:
    """The CustomResourceDefinitions that the plan applies: what follows them waits until the
    API server has them Established."""
    return tuple(
        task.ref for task in plan.tasks if task.step is Step.APPLY and task.ref.group_kind == CRD
    )


def _applies(
    situation: Situation, selected: Iterable[DesiredObject]
) -> tuple[list[Task], list[Task]]:
    """What to apply, in order, and what to leave to other applications."""
    applies, foreign = [], []
    for object in selected:
        owner = _foreign(object.ref, situation.owners)
        verdict = situation.verdicts.get(object.ref, Verdict.OUT_OF_SYNC)
        if owner:
            foreign.append(Task(object.ref, Step.SKIP, object.wave, owner, warning=True))
        elif verdict is not Verdict.SYNCED or _is_written_anyway(situation, object):
            force = situation.options.force_conflicts or verdict is Verdict.TAKEN
            applies.append(Task(object.ref, Step.APPLY, object.wave, force=force))
    return _in_apply_order(applies), foreign


def _is_written_anyway(situation: Situation, object: DesiredObject) -> bool:
    """Of an object that is as wanted: this sync was asked to write all of them in another way,
    or it is one that every sync makes anew."""
    if situation.run and object.options.is_made_anew and not object.options.out_of_sync_only:
        return True
    asked = read_application_options(situation.options.sync_options)
    return asked.method is Method.REPLACE and not asked.out_of_sync_only


def _awaited(
    situation: Situation,
    selected: Iterable[DesiredObject],
    main: Sequence[Task],
    last: Sequence[Task],
) -> list[Task]:
    """Objects that are as wanted and not well: what comes after their wave waits for them.

    Args:
        main: what is applied, in its order; ``last`` comes after all waves.
    """
    known = {row.ref: row.health for row in situation.inventory}
    found = []
    for object in selected:
        health = known.get(object.ref)
        is_synced = situation.verdicts.get(object.ref) is Verdict.SYNCED
        is_unwell = health is not None and health.status not in MOVES_ON
        is_followed = bool(last) or bool(main and object.wave < main[-1].wave)
        if is_synced and is_unwell and is_followed and object.ref not in situation.owners:
            found.append(Task(object.ref, Step.AWAIT, object.wave, "is waited for"))
    return found


def _hooks(situation: Situation) -> dict[SyncPhase, list[Task]]:
    """What runs, phase by phase."""
    hooks = _sync_hooks(situation)
    return {phase: _tasks_of(hooks, phase, situation.run) for phase in SyncPhase}


def _sync_hooks(situation: Situation) -> list[DesiredHook]:
    """The hooks of a sync; none when only chosen objects are synced, or none are asked for."""
    options = situation.options
    if options.resources or options.hookless or not situation.run:
        return []
    return [hook for hook in situation.hooks if hook.phase not in DELETE_PHASES]


def _shared_hooks(hooks: Iterable[DesiredHook], owners: Mapping[ObjectRef, str]) -> str:
    """Of hooks whose objects other applications have; "" for none. What was to come after a
    hook may not come without it, so that it cannot be left out as an object can."""
    shared = sorted({hook.ref for hook in hooks if not hook.generated and hook.ref in owners})
    return _joined(f"hook {ref} {_foreign(ref, owners)}" for ref in shared)


def _tasks_of(hooks: Iterable[DesiredHook], phase: SyncPhase, run: str) -> list[Task]:
    return _in_apply_order(
        Task(hook.named(run), Step.HOOK, hook.wave, phase=phase)
        for hook in hooks
        if hook.phase is phase
    )


def _in_apply_order(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: apply_key(task.wave, task.ref))


def _prunes(situation: Situation) -> tuple[list[Task], list[Task]]:
    """What to prune, in order, and what to keep with the reason."""
    desired = {object.ref for object in situation.desired}
    prunes: list[Task] = []
    kept: list[Task] = []
    for resource in situation.inventory:
        is_hook = resource.hook or resource.ref in situation.set_apart
        if resource.in_inventory and resource.ref not in desired and not is_hook:
            reason = _why_not_pruned(situation, resource.ref)
            task = _prune(resource, reason)
            is_last = not reason and situation.options_of(resource.ref).prune_last
            (kept if reason else prunes).append(replace(task, last=True) if is_last else task)
    takeover = situation.options.takeover
    others = desired | situation.set_apart | {row.ref for row in situation.inventory}
    for ref in set(takeover.leftovers if takeover else ()) - others:
        reason = _why_kept(situation, ref)
        step = Step.SKIP if reason else Step.PRUNE
        (kept if reason else prunes).append(Task(ref, step, reason=reason, warning=bool(reason)))
    return _in_prune_order(prunes), kept


def _moves(situation: Situation, prunes: Iterable[Task]) -> bool:
    """Whether an object goes to another namespace: what it was stays until what it is now is
    well."""
    wanted = {(o.ref.group, o.ref.kind, o.ref.name) for o in situation.desired if o.namespaced}
    return any(
        (task.ref.group, task.ref.kind, task.ref.name) in wanted
        for task in prunes
        if task.ref.namespace
    )


def _why_not_pruned(situation: Situation, ref: ObjectRef) -> str:
    if foreign := _foreign(ref, situation.owners):
        return foreign
    if not situation.is_selected(ref):
        return "is not among the resources chosen for this sync"
    if not situation.options.prune:
        return "is no longer in Git; pruning was not asked for (--prune, or automated.prune)"
    return _why_kept(situation, ref)


def _why_kept(situation: Situation, ref: ObjectRef) -> str:
    if not situation.complete:
        return "is not pruned, because the render or a list of live objects was incomplete"
    consent = situation.options_of(ref).prune
    if refusal := _without_consent(consent, approved=situation.approved):
        return refusal
    decision = situation.gate(ref, bool(ref.namespace), DELETE)
    return "" if decision else decision.reason


def _foreign(ref: ObjectRef, owners: Mapping[ObjectRef, str]) -> str:
    owner = owners.get(ref)
    return f"belongs to application {owner}, too (SharedResourceWarning)" if owner else ""


def _without_consent(consent: Consent, *, approved: bool) -> str:
    match consent:
        case Consent.GIVEN:
            return ""
        case Consent.REFUSED:
            return "is kept by its sync option Prune=false"
        case Consent.CONFIRM:
            return "" if approved else f"{WAITS} (Prune=confirm)"


def _prune(resource: LiveResource, reason: str) -> Task:
    """The prune of one object; with a reason, the skip of it."""
    if reason:
        return Task(resource.ref, Step.SKIP, resource.wave, reason, warning=True)
    return Task(resource.ref, Step.PRUNE, resource.wave)


def _in_prune_order(prunes: Iterable[Task]) -> list[Task]:
    backwards = sorted(prunes, key=lambda task: apply_key(task.wave, task.ref), reverse=True)
    return sorted(
        backwards, key=lambda task: (task.last, (task.ref.group, task.ref.kind) in PROTECTED_KINDS)
    )


def _namespace_task(situation: Situation, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """At most one task, in the wave of the first of ``tasks`` so that it goes before all."""
    wanted = situation.application_options.create_namespace and situation.namespace
    if not wanted or situation.namespace_ready or not tasks:
        return ()
    ref = ObjectRef("", "Namespace", "", situation.namespace)
    if any(object.ref == ref for object in situation.desired):
        return ()
    first = min(tasks[0].phase, SyncPhase.SYNC, key=list(SyncPhase).index)
    return (Task(ref, Step.CREATE_NAMESPACE, tasks[0].wave, phase=first),)


def _refusal(
    situation: Situation,
    selected: Iterable[DesiredObject],
    namespace: tuple[Task, ...],
    prunes: list[Task],
) -> str:
    """Why nothing at all may be done; "" when the plan stands."""
    asked = [(object.ref, object.namespaced, APPLY) for object in selected]
    asked += [(task.ref, False, CREATE_NAMESPACE) for task in namespace]
    hooks = _sync_hooks(situation)
    asked += [(hook.named(situation.run), hook.namespaced, APPLY) for hook in hooks]
    decisions = [(ref, situation.gate(ref, scope, verb)) for ref, scope, verb in sorted(asked)]
    if refusals := [f"{ref}: {decision.reason}" for ref, decision in decisions if not decision]:
        return _joined(refusals)
    if shared_hooks := _shared_hooks(hooks, situation.owners):
        return shared_hooks
    if situation.application_options.fail_on_shared:
        shared = sorted(
            object.ref for object in situation.desired if object.ref in situation.owners
        )
        if shared:
            return _joined(f"{ref}: {_foreign(ref, situation.owners)}" for ref in shared)
    is_emptied = prunes and not situation.desired and not situation.options.resources
    if is_emptied and not situation.allow_empty:
        return (
            f"the sync would delete all {len(prunes)} objects, because Git holds none; "
            "set syncPolicy.automated.allowEmpty: true if that is meant (beside enabled: false"
            " where auto-sync is to stay off), or delete the application"
        )
    return ""


def _joined(reasons: Iterable[str]) -> str:
    every = list(reasons)
    more = len(every) - _REASONS_SHOWN
    shown = "; ".join(every[:_REASONS_SHOWN])
    return f"{shown}; and {more} more" if more > 0 else shown
