"""One step of a running sync: from what is recorded, what may be done now.

Level-triggered and pure: the same rows give the same answer, so a lost, doubled or late
wake-up changes nothing. The steps of a plan run one after another:

- kind by kind inside a wave, so that what others need is there before them; a kind's
  objects side by side. Namespaces and CustomResourceDefinitions that fail stop the wave,
  since the rest could only fail after them; other failures let the wave finish, so that
  one sync tells all of its errors.
- after CustomResourceDefinitions, everything waits until they are Established.
- the next wave begins when all objects applied before it are Healthy. A Degraded one fails
  the sync; a Suspended one does not hold it up, for waiting would not change it.
- prunes follow the last apply without waiting for health: what is to go may be what blocks
  it. They go wave by wave, and the protected kinds last.

A failure stops the sync before its next wave. Skips are not run; see ``skipped``. A dry run
goes the same way without waiting: what it makes nowhere never becomes Established or Healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from fleet.model.health import Health, HealthStatus
from fleet.model.objects import ObjectRef
from fleet.model.operations import Action, OperationPhase, Outcome, Plan, Step, Task
from fleet.plan.desired import CRD
from fleet.plan.order import kind_rank
from fleet.plan.planning import PROTECTED_KINDS

_STOPS_ITS_WAVE = frozenset({("", "Namespace"), (CRD.group, CRD.kind)})
_MOVES_ON = frozenset({HealthStatus.HEALTHY, HealthStatus.SUSPENDED})
_PASSED = Health(HealthStatus.HEALTHY)


@dataclass(frozen=True, slots=True)
class Advance:
    """Exactly one of three: ``tasks`` to run side by side now, ``waiting`` objects with what
    each waits for, or the final ``phase`` and its message."""

    tasks: tuple[Task, ...] = ()
    waiting: tuple[tuple[ObjectRef, str], ...] = ()
    phase: OperationPhase | None = None
    message: str = ""


def next_tasks(
    plan: Plan,
    outcomes: Iterable[Outcome],
    healths: Mapping[ObjectRef, Health | None],
    *,
    dry_run: bool = False,
) -> Advance:
    """What may be done now.

    Args:
        outcomes: recorded so far, any order; of an object with several the last counts.
        healths: of objects applied by this sync. None: its kind has no health. Missing: not
            read yet, so a wave that needs it waits. For CustomResourceDefinitions Healthy
            means Established.
    """
    if plan.refused:
        return Advance(phase=OperationPhase.FAILED, message=plan.refused)
    done = {outcome.ref: outcome for outcome in outcomes if outcome.action is not None}
    waves = _waves(plan)
    for index, wave in enumerate(waves):
        for step in _steps(wave):
            if open_tasks := tuple(task for task in step if task.ref not in done):
                return Advance(tasks=open_tasks)
            if _has_failed(step, done) and _stops_its_wave(step[0]):
                return _failed(plan, done)
            is_needed = not dry_run and _has_more(plan, done)
            if is_needed and (verdict := _not_established(step, healths)):
                return verdict
        if _has_failed(wave, done):
            return _failed(plan, done)
        is_followed = index + 1 < len(waves) and waves[index + 1][0].step is not Step.PRUNE
        if is_followed and not dry_run and (verdict := _not_healthy(wave, healths)):
            return verdict
    return _succeeded(plan, done)


def skipped(plan: Plan) -> tuple[Outcome, ...]:
    """The outcomes of the plan's skips, to be recorded when the sync begins."""
    return tuple(
        Outcome(task.ref, Action.SKIPPED, task.wave, message=task.reason)
        for task in plan.tasks
        if task.step is Step.SKIP
    )


def _waves(plan: Plan) -> list[tuple[Task, ...]]:
    """Runs of one wave: all its applies, or its prunes, or its protected prunes."""
    running = (task for task in plan.tasks if task.step is not Step.SKIP)
    return [tuple(tasks) for _, tasks in groupby(running, key=_wave_key)]


def _wave_key(task: Task) -> tuple[bool, bool, int]:
    is_prune = task.step is Step.PRUNE
    is_protected = (task.ref.group, task.ref.kind) in PROTECTED_KINDS
    return is_prune, is_prune and is_protected, task.wave


def _steps(wave: tuple[Task, ...]) -> list[tuple[Task, ...]]:
    """Kind by kind; all kinds outside the kind order together."""
    return [tuple(tasks) for _, tasks in groupby(wave, key=_step_key)]


def _step_key(task: Task) -> tuple[bool, int]:
    return task.step is Step.CREATE_NAMESPACE, kind_rank(task.ref.kind)


def _stops_its_wave(task: Task) -> bool:
    return task.step is not Step.PRUNE and (task.ref.group, task.ref.kind) in _STOPS_ITS_WAVE


def _has_failed(tasks: Iterable[Task], done: Mapping[ObjectRef, Outcome]) -> bool:
    return any(done[task.ref].action is Action.FAILED for task in tasks)


def _has_more(plan: Plan, done: Mapping[ObjectRef, Outcome]) -> bool:
    return any(task.step is not Step.SKIP and task.ref not in done for task in plan.tasks)


def _not_established(
    step: tuple[Task, ...], healths: Mapping[ObjectRef, Health | None]
) -> Advance | None:
    """None when the definitions of this step, if there are any, are ready to be used."""
    waiting = []
    for task in step:
        if task.step is not Step.APPLY or task.ref.group_kind != CRD:
            continue
        health = healths.get(task.ref)
        if health is not None and health.status is HealthStatus.DEGRADED:
            return _degraded(task.ref, health)
        if health is None or health.status is not HealthStatus.HEALTHY:
            waiting.append((task.ref, "is not Established yet"))
    return Advance(waiting=tuple(waiting)) if waiting else None


def _not_healthy(
    wave: tuple[Task, ...], healths: Mapping[ObjectRef, Health | None]
) -> Advance | None:
    """None when the next wave may begin."""
    waiting = []
    for task in wave:
        if task.step is Step.CREATE_NAMESPACE:
            continue
        if task.ref not in healths:
            waiting.append((task.ref, "its health is not read yet"))
            continue
        health = healths[task.ref] or _PASSED
        if health.status is HealthStatus.DEGRADED:
            return _degraded(task.ref, health)
        if health.status not in _MOVES_ON:
            message = f"is {health.status}: {health.message}".removesuffix(": ")
            waiting.append((task.ref, message))
    return Advance(waiting=tuple(waiting)) if waiting else None


def _degraded(ref: ObjectRef, health: Health) -> Advance:
    message = f"{ref} is Degraded: {health.message}".removesuffix(": ")
    return Advance(phase=OperationPhase.FAILED, message=message)


def _failed(plan: Plan, done: Mapping[ObjectRef, Outcome]) -> Advance:
    running = [task for task in plan.tasks if task.step is not Step.SKIP]
    failures = [
        done[task.ref]
        for task in running
        if task.ref in done and done[task.ref].action is Action.FAILED
    ]
    first = failures[0]
    reason = first.message or first.error or "failed"
    told = reason if reason.startswith(str(first.ref)) else f"{first.ref}: {reason}"
    message = f"{len(failures)} of {len(running)} objects failed; the first: {told}"
    return Advance(phase=OperationPhase.FAILED, message=message)


def _succeeded(plan: Plan, done: Mapping[ObjectRef, Outcome]) -> Advance:
    refs = [task.ref for task in plan.tasks if task.step is not Step.SKIP]
    if not refs:
        return Advance(phase=OperationPhase.SUCCEEDED, message="nothing to do")
    counted = ((action, sum(done[ref].action is action for ref in refs)) for action in Action)
    told = ", ".join(f"{count} {action}" for action, count in counted if count)
    return Advance(phase=OperationPhase.SUCCEEDED, message=told)
