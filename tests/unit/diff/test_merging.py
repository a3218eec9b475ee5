"""Applying an object that Fleet itself holds: what Git names is so, the rest is left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.cluster.ownership import field_paths
from fleet.diff import applied_to, managed_fields

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


@pytest.mark.parametrize(
    ("live", "before", "wanted", "after"),
    [
        pytest.param(None, None, {"a": 1}, {"a": 1}, id="made"),
        pytest.param({"b": 2}, None, {"a": 1}, {"b": 2, "a": 1}, id="others stay"),
        pytest.param({"a": 2}, {"a": 1}, {"a": 1}, {"a": 1}, id="taken back"),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}, id="left Git"),
        pytest.param({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {}, {"a": {"y": 2}}, id="in part"),
        pytest.param({"a": {"x": 1}}, {"a": {"x": 1}}, {}, {}, id="nothing left"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [3]}, {"a": [3]}, id="a list is one value"),
        pytest.param({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}, {"a": {"x": 1}}, id="other type"),
        pytest.param({"a": {"y": 1}}, None, {"a": None}, {"a": None}, id="null is a value"),
    ],
)
def test_apply(live: Any, before: Any, wanted: Any, after: Any) -> None:
    assert applied_to(live, before, wanted) == after


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(key in found and _holds(found[key], wanted[key]) for key in wanted)
    return bool(found == wanted)


@given(live=OBJECTS, before=OBJECTS, wanted=OBJECTS)
def test_what_is_wanted_is_there_and_again_changes_nothing(
    live: dict[str, Any], before: dict[str, Any], wanted: dict[str, Any]
) -> None:
    after = applied_to(live, before, wanted)
    assert _holds(after, wanted)
    assert applied_to(after, wanted, wanted) == after


@given(live=OBJECTS, wanted=OBJECTS)
def test_without_an_earlier_apply_nothing_is_taken_away(
    live: dict[str, Any], wanted: dict[str, Any]
) -> None:
    after = applied_to(live, None, wanted)
    assert set(live) | set(wanted) == set(after)


@given(live=OBJECTS, wanted=OBJECTS)
def test_after_an_apply_every_field_is_ours_and_none_somebodys(
    live: dict[str, Any], wanted: dict[str, Any]
) -> None:
    after = applied_to(live, None, wanted)
    (entry,) = managed_fields(after, wanted)
    assert (entry["manager"], entry["operation"]) == ("fleet", "Apply")


def test_a_field_that_was_changed_is_somebodys() -> None:
    applied = {"kind": "Application", "metadata": {"name": "web"}, "spec": {"a": 1, "b": {"c": 2}}}
    live = {**applied, "spec": {"a": 1, "b": {"c": 3}, "d": 4}}
    ours, theirs = managed_fields(live, applied)
    assert field_paths(ours["fieldsV1"]) == {".spec.a"}
    assert field_paths(theirs["fieldsV1"]) == {".spec.b.c"}
    assert managed_fields(live, None) == []
