"""What Lua says of actions, as offers and changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.actions import Creation, Offer, Parameter, Patch, changes_from_script, offers_from_script
from fleet.actions.scripted import merge_patch, restored
from fleet.errors import ExpressionFailed

LIVE: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "Thing",
    "metadata": {"name": "a", "namespace": "shop", "uid": "u", "resourceVersion": "5"},
    "spec": {"size": 1, "tags": [], "notes": {}, "names": ["x"], "serial": 2**60 + 1, "off": None},
    "status": {"phase": "Up"},
}


def changed(**parts: Any) -> dict[str, Any]:
    """What comes back from Lua: no null, one kind of empty table, figures as they fit."""
    spec = {**LIVE["spec"], "tags": {}, "serial": float(2**60 + 1)}
    del spec["off"]
    return {**LIVE, "spec": spec, **parts}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (changed(), ()),
        (
            changed(spec={**changed()["spec"], "size": 2, "names": {}}),
            (Patch({"spec": {"size": 2, "names": []}}, is_exact=True),),
        ),
        (
            changed(status={"phase": "Down"}),
            (Patch({"status": {"phase": "Down"}}, "status", is_exact=True),),
        ),
        (
            changed(metadata={**LIVE["metadata"], "annotations": {"a": "b"}, "uid": "other"}),
            (Patch({"metadata": {"annotations": {"a": "b"}}}, is_exact=True),),
        ),
        (
            changed(spec={"size": 1}),
            (
                Patch(
                    {"spec": {"tags": None, "notes": None, "names": None, "serial": None}},
                    is_exact=True,
                ),
            ),
        ),
        (
            [
                {"operation": "create", "resource": {"kind": "Job", "metadata": {"name": "j"}}},
                {"operation": "patch", "resource": changed(status={})},
            ],
            (
                Creation({"kind": "Job", "metadata": {"name": "j", "namespace": "shop"}}),
                Patch({"status": {"phase": None}}, "status", is_exact=True),
            ),
        ),
    ],
)
def test_changes(value: Any, expected: tuple[Any, ...]) -> None:
    assert changes_from_script(value, LIVE) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "returned no object"),
        ([], "returned no object"),
        ("x", "returned no object"),
        ([1], "returned no list of operations"),
        ([{"operation": "delete", "resource": {}}], "returned no list of operations"),
        ([{"operation": "patch"}], "returned no list of operations"),
        ({**LIVE, "metadata": {"name": "b"}}, "would change Thing/b, and is of Thing/shop/a"),
        ({**LIVE, "kind": "Other"}, "would change"),
        ({**LIVE, "metadata": {"name": "a", "namespace": "kube-system"}}, "would change"),
    ],
)
def test_what_is_no_change_is_told(value: Any, message: str) -> None:
    with pytest.raises(ExpressionFailed, match=message):
        changes_from_script(value, LIVE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, ()),
        (None, ()),
        ({"go": {}, "gone": {}}, (Offer("go"),)),
        ({"go": {"disabled": True, "displayName": "Go!"}}, (Offer("go", True, "Go!"),)),
        ({"go": {"disabled": "yes"}}, (Offer("go"),)),
        (
            {"go": {"params": [{"name": "n", "default": "1"}, {"x": 1}, {"name": "m"}]}},
            (Offer("go", parameters=(Parameter("n", default="1"), Parameter("m"))),),
        ),
        ({"stop": True, "go": {}}, (Offer("go"), Offer("stop"))),
    ],
)
def test_offers(value: Any, expected: tuple[Offer, ...]) -> None:
    assert offers_from_script(value, ["go", "stop"]) == expected


def test_a_discovery_that_is_none_is_told() -> None:
    with pytest.raises(ExpressionFailed, match="returned no table"):
        offers_from_script("go", ["go"])


LEAVES = (
    st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
)
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), LEAVES | inner, max_size=3),
    max_leaves=8,
)


def applied(before: Any, patch: Any) -> Any:
    """RFC 7386, as an API server does it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = applied(found.get(key), value)
    return found


@given(OBJECTS, OBJECTS)
def test_the_patch_makes_the_one_of_the_other(before: Any, after: Any) -> None:
    assert applied(before, merge_patch(before, after)) == after


def through_lua(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: through_lua(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [through_lua(item) for item in value] or {}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(
    st.recursive(
        LEAVES | st.none() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)
    )
)
def test_what_a_script_left_alone_comes_back_as_it_was(value: Any) -> None:
    whole = {"spec": value}
    assert restored(through_lua(whole), whole) == whole
