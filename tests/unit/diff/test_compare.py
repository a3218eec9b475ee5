"""Field by field: which changes are found, how they are named, and that none is lost."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings

from fleet.diff import compare
from fleet.diff.compare import writer_of
from fleet.diff.lists import keyed
from fleet.diff.values import same
from fleet.model.diffs import ChangeType, FieldChange
from fleet.model.objects import ObjectRef

from .shapes import SALT, deep, nonsense_objects, objects

ADDED, REMOVED, CHANGED = ChangeType.ADDED, ChangeType.REMOVED, ChangeType.CHANGED
TYPES = {ADDED: REMOVED, REMOVED: ADDED, CHANGED: CHANGED}


def thing(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}


def changes(live: Any, desired: Any, **more: Any) -> list[tuple[Any, ...]]:
    found = compare(thing(live), thing(desired), salt=SALT, **more).changes
    return [(change.path, change.type, change.live, change.desired) for change in found]


CASES: list[tuple[str, Any, Any, list[tuple[Any, ...]]]] = [
    ("equal", {"a": 1}, {"a": 1}, []),
    ("changed", {"a": 1}, {"a": 2}, [(".spec.a", CHANGED, 1, 2)]),
    ("added", {}, {"a": 2}, [(".spec.a", ADDED, None, 2)]),
    ("removed", {"a": 1}, {}, [(".spec.a", REMOVED, 1, None)]),
    ("null is absent", {"a": None}, {}, []),
    ("null, then a value", {"a": None}, {"a": 0}, [(".spec.a", ADDED, None, 0)]),
    ("true is not 1", {"a": True}, {"a": 1}, [(".spec.a", CHANGED, True, 1)]),
    ("1.0 is 1", {"a": 1.0}, {"a": 1}, []),
    ("text is not a number", {"a": "1"}, {"a": 1}, [(".spec.a", CHANGED, "1", 1)]),
    ("another shape", {"a": {}}, {"a": []}, [(".spec.a", CHANGED, {}, [])]),
    ("inside", {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [(".spec.a.b.c", CHANGED, 1, 2)]),
    ("a whole mapping", {}, {"a": {"b": 1}}, [(".spec.a", ADDED, None, {"b": 1})]),
    ("by position", {"args": ["a", "b"]}, {"args": ["a"]}, [(".spec.args[1]", REMOVED, "b", None)]),
    ("null in a list is an item", {"x": [None]}, {"x": []}, [(".spec.x[0]", REMOVED, None, None)]),
    (
        "container by name",
        {"containers": [{"name": "web", "image": "1"}, {"name": "log", "image": "1"}]},
        {"containers": [{"name": "web", "image": "2"}, {"name": "log", "image": "1"}]},
        [(".spec.containers[name=web].image", CHANGED, "1", "2")],
    ),
    (
        "container in front",
        {"containers": [{"name": "web"}]},
        {"containers": [{"name": "proxy"}, {"name": "web"}]},
        [(".spec.containers[name=proxy]", ADDED, None, {"name": "proxy"})],
    ),
    (
        "another order of what stays",
        {"initContainers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
        {"initContainers": [{"name": "b"}, {"name": "a"}]},
        [
            (".spec.initContainers[name=c]", REMOVED, {"name": "c"}, None),
            (
                ".spec.initContainers[order]",
                CHANGED,
                ["name=a", "name=b", "name=c"],
                ["name=b", "name=a"],
            ),
        ],
    ),
    (
        "two of one name: by position",
        {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "3"}]},
        [(".spec.env[1].value", CHANGED, "2", "3")],
    ),
    (
        "an item without a name: by position",
        {"env": [{"value": "1"}]},
        {"env": [{"name": "A"}]},
        [(".spec.env[0].name", ADDED, None, "A"), (".spec.env[0].value", REMOVED, "1", None)],
    ),
    (
        "ports of a container",
        {"ports": [{"containerPort": 80, "protocol": "TCP"}]},
        {"ports": [{"containerPort": 80, "protocol": "UDP"}]},
        [
            (
                ".spec.ports[containerPort=80,protocol=TCP]",
                REMOVED,
                {"containerPort": 80, "protocol": "TCP"},
                None,
            ),
            (
                ".spec.ports[containerPort=80,protocol=UDP]",
                ADDED,
                None,
                {"containerPort": 80, "protocol": "UDP"},
            ),
        ],
    ),
    (
        "ports of a service, protocol left to the server",
        {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 1}]},
        {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 2}]},
        [(".spec.ports[port=80,protocol=TCP].targetPort", CHANGED, 1, 2)],
    ),
    (
        "mounts",
        {"volumeMounts": [{"mountPath": "/a", "name": "v"}]},
        {"volumeMounts": [{"mountPath": "/a", "name": "w"}]},
        [(".spec.volumeMounts[mountPath=/a].name", CHANGED, "v", "w")],
    ),
    (
        "a set of texts",
        {"finalizers": ["a", "b"]},
        {"finalizers": ["b", "c"]},
        [(".spec.finalizers[=a]", REMOVED, "a", None), (".spec.finalizers[=c]", ADDED, None, "c")],
    ),
]


@pytest.mark.parametrize(
    ("live", "desired", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_changes(live: Any, desired: Any, expected: list[tuple[Any, ...]]) -> None:
    assert changes(live, desired) == expected


def test_protocol_defaults_to_tcp_as_on_the_server() -> None:
    found = changes({"ports": [{"port": 80, "protocol": "TCP"}]}, {"ports": [{"port": 80}]})
    assert found == [(".spec.ports[port=80,protocol=TCP].protocol", REMOVED, "TCP", None)]


def test_server_fields_and_marks_are_no_changes() -> None:
    live = thing({}) | {"status": {"x": 1}}
    live["metadata"] = {"name": "x", "uid": "1", "managedFields": [], "resourceVersion": "3"}
    assert not compare(live, thing({}), salt=SALT).is_different


def test_created_and_pruned_objects_have_one_side() -> None:
    created = compare(None, thing({}), salt=SALT)
    pruned = compare(thing({}), None, salt=SALT)
    ref = ObjectRef("apps", "Thing", "", "x")
    assert (created.ref, created.live, created.changes) == (ref, None, ())
    assert (pruned.ref, pruned.predicted, pruned.changes) == (ref, None, ())
    assert created.is_different
    assert pruned.is_different


def test_writers_are_named() -> None:
    writers = {
        ".spec.a": "kubectl-edit",
        ".spec.map.x": "operator",
        ".spec.atomic": "hpa",
        ".spec.containers[name=web]": "operator",
        ".spec.containers[name=web].name": "operator",
    }
    web = {"name": "web", "defaulted": 1}
    live = {"a": 1, "map": {"x": 1}, "atomic": [1, 2], "free": 1, "gone": 1, "containers": [web]}
    desired = {"a": 2, "atomic": [1, 3], "free": 2, "new": 1, "containers": [{"name": "web"}]}
    found = compare(thing(live), thing(desired), salt=SALT, writers=writers).changes
    assert {change.path: change.manager for change in found} == {
        ".spec.a": "kubectl-edit",
        ".spec.atomic[1]": "hpa",
        ".spec.containers[name=web].defaulted": "",
        ".spec.free": "",
        ".spec.gone": "",
        ".spec.map": "operator",
        ".spec.new": "",
    }


@pytest.mark.parametrize("path", ["", "a", ".", "[0]", "..", "[a.b"])
def test_writer_of_odd_paths(path: str) -> None:
    assert writer_of(path, {"x": "y"}) == ""


@given(objects())
def test_an_object_equals_itself(obj: dict[str, Any]) -> None:
    assert not compare(obj, deepcopy(obj), salt=SALT).is_different


@settings(max_examples=60)
@given(objects(), objects())
def test_the_other_way_round_is_the_opposite(one: dict[str, Any], other: dict[str, Any]) -> None:
    there = compare(one, other, salt=SALT).changes
    back = compare(other, one, salt=SALT).changes
    assert sorted((c.path, TYPES[c.type]) for c in there) == sorted((c.path, c.type) for c in back)
    opposite = {c.path: (c.desired, c.live) for c in there}
    assert all(same(list(opposite[c.path]), [c.live, c.desired]) for c in back)


@settings(max_examples=60)
@given(objects(), objects())
def test_applying_the_changes_to_live_gives_predicted(
    live: dict[str, Any], predicted: dict[str, Any]
) -> None:
    found = compare(live, predicted, salt=SALT)
    assert found.live is not None
    assert found.predicted is not None
    by_path = {change.path: change for change in found.changes}
    result = replayed(found.live, found.predicted, "", "", by_path)
    assert same(result, found.predicted)
    assert not by_path  # every change was of use


def replayed(live: Any, shape: Any, path: str, field: str, by_path: dict[str, FieldChange]) -> Any:
    """``live`` with the changes carried out. Of the predicted side only the places of list
    items that were added are looked at (``shape``): a change does not name them."""
    change = by_path.pop(path, None)
    if change is not None:
        return change.desired
    if isinstance(live, dict) and isinstance(shape, dict):
        names = [n for n in {**live, **shape} if not _is_removed(by_path, f"{path}.{n}")]
        return {n: replayed(live.get(n), shape.get(n), f"{path}.{n}", n, by_path) for n in names}
    if isinstance(live, list) and isinstance(shape, list):
        return _replayed_list(live, shape, path, field, by_path)
    return live


def _is_removed(by_path: dict[str, FieldChange], path: str) -> bool:
    if path in by_path and by_path[path].type is REMOVED:
        del by_path[path]
        return True
    return False


def _replayed_list(
    live: list[Any], shape: list[Any], path: str, field: str, by_path: dict[str, FieldChange]
) -> list[Any]:
    pair = keyed(field, live, shape)
    if pair is None:
        pair = ({str(i): v for i, v in enumerate(live)}, {str(i): v for i, v in enumerate(shape)})
    before, after = pair
    order = by_path.pop(f"{path}[order]", None)
    kept = [key for key in before if not _is_removed(by_path, f"{path}[{key}]")]
    if order is not None:
        assert order.desired == list(after)
        kept = [key for key in order.desired if key in before]
    assert kept == [key for key in after if key in before]
    return [replayed(before.get(key), after[key], f"{path}[{key}]", "", by_path) for key in after]


@given(nonsense_objects(), nonsense_objects())
def test_nonsense_is_compared(one: dict[str, Any], other: dict[str, Any]) -> None:
    compare(one, other, salt=SALT, writers={"": "x"})


def test_depth_does_not_matter() -> None:
    one, other = thing(deep(5000)), thing(deep(5000))
    assert not compare(one, other, salt=SALT).is_different
    assert len(compare(one, thing(deep(5001)), salt=SALT).changes) == 1
