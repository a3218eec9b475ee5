from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleet.cluster.ownership import (
    field_paths,
    fields_hash,
    lost_fields,
    owned_fields,
    ownership,
    paths_owned,
    readable_path,
    writers,
)
from fleet.model.live import LiveMeta
from fleet.model.objects import ObjectRef

NAMES = st.sampled_from(["spec", "replicas", "a.b/c", "", "image"])
KEYS = st.one_of(
    st.just("."),
    NAMES.map(lambda name: f"f:{name}"),
    st.dictionaries(NAMES, st.one_of(st.text(max_size=3), st.integers(0, 9)), min_size=1).map(
        lambda keys: "k:" + json.dumps(keys)
    ),
    st.text(max_size=3).map(lambda value: "v:" + json.dumps(value)),
    st.integers(0, 3).map(lambda index: f"i:{index}"),
)
FIELDS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def meta(*managed_fields: Any) -> LiveMeta:
    return LiveMeta(
        ref=ObjectRef("", "ConfigMap", "n", "c"),
        uid="u",
        resource_version="1",
        labels={},
        annotations={},
        managed_fields=list(managed_fields),
        owner_references=[],
    )


def entry(manager: str, fields: Any, **changes: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Apply",
        "time": "2026-01-01T00:00:00Z",
        "fieldsV1": fields,
    } | changes


def reversed_keys(node: dict[str, Any]) -> dict[str, Any]:
    return {key: reversed_keys(node[key]) for key in reversed(node)}


def test_paths_are_written_as_field_changes_write_them() -> None:
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}},
        "f:spec": {
            "f:containers": {
                'k:{"name":"web"}': {".": {}, "f:image": {}},
                'k:{"protocol":"TCP","containerPort":80}': {"f:name": {}},
            },
            "f:finalizers": {'v:"keep"': {}},
            "f:args": {"i:2": {}},
        },
    }

    assert field_paths(fields) == {
        ".metadata.labels",
        ".metadata.labels.app.kubernetes.io/name",
        ".spec.containers[name=web]",
        ".spec.containers[name=web].image",
        ".spec.containers[containerPort=80,protocol=TCP].name",
        ".spec.finalizers[=keep]",
        ".spec.args[2]",
    }


def test_the_servers_spelling_of_a_conflict_reads_as_ours() -> None:
    spelt = '.spec.containers[name="we\\"b"].ports[containerPort=80,protocol="TCP"].name'

    assert readable_path(spelt) == (
        '.spec.containers[name=we"b].ports[containerPort=80,protocol=TCP].name'
    )


def test_only_our_own_applies_are_ours() -> None:
    ours = {"f:data": {"f:a": {}}}
    others = [
        entry("fleet", {"f:x": {}}, operation="Update"),
        entry("fleet", {"f:y": {}}, subresource="status"),
        entry("kubectl", {"f:z": {}}),
    ]

    assert owned_fields(meta(*others, entry("fleet", ours))) == ours
    assert owned_fields(meta(*others)) is None
    assert ownership(meta(*others)).owned == ""
    assert ownership(meta(*others, entry("fleet", ours))).foreign == ("fleet", "kubectl")


def test_the_last_writer_of_a_field_is_named() -> None:
    shared = {"f:a": {}}
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"

    assert writers([entry("x", shared, time=late), entry("y", shared, time=early)]) == {".a": "x"}
    assert writers([entry("y", shared), entry("fleet", shared)]) == {".a": "y"}


def test_conflicts_are_ours_when_they_touch_what_we_owned() -> None:
    owned = {"f:spec": {"f:replicas": {}, "f:selector": {}}}
    conflicts = [
        ("a", ".spec.replicas"),
        ("b", ".spec.selector.matchLabels"),
        ("c", ".spec.paused"),
        ("d", ".spec.replicasMax"),
    ]

    assert paths_owned(owned, conflicts) == {".spec.replicas", ".spec.selector.matchLabels"}
    assert paths_owned(None, conflicts) == frozenset()


@given(FIELDS)
def test_the_hash_is_of_the_set_not_of_its_spelling(fields: dict[str, Any]) -> None:
    assert fields_hash(fields) == fields_hash(reversed_keys(fields))
    assert lost_fields(fields, fields) == frozenset()
    assert lost_fields(None, fields) == frozenset()
    assert lost_fields(fields, None) == field_paths(fields)


@given(FIELDS, st.lists(KEYS, max_size=3))
def test_what_is_taken_out_is_what_is_lost(fields: dict[str, Any], taken: list[str]) -> None:
    rest = {key: node for key, node in fields.items() if key not in taken}

    assert lost_fields(fields, rest) | field_paths(rest) == field_paths(fields)


@given(FIELDS)
def test_every_path_that_we_own_is_found_among_conflicts(fields: dict[str, Any]) -> None:
    paths = field_paths(fields)

    assert paths_owned(fields, [("x", path) for path in paths]) >= {
        path for path in paths if '"' not in path
    }


@given(st.lists(ANYTHING, max_size=4), ANYTHING)
def test_nonsense_never_raises(entries: list[Any], fields: Any) -> None:
    hostile = meta(*entries, entry("fleet", fields), entry("x", {"k:{": {}, "v:{": {}, "f": 1}))

    ownership(hostile)
    writers(hostile.managed_fields)
    lost_fields(owned_fields(hostile), {})


def test_depth_is_no_way_to_break_us() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"f:a": deep}

    assert len(field_paths(deep)) == 1
    assert fields_hash(deep)
