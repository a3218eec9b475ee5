"""The algebra of field sets, against sets of paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.embedded.sandbox.fieldsets import (
    FieldSet,
    difference,
    intersection,
    path_set,
    paths,
    step_of,
    union,
    with_named,
    without,
)
from fleet.embedded.sandbox.shapes import Shape, builtin

Path = tuple[str, ...]

some_paths = st.frozensets(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(tuple), max_size=6
)


def as_set(members: frozenset[Path]) -> FieldSet:
    return path_set(*members)


def members(fields: FieldSet) -> frozenset[Path]:
    return frozenset(tuple(path.strip(".").split(".")) for path in paths(fields))


@settings(max_examples=300)
@given(some_paths, some_paths)
def test_operations_are_those_of_sets_of_paths(left: Any, right: Any) -> None:
    a, b = as_set(left), as_set(right)
    assert members(a) == left
    assert members(union(a, b)) == left | right
    assert members(intersection(a, b)) == left & right
    assert members(difference(a, b)) == left - right
    assert members(without(a, b)) == {
        path for path in left if not any(path[: len(it)] == it for it in right)
    }


@given(some_paths, some_paths)
def test_results_are_written_as_they_would_be_from_scratch(left: Any, right: Any) -> None:
    a, b = as_set(left), as_set(right)
    for found in (union(a, b), intersection(a, b), difference(a, b), without(a, b)):
        assert found == as_set(members(found))


def test_named_fields_come_with_what_is_below_them_but_not_keys_of_maps() -> None:
    fields = {"f:metadata": {"f:labels": {"f:a": {}}}, "f:data": {"f:x": {}}}
    assert with_named(fields, builtin("V1ConfigMap")) == {
        "f:metadata": {".": {}, "f:labels": {".": {}, "f:a": {}}},
        "f:data": {".": {}, "f:x": {}},
    }


PORTS = builtin("V1Container").fields["ports"]
SET = builtin("V1ObjectMeta").fields["finalizers"]


@pytest.mark.parametrize(
    ("item", "shape", "step"),
    [
        ({"containerPort": 80}, PORTS, 'k:{"containerPort":80,"protocol":"TCP"}'),
        ({"protocol": "UDP", "containerPort": 5}, PORTS, 'k:{"containerPort":5,"protocol":"UDP"}'),
        ("a/b", SET, 'v:"a/b"'),
    ],
)
def test_steps(item: Any, shape: Shape, step: str) -> None:
    assert step_of(item, shape) == step


@pytest.mark.parametrize(
    ("item", "shape", "message"),
    [
        (None, PORTS, "null element"),
        ("x", PORTS, "non-map"),
        ({}, SET, "a map type"),
        ([], SET, "lists as elements"),
        (None, SET, "explicit null"),
        ({"a": 1}, Shape("list", list_type="map", list_keys=("x", "y")), r'fields \["x" "y"\]'),
    ],
)
def test_items_that_cannot_be_told_apart(item: Any, shape: Shape, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        step_of(item, shape)


def test_paths_are_printed_as_messages_write_them() -> None:
    fields = {
        "f:spec": {
            'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:name": {}},
            'v:"x"': {},
            "f:b": {},
        }
    }
    assert list(paths(fields)) == [
        ".spec.b",
        '.spec[containerPort=80,protocol="TCP"]',
        '.spec[="x"]',
        '.spec[containerPort=80,protocol="TCP"].name',
    ]
