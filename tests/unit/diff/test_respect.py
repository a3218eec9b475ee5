"""What is sent where ignored fields are to be left as they live."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.diff import graft, respecting
from fleet.model.applications import IgnoreDifference

WEB = 'k:{"name":"web"}'
LOG = 'k:{"name":"log"}'


def _item(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


GRAFTS: list[tuple[str, Any, Any, dict[str, Any], Any]] = [
    ("a value", {"a": 1}, {"a": 2}, {"f:a": {}}, {"a": 2}),
    ("an added one", {}, {"a": {"b": 2, "c": 3}}, {"f:a": {"f:b": {}}}, {"a": {"b": 2}}),
    ("a whole mapping", {}, {"a": {"b": 2}}, {"f:a": {}}, {"a": {"b": 2}}),
    ("what is not there stays", {"a": 1}, {}, {"f:a": {}}, {"a": 1}),
    ("a node by itself", {"a": {"x": 1}}, {"a": {"y": 1}}, {"f:a": {".": {}}}, {"a": {"x": 1}}),
    (
        "a part of an item",
        {"l": [_item("log", i=1), _item("web", i=1)]},
        {"l": [_item("web", i=2, z=1), _item("log", i=3)]},
        {"f:l": {WEB: {".": {}, "f:i": {}}}},
        {"l": [_item("log", i=1), _item("web", i=2)]},
    ),
    (
        "a part of an item that is not wanted",
        {"l": [_item("web", i=1)]},
        {"l": [_item("web", i=1), _item("log", i=3)]},
        {"f:l": {LOG: {".": {}, "f:i": {}}}},
        {"l": [_item("web", i=1)]},
    ),
    (
        "an item that is ignored as a whole",
        {"l": [_item("web", i=1)]},
        {"l": [_item("log", i=3, z=1), _item("web", i=1)]},
        {"f:l": {LOG: {".": {}, "f:name": {}, "f:i": {}}}},
        {"l": [_item("web", i=1), _item("log", i=3)]},
    ),
    (
        "an item of a set",
        {"l": ["a"]},
        {"l": ["b", "a"]},
        {"f:l": {'v:"b"': {}}},
        {"l": ["a", "b"]},
    ),
    ("another shape", {"a": [1]}, {"a": {"b": 1}}, {"f:a": {"f:b": {}}}, {"a": {"b": 1}}),
]


@pytest.mark.parametrize(
    ("base", "source", "fields", "expected"),
    [pytest.param(*case[1:], id=case[0]) for case in GRAFTS],
)
def test_graft(base: Any, source: Any, fields: dict[str, Any], expected: Any) -> None:
    assert graft(base, source, fields) == expected


def _live(replicas: int, *others: str) -> dict[str, Any]:
    entries = [
        {"manager": name, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for name in others
    ]
    return {"kind": "X", "metadata": {"managedFields": entries}, "spec": {"replicas": replicas}}


OURS = {"f:spec": {"f:replicas": {}, "f:image": {}}}


@pytest.mark.parametrize(
    ("live", "owned", "spec"),
    [
        pytest.param(_live(5, "hpa"), OURS, {"image": "a"}, id="another one keeps it"),
        pytest.param(_live(5), OURS, {"image": "a", "replicas": 5}, id="only we keep it"),
        pytest.param(_live(5), {"f:spec": {"f:image": {}}}, {"image": "a"}, id="nobody owns it"),
    ],
)
def test_who_keeps_an_ignored_field(
    live: dict[str, Any], owned: dict[str, Any], spec: dict[str, Any]
) -> None:
    rules = [IgnoreDifference("*", "*", json_pointers=("/spec/replicas",))]
    desired = {"kind": "X", "spec": {"replicas": 1, "image": "a"}}
    found = respecting(desired, live, desired_rules=rules, live_rules=rules, owned=owned)
    assert found == {"kind": "X", "spec": spec}


def test_an_item_that_is_shared_keeps_what_only_fleet_has_of_it() -> None:
    fields = {"f:l": {WEB: {".": {}, "f:name": {}, "f:i": {}, "f:j": {}}}}
    theirs = {"f:l": {WEB: {".": {}, "f:name": {}, "f:j": {}}}}
    live = {
        "kind": "X",
        "metadata": {"managedFields": [{"manager": "x", "fieldsV1": theirs}, "nonsense"]},
        "l": [_item("web", i=1, j=2)],
    }
    rules = [IgnoreDifference("*", "*", json_pointers=("/l/0",))]
    desired = {"kind": "X", "l": [_item("web", i=5, j=6), _item("log")]}
    found = respecting(desired, live, desired_rules=rules, live_rules=rules, owned=fields)
    assert found == {"kind": "X", "l": [_item("log"), _item("web", i=1)]}


def test_an_empty_list_of_another_keeps_no_item() -> None:
    fields = {"f:l": {WEB: {".": {}, "f:name": {}}}}
    managed = [{"manager": "x", "fieldsV1": {"f:l": {}}}]
    live = {"kind": "X", "metadata": {"managedFields": managed}, "l": [_item("web")]}
    rules = [IgnoreDifference("*", "*", json_pointers=("/l/0",))]
    found = respecting({"kind": "X"}, live, desired_rules=(), live_rules=rules, owned=fields)
    assert found == {"kind": "X", "l": [_item("web")]}
