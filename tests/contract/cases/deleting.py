"""Deleting: what is answered, preconditions, finalizers, collections."""

from __future__ import annotations

from typing import Any

from tests.contract.case import case
from tests.contract.cases.creating import configmap, deployment, pod
from tests.contract.recording import Object, Recorder


def held(*finalizers: str, name: str = "one") -> Object:
    """A ConfigMap that cannot go before its finalizers have."""
    return {"metadata": {"name": name, "finalizers": list(finalizers)}}


def metadata(it: Recorder, name: str = "one") -> Object:
    """Metadata of a ConfigMap, asked and written down."""
    return dict(it.get(it.at("configmaps", name)).body["metadata"])


@case
def answers_with_what_is_gone(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    answer = it.delete(it.at("configmaps", "one"))
    assert (answer.body["kind"], answer.body["status"]) == ("Status", "Success")
    assert answer.body["details"]["uid"] == made["metadata"]["uid"]
    it.get(it.at("configmaps", "one"), expect=404)


@case
def in_a_group(it: Recorder) -> None:
    it.have(it.at("roles"), {"metadata": {"name": "one"}, "rules": []})
    answer = it.delete(it.at("roles", "one"))
    assert answer.body["details"]["group"] == "rbac.authorization.k8s.io"


@case
def what_is_not_there(it: Recorder) -> None:
    it.delete(it.at("configmaps", "one"), expect=(404, "NotFound"))


@case
def dry_run(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.delete(f"{it.at('configmaps', 'one')}?dryRun=All")
    it.delete(it.at("configmaps", "one"), {"dryRun": ["All"]})
    it.get(it.at("configmaps", "one"))


@case
def precondition_uid(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    options = {"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}
    expect = (409, "Conflict", "the UID in the precondition")
    it.delete(it.at("configmaps", "one"), options, expect=expect)
    it.get(it.at("configmaps", "one"))


@case
def precondition_version(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    options = {"preconditions": {"resourceVersion": "1"}}
    expect = (409, "Conflict", "the ResourceVersion in the precondition")
    it.delete(it.at("configmaps", "one"), options, expect=expect)


@case
def preconditions_that_hold(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())["metadata"]
    wanted = {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}
    it.delete(it.at("configmaps", "one"), {"preconditions": wanted})


@case
def finalizer_holds_it(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    answer = it.delete(it.at("configmaps", "one"))
    assert answer.body["kind"] == "ConfigMap"
    assert answer.body["metadata"]["deletionTimestamp"]
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 0
    it.patch(it.at("configmaps", "one"), {"metadata": {"finalizers": None}})
    it.get(it.at("configmaps", "one"), expect=404)


@case
def finalizers_go_one_by_one(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a", "example.com/b"))
    it.delete(it.at("configmaps", "one"))
    it.patch(it.at("configmaps", "one"), {"metadata": {"finalizers": ["example.com/b"]}})
    assert metadata(it)["finalizers"] == ["example.com/b"]
    it.patch(it.at("configmaps", "one"), {"metadata": {"finalizers": []}})
    it.get(it.at("configmaps", "one"), expect=404)


@case
def finalizer_cannot_come_late(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    it.delete(it.at("configmaps", "one"))
    patch = {"metadata": {"finalizers": ["example.com/a", "example.com/new"]}}
    it.patch(it.at("configmaps", "one"), patch, expect=(422, "Invalid", "no new finalizers"))


@case
def deleting_twice(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    first = it.delete(it.at("configmaps", "one"))
    second = it.delete(it.at("configmaps", "one"))
    assert second.body["metadata"]["uid"] == first.body["metadata"]["uid"]


@case
def what_is_going_can_change(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    it.delete(it.at("configmaps", "one"))
    answer = it.patch(it.at("configmaps", "one"), {"data": {"a": "b"}})
    assert answer.body["data"] == {"a": "b"}


@case
def what_is_going_blocks_its_name(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    it.delete(it.at("configmaps", "one"))
    message = "object is being deleted"
    it.post(it.at("configmaps"), configmap(), expect=(409, "AlreadyExists", message))


@case
def deletion_moves_the_generation(it: Recorder) -> None:
    body = deployment()
    body["metadata"]["finalizers"] = ["example.com/a"]
    it.have(it.at("deployments"), body)
    answer = it.delete(it.at("deployments", "one"), view=lambda body: body["metadata"])
    assert answer.body["metadata"]["generation"] == 2


@case
def deletion_timestamp_cannot_be_taken_back(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    it.delete(it.at("configmaps", "one"))
    answer = it.patch(it.at("configmaps", "one"), {"metadata": {"deletionTimestamp": None}})
    assert answer.body["metadata"]["deletionTimestamp"]


def deleted_with(it: Recorder, options: Object) -> list[str]:
    """The finalizers of a Deployment after its deletion with these options."""
    it.have(it.at("deployments"), deployment())
    answer = it.delete(it.at("deployments", "one"), options, view=finalizers)
    return finalizers(answer.body)


def finalizers(body: Object) -> Any:
    """Of an object; what else was answered, as it is."""
    return body if body["kind"] == "Status" else body["metadata"].get("finalizers", [])


@case
def foreground(it: Recorder) -> None:
    assert deleted_with(it, {"propagationPolicy": "Foreground"}) == ["foregroundDeletion"]


@case
def orphan(it: Recorder) -> None:
    assert deleted_with(it, {"propagationPolicy": "Orphan"}) == ["orphan"]


@case
def orphan_in_old_words(it: Recorder) -> None:
    assert deleted_with(it, {"orphanDependents": True}) == ["orphan"]


@case
def background(it: Recorder) -> None:
    deleted_with(it, {"propagationPolicy": "Background"})
    it.get(it.at("deployments", "one"), expect=404)


@case
def policy_in_the_query(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = f"{it.at('deployments', 'one')}?propagationPolicy=Foreground"
    answer = it.delete(path, view=finalizers)
    assert finalizers(answer.body) == ["foregroundDeletion"]


@case
def unknown_policy(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    options = {"propagationPolicy": "Sideways"}
    expect = (422, "Invalid", "propagationPolicy")
    it.delete(it.at("configmaps", "one"), options, expect=expect)


@case
def two_policies(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    options = {"propagationPolicy": "Orphan", "orphanDependents": True}
    it.delete(it.at("configmaps", "one"), options, expect=(422, "Invalid"))


@case
def options_that_are_no_options(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.ask("DELETE", it.at("configmaps", "one"), b"{", expect=(400, "BadRequest"))


def left(it: Recorder) -> list[str]:
    """Names of the ConfigMaps that are left."""
    items = it.get(it.at("configmaps")).body["items"]
    return [one["metadata"]["name"] for one in items]


@case
def collection(it: Recorder) -> None:
    for name in "abc":
        it.have(it.at("configmaps"), configmap(name))
    answer = it.delete(it.at("configmaps"))
    assert answer.body["kind"] == "ConfigMapList"
    assert left(it) == []


@case
def collection_by_label(it: Recorder) -> None:
    for name in "abc":
        body = {"metadata": {"name": name, "labels": {"odd": str(name in "ac")}}}
        it.have(it.at("configmaps"), body)
    it.delete(f"{it.at('configmaps')}?labelSelector=odd%3DTrue")
    assert left(it) == ["b"]


@case
def collection_by_name(it: Recorder) -> None:
    for name in "ab":
        it.have(it.at("configmaps"), configmap(name))
    it.delete(f"{it.at('configmaps')}?fieldSelector=metadata.name%3Da")
    assert left(it) == ["b"]


@case
def collection_with_a_finalizer(it: Recorder) -> None:
    it.have(it.at("configmaps"), held("example.com/a"))
    it.have(it.at("configmaps"), configmap("two"))
    it.delete(it.at("configmaps"))
    assert left(it) == ["one"]
    assert metadata(it)["deletionTimestamp"]


@case
def collection_dry_run(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.delete(f"{it.at('configmaps')}?dryRun=All")
    assert left(it) == ["one"]


@case
def collection_of_custom_objects(it: Recorder) -> None:
    it.shared("plain")
    for name in "ab":
        body = {"apiVersion": f"{it.group}/v1", "kind": "Widget", "metadata": {"name": name}}
        it.have(it.custom(), body)
    it.delete(it.custom())
    assert it.get(it.custom()).body["items"] == []


@case
def collection_of_services(it: Recorder) -> None:
    body = {"metadata": {"name": "one"}, "spec": {"ports": [{"port": 80}]}}
    it.have(it.at("services"), body)
    it.delete(it.at("services"))
    assert it.get(it.at("services")).body["items"] == []


@case
def namespaces_cannot_be_deleted_together(it: Recorder) -> None:
    it.delete("/api/v1/namespaces", expect=405)


@case
def namespace_waits_for_its_finalizer(it: Recorder) -> None:
    path = f"/api/v1/namespaces/{it.ns}"
    answer = it.delete(path)
    assert answer.body["status"]["phase"] == "Terminating"
    assert answer.body["spec"]["finalizers"] == ["kubernetes"]
    assert it.get(path).body["metadata"]["deletionTimestamp"]


@case
def namespace_that_goes_takes_nothing_new(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.delete(f"/api/v1/namespaces/{it.ns}")
    expect = (403, "Forbidden", "because it is being terminated")
    it.post(it.at("configmaps"), configmap("two"), expect=expect)
    it.patch(it.at("configmaps", "one"), {"data": {"b": "2"}})


@case
def pod_that_runs_nowhere(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    answer = it.delete(it.at("pods", "one"))
    assert answer.body["kind"] == "Pod"
    it.get(it.at("pods", "one"), expect=404)


@case
def kubernetes_namespaces_stay(it: Recorder) -> None:
    for name in ("default", "kube-system", "kube-public"):
        it.delete(f"/api/v1/namespaces/{name}", expect=(403, "Forbidden"))
