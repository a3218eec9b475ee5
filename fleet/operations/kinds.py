"""Kinds that applications want and a cluster does not serve, or not yet.

What a cluster serves is asked rarely; before anything follows from a kind that is unknown,
it is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from fleet.model.clusters import Discovery
from fleet.model.objects import ObjectRef
from fleet.model.operations import Step, Task
from fleet.operations.connections import Link
from fleet.operations.hooks import hooks_by_key
from fleet.operations.progress import ESTABLISHING, Progress
from fleet.operations.standing import desired_of
from fleet.operations.views import View
from fleet.plan import crds_before

#: A kind that somebody else brings is asked for this often.
EXPECTED = timedelta(seconds=10)
#: What is to be done now for one application.
Steps: TypeAlias = Sequence[tuple[Progress, tuple[Task, ...]]]


def lacks_kinds(view: View) -> bool:
    """Whether something is wanted of a kind that is neither served nor rendered beside it."""
    if view.is_skipped:
        return False
    problems = view.prepared.problems if view.prepared is not None else ()
    return any(problem.error == "KindUnknown" for problem in problems)


async def wait_for_kinds(
    link: Link, discovery: Discovery, steps: Steps, now: datetime
) -> tuple[Discovery, Steps]:
    """What is served by now, and the steps without those that wait for their kind: it is
    served a moment after its definition is Established.

    Raises:
        ClusterError: it could not be asked.
    """
    if not any(_unserved(one, tasks, discovery) for one, tasks in steps):
        return discovery, steps
    discovery = await link.discovery(fresh=True)
    ready = []
    for one, tasks in steps:
        missing = _unserved(one, tasks, discovery)
        operation = one.operation
        dry_run = operation is not None and operation.options.dry_run
        awaited = missing and not dry_run
        if not awaited or operation is None or operation.plan is None:
            ready.append((one, tasks))
            continue
        is_coming = bool(crds_before(operation.plan))
        held = missing if is_coming else tuple(ref for ref in missing if _is_expected(one, ref))
        rest = tuple(task for task in tasks if task.ref not in held)
        if held and not (rest and not is_coming):
            message = f"waiting for {held[0]}: its kind is not served yet"
            one.operation = replace(operation, message=message)
            one.wait(now + (ESTABLISHING if is_coming else EXPECTED))
        else:
            ready.append((one, rest))
    return discovery, ready


def _is_expected(one: Progress, ref: ObjectRef) -> bool:
    """Whether somebody else brings its kind (``SkipDryRunOnMissingResource``)."""
    wanted = desired_of(one.view).get(ref)
    return wanted is not None and wanted.options.skip_missing_kind


def _unserved(one: Progress, tasks: Iterable[Task], discovery: Discovery) -> tuple[ObjectRef, ...]:
    """Objects that are to be applied, and hooks to be run, whose kind is not served in the
    version meant."""
    wanted = desired_of(one.view)
    hooks = hooks_by_key(one.view, one.operation.run) if one.operation else {}
    missing = []
    for task in tasks:
        made = hooks.get(task.key) if task.step is Step.HOOK else wanted.get(task.ref)
        if task.step in (Step.APPLY, Step.HOOK) and made is not None:
            version = made.version
            served = discovery.find(task.ref.group_kind, version)
            if served is None or served.version != version:
                missing.append(task.ref)
            elif served.namespaced != made.namespaced:
                missing.append(task.ref)  # it was guessed: the next pass knows its true name
    return tuple(missing)
