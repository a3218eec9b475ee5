"""What one running operation does next, and how it ends. Sends nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    Operation,
    OperationKind,
    OperationPhase,
    Task,
)
from fleet.operations.judging import retry_at
from fleet.operations.progress import ESTABLISHING, WAITING, Progress
from fleet.operations.standing import SKIPPED
from fleet.plan import Advance, crds_before, ending_tasks, next_tasks

#: An operation's objects are looked at this often while it waits for them to go away.
GOING = timedelta(seconds=2)
#: How the messages begin of syncs that Fleet ends by itself.
SUPERSEDED, TOO_LONG = "superseded by", "took longer than"


def next_step(one: Progress, now: datetime, timeout_seconds: float) -> tuple[Task, ...]:
    """The tasks to do now; none when the operation ended or has to wait.

    Args:
        timeout_seconds: after this long a sync is ended; 0 lets it take its time.
    """
    operation = one.operation
    if operation is None:
        return ()
    _stop_in_time(one, operation, now, timeout_seconds)
    operation = one.operation or operation
    if operation.phase is OperationPhase.TERMINATING:
        return _end(one, operation, now)
    if operation.plan is None:
        return ()
    if operation.next_attempt_at is not None:
        one.wait(operation.next_attempt_at)
        return ()
    advance = next_tasks(
        operation.plan,
        operation.outcomes,
        one.healths(),
        left=_left_of(one),
        dry_run=operation.options.dry_run,
    )
    one.note(advance.found)
    return _go_on(one, one.operation or operation, advance, now)


def _go_on(
    one: Progress, operation: Operation, advance: Advance, now: datetime
) -> tuple[Task, ...]:
    if advance.phase is not None:
        if operation.kind is OperationKind.DELETE and advance.phase.is_final:
            _deleted(one, advance.phase, advance.message, now)
        elif advance.phase is OperationPhase.FAILED and _tries_again(one, advance, now):
            pass
        else:
            one.finish(advance.phase, advance.message, now)
        return ()
    tasks = tuple(task for task in advance.tasks if task.key not in one.postponed)
    waiting = advance.waiting
    if advance.tasks and not tasks:
        waiting = tuple((task.ref, one.postponed[task.key]) for task in advance.tasks)
    if waiting:
        ref, why = waiting[0]
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        one.operation = replace(operation, message=f"waiting for {ref}: {why}{more}")
        crds = set(crds_before(operation.plan)) if operation.plan else set()
        is_short = ref in crds or bool(advance.tasks)
        one.wait(now + (ESTABLISHING if is_short else WAITING))
    return tasks


def _stop_in_time(
    one: Progress, operation: Operation, now: datetime, timeout_seconds: float
) -> None:
    """End a sync that takes longer than anything may; see that it is noticed in time."""
    began = operation.started_at
    if not timeout_seconds or began is None or operation.kind is OperationKind.DELETE:
        return
    deadline = began + timedelta(seconds=timeout_seconds)
    if deadline > now:
        one.wait(deadline)
    elif operation.phase is OperationPhase.RUNNING:
        told = f"{TOO_LONG} {timeout_seconds:g} s: {operation.message}".removesuffix(": ")
        one.operation = operation.with_phase(OperationPhase.TERMINATING, told)


def terminate(one: Progress, message: str) -> None:
    """End the running operation, its hooks first."""
    if one.operation is not None:
        one.operation = one.operation.with_phase(OperationPhase.TERMINATING, message)


def resume_ending(one: Progress, operation: Operation) -> None:
    """An operation that was told to end: by Fleet in an earlier pass, or by somebody."""
    one.is_superseded = operation.message.startswith(SUPERSEDED)
    one.is_given_up = not operation.message.startswith((SUPERSEDED, TOO_LONG, SKIPPED))


def hooks_left(operation: Operation) -> tuple[Task, ...]:
    """What has to be done about its hooks that are there, or may be, if it is ended now."""
    return ending_tasks(operation.plan, operation.outcomes) if operation.plan else ()


def _end(one: Progress, operation: Operation, now: datetime) -> tuple[Task, ...]:
    tasks = tuple(task for task in hooks_left(operation) if task.key not in one.postponed)
    if not tasks:
        one.finish(OperationPhase.FAILED, operation.message or "terminated", now)
    return tasks


def _left_of(one: Progress) -> frozenset[ObjectRef]:
    """Objects that the running deletion deleted and that are still there."""
    if one.operation is None or one.operation.kind is not OperationKind.DELETE:
        return frozenset()
    outcomes = one.operation.outcomes
    return frozenset(o.ref for o in outcomes if o.action is Action.PRUNED and o.ref in one.rows)


def _tries_again(one: Progress, advance: Advance, now: datetime) -> bool:
    """A sync that somebody asked for with retries goes on instead of failing: with the manifests
    that it began with, unless it is to look for newer ones."""
    operation = one.operation
    assert operation is not None
    policy = one.view.spec.sync_policy.retry
    when = retry_at(operation, policy, now)
    if when is None:
        return False
    options = operation.options
    if not (options.retry or policy).refresh:
        options = replace(options, manifests_sha256=operation.manifests_sha256)
    message = f"attempt {max(operation.attempt, 1)} failed and is retried: {advance.message}"
    one.operation = replace(operation, message=message, next_attempt_at=when, options=options)
    one.wait(when)
    return True


def _deleted(one: Progress, phase: OperationPhase, message: str, now: datetime) -> None:
    """A deletion ends when the objects are gone, not when that was accepted."""
    assert one.operation is not None
    left = sorted(_left_of(one))
    if phase is OperationPhase.SUCCEEDED and left:
        one.operation = replace(one.operation, message=f"waiting for {left[0]} to go away")
        one.wait(now + GOING)
        return
    one.finish(phase, message, now)
    one.removed = phase is OperationPhase.SUCCEEDED
