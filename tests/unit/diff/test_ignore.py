"""``ignoreDifferences``."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.diff import (
    applied_sha256,
    is_as_applied,
    matches,
    remove_ignored,
    remove_ignored_fields,
    sha256_of,
    without_husks,
)
from fleet.model.applications import IgnoreDifference
from fleet.model.objects import ObjectRef

from .shapes import NONSENSE, deep, nonsense_objects

REF = ObjectRef("apps", "Deployment", "shop", "web")


def rule(*pointers: str, **more: Any) -> IgnoreDifference:
    facts = {"group": "*", "kind": "*", **more}
    return IgnoreDifference(json_pointers=pointers, **facts)


@pytest.mark.parametrize(
    ("group", "kind", "name", "namespace", "expected"),
    [
        ("apps", "Deployment", "", "", True),
        ("*", "*", "", "", True),
        ("ap*", "Deploy*", "web", "shop", True),
        ("app?", "Deployment", "", "", True),
        ("", "Deployment", "", "", False),
        ("apps", "deployment", "", "", False),
        ("apps", "Deployment", "we*", "s??p", True),
        ("apps", "Deployment", "we", "", False),
        ("apps", "Deployment", "", "s*x", False),
        ("apps", "Deployment", "web2", "", False),
        ("apps", "Deployment", "", "other", False),
    ],
)
def test_matches(group: str, kind: str, name: str, namespace: str, expected: bool) -> None:
    found = IgnoreDifference(group=group, kind=kind, name=name, namespace=namespace)
    assert matches(found, REF) is expected


def test_the_core_group_is_empty() -> None:
    assert matches(IgnoreDifference(group="", kind="Service"), ObjectRef("", "Service", "a", "b"))


SPEC: dict[str, Any] = {
    "replicas": 3,
    "a/b": 1,
    "m~n": 2,
    "": 4,
    "list": ["p", "q", "r"],
    "deep": {"only": {"one": 1}},
    "pair": {"x": 1, "y": 2},
}
POINTERS: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    ("a field", ("/spec/replicas",), {"replicas": None}),
    ("a slash", ("/spec/a~1b",), {"a/b": None}),
    ("a tilde", ("/spec/m~0n",), {"m~n": None}),
    ("an empty name", ("/spec/",), {"": None}),
    ("an item", ("/spec/list/1",), {"list": ["p", "r"]}),
    ("items by their places before", ("/spec/list/0", "/spec/list/1"), {"list": ["r"]}),
    ("a mapping that is left empty goes", ("/spec/deep/only/one",), {"deep": None}),
    ("a list that is left empty goes", tuple(f"/spec/list/{i}" for i in range(3)), {"list": None}),
    ("around and inside", ("/spec/pair", "/spec/pair/x"), {"pair": None}),
    ("inside and around", ("/spec/pair/x", "/spec/pair"), {"pair": None}),
    ("nowhere", ("/spec/none/x", "/spec/replicas/x", "/nothing"), {}),
    ("no index", ("/spec/list/01", "/spec/list/-", "/spec/list/+1", "/spec/list/9"), {}),
    ("no pointer", ("spec/replicas", "", "/spec/a~2b", "/spec/~"), {}),
    ("absurd", ("/spec" + "/x" * 5000,), {}),
]


@pytest.mark.parametrize(
    ("pointers", "changed"), [pytest.param(*case[1:], id=case[0]) for case in POINTERS]
)
def test_json_pointers(pointers: tuple[str, ...], changed: dict[str, Any]) -> None:
    obj = {"kind": "X", "spec": SPEC}
    before = deepcopy(obj)
    wanted = {key: value for key, value in {**SPEC, **changed}.items() if value is not None}
    assert remove_ignored(obj, [rule(*pointers)]) == {"kind": "X", "spec": wanted}
    assert obj == before


def test_only_rules_that_match() -> None:
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3, "x": 1}}
    other = rule("/spec/replicas", kind="StatefulSet")
    assert remove_ignored(obj, [other]) == obj
    assert remove_ignored(obj, [other, rule("/spec/x")])["spec"] == {"replicas": 3}


def test_jq_itself_does_nothing_here() -> None:
    obj = {"kind": "X", "spec": {"a": 1}}
    jq = IgnoreDifference(group="*", kind="*", jq_path_expressions=(".spec.a",))
    assert remove_ignored(obj, [jq]) == obj


SCALER = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "fieldsV1": {
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:containers": {'k:{"name":"log"}': {".": {}, "f:name": {}, "f:i": {}}}
            },
        }
    },
}


def test_fields_of_a_manager() -> None:
    spec = {
        "replicas": 3,
        "template": {"containers": [{"name": "web", "i": 1}, {"name": "log", "i": 2}]},
    }
    ignoring = rule(managed_fields_managers=("kube-controller-manager",))
    others = [SCALER, {"manager": "x", "fieldsV1": {"f:kind": {}}}, "nonsense", {}]
    found = remove_ignored({"kind": "X", "spec": spec}, [ignoring], managed_fields=others)
    assert found == {"kind": "X", "spec": {"template": {"containers": [{"name": "web", "i": 1}]}}}
    assert remove_ignored({"spec": spec}, [ignoring]) == {"spec": spec}


OURS: dict[str, Any] = {
    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
    "f:spec": {"f:replicas": {}, "f:selector": {}},
}
TAKEN = {**OURS, "f:spec": {"f:selector": {}}}


@pytest.mark.parametrize(
    ("ignoring", "left"),
    [
        (rule("/spec/replicas"), TAKEN),
        (rule("/spec"), {"f:metadata": OURS["f:metadata"]}),
        (rule("/metadata/labels/app"), {"f:spec": OURS["f:spec"]}),
        (rule("/spec/selector/matchLabels"), OURS),
        (rule("/spec/none"), OURS),
        (rule("/spec/list/0"), OURS),
        (rule("/spec/replicas", kind="Other"), OURS),
        (rule(managed_fields_managers=("kube-controller-manager",)), TAKEN),
        (rule(managed_fields_managers=("somebody",)), OURS),
    ],
)
def test_field_sets(ignoring: IgnoreDifference, left: dict[str, Any]) -> None:
    assert remove_ignored_fields(OURS, [ignoring], REF, managed_fields=[SCALER]) == left


def test_a_field_that_may_be_taken_is_no_drift() -> None:
    """The autoscaler took the replicas: with the rule, then and now are the same set."""
    scaling = [rule("/spec/replicas")]
    then = remove_ignored_fields(OURS, scaling, REF)
    assert then == remove_ignored_fields(TAKEN, scaling, REF)
    assert remove_ignored_fields(OURS, [], REF) != remove_ignored_fields(TAKEN, [], REF)


ITEMS: dict[str, Any] = {
    "f:list": {
        'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}},
        'k:{"name":"b"}': {".": {}, "f:name": {}, "f:image": {}},
    },
    "f:set": {'v:"x"': {}, 'v:"y"': {}},
}
ITEMS_LIVE = {
    "list": [{"name": "b", "image": 1}, {"name": "a", "image": 2}, {"name": "theirs"}],
    "set": ["x", "y"],
}


@pytest.mark.parametrize(
    ("pointer", "gone"),
    [
        ("/list/1/image", ("f:list", 'k:{"name":"a"}', "f:image")),
        ("/list/0", ("f:list", 'k:{"name":"b"}')),
        ("/set/1", ("f:set", 'v:"y"')),
        ("/list/2/image", ()),
        ("/list/7/image", ()),
        ("/list/x/image", ()),
    ],
)
def test_positions_in_field_sets_are_those_of_the_object(
    pointer: str, gone: tuple[str, ...]
) -> None:
    expected = deepcopy(ITEMS)
    node = expected
    for key in gone[:-1]:
        node = node[key]
    for key in gone[-1:]:
        del node[key]
    found = remove_ignored_fields(ITEMS, [rule(pointer)], REF, obj=ITEMS_LIVE)
    assert found == expected
    assert remove_ignored_fields(ITEMS, [rule(pointer)], REF) == ITEMS


@pytest.mark.parametrize(
    ("recorded_under", "now_under", "replicas", "expected"),
    [
        ((), (), 1, True),
        ((), (), 2, False),
        (("/spec/replicas",), ("/spec/replicas",), 2, True),
        # a rule that comes brings no difference, one that goes may
        ((), ("/spec/replicas",), 1, True),
        (("/spec/replicas",), (), 1, False),
        (("/spec/replicas",), ("/spec/other",), 1, False),
    ],
)
def test_what_was_applied(
    recorded_under: tuple[str, ...], now_under: tuple[str, ...], replicas: int, expected: bool
) -> None:
    manifest = {"kind": "X", "spec": {"replicas": 1, "paused": True}}
    now = {"kind": "X", "spec": {"replicas": replicas, "paused": True}}
    recorded = applied_sha256(manifest, [rule(*recorded_under)])
    assert is_as_applied(recorded, now, [rule(*now_under)]) is expected
    assert not is_as_applied(recorded, {**now, "more": 1}, [rule(*now_under)])
    assert applied_sha256(manifest, ()) == sha256_of(manifest)


TEXTS = st.text("/~01ab", max_size=12)


@given(nonsense_objects(), st.lists(TEXTS, max_size=4), st.lists(NONSENSE, max_size=3))
def test_nonsense_is_survived(obj: dict[str, Any], pointers: list[str], managed: list[Any]) -> None:
    rules = [rule(*pointers, managed_fields_managers=("a",))]
    entries = [*managed, *({"manager": "a", "fieldsV1": fields} for fields in managed)]
    once = remove_ignored(obj, rules, managed_fields=entries)
    assert isinstance(once, dict)
    fields = obj if isinstance(obj, dict) else {}
    remove_ignored_fields(fields, rules, REF, managed_fields=entries, obj=obj)


def test_depth_does_not_matter() -> None:
    fields: Any = {}
    for level in range(5000):
        fields = {"i:0": fields} if level % 2 else {"f:a": fields}
    entry = {"manager": "m", "fieldsV1": {"f:spec": fields}}
    rules = [rule(managed_fields_managers=("m",))]
    remove_ignored({"spec": deep(5000)}, rules, managed_fields=[entry])
    remove_ignored_fields({"f:spec": fields}, rules, REF, managed_fields=[entry])


WHOLE: dict[str, Any] = {"f:spec": {".": {}, "f:a": {}, "f:b": {"f:c": {}}}, "f:x": {}}


@pytest.mark.parametrize(
    ("fields", "counted", "left"),
    [
        ({"f:spec": {}, "f:x": {}}, {"f:x": {}}, {"f:x": {}}),
        ({"f:spec": {".": {}}}, {}, {}),
        ({"f:spec": {}}, {"f:spec": {"f:a": {}}}, {"f:spec": {}}),
        ({"f:x": {}}, {}, {"f:x": {}}),  # it never had parts
        ({"f:new": {}}, {}, {"f:new": {}}),
        ({"f:spec": {"f:a": {}, "f:b": {}}}, {"f:spec": {"f:a": {}}}, {"f:spec": {"f:a": {}}}),
    ],
)
def test_a_node_that_lost_all_that_was_in_it_to_others(
    fields: dict[str, Any], counted: dict[str, Any], left: dict[str, Any]
) -> None:
    assert without_husks(fields, WHOLE, counted) == left
