"""Advancing a sync: what may be done now follows from what is recorded, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.health import Health, HealthStatus
from fleet.model.objects import ObjectRef
from fleet.model.operations import Action, OperationPhase, Outcome, Plan, Step, Task
from fleet.plan import next_tasks, skipped

GROUPS = {"CustomResourceDefinition": "apiextensions.k8s.io", "Widget": "example.org"}
HEALTHY = Health(HealthStatus.HEALTHY)


def task(kind: str, name: str = "x", wave: int = 0, step: Step = Step.APPLY) -> Task:
    reason = "kept" if step is Step.SKIP else ""
    return Task(ObjectRef(GROUPS.get(kind, ""), kind, "shop", name), step, wave, reason)


def done(*tasks: Task, action: Action = Action.CONFIGURED, message: str = "") -> list[Outcome]:
    return [Outcome(one.ref, action, one.wave, message) for one in tasks]


def healthy(*tasks: Task) -> dict[ObjectRef, Health | None]:
    return {one.ref: HEALTHY for one in tasks}


def test_an_empty_plan_is_finished() -> None:
    step = next_tasks(Plan(()), [], {})
    assert (step.phase, step.message) == (OperationPhase.SUCCEEDED, "nothing to do")


def test_a_refused_plan_has_failed() -> None:
    step = next_tasks(Plan((), refused="project shop says no"), [], {})
    assert (step.phase, step.message) == (OperationPhase.FAILED, "project shop says no")


def test_kinds_go_one_after_another_and_objects_of_one_kind_side_by_side() -> None:
    maps = (task("ConfigMap", "a"), task("ConfigMap", "b"))
    deployment = task("Deployment")
    plan = Plan((*maps, deployment))
    assert next_tasks(plan, [], {}).tasks == maps
    assert next_tasks(plan, done(maps[0]), {}).tasks == maps[1:]
    assert next_tasks(plan, done(*maps), {}).tasks == (deployment,)


def test_a_single_wave_finishes_without_waiting_for_health() -> None:
    one, two = task("ConfigMap"), task("Deployment")
    outcomes = done(one, action=Action.CREATED) + done(two)
    step = next_tasks(Plan((one, two)), outcomes, {})
    assert (step.phase, step.message) == (
        OperationPhase.SUCCEEDED,
        "1 created, 1 configured",
    )


def test_an_outcome_without_an_action_is_not_done() -> None:
    one = task("ConfigMap")
    assert next_tasks(Plan((one,)), [Outcome(one.ref, None)], {}).tasks == (one,)


FIRST, SECOND = task("Deployment", "db", 0), task("Deployment", "web", 1)
TWO_WAVES = Plan((FIRST, SECOND))


@pytest.mark.parametrize(
    ("health", "waits_for"),
    [
        ({}, "not read yet"),
        ({FIRST.ref: Health(HealthStatus.PROGRESSING, "1 of 2")}, "is Progressing: 1 of 2"),
        ({FIRST.ref: Health(HealthStatus.MISSING)}, "is Missing"),
        ({FIRST.ref: Health(HealthStatus.UNKNOWN)}, "is Unknown"),
        ({FIRST.ref: HEALTHY}, ""),
        ({FIRST.ref: Health(HealthStatus.SUSPENDED)}, ""),
        ({FIRST.ref: None}, ""),
    ],
)
def test_the_next_wave_waits_for_health(health: dict[ObjectRef, Any], waits_for: str) -> None:
    step = next_tasks(TWO_WAVES, done(FIRST), health)
    if waits_for:
        ((ref, why),) = step.waiting
        assert (ref, waits_for in why) == (FIRST.ref, True)
        assert step.tasks == ()
    else:
        assert step.tasks == (SECOND,)


def test_a_degraded_wave_fails_the_sync() -> None:
    step = next_tasks(TWO_WAVES, done(FIRST), {FIRST.ref: Health(HealthStatus.DEGRADED, "boom")})
    assert (step.phase, step.message) == (
        OperationPhase.FAILED,
        "Deployment/shop/db is Degraded: boom",
    )


def test_a_failure_lets_its_wave_finish_and_stops_the_next() -> None:
    bad, good = task("ConfigMap"), task("Deployment")
    plan = Plan((bad, good, task("Ingress", wave=1)))
    failed = done(bad, action=Action.FAILED, message="refused by a webhook")
    assert next_tasks(plan, failed, {}).tasks == (good,)
    step = next_tasks(plan, failed + done(good), healthy(good))
    assert step.phase is OperationPhase.FAILED
    assert step.message == (
        "1 of 3 objects failed; the first: ConfigMap/shop/x: refused by a webhook"
    )


@pytest.mark.parametrize(
    "first",
    [task("Namespace", step=Step.CREATE_NAMESPACE), task("CustomResourceDefinition")],
)
def test_what_everything_needs_stops_its_wave_when_it_fails(first: Task) -> None:
    plan = Plan((first, task("Widget")))
    assert next_tasks(plan, done(first, action=Action.FAILED), {}).phase is OperationPhase.FAILED


def test_the_namespace_goes_before_all_others_of_its_wave() -> None:
    create = task("Namespace", "shop", step=Step.CREATE_NAMESPACE)
    other = task("Namespace", "other")
    plan = Plan((create, other, task("ConfigMap")))
    assert next_tasks(plan, [], {}).tasks == (create,)
    assert next_tasks(plan, done(create), {}).tasks == (other,)


def test_custom_resources_wait_until_their_definition_is_established() -> None:
    crd, widget = task("CustomResourceDefinition"), task("Widget")
    plan = Plan((crd, widget))
    for health in ({}, {crd.ref: None}, {crd.ref: Health(HealthStatus.PROGRESSING)}):
        step = next_tasks(plan, done(crd), health)
        assert step.waiting == ((crd.ref, "is not Established yet"),)
    assert next_tasks(plan, done(crd), healthy(crd)).tasks == (widget,)
    degraded = next_tasks(plan, done(crd), {crd.ref: Health(HealthStatus.DEGRADED, "taken")})
    assert degraded.phase is OperationPhase.FAILED
    assert degraded.message.endswith("is Degraded: taken")
    # Nothing is left that could need it: then nobody waits, whatever it has become.
    assert next_tasks(plan, done(crd, widget), {}).phase is OperationPhase.SUCCEEDED


def test_a_dry_run_waits_for_nothing() -> None:
    crd, widget, later = task("CustomResourceDefinition"), task("Widget"), task("ConfigMap", wave=1)
    plan = Plan((crd, widget, later))
    assert next_tasks(plan, done(crd), {}, dry_run=True).tasks == (widget,)
    assert next_tasks(plan, done(crd, widget), {}, dry_run=True).tasks == (later,)
    last = next_tasks(plan, done(crd, widget, later), {}, dry_run=True)
    assert last.phase is OperationPhase.SUCCEEDED


def test_prunes_follow_without_health_and_protected_kinds_last() -> None:
    apply = task("Deployment", "new")
    old = task("Deployment", "old", step=Step.PRUNE)
    space = task("Namespace", "old", step=Step.PRUNE)
    plan = Plan((apply, old, space))
    assert next_tasks(plan, done(apply), {}).tasks == (old,)
    assert next_tasks(plan, done(apply, old), {}).tasks == (space,)
    failed = done(apply) + done(old, action=Action.FAILED)
    assert next_tasks(plan, failed, {}).phase is OperationPhase.FAILED


def test_a_failed_apply_prunes_nothing() -> None:
    apply, prune = task("Deployment", "new"), task("Deployment", "old", step=Step.PRUNE)
    step = next_tasks(Plan((apply, prune)), done(apply, action=Action.FAILED), {})
    assert step.phase is OperationPhase.FAILED


def test_skips_are_recorded_and_not_run() -> None:
    skip = task("Secret", step=Step.SKIP)
    plan = Plan((task("ConfigMap"), skip))
    assert skipped(plan) == (Outcome(skip.ref, Action.SKIPPED, 0, message="kept"),)
    assert next_tasks(plan, done(task("ConfigMap")), {}).phase is OperationPhase.SUCCEEDED


KINDS = st.sampled_from(["Namespace", "ConfigMap", "CustomResourceDefinition", "Widget"])
TASKS = st.builds(
    task, KINDS, st.sampled_from("abc"), st.integers(-1, 1), st.sampled_from([Step.APPLY])
)
PLANS = st.lists(TASKS, max_size=6, unique_by=lambda one: one.ref).map(
    lambda tasks: Plan(tuple(sorted(tasks, key=lambda one: (one.wave, one.ref.kind, one.ref))))
)


@given(PLANS, st.data())
def test_every_plan_ends_and_runs_each_task_once(plan: Plan, data: st.DataObject) -> None:
    outcomes: list[Outcome] = []
    healths: dict[ObjectRef, Health | None] = {}
    ran: list[ObjectRef] = []
    for _ in range(100):
        step = next_tasks(plan, outcomes, healths)
        assert step == next_tasks(plan, tuple(outcomes), dict(healths))
        assert [bool(step.tasks), bool(step.waiting), step.phase is not None].count(True) == 1
        if step.phase is not None:
            break
        for ref, _why in step.waiting:
            healths[ref] = data.draw(st.sampled_from([HEALTHY, Health(HealthStatus.DEGRADED)]))
            if ref.kind == "CustomResourceDefinition":
                healths[ref] = HEALTHY
        for one in step.tasks:
            ran.append(one.ref)
            outcomes += done(
                one, action=data.draw(st.sampled_from([Action.CREATED, Action.FAILED]))
            )
    assert step.phase is not None
    assert len(ran) == len(set(ran))
    failed = any(outcome.action is Action.FAILED for outcome in outcomes)
    degraded = any(h and h.status is HealthStatus.DEGRADED for h in healths.values())
    if step.phase is OperationPhase.SUCCEEDED:
        assert not failed
        assert set(ran) == {one.ref for one in plan.tasks}
    else:
        assert failed or degraded
