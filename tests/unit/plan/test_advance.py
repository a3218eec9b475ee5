"""Advancing a sync: what may be done now follows from what is recorded, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from fleet.plan import ending_tasks, next_tasks, skipped
from fleet.plan.advance import GONE

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


# hooks

PRE, SYNC, POST = SyncPhase.PRE_SYNC, SyncPhase.SYNC, SyncPhase.POST_SYNC
FAIL = SyncPhase.SYNC_FAIL


def hook(phase: SyncPhase, name: str = "x", wave: int = 0) -> Task:
    return Task(ObjectRef("batch", "Job", "shop", name), Step.HOOK, wave, phase=phase)


def ran(one: Task, state: HookState = HookState.SUCCEEDED, *, ended: bool = False) -> Outcome:
    return Outcome(one.ref, Action.CREATED, one.wave, phase=one.phase, hook=state, ended=ended)


MAP = task("ConfigMap")
WHOLE = Plan((hook(PRE), MAP, hook(POST), hook(FAIL)))


def test_a_hook_is_waited_for_until_it_is_through() -> None:
    running = ran(hook(PRE), HookState.RUNNING)
    working = {hook(PRE).ref: Health(HealthStatus.PROGRESSING, "1 active")}
    step = next_tasks(WHOLE, [running], working)
    assert step.waiting == ((hook(PRE).ref, "is Progressing: 1 active"),)
    assert step.found == ()
    through = next_tasks(WHOLE, [running], healthy(hook(PRE)))
    assert through.tasks == (MAP,)
    assert through.found == (ran(hook(PRE)),)


@pytest.mark.parametrize(
    ("health", "state"),
    [
        ({hook(PRE).ref: None}, HookState.SUCCEEDED),
        ({hook(PRE).ref: Health(HealthStatus.HEALTHY)}, HookState.SUCCEEDED),
        ({hook(PRE).ref: Health(HealthStatus.SUSPENDED)}, None),
        ({hook(PRE).ref: Health(HealthStatus.DEGRADED)}, HookState.FAILED),
        ({hook(PRE).ref: Health(HealthStatus.UNKNOWN)}, HookState.FAILED),
        ({}, HookState.FAILED),
    ],
)
def test_how_a_hook_ends(health: dict[ObjectRef, Health | None], state: HookState | None) -> None:
    step = next_tasks(Plan((hook(PRE),)), [ran(hook(PRE), HookState.RUNNING)], health)
    assert [outcome.hook for outcome in step.found] == ([state] if state else [])
    if not health:
        assert step.found[0].message == GONE


def test_after_a_failed_phase_only_syncfail_runs() -> None:
    failed = [ran(hook(PRE), HookState.FAILED)]
    assert next_tasks(WHOLE, failed, {}).tasks == (hook(FAIL),)
    rescued = [*failed, ran(hook(FAIL))]
    ending = next_tasks(WHOLE, rescued, {}).tasks
    assert [(one.step, one.phase) for one in ending] == [
        (Step.END_HOOK, PRE),
        (Step.END_HOOK, FAIL),
    ]
    ended = [ran(hook(PRE), HookState.FAILED, ended=True), ran(hook(FAIL), ended=True)]
    last = next_tasks(WHOLE, ended, {})
    assert last.phase is OperationPhase.FAILED
    assert last.message == "PreSync hook Job/shop/x failed: failed"


def test_a_hook_that_was_begun_runs_to_its_end_when_its_wave_stops() -> None:
    claim = Task(ObjectRef("", "PersistentVolumeClaim", "shop", "x"), Step.HOOK, 0, phase=SYNC)
    crd = task("CustomResourceDefinition")
    failed = Outcome(crd.ref, Action.FAILED, 0, error="Invalid", phase=SYNC)
    plan = Plan((claim, crd, MAP))
    begun = [ran(claim, HookState.RUNNING), failed]
    step = next_tasks(plan, begun, {claim.ref: Health(HealthStatus.PROGRESSING)})
    assert step.waiting == ((claim.ref, "is Progressing"),)
    (ending,) = next_tasks(plan, begun, healthy(claim)).tasks
    assert (ending.step, ending.key) == (Step.END_HOOK, claim.key)


def test_an_object_that_recovers_does_not_undo_the_failure() -> None:
    """SyncFail hooks have begun: the sync stays failed whatever becomes of the object."""
    broken = task("Deployment")
    plan = Plan((broken, hook(POST), hook(FAIL)))
    step = next_tasks(plan, done(broken), {broken.ref: Health(HealthStatus.DEGRADED, "boom")})
    assert step.tasks == (hook(FAIL),)
    assert [outcome.error for outcome in step.found] == ["Degraded"]
    later = next_tasks(plan, [*step.found, ran(hook(FAIL), ended=True)], healthy(broken))
    assert (later.phase, later.message) == (
        OperationPhase.FAILED,
        "Deployment/shop/x is Degraded: boom",
    )


def test_postsync_waits_for_all_that_was_applied_past_prunes() -> None:
    apply, old = task("Deployment"), task("Deployment", "old", step=Step.PRUNE)
    plan = Plan((apply, old, hook(POST)))
    pruned = [*done(apply), *done(old, action=Action.PRUNED)]
    waiting = next_tasks(plan, pruned, {apply.ref: Health(HealthStatus.PROGRESSING)})
    assert waiting.waiting == ((apply.ref, "is Progressing"),)
    assert next_tasks(plan, pruned, healthy(apply)).tasks == (hook(POST),)


def test_a_wave_that_has_begun_asks_no_more_for_the_one_before() -> None:
    third = task("ConfigMap", wave=1)
    plan = Plan((FIRST, third, SECOND))
    sick = {FIRST.ref: Health(HealthStatus.PROGRESSING)}
    assert next_tasks(plan, done(FIRST), sick).waiting
    assert next_tasks(plan, done(FIRST, third), sick).tasks == (SECOND,)


@pytest.mark.parametrize("status", [HealthStatus.DEGRADED, HealthStatus.PROGRESSING])
def test_what_was_unwell_before_is_waited_for_not_failed(status: HealthStatus) -> None:
    known = Task(FIRST.ref, Step.AWAIT, 0, "is waited for")
    plan = Plan((known, SECOND))
    (outcome,) = skipped(plan)
    assert outcome.action is Action.UNCHANGED
    step = next_tasks(plan, [outcome], {FIRST.ref: Health(status, "boom")})
    assert step.waiting == ((FIRST.ref, f"is {status}: boom"),)
    assert next_tasks(plan, [outcome], healthy(FIRST)).tasks == (SECOND,)


def test_prunelast_waits_for_health_and_other_prunes_do_not() -> None:
    apply, old = task("Deployment"), task("Deployment", "old", step=Step.PRUNE)
    sick = {apply.ref: Health(HealthStatus.PROGRESSING)}
    assert next_tasks(Plan((apply, old)), done(apply), sick).tasks == (old,)
    patient = Plan((apply, old), prune_last=True)
    assert next_tasks(patient, done(apply), sick).waiting == ((apply.ref, "is Progressing"),)
    assert next_tasks(patient, done(apply), healthy(apply)).tasks == (old,)


def test_after_a_deletion_hooks_wait_until_all_is_gone() -> None:
    old, last = task("Deployment", "old", step=Step.PRUNE), hook(SyncPhase.POST_DELETE)
    plan = Plan((old, last))
    pruned = done(old, action=Action.PRUNED)
    step = next_tasks(plan, pruned, {}, left=[old.ref])
    assert step.waiting == ((old.ref, "is going away"),)
    assert next_tasks(plan, pruned, {}).tasks == (last,)


def test_ending_a_sync_looks_for_every_hook_that_is_not_let_go() -> None:
    """One may have been made by somebody who was killed before writing that down."""
    first, second = hook(PRE, "a"), hook(PRE, "b", wave=1)
    plan = Plan((first, second, MAP, hook(POST), hook(FAIL)))
    outcomes = [ran(first, ended=True), ran(second, HookState.RUNNING), *done(MAP)]
    tasks = ending_tasks(plan, outcomes)
    assert {one.step for one in tasks} == {Step.END_HOOK}
    assert [one.key for one in tasks] == [second.key, hook(POST).key, hook(FAIL).key]


PHASES = st.sampled_from([PRE, SYNC, POST, FAIL])
HOOKED = st.lists(
    st.builds(hook, PHASES, st.sampled_from("abc"), st.integers(-1, 1)) | TASKS,
    max_size=8,
    unique_by=lambda one: one.key,
).map(
    lambda tasks: Plan(
        tuple(
            sorted(
                tasks,
                key=lambda one: (list(SyncPhase).index(one.phase), one.wave, one.ref.kind, one.ref),
            )
        )
    )
)


@given(HOOKED, st.data())
def test_each_hook_runs_once_and_nothing_follows_a_failed_phase_but_syncfail(
    plan: Plan, data: st.DataObject
) -> None:
    outcomes: dict[TaskKey, Outcome] = {}
    healths: dict[ObjectRef, Health | None] = {}
    begun: list[Task] = []
    failed_in: tuple[SyncPhase, int] | None = None
    for _ in range(200):
        step = next_tasks(plan, outcomes.values(), healths)
        assert step == next_tasks(plan, tuple(outcomes.values()), dict(healths))
        outcomes |= {outcome.key: outcome for outcome in step.found}
        if step.phase is not None:
            break
        for ref, _why in step.waiting:
            verdict = data.draw(st.sampled_from([HealthStatus.HEALTHY, HealthStatus.DEGRADED]))
            healths[ref] = Health(verdict)
        for one in step.tasks:
            if one.step is Step.END_HOOK:
                assert outcomes[one.key].hook in (HookState.SUCCEEDED, HookState.FAILED)
                assert not outcomes[one.key].ended
                outcomes[one.key] = replace(outcomes[one.key], ended=True)
                continue
            if failed_in is not None and one.phase is not FAIL:
                assert (one.phase, one.wave) == failed_in
            begun.append(one)
            state = data.draw(st.sampled_from([HookState.RUNNING, HookState.FAILED]))
            if one.step is Step.HOOK:
                outcomes[one.key] = ran(one, state)
                healths[one.ref] = Health(HealthStatus.PROGRESSING)
            else:
                bad = data.draw(st.booleans())
                outcomes |= {
                    o.key: o for o in done(one, action=Action.FAILED if bad else Action.CREATED)
                }
            if outcomes[one.key].has_failed and failed_in is None:
                failed_in = (one.phase, one.wave)
    assert step.phase is not None
    assert len(begun) == len({one.key for one in begun})
    phases = [list(SyncPhase).index(one.phase) for one in begun]
    assert phases == sorted(phases)
    main = [one for one in plan.tasks if one.phase is not FAIL]
    failed = any(outcomes[one.key].has_failed for one in main if one.key in outcomes)
    assert failed is (step.phase is OperationPhase.FAILED)
    assert any(one.phase is FAIL for one in begun) <= failed
    if not failed:
        assert {one.key for one in begun} == {one.key for one in main}
    assert all(outcome.ended for outcome in outcomes.values() if outcome.hook is not None)
