"""JSON patch, merge patch, strategic merge patch."""

from __future__ import annotations

from typing import Any

from tests.contract.case import case
from tests.contract.cases.creating import configmap, deployment
from tests.contract.cases.validation import service
from tests.contract.recording import JSON_PATCH, MERGE, STRATEGIC, Object, Recorder


def containers(body: Object) -> list[Object]:
    """Name and image of the containers of a workload."""
    found = body["spec"]["template"]["spec"]["containers"]
    return [{"name": it["name"], "image": it["image"]} for it in found]


def pod(**spec: Any) -> Object:
    """A patch of the pod spec of a Deployment."""
    return {"spec": {"template": {"spec": spec}}}


def patched(it: Recorder, patch: Any, kind: str) -> Object:
    """A Deployment after a patch."""
    it.have(it.at("deployments"), deployment())
    return dict(it.patch(it.at("deployments", "one"), patch, kind=kind).body)


@case
def merge_adds_and_removes(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.patch(it.at("configmaps", "one"), {"data": {"a": None, "b": "2"}})
    assert answer.body["data"] == {"b": "2"}


@case
def merge_replaces_lists(it: Recorder) -> None:
    body = patched(it, pod(containers=[{"name": "new", "image": "x"}]), MERGE)
    assert containers(body) == [{"name": "new", "image": "x"}]


@case
def merge_of_labels(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    path = it.at("configmaps", "one")
    answer = it.patch(path, {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}})
    assert answer.body["metadata"]["labels"] == {"a": "b"}
    answer = it.patch(path, {"metadata": {"labels": None}})
    assert "labels" not in answer.body["metadata"]


@case
def merge_that_changes_nothing(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    answer = it.patch(it.at("configmaps", "one"), {"data": {"a": "1"}})
    assert answer.version == made["metadata"]["resourceVersion"]


@case
def merge_with_a_version(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    version = made["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version}, "data": {"a": "2"}}
    it.patch(it.at("configmaps", "one"), body)
    it.patch(it.at("configmaps", "one"), {**body, "data": {"a": "3"}}, expect=(409, "Conflict"))


@case
def merge_of_the_name(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = {"metadata": {"name": "two"}}
    it.patch(it.at("configmaps", "one"), body, expect=(400, "BadRequest", "does not match"))


@case
def merge_of_a_list(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.patch(it.at("configmaps", "one"), [1], expect=400)


@case
def merge_of_a_wrong_type(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.patch(it.at("configmaps", "one"), {"data": "text"}, expect=422)


@case
def patch_of_what_is_not_there(it: Recorder) -> None:
    it.patch(it.at("configmaps", "one"), {"data": {}}, expect=(404, "NotFound"))


@case
def dry_run(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.patch(f"{it.at('configmaps', 'one')}?dryRun=All", {"data": {"a": "2"}})
    assert answer.body["data"] == {"a": "2"}
    assert it.get(it.at("configmaps", "one")).body["data"] == {"a": "1"}


@case
def json_all_operations(it: Recorder) -> None:
    it.have(it.at("configmaps"), {"metadata": {"name": "one"}, "data": {"a": "1", "b": "2"}})
    patch = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/c", "value": "3"},
        {"op": "replace", "path": "/data/a", "value": "x"},
        {"op": "copy", "from": "/data/a", "path": "/data/d"},
        {"op": "move", "from": "/data/b", "path": "/data/e"},
        {"op": "remove", "path": "/data/c"},
    ]
    answer = it.patch(it.at("configmaps", "one"), patch, kind=JSON_PATCH)
    assert answer.body["data"] == {"a": "x", "d": "x", "e": "2"}


@case
def json_test_fails(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    patch = [
        {"op": "replace", "path": "/data/a", "value": "x"},
        {"op": "test", "path": "/data/a", "value": "1"},
    ]
    it.patch(it.at("configmaps", "one"), patch, kind=JSON_PATCH, expect=(422, "Invalid"))
    assert it.get(it.at("configmaps", "one")).body["data"] == {"a": "1"}


@case
def json_removes_what_is_not_there(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    patch = [{"op": "remove", "path": "/data/none"}]
    it.patch(it.at("configmaps", "one"), patch, kind=JSON_PATCH, expect=(422, "Invalid"))


@case
def json_of_an_escaped_key(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["annotations"] = {"example.com/a": "1"}
    it.have(it.at("configmaps"), body)
    path = "/metadata/annotations/example.com~1a"
    patch = [{"op": "replace", "path": path, "value": "2"}]
    answer = it.patch(it.at("configmaps", "one"), patch, kind=JSON_PATCH)
    assert answer.body["metadata"]["annotations"] == {"example.com/a": "2"}


@case
def json_of_the_end_of_a_list(it: Recorder) -> None:
    path = "/spec/template/spec/containers/-"
    patch = [{"op": "add", "path": path, "value": {"name": "b", "image": "x"}}]
    body = patched(it, patch, JSON_PATCH)
    assert [one["name"] for one in containers(body)] == ["main", "b"]


@case
def json_is_no_list(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    patch = {"op": "remove", "path": "/data/a"}
    it.patch(it.at("configmaps", "one"), patch, kind=JSON_PATCH, expect=400)


@case
def json_of_an_unknown_operation(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    patch = [{"op": "jump", "path": "/data/a"}]
    it.patch(it.at("configmaps", "one"), patch, kind=JSON_PATCH, expect=(422, "Invalid"))


@case
def strategic_merges_containers_by_name(it: Recorder) -> None:
    patch = pod(containers=[{"name": "main", "image": "y"}, {"name": "b", "image": "x"}])
    body = patched(it, patch, STRATEGIC)
    assert {one["name"]: one["image"] for one in containers(body)} == {"main": "y", "b": "x"}


@case
def strategic_deletes_by_key(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = it.at("deployments", "one")
    it.patch(path, pod(containers=[{"name": "b", "image": "x"}]), kind=STRATEGIC)
    patch = pod(containers=[{"name": "main", "$patch": "delete"}])
    answer = it.patch(path, patch, kind=STRATEGIC)
    assert containers(answer.body) == [{"name": "b", "image": "x"}]


@case
def strategic_replaces_when_told(it: Recorder) -> None:
    patch = pod(containers=[{"$patch": "replace"}, {"name": "new", "image": "x"}])
    body = patched(it, patch, STRATEGIC)
    assert containers(body) == [{"name": "new", "image": "x"}]


@case
def strategic_replaces_plain_lists(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = it.at("deployments", "one")
    for arguments in (["a", "b"], ["c"]):
        patch = pod(containers=[{"name": "main", "args": arguments}])
        answer = it.patch(path, patch, kind=STRATEGIC)
    found = answer.body["spec"]["template"]["spec"]["containers"][0]["args"]
    assert found == ["c"]


@case
def strategic_merges_environment(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = it.at("deployments", "one")
    for env in ([{"name": "A", "value": "1"}], [{"name": "B", "value": "2"}]):
        patch = pod(containers=[{"name": "main", "env": env}])
        answer = it.patch(path, patch, kind=STRATEGIC)
    found = answer.body["spec"]["template"]["spec"]["containers"][0]["env"]
    assert sorted(one["name"] for one in found) == ["A", "B"]


@case
def strategic_merges_ports_of_a_service(it: Recorder) -> None:
    it.have(it.at("services"), service({"port": 80, "name": "a"}))
    patch = {"spec": {"ports": [{"port": 81, "name": "b"}]}}
    answer = it.patch(it.at("services", "one"), patch, kind=STRATEGIC)
    assert sorted(one["port"] for one in answer.body["spec"]["ports"]) == [80, 81]


@case
def strategic_removes_by_null(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    patch = {"data": {"a": None, "b": "2"}}
    answer = it.patch(it.at("configmaps", "one"), patch, kind=STRATEGIC)
    assert answer.body["data"] == {"b": "2"}


@case
def strategic_deletes_from_a_plain_list(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    it.have(it.at("configmaps"), body)
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    answer = it.patch(it.at("configmaps", "one"), patch, kind=STRATEGIC)
    assert answer.body["metadata"]["finalizers"] == ["example.com/b"]


@case
def strategic_adds_to_a_plain_list(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["finalizers"] = ["example.com/a"]
    it.have(it.at("configmaps"), body)
    patch = {"metadata": {"finalizers": ["example.com/b"]}}
    answer = it.patch(it.at("configmaps", "one"), patch, kind=STRATEGIC)
    assert sorted(answer.body["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]


@case
def strategic_retains_keys(it: Recorder) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    it.have(it.at("deployments"), deployment(strategy=rolling))
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    answer = it.patch(it.at("deployments", "one"), patch, kind=STRATEGIC)
    assert answer.body["spec"]["strategy"] == {"type": "Recreate"}


@case
def strategic_needs_the_key(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    patch = pod(containers=[{"image": "x"}])
    it.patch(it.at("deployments", "one"), patch, kind=STRATEGIC, expect=500)


@case
def strategic_orders_when_told(it: Recorder) -> None:
    patch = pod(
        containers=[{"name": "b", "image": "x"}],
        **{"$setElementOrder/containers": [{"name": "b"}, {"name": "main"}]},
    )
    body = patched(it, patch, STRATEGIC)
    assert [one["name"] for one in containers(body)] == ["b", "main"]


@case
def validation_after_a_patch(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = it.at("deployments", "one")
    it.patch(path, pod(containers=[]), expect=(422, "Invalid", "Required value"))


@case
def manager_of_a_patch(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    path = f"{it.at('configmaps', 'one')}?fieldManager=other"
    answer = it.patch(path, {"data": {"b": "2"}})
    managers = [one["manager"] for one in answer.body["metadata"]["managedFields"]]
    assert sorted(managers) == ["contract", "other"]


@case
def manager_takes_over_what_it_changes(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    path = f"{it.at('configmaps', 'one')}?fieldManager=other"
    answer = it.patch(path, {"data": {"a": "2"}})
    owners = [
        one["manager"]
        for one in answer.body["metadata"]["managedFields"]
        if "f:a" in one["fieldsV1"].get("f:data", {})
    ]
    assert owners == ["other"]
