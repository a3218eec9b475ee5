"""Values of a cluster laid over each other, and single ones put where their paths say."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.values_from import Part
from fleet.render.values_from import merged, put, typed

LEAF = st.none() | st.integers() | st.text("ab", max_size=2)
VALUES = st.dictionaries(
    st.text("abc", min_size=1, max_size=1),
    st.recursive(
        LEAF,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.text("abc", min_size=1, max_size=1), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=3,
)


@given(VALUES, VALUES)
def test_what_is_above_wins_and_the_rest_stays(below: Any, above: Any) -> None:
    kept = copy.deepcopy((below, above))
    made = merged(below, above)
    assert (below, above) == kept
    assert set(made) == set(below) | set(above)
    assert merged(made, above) == made
    for key, value in made.items():
        if not isinstance(value, dict):
            assert value == (above if key in above else below)[key]


@pytest.mark.parametrize(
    ("there", "path", "made"),
    [
        ({}, ("a",), {"a": 7}),
        ({"a": 1, "b": 2}, ("a",), {"a": 7, "b": 2}),
        ({"a": {"x": 1}}, ("a", "b"), {"a": {"x": 1, "b": 7}}),
        ({"a": None}, ("a", "b"), {"a": {"b": 7}}),
        ({}, ("a", 1), {"a": [None, 7]}),
        ({"a": [1, 2, 3]}, ("a", 1), {"a": [1, 7, 3]}),
        ({"a": [{"n": "x"}]}, ("a", 0, "v"), {"a": [{"n": "x", "v": 7}]}),
        ({}, ("a", 0, 0, "b"), {"a": [[{"b": 7}]]}),
    ],
)
def test_put(there: dict[str, Any], path: tuple[Part, ...], made: dict[str, Any]) -> None:
    inner = copy.deepcopy(there)
    shallow = dict(there)
    put(shallow, path, 7)
    assert shallow == made
    assert there == inner  # what lies deeper was not changed for others


@pytest.mark.parametrize(
    ("there", "path"),
    [
        ({"a": "text"}, ("a", "b")),
        ({"a": "text"}, ("a", 0)),
        ({"a": {}}, ("a", 0)),
        ({"a": []}, ("a", "b")),
    ],
)
def test_something_else_is_in_the_way(there: dict[str, Any], path: tuple[Part, ...]) -> None:
    with pytest.raises(TypeError):
        put(there, path, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("true", True),
        ("False", False),
        ("null", None),
        ("0", 0),
        ("7", 7),
        ("-7", -7),
        ("007", "007"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), str(2**63)),
        ("a,b=c", "a,b=c"),
        ("{a,b}", "{a,b}"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("'", "'"),
        ("secret\n", "secret\n"),
    ],
)
def test_a_single_value(text: str, value: Any) -> None:
    found = typed(text)
    assert (found, type(found)) == (value, type(value))
