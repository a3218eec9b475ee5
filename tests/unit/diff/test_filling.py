"""Empty mappings of Git that others put something into."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.diff import projection_sha256, with_filled
from fleet.diff.values import MAX_DEPTH

from .shapes import NONSENSE, deep

Fields = dict[str, Any]
NOTES: Fields = {"f:metadata": {"f:annotations": {}, "f:labels": {"f:app": {}}}}
LEFT: Fields = {"f:metadata": {"f:labels": {"f:app": {}}}}
PUT_IN: Fields = {"f:metadata": {"f:annotations": {".": {}, "f:restartedAt": {}}}}


def written(fields: Any, manager: str = "kubectl", operation: str = "Update") -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


@pytest.mark.parametrize(
    ("now", "before", "others", "found"),
    [
        pytest.param(LEFT, NOTES, [PUT_IN], NOTES, id="filled"),
        pytest.param({}, {"f:metadata": {"f:annotations": {}}}, [PUT_IN], None, id="was all"),
        pytest.param(LEFT, NOTES, [], LEFT, id="removed"),
        pytest.param(LEFT, NOTES, [{"f:metadata": {"f:annotations": {}}}], LEFT, id="overwritten"),
        pytest.param(
            LEFT, NOTES, [{"f:metadata": {"f:annotations": {".": {}}}}], LEFT, id="emptied"
        ),
        pytest.param({}, {"f:spec": {"f:args": {}}}, [{"f:spec": {"f:args": {'v:"x"': {}}}}], None),
        pytest.param(
            {"f:c": {'k:{"name":"a"}': {".": {}}}},
            {"f:c": {'k:{"name":"a"}': {".": {}, "f:resources": {}}}},
            [{"f:c": {'k:{"name":"a"}': {"f:resources": {"f:limits": {"f:cpu": {}}}}}}],
            None,
            id="in an item",
        ),
        # what was more than a leaf was taken part by part: that is drift
        pytest.param({}, {"f:a": {"f:b": {}}}, [{"f:a": {"f:b": {}, "f:c": {}}}], {}, id="taken"),
        pytest.param(LEFT, NOTES, [None, [], "x", {"f:metadata": "x"}], LEFT, id="nonsense"),
    ],
)
def test_leaves_that_others_fill_stay_ours(
    now: Fields, before: Fields, others: list[Any], found: Fields | None
) -> None:
    entries = [*(written(other) for other in others), written(now, "fleet", "Apply")]
    assert with_filled(now, before, entries) == (before if found is None else found)


def test_what_we_own_ourselves_fills_nothing() -> None:
    assert with_filled(LEFT, NOTES, [written(PUT_IN, "fleet", "Apply")]) == LEFT


LEAF: st.SearchStrategy[Fields] = st.just({})
KEYS = st.sampled_from(["f:a", "f:b", "f:c", 'k:{"name":"a"}', "."])
SETS: st.SearchStrategy[Fields] = st.recursive(
    LEAF, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


def is_within(part: Fields, whole: Fields) -> bool:
    return all(key in whole and is_within(inner, whole[key]) for key, inner in part.items())


def union(one: Fields, other: Fields) -> Fields:
    keys = one.keys() | other.keys()
    return {key: union(one.get(key, {}), other.get(key, {})) for key in keys}


@given(SETS, SETS, st.lists(SETS, max_size=3))
def test_nothing_is_lost_and_nothing_comes_that_was_not_ours(
    now: Fields, before: Fields, others: list[Fields]
) -> None:
    found = with_filled(now, before, [written(other) for other in others])
    assert is_within(now, found)
    assert is_within(found, union(now, before))
    assert with_filled(before, before, [written(other) for other in others]) == before
    assert with_filled(now, before, []) == now


@given(NONSENSE, NONSENSE)
def test_nonsense_never_raises(fields: Any, entry: Any) -> None:
    before = fields if isinstance(fields, dict) else {}
    assert isinstance(with_filled({}, before, [entry, written(fields)]), dict)


def test_depth_is_bounded() -> None:
    set_: Any = deep(MAX_DEPTH * 20, end="x")
    assert isinstance(with_filled({}, set_, [written(set_)]), dict)


@pytest.mark.parametrize("kept", [{}, {"annotations": {}}], ids=["left out", "kept empty"])
def test_the_hash_of_values_does_not_tell_filled_from_empty(kept: Fields) -> None:
    """Some kinds store an empty mapping, and some leave it out."""

    def hashed(value: Fields, *sets: Fields) -> str:
        entries = [written(found) for found in sets]
        metadata = {"labels": {"app": "web"}, **value, "managedFields": entries}
        return projection_sha256({"metadata": metadata}, NOTES)

    before = hashed(kept)
    assert hashed({"annotations": {"restartedAt": "1"}}, PUT_IN) == before
    # without an owner of what is in it, something else wrote it
    assert hashed({"annotations": {"restartedAt": "1"}}) != before


@pytest.mark.parametrize("was", ["1", 0, False, {"x": 1}, [{}]])
def test_a_value_that_gave_way_to_a_mapping_shows_in_the_hash(was: Any) -> None:
    ours: Fields = {"f:spec": {"f:a": {}}}
    theirs: Fields = {"f:spec": {"f:a": {".": {}, "f:b": {}}}}
    after = {"metadata": {"managedFields": [written(theirs)]}, "spec": {"a": {"b": 1}}}
    assert projection_sha256({"spec": {"a": was}}, ours) != projection_sha256(after, ours)
