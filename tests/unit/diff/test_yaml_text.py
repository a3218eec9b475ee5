"""YAML for people: it says what the value says, and cannot drive a terminal."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleet.diff.values import same
from fleet.diff.yaml_text import printable, yaml_lines

from .shapes import deep

#: YAML cannot hold half a surrogate pair; everything else comes back.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    " \n\tab:#-'\"|>{}[]&*!%@`,?=~", max_size=12
)
VALUES = st.recursive(
    TEXTS
    | st.booleans()
    | st.none()
    | st.integers(-(2**63), 2**63)
    | st.sampled_from(["yes", "no", "null", "1", "1e3", "0x1f", "2024-01-01", ".inf", "=", "<<"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3))
@example({"a": "x\n\n"})
@example({"a": "x\n  \n"})
@example({"a": ["x\n  y", {"b": "p\n\tq\n"}]})
@example({"a": [[], [[1]], {}]})
def test_reading_it_gives_the_value_back(value: dict[str, Any]) -> None:
    text = "\n".join(yaml_lines(value)) + "\n"
    assert same(yaml.SafeLoader(text).get_single_data(), value)


@settings(max_examples=60)
@given(VALUES)
def test_only_letters_that_print(value: Any) -> None:
    for line in yaml_lines(value):
        assert line.replace("\t", "").isprintable()


def test_the_order_of_an_object() -> None:
    obj = {"spec": 1, "metadata": {"namespace": "b", "name": "a"}, "kind": "K", "apiVersion": "v"}
    assert yaml_lines(obj) == [
        "apiVersion: v",
        "kind: K",
        "metadata:",
        "  name: a",
        "  namespace: b",
        "spec: 1",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("nginx:1.25", "nginx:1.25"),
        ("plain words", "plain words"),
        ("on", '"on"'),
        ("1.0", '"1.0"'),
        ("a: b", '"a: b"'),
        ("", '""'),
        ("\x1b[31mred", '"\\x1b[31mred"'),
        ("\u202eoverride", '"\\u202eoverride"'),
        ("\ud800", '"\\ud800"'),
        (1.5, "1.5"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_scalars(value: Any, text: str) -> None:
    assert yaml_lines(value) == [text]


def test_depth_and_size_do_not_matter() -> None:
    assert len(yaml_lines(deep(5000))) < 200
    assert yaml_lines({"a": 10**5000})[0].startswith("a: 0x")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\u2028b", "a\\u2028b"),
        ("\U000e0041", "\\U000e0041"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
