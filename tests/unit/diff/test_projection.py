"""Objects restricted to field sets, as the API server writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.diff import projection, projection_sha256
from fleet.diff.lists import keyed
from fleet.diff.values import same

from .shapes import NONSENSE, deep, nonsense_objects, objects

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "labels": {"app": "web", "foreign": "x"},
        "finalizers": ["ours", "theirs"],
    },
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "restartPolicy": "Always",
                "containers": [
                    {
                        "name": "proxy",
                        "image": "envoy:1",
                    },
                    {
                        "name": "web",
                        "image": "nginx:1",
                        "imagePullPolicy": "Always",
                        "ports": [
                            {"containerPort": 80, "protocol": "TCP", "name": "http"},
                            {"containerPort": 80, "protocol": "UDP"},
                        ],
                    },
                ],
            }
        },
    },
    "status": {"replicas": 3},
}
OURS: dict[str, Any] = {
    "f:metadata": {
        "f:labels": {".": {}, "f:app": {}},
        "f:finalizers": {".": {}, 'v:"ours"': {}},
    },
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"web"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:ports": {
                            'k:{"containerPort":80,"protocol":"TCP"}': {
                                ".": {},
                                "f:containerPort": {},
                                "f:protocol": {},
                            }
                        },
                    }
                }
            }
        },
    },
}


def test_what_we_own_and_nothing_else() -> None:
    assert projection(DEPLOYMENT, OURS) == {
        "metadata": {"labels": {"app": "web"}, "finalizers": ["ours"]},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "nginx:1",
                            "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        }
                    ]
                }
            },
        },
    }


def edited(path: list[Any], value: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(DEPLOYMENT))
    target: Any = found
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return found


CONTAINERS = ["spec", "template", "spec", "containers"]
EDITS: list[tuple[str, list[Any], Any, bool]] = [
    ("our replicas", ["spec", "replicas"], 4, True),
    ("our image", [*CONTAINERS, 1, "image"], "nginx:2", True),
    ("inside our atomic selector", ["spec", "selector", "matchLabels", "app"], "x", True),
    ("our label", ["metadata", "labels", "app"], "x", True),
    ("another's label", ["metadata", "labels", "foreign"], "y", False),
    ("another's container", [*CONTAINERS, 0, "image"], "envoy:2", False),
    ("a default in our container", [*CONTAINERS, 1, "imagePullPolicy"], "Never", False),
    ("the status", ["status", "replicas"], 1, False),
    ("another's finalizer", ["metadata", "finalizers"], ["ours"], False),
    ("our finalizer", ["metadata", "finalizers"], ["theirs"], True),
]


@pytest.mark.parametrize(
    ("path", "value", "seen"), [pytest.param(*case[1:], id=case[0]) for case in EDITS]
)
def test_the_hash_sees_our_fields_only(path: list[Any], value: Any, seen: bool) -> None:
    before = projection_sha256(DEPLOYMENT, OURS)
    assert (projection_sha256(edited(path, value), OURS) != before) is seen


def test_own_nothing_project_nothing() -> None:
    assert projection(DEPLOYMENT, {}) == {}


def test_a_mapping_of_which_we_own_only_the_existence() -> None:
    fields: Any = {"f:metadata": {"f:labels": {".": {}}}}
    assert projection(DEPLOYMENT, fields) == {"metadata": {"labels": {}}}


def with_writers(obj: dict[str, Any], *sets: Any) -> dict[str, Any]:
    entries = [{"manager": str(number), "fieldsV1": found} for number, found in enumerate(sets)]
    return {**obj, "metadata": {"managedFields": entries}}


def test_what_another_puts_into_our_empty_mapping_is_not_ours() -> None:
    ours: Any = {"f:spec": {"f:resources": {}, "f:args": {}}}
    before: Any = {"spec": {"resources": {}, "args": []}}
    after = {"spec": {"resources": {"cpu": 1}, "args": ["x"]}}
    theirs: Any = {"f:spec": {"f:resources": {"f:cpu": {}}, "f:args": {'v:"x"': {}}}}
    assert projection(with_writers(before, ours), ours) == before
    assert projection(with_writers(after, ours, theirs), ours) == before


def test_an_atomic_mapping_is_ours_with_all_that_is_in_it() -> None:
    ours: Any = {"f:spec": {"f:selector": {}}}
    obj = {"spec": {"selector": {"app": "web"}}}
    theirs: Any = {"f:spec": {"f:selector": {}, "f:other": {"f:x": {}}}}
    assert projection(with_writers(obj, ours, theirs, None, []), ours) == obj
    assert projection({**obj, "metadata": {"managedFields": "x"}}, ours) == obj


def test_items_by_position() -> None:
    fields: Any = {"f:spec": {"f:args": {"i:1": {}}}}
    assert projection({"spec": {"args": ["a", "b", "c"]}}, fields) == {"spec": {"args": ["b"]}}


def owning(value: Any, field: str = "") -> dict[str, Any]:
    """The field set that a server-side apply of ``value`` would own, each leaf by itself."""
    if isinstance(value, dict) and value:
        return {f"f:{name}": owning(inner, name) for name, inner in value.items()}
    pair = keyed(field, value) if isinstance(value, list) and value else None
    if pair is None:
        return {}  # a plain value, an atomic list, an empty mapping: owned whole
    if field == "finalizers":
        return {f"v:{json.dumps(item)}": {} for item in value}
    names = [part.partition("=")[0] for part in next(iter(pair[0])).split(",")]
    if any(name not in item for item in value for name in names):
        return {}
    return {
        "k:" + json.dumps({name: item[name] for name in names}): {".": {}, **owning(item)}
        for item in value
    }


@settings(max_examples=60)
@given(objects())
def test_what_apply_would_own_is_the_whole_object(obj: dict[str, Any]) -> None:
    assert same(projection(obj, owning(obj)), obj)


@settings(max_examples=60)
@given(objects(), st.data())
def test_each_path_of_the_set_is_found(obj: dict[str, Any], data: st.DataObject) -> None:
    """Fewer fields in the set, fewer in the projection: exactly those."""
    fields = owning(obj)
    spec = fields["f:spec"]
    if not spec:
        return
    dropped = data.draw(st.sampled_from(sorted(spec)))
    found = projection(
        obj, {"f:spec": {k: v for k, v in spec.items() if k != dropped}} | {"f:kind": {}}
    )
    kept = {k: v for k, v in obj["spec"].items() if f"f:{k}" != dropped}
    expected = {"spec": kept if len(spec) > 1 else obj["spec"], "kind": obj["kind"]}
    assert same(found, expected)


@given(nonsense_objects(), NONSENSE)
def test_nonsense_is_projected(obj: dict[str, Any], fields: Any) -> None:
    if isinstance(fields, dict):
        projection_sha256(obj, fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"f:spec": None},
        {"f:spec": []},
        {"f:metadata": {"f:finalizers": {"v:{": {}, "k:[]": {}, "k:{}": {}, "i:x": {}, "z": {}}}},
        {"k:{}": {}, "v:1": {}},
    ],
)
def test_broken_sets(fields: Any) -> None:
    projection(DEPLOYMENT, fields)


def test_depth_does_not_matter() -> None:
    fields: Any = {}
    for level in range(5000):
        fields = {"i:0": fields} if level % 2 else {"f:a": fields}
    projection({"spec": deep(5000)}, {"f:spec": fields})
