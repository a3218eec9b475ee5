"""One step of a running sync: from what is recorded, what may be done now.

Level-triggered and pure: the same rows give the same answer, so a lost, doubled or late
wake-up changes nothing. The steps of a plan run one after another:

- phase by phase, wave by wave, and kind by kind inside a wave, so that what others need is
  there before them; a kind's objects side by side. Namespaces and CustomResourceDefinitions
  that fail stop the wave, since the rest could only fail after them: of it only hooks that
  were begun run to their end. Other failures let the wave finish, so that one sync tells all
  of its errors.
- after CustomResourceDefinitions, everything waits until they are Established.
- the next wave begins when the hooks of the one before are through and its objects are
  Healthy. A Degraded one fails the sync that applied it; one that was Degraded before is
  waited for. A Suspended one does not hold it up, for waiting would not change it. Once a
  wave has begun, those before it are not asked again.
- prunes follow the last apply without waiting for health, unless ``prune_last`` of the plan,
  or ``last`` of the task, says so: what is to go may be what blocks it. They go wave by wave,
  the protected kinds last, and last of all those that say so themselves.
- what runs after a deletion waits until the objects are gone.

A failure stops the sync before its next wave; then only its SyncFail hooks run. At the end,
whatever it was, hooks are let go. Skips are not run; see ``skipped``. A dry run goes the same
way without waiting: what it makes nowhere never becomes Established, Healthy or through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from fleet.model.health import Health, HealthStatus
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    HookState,
    OperationPhase,
    Outcome,
    Plan,
    Step,
    SyncPhase,
    Task,
    TaskKey,
)
from fleet.plan.desired import CRD
from fleet.plan.order import kind_rank
from fleet.plan.planning import MOVES_ON, PROTECTED_KINDS

_STOPS_ITS_WAVE = frozenset({("", "Namespace"), (CRD.group, CRD.kind)})
_PASSED = Health(HealthStatus.HEALTHY)
_DEGRADED = "Degraded"
GONE = "was deleted before it was through"


@dataclass(frozen=True, slots=True)
class Advance:
    """Exactly one of three: ``tasks`` to run side by side now, ``waiting`` objects with what
    each waits for, or the final ``phase`` and its message. ``found`` are outcomes that follow
    from what is live by now: hooks that are through, objects that turned out badly."""

    tasks: tuple[Task, ...] = ()
    waiting: tuple[tuple[ObjectRef, str], ...] = ()
    phase: OperationPhase | None = None
    message: str = ""
    found: tuple[Outcome, ...] = ()


@dataclass
class _Walk:
    """A plan on its way: what is done, what was found out, and where it stands."""

    plan: Plan
    done: dict[TaskKey, Outcome]
    healths: Mapping[ObjectRef, Health | None]
    left: Collection[ObjectRef]
    dry_run: bool
    found: list[Outcome] = field(default_factory=list)

    def note(self, outcome: Outcome) -> None:
        self.done[outcome.key] = outcome
        self.found.append(outcome)

    def has_failed(self, tasks: Iterable[Task]) -> bool:
        return any(task.key in self.done and self.done[task.key].has_failed for task in tasks)

    def has_begun(self, waves: Iterable[Iterable[Task]]) -> bool:
        return any(
            task.key in self.done and task.step is not Step.AWAIT for wave in waves for task in wave
        )


def next_tasks(
    plan: Plan,
    outcomes: Iterable[Outcome],
    healths: Mapping[ObjectRef, Health | None],
    *,
    left: Collection[ObjectRef] = (),
    dry_run: bool = False,
) -> Advance:
    """What may be done now.

    Args:
        outcomes: recorded so far, any order; of an object with several the last counts.
        healths: of objects applied, and hooks run, by this sync. None: its kind has no
            health. Missing: not read yet, so a wave that needs it waits; of a hook, it is
            gone. For CustomResourceDefinitions Healthy means Established.
        left: objects that were deleted and are still there.
    """
    if plan.refused:
        return Advance(phase=OperationPhase.FAILED, message=plan.refused)
    done = {outcome.key: outcome for outcome in outcomes if outcome.action is not None}
    walk = _Walk(plan, done, healths, left, dry_run)
    _judge_hooks(walk)
    advance = _through(walk, _waves(_main(plan)))
    if advance is None and walk.has_failed(_main(plan)) and not dry_run:
        # whether one of them fails, too, changes nothing
        rescue = (task for task in plan.tasks if task.phase is SyncPhase.SYNC_FAIL)
        advance = _through(walk, _waves(rescue))
    advance = advance or _letting_go(walk) or _ended(walk)
    return replace(advance, found=tuple(walk.found))


def skipped(plan: Plan) -> tuple[Outcome, ...]:
    """The outcomes of tasks that send nothing, to be recorded when the sync begins."""
    actions = {Step.SKIP: Action.SKIPPED, Step.AWAIT: Action.UNCHANGED}
    return tuple(
        Outcome(task.ref, actions[task.step], task.wave, message=task.reason)
        for task in plan.tasks
        if task.step in actions
    )


def ending_tasks(plan: Plan, outcomes: Iterable[Outcome]) -> tuple[Task, ...]:
    """What is left to do about the hooks of a sync that is ended before it is through: those
    that run, those to be let go, and all others, too: how far it was when somebody was killed
    is not recorded."""
    ended = {outcome.key for outcome in outcomes if outcome.ended}
    hooks = [task for task in plan.tasks if task.step is Step.HOOK and task.key not in ended]
    return tuple(replace(task, step=Step.END_HOOK) for task in hooks)


def _judge_hooks(walk: _Walk) -> None:
    """Note the hooks that are through by now."""
    for outcome in tuple(walk.done.values()):
        if outcome.hook is not HookState.RUNNING:
            continue
        if outcome.ref not in walk.healths:
            walk.note(replace(outcome, hook=HookState.FAILED, message=GONE))
            continue
        health = walk.healths[outcome.ref] or _PASSED
        state = _HOOK_STATES[health.status]
        if state is not HookState.RUNNING:
            walk.note(replace(outcome, hook=state, message=health.message))


#: Source: gitops-engine, how a hook's health becomes its phase.
_HOOK_STATES = {
    HealthStatus.HEALTHY: HookState.SUCCEEDED,
    HealthStatus.PROGRESSING: HookState.RUNNING,
    HealthStatus.SUSPENDED: HookState.RUNNING,
    HealthStatus.DEGRADED: HookState.FAILED,
    HealthStatus.MISSING: HookState.FAILED,
    HealthStatus.UNKNOWN: HookState.FAILED,
}


def _main(plan: Plan) -> list[Task]:
    """What is run but when the sync fails."""
    return [
        task
        for task in plan.tasks
        if task.step is not Step.SKIP and task.phase is not SyncPhase.SYNC_FAIL
    ]


def _waves(tasks: Iterable[Task]) -> list[tuple[Task, ...]]:
    """Runs of one wave of a phase: all it applies and its hooks, or its prunes, or its
    protected prunes."""
    running = (task for task in tasks if task.step is not Step.SKIP)
    return [tuple(wave) for _, wave in groupby(running, key=_wave_key)]


def _wave_key(task: Task) -> tuple[SyncPhase, bool, bool, bool, int]:
    is_prune = task.step is Step.PRUNE
    is_protected = (task.ref.group, task.ref.kind) in PROTECTED_KINDS
    return task.phase, is_prune, task.last, is_prune and is_protected, task.wave


def _steps(wave: tuple[Task, ...]) -> list[tuple[Task, ...]]:
    """Kind by kind; all kinds outside the kind order together."""
    return [tuple(tasks) for _, tasks in groupby(wave, key=_step_key)]


def _step_key(task: Task) -> tuple[bool, int]:
    return task.step is Step.CREATE_NAMESPACE, kind_rank(task.ref.kind)


def _through(walk: _Walk, waves: Sequence[tuple[Task, ...]]) -> Advance | None:
    """What is to be done or waited for in these waves; None when they are through, or when
    one has failed."""
    before: list[Task] = []
    for index, wave in enumerate(waves):
        if not walk.dry_run and _is_gate(walk.plan, wave):
            if not walk.has_begun(waves[index:]):
                waiting = _not_gone(walk, wave) or _not_healthy(walk, before)
                if waiting or walk.has_failed(before):
                    return waiting
            before = []
        if (advance := _within(walk, wave)) or walk.has_failed(wave):
            return advance
        before += wave
    return None


def _is_gate(plan: Plan, wave: tuple[Task, ...]) -> bool:
    """Whether a wave waits for those before it to be well."""
    return wave[0].step is not Step.PRUNE or plan.prune_last or wave[0].last


def _within(walk: _Walk, wave: tuple[Task, ...]) -> Advance | None:
    """What is to be done or waited for in one wave; None when it is through, or has failed."""
    for step in _steps(wave):
        if open_tasks := tuple(task for task in step if task.key not in walk.done):
            return Advance(tasks=open_tasks)
        waiting = None if walk.dry_run else _not_established(walk, step)
        if waiting:
            return waiting
        if walk.has_failed(step) and _stops_its_wave(step[0]):
            break  # but hooks that were begun before run to their end
    hooks = (walk.done[task.key] for task in wave if task.key in walk.done)
    running = [outcome for outcome in hooks if outcome.hook is HookState.RUNNING]
    return _waiting((o.ref, _told(walk.healths.get(o.ref) or _PASSED)) for o in running)


def _stops_its_wave(task: Task) -> bool:
    return task.step is not Step.PRUNE and (task.ref.group, task.ref.kind) in _STOPS_ITS_WAVE


def _waiting(found: Iterable[tuple[ObjectRef, str]]) -> Advance | None:
    waiting = tuple(found)
    return Advance(waiting=waiting) if waiting else None


def _told(health: Health) -> str:
    return f"is {health.status}: {health.message}".removesuffix(": ")


def _not_established(walk: _Walk, step: tuple[Task, ...]) -> Advance | None:
    """None when the definitions of this step, if there are any, are ready to be used, when
    nothing follows that could use them, or when one of them never will be ready."""
    made = [task for task in step if task.step is Step.APPLY and task.ref.group_kind == CRD]
    if not made or all(task.key in walk.done for task in _main(walk.plan)):
        return None
    waiting = []
    for task in made:
        health = walk.healths.get(task.ref)
        if health is not None and health.status is HealthStatus.DEGRADED:
            _note_degraded(walk, task, health)
        elif health is None or health.status is not HealthStatus.HEALTHY:
            waiting.append((task.ref, "is not Established yet"))
    return None if walk.has_failed(step) else _waiting(waiting)


def _not_healthy(walk: _Walk, before: Iterable[Task]) -> Advance | None:
    """None when what was applied is well, or when it turned out badly."""
    waiting = []
    for task in before:
        if task.step not in (Step.APPLY, Step.AWAIT):
            continue
        if task.ref not in walk.healths:
            waiting.append((task.ref, "its health is not read yet"))
            continue
        health = walk.healths[task.ref] or _PASSED
        if health.status is HealthStatus.DEGRADED and task.step is Step.APPLY:
            _note_degraded(walk, task, health)
            return None
        if health.status not in MOVES_ON:
            waiting.append((task.ref, _told(health)))
    return _waiting(waiting)


def _not_gone(walk: _Walk, wave: tuple[Task, ...]) -> Advance | None:
    if wave[0].phase is not SyncPhase.POST_DELETE:
        return None
    return _waiting((ref, "is going away") for ref in sorted(walk.left))


def _note_degraded(walk: _Walk, task: Task, health: Health) -> None:
    """Write down what it came to: the sync stays failed though the object may recover."""
    outcome = walk.done[task.key]
    walk.note(replace(outcome, error=_DEGRADED, message=_told(health)))


def _letting_go(walk: _Walk) -> Advance | None:
    """At the end of a sync: its hooks that are not let go yet."""
    hooks = [task for task in walk.plan.tasks if task.step is Step.HOOK]
    kept = [task for task in hooks if task.key in walk.done and not walk.done[task.key].ended]
    tasks = tuple(replace(task, step=Step.END_HOOK) for task in kept)
    return Advance(tasks=tasks) if tasks else None


def _ended(walk: _Walk) -> Advance:
    main = _main(walk.plan)
    if walk.has_failed(main):
        return Advance(phase=OperationPhase.FAILED, message=_failure(walk, main))
    return Advance(phase=OperationPhase.SUCCEEDED, message=_success(walk, main))


def _failure(walk: _Walk, main: Sequence[Task]) -> str:
    done = [walk.done[task.key] for task in main if task.key in walk.done]
    failures = [outcome for outcome in done if outcome.has_failed]
    first = failures[0]
    reason = first.message or first.error or "failed"
    if first.hook is not None:
        return f"{first.phase} hook {first.ref} failed: {reason}"
    if first.error == _DEGRADED:
        return f"{first.ref} {reason}"
    told = reason if reason.startswith(str(first.ref)) else f"{first.ref}: {reason}"
    return f"{len(failures)} of {len(main)} objects failed; the first: {told}"


def _success(walk: _Walk, main: Sequence[Task]) -> str:
    done = [walk.done[task.key] for task in main]
    actions = [outcome.action for outcome in done if outcome.hook is None]
    counted = [f"{count} {action}" for action in Action if (count := actions.count(action))]
    hooks = len(done) - len(actions)
    if hooks:
        counted.append(f"{hooks} {'hook' if hooks == 1 else 'hooks'} run")
    return ", ".join(counted) or "nothing to do"
