"""Plans: only what differs, nothing that is not ours, nothing without consent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.applications import LiveResource
from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.objects import ObjectRef
from fleet.model.operations import Plan, Step, SyncOptions, SyncPhase
from fleet.plan import (
    Consent,
    DesiredHook,
    DesiredObject,
    ObjectOptions,
    Situation,
    Verdict,
    build_deletion,
    build_plan,
    crds_before,
)
from fleet.plan.hooks import DELETE_PHASES
from fleet.plan.order import apply_key
from fleet.plan.planning import PROTECTED_KINDS

GROUPS = {"Deployment": "apps", "CustomResourceDefinition": "apiextensions.k8s.io"}
CLUSTER_SCOPED = {"Namespace", "CustomResourceDefinition"}


def ref(kind: str, name: str = "x") -> ObjectRef:
    namespace = "" if kind in CLUSTER_SCOPED else "shop"
    return ObjectRef(GROUPS.get(kind, ""), kind, namespace, name)


def want(kind: str, name: str = "x", wave: int = 0) -> DesiredObject:
    return DesiredObject(ref(kind, name), "v1", {}, kind not in CLUSTER_SCOPED, wave)


def have(kind: str, name: str = "x", wave: int = 0, in_inventory: bool = True) -> LiveResource:
    return LiveResource(
        ref(kind, name), "v1", SyncStatus.SYNCED, None, wave=wave, in_inventory=in_inventory
    )


def hook(phase: SyncPhase, name: str = "x", wave: int = 0) -> DesiredHook:
    return DesiredHook(ref("Job", name), "v1", {}, namespaced=True, phase=phase, wave=wave)


def allow_all(_ref: ObjectRef, _namespaced: bool, _verb: str) -> Decision:
    return ALLOWED


def situation(
    *parts: DesiredObject | LiveResource, prune: bool = True, **changes: Any
) -> Situation:
    usual = Situation(
        desired=tuple(part for part in parts if isinstance(part, DesiredObject)),
        inventory=tuple(part for part in parts if isinstance(part, LiveResource)),
        options=SyncOptions(prune=prune),
        gate=allow_all,
        complete=True,
        allow_empty=False,
    )
    return replace(usual, **changes)


def told(plan: Plan) -> list[str]:
    return [f"{task.step} {task.ref.kind}/{task.ref.name}" for task in plan.tasks]


def test_only_what_differs_is_applied_in_order() -> None:
    plan = build_plan(
        situation(
            want("Deployment"),
            want("ConfigMap", "same"),
            want("ConfigMap", "new"),
            want("Secret", "late", wave=2),
            want("CustomResourceDefinition"),
            verdicts={ref("ConfigMap", "same"): Verdict.SYNCED},
        )
    )
    assert told(plan) == [
        "apply ConfigMap/new",
        "apply CustomResourceDefinition/x",
        "apply Deployment/x",
        "apply Secret/late",
    ]
    assert crds_before(plan) == (ref("CustomResourceDefinition"),)
    assert not any(task.force for task in plan.tasks)


def test_force_takes_back_what_was_ours_and_what_was_asked_for() -> None:
    one, two = want("ConfigMap", "one"), want("ConfigMap", "two")
    taken = situation(one, two, verdicts={one.ref: Verdict.TAKEN})
    assert [task.force for task in build_plan(taken).tasks] == [True, False]
    asked = replace(taken, options=SyncOptions(force_conflicts=True))
    assert [task.force for task in build_plan(asked).tasks] == [True, True]


def test_prunes_follow_in_reverse_with_protected_kinds_last() -> None:
    plan = build_plan(
        situation(
            want("ConfigMap", "new"),
            have("Namespace", "old"),
            have("PersistentVolumeClaim", "old", wave=9),
            have("ConfigMap", "old"),
            have("Deployment", "old"),
            have("Secret", "old", wave=1),
        )
    )
    assert told(plan) == [
        "apply ConfigMap/new",
        "prune Secret/old",
        "prune Deployment/old",
        "prune ConfigMap/old",
        "prune PersistentVolumeClaim/old",
        "prune Namespace/old",
    ]


KEPT = ObjectOptions(prune=Consent.REFUSED)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"options": SyncOptions(prune=False)}, "pruning was not asked for"),
        ({"complete": False}, "incomplete"),
        ({"owners": {ref("ConfigMap", "old"): "other"}}, "belongs to application other"),
        ({"object_options": {ref("ConfigMap", "old"): KEPT}}, "Prune=false"),
        ({"application_options": KEPT}, "Prune=false"),
        ({"application_options": ObjectOptions(prune=Consent.CONFIRM)}, "confirmation"),
        ({"options": SyncOptions(prune=True, resources=(ref("Secret"),))}, "not among"),
    ],
)
def test_what_is_not_pruned_is_skipped_with_the_reason(changes: dict[str, Any], says: str) -> None:
    plan = build_plan(situation(want("Secret"), have("ConfigMap", "old"), **changes))
    (task,) = [task for task in plan.tasks if task.ref.name == "old"]
    assert task.step is Step.SKIP
    assert task.warning
    assert says in task.reason


@pytest.mark.parametrize(
    ("namespace", "name", "waits"), [("old", "x", True), ("old", "y", False), ("", "x", False)]
)
def test_what_goes_to_another_namespace_is_pruned_once_the_new_is_well(
    namespace: str, name: str, waits: bool
) -> None:
    kind = "ConfigMap" if namespace else "ClusterRole"
    left = replace(have(kind), ref=ObjectRef("", kind, namespace, name))
    plan = build_plan(situation(want("ConfigMap"), left))
    assert [task.step for task in plan.tasks] == [Step.APPLY, Step.PRUNE]
    assert plan.prune_last is waits


def test_what_was_never_applied_is_never_pruned() -> None:
    plan = build_plan(situation(want("Secret"), have("ConfigMap", "stray", in_inventory=False)))
    assert told(plan) == ["apply Secret/x"]


def test_everything_at_once_is_refused_unless_allowed() -> None:
    emptied = situation(have("ConfigMap"), have("Deployment"))
    plan = build_plan(emptied)
    assert not plan.tasks
    assert "delete all 2 objects" in plan.refused
    assert "allowEmpty" in plan.refused
    allowed = build_plan(replace(emptied, allow_empty=True))
    assert told(allowed) == ["prune Deployment/x", "prune ConfigMap/x"]
    chosen = SyncOptions(prune=True, resources=(ref("ConfigMap"),))
    assert "prune ConfigMap/x" in told(build_plan(replace(emptied, options=chosen)))


def test_nothing_desired_and_nothing_to_prune_is_an_empty_plan() -> None:
    assert build_plan(situation()) == Plan(())


def nothing_bad(ref: ObjectRef, namespaced: bool, verb: str) -> Decision:
    return refused(f"may not {verb}") if ref.name.startswith("bad") else ALLOWED


def test_one_refusal_of_the_project_refuses_all_with_all_reasons() -> None:
    plan = build_plan(
        situation(
            want("Secret"), want("Secret", "bad1"), want("Deployment", "bad2"), gate=nothing_bad
        )
    )
    assert not plan.tasks
    assert "Secret/shop/bad1: may not apply" in plan.refused
    assert "Deployment/shop/bad2: may not apply" in plan.refused


def test_an_object_in_sync_is_asked_about_too() -> None:
    bad = want("Secret", "bad")
    plan = build_plan(situation(bad, gate=nothing_bad, verdicts={bad.ref: Verdict.SYNCED}))
    assert plan.refused


def test_a_prune_that_the_project_refuses_is_skipped() -> None:
    plan = build_plan(situation(want("Secret"), have("Secret", "bad"), gate=nothing_bad))
    assert told(plan) == ["apply Secret/x", "skip Secret/bad"]
    assert plan.tasks[-1].reason == "may not delete"


def test_many_refusals_are_counted_rather_than_listed() -> None:
    many = [want("Secret", f"bad{number}") for number in range(50)]
    assert build_plan(situation(*many, gate=nothing_bad)).refused.endswith("and 30 more")


def test_an_object_of_another_application_is_left_alone() -> None:
    shared = situation(want("Secret"), want("ConfigMap"), owners={ref("Secret"): "other"})
    plan = build_plan(shared)
    assert told(plan) == ["apply ConfigMap/x", "skip Secret/x"]
    assert "SharedResourceWarning" in plan.tasks[-1].reason
    strict = replace(shared, application_options=ObjectOptions(fail_on_shared=True))
    assert "belongs to application other" in build_plan(strict).refused


def test_a_selection_restricts_what_is_applied() -> None:
    chosen = SyncOptions(resources=(ObjectRef("", "Secret", "", "x"),))
    plan = build_plan(situation(want("Secret"), want("Secret", "y"), options=chosen))
    assert told(plan) == ["apply Secret/x"]


CREATES = {
    "application_options": ObjectOptions(create_namespace=True),
    "namespace": "shop",
    "namespace_ready": False,
}


def test_the_namespace_comes_first_and_only_when_it_is_needed() -> None:
    early = want("Secret", wave=-3)
    plan = build_plan(situation(early, want("ConfigMap"), **CREATES))
    assert told(plan)[0] == "create-namespace Namespace/shop"
    assert plan.tasks[0].wave == -3
    for changes in (
        {"namespace_ready": True},
        {"namespace": ""},
        {"application_options": ObjectOptions()},
        {"verdicts": {early.ref: Verdict.SYNCED}},
    ):
        plan = build_plan(situation(early, **(CREATES | changes)))
        assert not any(task.step is Step.CREATE_NAMESPACE for task in plan.tasks)
    own = build_plan(situation(early, want("Namespace", "shop"), **CREATES))
    assert "apply Namespace/shop" in told(own)
    assert "create-namespace Namespace/shop" not in told(own)


def test_the_project_is_asked_about_the_namespace() -> None:
    def gate(_ref: ObjectRef, _namespaced: bool, verb: str) -> Decision:
        return refused("no namespaces") if verb == "create-namespace" else ALLOWED

    assert "no namespaces" in build_plan(situation(want("Secret"), gate=gate, **CREATES)).refused


def test_a_deletion_takes_all_but_what_belongs_to_others() -> None:
    plan = build_deletion(
        [
            have("ConfigMap", "a"),
            have("Deployment", "b"),
            have("Secret", "shared"),
            have("Secret", "bad"),
            have("Secret", "stray", in_inventory=False),
        ],
        gate=nothing_bad,
        owners={ref("Secret", "shared"): "other"},
    )
    assert told(plan) == [
        "prune Deployment/b",
        "prune ConfigMap/a",
        "skip Secret/bad",
        "skip Secret/shared",
    ]


KINDS = st.sampled_from(
    ["ConfigMap", "Deployment", "Namespace", "Widget", "CustomResourceDefinition"]
)
NAMES = st.sampled_from(["a", "b", "c"])
WAVES = st.integers(-2, 2)
CONSENT = st.builds(ObjectOptions, prune=st.sampled_from(Consent))
REFS = st.builds(ref, KINDS, NAMES)
PHASES = st.sampled_from(SyncPhase)
HOOKS = st.lists(
    st.builds(hook, PHASES, NAMES, WAVES), max_size=6, unique_by=lambda made: (made.phase, made.ref)
).map(tuple)
SITUATIONS = st.builds(
    Situation,
    desired=st.lists(
        st.builds(want, KINDS, NAMES, WAVES), max_size=6, unique_by=lambda made: made.ref
    ).map(tuple),
    inventory=st.lists(
        st.builds(have, KINDS, NAMES, WAVES, st.booleans()),
        max_size=6,
        unique_by=lambda made: made.ref,
    ).map(tuple),
    options=st.builds(
        SyncOptions,
        prune=st.booleans(),
        force_conflicts=st.booleans(),
        resources=st.just(()) | st.lists(REFS, max_size=2).map(tuple),
    ),
    gate=st.sampled_from([allow_all, allow_all, nothing_bad]),
    complete=st.booleans(),
    allow_empty=st.booleans(),
    verdicts=st.dictionaries(REFS, st.sampled_from(Verdict), max_size=4),
    owners=st.dictionaries(REFS, st.just("other"), max_size=2),
    application_options=st.builds(ObjectOptions, create_namespace=st.booleans()),
    object_options=st.dictionaries(REFS, CONSENT, max_size=3),
    hooks=HOOKS,
    run=st.sampled_from(["", "one/1"]),
    set_apart=st.frozensets(REFS, max_size=1),
    namespace=st.just("shop"),
    namespace_ready=st.booleans(),
)


@given(SITUATIONS)
def test_plans_are_total_and_disjoint(given_: Situation) -> None:
    plan = build_plan(given_)
    keys = [task.key for task in plan.tasks]
    assert len(keys) == len(set(keys))
    if plan.refused:
        assert not plan.tasks
        return
    desired = {made.ref for made in given_.desired}
    inventory = {made.ref for made in given_.inventory if made.in_inventory}
    planned = {task.ref for task in plan.tasks if not task.is_hook}
    assert inventory - desired - given_.set_apart <= planned
    for task in plan.tasks:
        assert (task.step in (Step.SKIP, Step.AWAIT)) is bool(task.reason)
        if task.step is Step.PRUNE:
            assert task.ref in inventory - desired - given_.set_apart
            assert given_.complete
            assert given_.options.prune
            assert task.ref not in given_.owners
            assert given_.options_of(task.ref).prune is Consent.GIVEN
        if task.step is Step.APPLY:
            assert task.ref in desired
            assert task.ref not in given_.owners
            assert given_.verdicts.get(task.ref) is not Verdict.SYNCED


@given(SITUATIONS, st.randoms(use_true_random=False))
def test_plans_do_not_depend_on_the_order_of_their_inputs(given_: Situation, shuffle: Any) -> None:
    desired, inventory = list(given_.desired), list(given_.inventory)
    shuffle.shuffle(desired)
    shuffle.shuffle(inventory)
    again = replace(given_, desired=tuple(desired), inventory=tuple(inventory))
    assert build_plan(again) == build_plan(given_)


@given(SITUATIONS)
def test_applies_come_first_and_prunes_in_reverse(given_: Situation) -> None:
    tasks = build_plan(given_).tasks
    phases = list(SyncPhase)
    running = [task for task in tasks if task.step is not Step.SKIP]
    assert [*running, *tasks[len(running) :]] == list(tasks)
    steps = [(phases.index(task.phase), task.step is Step.PRUNE) for task in running]
    assert steps == sorted(steps)
    for phase in phases:
        made = [t for t in running if t.phase is phase and t.step is not Step.PRUNE]
        namespace = [t.step is Step.CREATE_NAMESPACE for t in made]
        assert namespace == sorted(namespace, reverse=True)
        waves = [apply_key(t.wave, t.ref) for t in made if t.step is not Step.CREATE_NAMESPACE]
        assert waves == sorted(waves)
    prunes = [t for t in tasks if t.step is Step.PRUNE]
    protected = [(t.ref.group, t.ref.kind) in PROTECTED_KINDS for t in prunes]
    assert protected == sorted(protected)
    for is_protected in (False, True):
        keys = [
            apply_key(task.wave, task.ref)
            for task, flag in zip(prunes, protected, strict=True)
            if flag is is_protected
        ]
        assert keys == sorted(keys, reverse=True)


@given(SITUATIONS)
def test_hooks_run_all_or_none(given_: Situation) -> None:
    """All of a sync, each once a phase; none of a part of one, nor of a deletion's."""
    plan = build_plan(given_)
    ran = {task.key for task in plan.tasks if task.step is Step.HOOK}
    deleting = {SyncPhase.PRE_DELETE, SyncPhase.POST_DELETE}
    wanted = {(one.phase, one.ref) for one in given_.hooks if one.phase not in deleting}
    runs = given_.run and not given_.options.resources and not plan.refused
    assert ran == (wanted if runs else set())


def test_a_hook_that_the_project_forbids_refuses_the_sync() -> None:
    def no_jobs(ref: ObjectRef, _namespaced: bool, _verb: str) -> Decision:
        return refused("no Jobs here") if ref.kind == "Job" else ALLOWED

    plan = build_plan(
        situation(want("Secret"), gate=no_jobs, hooks=(hook(SyncPhase.POST_SYNC),), run="one/1")
    )
    assert "no Jobs here" in plan.refused


@pytest.mark.parametrize("phase", [phase for phase in SyncPhase if phase not in DELETE_PHASES])
def test_a_hook_of_another_application_refuses_the_sync(phase: SyncPhase) -> None:
    mine, theirs = hook(phase, "mine"), hook(phase, "theirs")
    changes: dict[str, Any] = {"hooks": (mine, theirs), "owners": {theirs.ref: "other"}}
    plan = build_plan(situation(want("Secret"), run="one/1", **changes))
    assert plan == Plan(
        (), refused=f"hook {theirs.ref} belongs to application other, too (SharedResourceWarning)"
    )
    # where none is run, none stands in the way; nor does one that gets a name of its own
    assert not build_plan(situation(want("Secret"), **changes)).refused
    named_anew = (mine, replace(theirs, generated=True))
    again = situation(want("Secret"), run="one/1", **changes | {"hooks": named_anew})
    assert not build_plan(again).refused


@pytest.mark.parametrize("phase", sorted(DELETE_PHASES))
def test_a_hook_of_another_application_refuses_the_deletion(phase: SyncPhase) -> None:
    hooks = (hook(phase, "theirs"), hook(SyncPhase.PRE_SYNC, "before"))
    found = {one.ref: "other" for one in hooks}
    plan = build_deletion(
        [have("ConfigMap")], gate=lambda *_: ALLOWED, owners=found, hooks=hooks, run="one/1"
    )
    assert plan.tasks == ()
    assert plan.refused.startswith(f"hook {hooks[0].ref} belongs to application other")
    assert str(hooks[1].ref) not in plan.refused


def test_the_namespace_comes_before_the_first_hook() -> None:
    plan = build_plan(
        situation(
            want("Secret"),
            hooks=(hook(SyncPhase.PRE_SYNC, wave=-3),),
            run="one/1",
            namespace="shop",
            namespace_ready=False,
            application_options=ObjectOptions(create_namespace=True),
        )
    )
    assert [(task.step, task.phase, task.wave) for task in plan.tasks] == [
        (Step.CREATE_NAMESPACE, SyncPhase.PRE_SYNC, -3),
        (Step.HOOK, SyncPhase.PRE_SYNC, -3),
        (Step.APPLY, SyncPhase.SYNC, 0),
    ]


UNWELL = Health(HealthStatus.PROGRESSING, "1 of 2")


@pytest.mark.parametrize(
    ("changes", "awaited"),
    [
        ({}, False),
        ({"hooks": (hook(SyncPhase.POST_SYNC),), "run": "one/1"}, True),
        ({"hooks": (hook(SyncPhase.PRE_SYNC),), "run": "one/1"}, False),
        ({"wave": -1}, True),
        ({"wave": -1, "health": Health(HealthStatus.HEALTHY)}, False),
        ({"wave": 1}, False),
    ],
)
def test_what_is_as_wanted_and_not_well_is_waited_for(
    changes: dict[str, Any], awaited: bool
) -> None:
    """Where something comes after it; it would count as through otherwise."""
    wave = changes.pop("wave", 0)
    health = changes.pop("health", UNWELL)
    row = replace(have("Deployment", "db", wave), health=health)
    old = want("Deployment", "db", wave)
    verdicts = {old.ref: Verdict.SYNCED}
    plan = build_plan(situation(old, row, want("ConfigMap", "new"), verdicts=verdicts, **changes))
    assert [task.ref.name for task in plan.tasks if task.step is Step.AWAIT] == ["db"] * awaited


def test_a_deletion_runs_hooks_before_and_after_all_else() -> None:
    left = replace(have("Job", "left"), hook=True)
    plan = build_deletion(
        [have("ConfigMap", "a"), left],
        gate=allow_all,
        owners={},
        hooks=[hook(SyncPhase.POST_DELETE, "z"), hook(SyncPhase.PRE_DELETE), hook(SyncPhase.SYNC)],
        run="one/1",
    )
    assert [(task.step, task.phase, task.ref.name) for task in plan.tasks] == [
        (Step.HOOK, SyncPhase.PRE_DELETE, "x"),
        (Step.PRUNE, SyncPhase.SYNC, "left"),
        (Step.PRUNE, SyncPhase.SYNC, "a"),
        (Step.HOOK, SyncPhase.POST_DELETE, "z"),
    ]
