"""What an apply changes, without what webhooks add on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from fleet.diff import normalize, without_mutations
from fleet.model.objects import FIELD_MANAGER

from .shapes import nonsense_objects

WEB = 'k:{"name":"web"}'


def _obj(owned: dict[str, Any] | None, *others: dict[str, Any], **fields: Any) -> dict[str, Any]:
    entries = [{"manager": "x", "operation": "Update", "fieldsV1": set_} for set_ in others]
    if owned is not None:
        entries.append({"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": owned})
    return {"kind": "X", "metadata": {"managedFields": entries}, **fields}


OURS = {"f:spec": {"f:a": {}}}
BOTH = {"f:spec": {"f:a": {}, "f:b": {}}}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "a field of ours is meant, one that a webhook stamps is not",
        _obj(OURS, spec={"a": 1, "stamp": "9:00"}),
        _obj(OURS, spec={"a": 2, "stamp": "9:01", "new": True}),
        {"spec": {"a": 2, "stamp": "9:00"}},
    ),
    (
        "a field that Git holds no more goes",
        _obj(BOTH, spec={"a": 1, "b": 1}),
        _obj(OURS, spec={"a": 1}),
        {"spec": {"a": 1}},
    ),
    (
        "unless another one holds it",
        _obj(BOTH, {"f:spec": {"f:b": {}}}, spec={"a": 1, "b": 1}),
        _obj(OURS, {"f:spec": {"f:b": {}}}, spec={"a": 1, "b": 1}),
        {"spec": {"a": 1, "b": 1}},
    ),
    (
        "an item that is put in comes with what we say of it, and where it belongs",
        _obj({"f:env": {}}, env=[{"name": "log"}]),
        _obj(
            {"f:env": {WEB: {".": {}, "f:name": {}}}},
            env=[{"name": "web", "stamp": 1}, {"name": "log"}],
        ),
        {"env": [{"name": "web"}, {"name": "log"}]},
    ),
    (
        "an answer without ownership is taken as it is",
        _obj(None, spec={"a": 1}),
        _obj(None, spec={"a": 2}),
        {"spec": {"a": 2}},
    ),
]


@pytest.mark.parametrize(
    ("live", "predicted", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_what_is_left(
    live: dict[str, Any], predicted: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = normalize(without_mutations(live, predicted), keep_status=True)
    assert {key: found[key] for key in expected} == expected
    assert found.keys() == {"kind", "metadata", *expected}


@given(nonsense_objects(), nonsense_objects())
def test_any_two_objects_are_answered(live: dict[str, Any], predicted: dict[str, Any]) -> None:
    without_mutations(live, predicted)
