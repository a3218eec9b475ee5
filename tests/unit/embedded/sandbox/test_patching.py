"""JSON patch, merge patch, strategic merge patch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.embedded.sandbox.patching import PatchFailed, json_patch, merge_patch, strategic_patch
from fleet.embedded.sandbox.shapes import builtin

POD = builtin("V1PodSpec")
CONTAINER = builtin("V1Container")


def names(items: list[dict[str, Any]], key: str = "name") -> list[Any]:
    return [item[key] for item in items]


def test_json_patch() -> None:
    obj = {"a": {"b": [1, 2]}}
    operations = [
        {"op": "test", "path": "/a/b/0", "value": 1},
        {"op": "add", "path": "/a/b/-", "value": 3},
        {"op": "remove", "path": "/a/b/0"},
        {"op": "replace", "path": "/a/b/0", "value": 9},
        {"op": "copy", "from": "/a/b", "path": "/c"},
        {"op": "move", "from": "/c", "path": "/d~1e"},
    ]
    assert json_patch(obj, operations) == {"a": {"b": [9, 3]}, "d/e": [9, 3]}
    assert obj == {"a": {"b": [1, 2]}}


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({}, 400),
        ([1], 400),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "remove", "path": "/no"}], 422),
        ([{"op": "replace", "path": "/no/deep", "value": 1}], 422),
        ([{"op": "what", "path": "/a"}], 422),
        ([{"op": "add"}], 422),
        ([{"op": "replace", "path": "", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": 1}] * 10_001, 413),
    ],
)
def test_json_patches_that_fail(operations: Any, code: int) -> None:
    with pytest.raises(PatchFailed) as caught:
        json_patch({"a": 1}, operations)
    assert caught.value.code == code


def test_merge_patch() -> None:
    obj = {"a": {"b": 1, "c": 2}, "l": [1], "s": "x"}
    patch = {"a": {"b": None, "d": {"e": None, "f": 1}}, "l": [2], "s": {"t": None}}
    assert merge_patch(obj, patch) == {"a": {"c": 2, "d": {"f": 1}}, "l": [2], "s": {}}
    assert obj["a"] == {"b": 1, "c": 2}
    with pytest.raises(PatchFailed, match="is an object"):
        merge_patch(obj, [])


def test_lists_are_merged_by_key_and_others_replaced() -> None:
    spec = {
        "containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}],
        "tolerations": [{"key": "k"}],
    }
    patch = {
        "containers": [{"name": "c"}, {"name": "a", "image": "2", "args": ["y"]}],
        "tolerations": [{"key": "l"}],
    }
    patched = strategic_patch(spec, patch, POD)
    assert patched["tolerations"] == [{"key": "l"}]
    assert names(patched["containers"]) == ["c", "a", "b"]
    assert patched["containers"][1] == {"name": "a", "image": "2", "args": ["y"]}
    assert names(spec["containers"]) == ["a", "b"]


def test_items_can_be_deleted_and_lists_replaced() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}]}
    patch = {"containers": [{"name": "a", "$patch": "delete"}]}
    assert strategic_patch(spec, patch, POD) == {"containers": [{"name": "b"}]}
    patch = {"containers": [{"$patch": "replace"}, {"name": "c"}]}
    assert strategic_patch(spec, patch, POD) == {"containers": [{"name": "c"}]}


def test_objects_can_be_replaced_and_emptied() -> None:
    spec = {"securityContext": {"runAsUser": 1, "fsGroup": 2}}
    patch: dict[str, Any] = {"securityContext": {"$patch": "replace", "runAsUser": 3}}
    assert strategic_patch(spec, patch, POD) == {"securityContext": {"runAsUser": 3}}
    patch = {"securityContext": {"$patch": "delete"}}
    assert strategic_patch(spec, patch, POD) == {"securityContext": {}}
    assert strategic_patch({}, patch, POD) == {}


def test_keys_that_are_not_retained_go() -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    volume = {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}
    patched = strategic_patch(spec, {"volumes": [volume]}, POD)
    assert patched == {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}
    strategy = {"$retainKeys": ["type"], "type": "Recreate"}
    spec = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patched = strategic_patch(spec, {"strategy": strategy}, builtin("V1DeploymentSpec"))
    assert patched == {"strategy": {"type": "Recreate"}}


def test_scalars_are_added_and_deleted() -> None:
    meta = {"finalizers": ["a", "b"]}
    shape = builtin("V1ObjectMeta")
    assert strategic_patch(meta, {"finalizers": ["c", "b"]}, shape) == {
        "finalizers": ["c", "a", "b"]
    }
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_patch(meta, patch, shape) == {"finalizers": ["b"]}
    assert strategic_patch({}, patch, shape) == {}


def test_the_order_of_items_can_be_set() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "theirs"}, {"name": "b"}]}
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert names(strategic_patch(spec, patch, POD)["containers"]) == ["theirs", "b", "a"]
    patch = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
        "containers": [{"name": "c"}],
    }
    assert names(strategic_patch(spec, patch, POD)["containers"]) == ["c", "theirs", "b", "a"]


def test_ports_are_merged_by_number_alone() -> None:
    container = {"ports": [{"containerPort": 1, "protocol": "TCP"}]}
    patch = {"ports": [{"containerPort": 1, "protocol": "UDP"}, {"containerPort": 2}]}
    patched = strategic_patch(container, patch, CONTAINER)
    assert patched["ports"] == [{"containerPort": 1, "protocol": "UDP"}, {"containerPort": 2}]


def test_nulls_remove_and_are_not_kept_in_what_is_new() -> None:
    patch = {"hostname": None, "dnsConfig": {"nameservers": ["n"], "options": None}}
    assert strategic_patch({"hostname": "h"}, patch, POD) == {"dnsConfig": {"nameservers": ["n"]}}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([], 400),
        ({"$patch": "what"}, 500),
        ({"containers": [{"$patch": "what", "name": "a"}]}, 500),
        ({"containers": [{"image": "x"}]}, 500),
        ({"containers": [{"$patch": "delete"}]}, 500),
        ({"containers": [{"name": []}]}, 500),
        ({"containers": [{"name": {}, "$patch": "delete"}]}, 500),
        ({"$retainKeys": "x"}, 400),
        ({"$retainKeys": ["a"], "hostname": "h"}, 400),
        ({"$setElementOrder/containers": {}}, 400),
        ({"$deleteFromPrimitiveList/finalizers": "x"}, 400),
        (
            {
                "$setElementOrder/containers": [{"name": "a"}],
                "containers": [{"name": "z"}],
            },
            500,
        ),
    ],
)
def test_strategic_patches_that_fail(patch: Any, code: int) -> None:
    spec = {"containers": [{"name": "a"}]}
    with pytest.raises(PatchFailed) as caught:
        strategic_patch(spec, patch, POD)
    assert caught.value.code == code
    assert json.dumps(spec) == '{"containers": [{"name": "a"}]}'


@pytest.mark.parametrize("item", [[], {"a": 1}])
def test_items_of_a_set_are_scalars(item: Any) -> None:
    metadata = {"finalizers": ["a.b/c"]}
    with pytest.raises(PatchFailed) as caught:
        strategic_patch(metadata, {"finalizers": [item]}, builtin("V1ObjectMeta"))
    assert caught.value.code == 500


def test_a_new_item_takes_the_place_of_a_deleted_one() -> None:
    spec = {"containers": [{"name": "old"}, {"name": "theirs"}]}
    patch = {
        "$setElementOrder/containers": [{"name": "new"}],
        "containers": [{"name": "new"}, {"name": "old", "$patch": "delete"}],
    }
    assert names(strategic_patch(spec, patch, POD)["containers"]) == ["theirs", "new"]


def test_new_items_keep_their_nulls_for_the_decoder() -> None:
    spec = {"containers": [{"name": "a"}]}
    patch = {"containers": [{"name": "b", "env": None}]}
    assert strategic_patch(spec, patch, POD)["containers"][0] == {"name": "b", "env": None}
