"""Client-side apply: three sides into one, and what is ours of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.diff import NAMED, named_fields, projection, three_way, without_fields
from fleet.diff.values import same


def containers(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, **more} for name in names]


@pytest.mark.parametrize(
    ("last", "desired", "live", "merged"),
    [
        # added, changed, removed; what others wrote stays
        ({"a": 1, "b": 1}, {"a": 2, "c": 1}, {"a": 1, "b": 1, "z": 1}, {"a": 2, "c": 1, "z": 1}),
        ({}, {"a": {"b": 1}}, {"a": {"z": 1}}, {"a": {"b": 1, "z": 1}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1, "z": 1}}, {"a": {"z": 1}}),
        # null removes, wherever it stands
        ({}, {"a": None, "b": {"c": None, "d": 1}}, {"a": 1}, {"b": {"d": 1}}),
        # a list without keys is one value
        ({"args": [1, 2]}, {"args": [3]}, {"args": [1, 2, 9]}, {"args": [3]}),
        # another type in its place
        ({"a": 1}, {"a": [1]}, {"a": {"b": 1}}, {"a": [1]}),
    ],
)
def test_three_sides(last: Any, desired: Any, live: Any, merged: Any) -> None:
    assert three_way(last, desired, live) == merged


@pytest.mark.parametrize(
    ("last", "desired", "live", "merged"),
    [
        (["a", "b"], ["b"], ["side", "a", "b"], ["side", "b"]),
        (["a"], ["a", "new"], ["a", "side"], ["a", "new", "side"]),
        (["a", "b"], ["b", "a"], ["a", "side", "b"], ["b", "a", "side"]),
        ([], ["a"], [], ["a"]),
        # a name that is there twice: nothing can be merged by it
        (["a"], ["a", "a"], ["a", "side"], ["a", "a"]),
    ],
)
def test_lists_that_are_maps(
    last: list[str], desired: list[str], live: list[str], merged: list[str]
) -> None:
    sides = [{"containers": containers(*names)} for names in (last, desired, live)]
    found = three_way(*sides)["containers"]
    assert [item["name"] for item in found] == merged


def test_items_of_a_list_are_merged_inside() -> None:
    last = {"containers": containers("a", image="1", tty=True)}
    desired = {"containers": containers("a", image="2")}
    live = {"containers": containers("a", image="1", tty=True, policy="Always")}
    assert three_way(last, desired, live) == {
        "containers": [{"name": "a", "image": "2", "policy": "Always"}]
    }


def test_texts_of_a_secret_become_data() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret"}
    last = {**secret, "stringData": {"a": "1", "gone": "x"}}
    live = {**secret, "data": {"a": "MQ==", "gone": "eA==", "theirs": "eQ=="}}
    desired = {**secret, "stringData": {"a": "2"}}
    assert three_way(last, desired, live)["data"] == {"a": "Mg==", "theirs": "eQ=="}
    assert named_fields(desired) == {NAMED: {}, "f:data": {"f:a": {}}}


NAMES = st.sampled_from(["a", "b", "containers", "env", "metadata", "ports"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner | st.fixed_dictionaries({"name": NAMES}), max_size=3)
        | st.dictionaries(NAMES, inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


@given(OBJECTS, OBJECTS, OBJECTS)
def test_applied_twice_is_applied_once(
    last: dict[str, Any], desired: dict[str, Any], live: dict[str, Any]
) -> None:
    once = three_way(last, desired, live)
    assert same(three_way(desired, desired, once), once)


@given(OBJECTS, OBJECTS)
def test_without_a_past_what_is_live_and_not_in_git_stays(
    desired: dict[str, Any], live: dict[str, Any]
) -> None:
    merged = three_way({}, desired, live)
    for key in live.keys() - desired.keys():
        assert same(merged[key], live[key])


@given(OBJECTS)
def test_what_nobody_made_is_made_as_wanted(desired: dict[str, Any]) -> None:
    assert same(three_way({}, desired, {}), without_nulls(desired))


@given(OBJECTS, OBJECTS)
def test_a_field_beside_the_named_ones_changes_nothing(
    desired: dict[str, Any], live: dict[str, Any]
) -> None:
    fields = named_fields(desired)
    merged = three_way({}, desired, live)
    other = {**merged, "other": 1}
    assert same(projection(merged, fields), projection(other, fields))
    assert set(projection(other, fields)) <= desired.keys()


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (".spec.a", {"spec": {"list": [{"name": "x", "bad": 1}, {"name": "y"}]}}),
        ('.spec.list[name="x"].bad', {"spec": {"a": 1, "list": [{"name": "x"}, {"name": "y"}]}}),
        (".spec.list[0]", {"spec": {"a": 1, "list": [{"name": "y"}]}}),
        (".spec.list[1].name", {"spec": {"a": 1, "list": [{"name": "x", "bad": 1}, {}]}}),
    ],
)
def test_a_field_is_left_out(path: str, left: Any) -> None:
    whole = {"spec": {"a": 1, "list": [{"name": "x", "bad": 1}, {"name": "y"}]}}
    assert without_fields(whole, [path]) == left


@given(OBJECTS, st.text(alphabet='.[]="ab0,', max_size=12))
def test_any_path_is_answered(manifest: dict[str, Any], path: str) -> None:
    assert isinstance(without_fields(manifest, [path]), dict)
    assert without_fields(manifest, [".nowhere.at.all", "nonsense"]) == manifest
