"""Operations as JSON: there and back, and as the version before wrote them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.model.argo_tracking import Takeover
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    HookState,
    Outcome,
    Plan,
    Step,
    SyncOptions,
    SyncPhase,
    Task,
)
from fleet.registry.operation_json import (
    hooks_from_json,
    hooks_to_json,
    options_from_json,
    options_to_json,
    plan_from_json,
    plan_to_json,
)

WORDS = st.text("abc-.", max_size=5)
REFS = st.builds(ObjectRef, WORDS, st.sampled_from(["Job", "ConfigMap"]), WORDS, WORDS)
TASKS = st.builds(
    Task,
    REFS,
    st.sampled_from(Step),
    st.integers(-5, 5),
    st.text(max_size=5),
    st.booleans(),
    st.booleans(),
    st.sampled_from(SyncPhase),
    st.booleans(),
)
HOOKS = st.builds(
    Outcome,
    REFS,
    st.sampled_from(Action),
    st.integers(-5, 5),
    st.text(max_size=5),
    st.text(max_size=5),
    st.sampled_from(SyncPhase),
    st.sampled_from(HookState),
    st.booleans(),
)


PLANS = st.builds(
    Plan,
    st.lists(TASKS, max_size=4).map(tuple),
    st.text(max_size=5),
    st.booleans(),
    st.booleans(),
)


@given(PLANS)
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    assert plan_from_json(plan_to_json(plan)) == plan


@given(st.lists(HOOKS, max_size=4))
def test_hooks_come_back_as_they_were(hooks: list[Outcome]) -> None:
    assert hooks_from_json(hooks_to_json(hooks)) == tuple(hooks)


TAKEOVERS = st.builds(
    Takeover,
    st.lists(WORDS).map(tuple),
    st.none() | WORDS,
    st.lists(REFS, max_size=3).map(tuple),
)


@given(
    st.builds(
        SyncOptions,
        st.booleans(),
        approved=st.booleans(),
        hookless=st.booleans(),
        info=st.lists(st.tuples(WORDS, WORDS)).map(tuple),
        takeover=st.none() | TAKEOVERS,
    )
)
def test_what_was_asked_for_comes_back(options: SyncOptions) -> None:
    assert options_from_json(options_to_json(options)) == options


def test_outcomes_of_objects_are_no_hooks() -> None:
    assert hooks_to_json([Outcome(ObjectRef("", "ConfigMap", "shop", "x"), Action.CREATED)]) == []


def test_a_plan_of_the_version_before_goes_on() -> None:
    """It knew neither phases nor PruneLast; and it reads what it could have written itself."""
    stored = {"refused": "", "tasks": [["/ConfigMap/shop/x", "apply", 2, "", True, False]]}
    plan = plan_from_json(stored)
    task = Task(ObjectRef("", "ConfigMap", "shop", "x"), Step.APPLY, 2, force=True)
    assert plan == Plan((task,))
    assert plan_to_json(plan)["tasks"] == stored["tasks"]
