"""What is around workloads: endpoints, volumes, nodes, logs."""

from __future__ import annotations

import copy
from typing import Any

from tests.contract.case import controlled
from tests.contract.cases.validation import service
from tests.contract.cases.workloads import conditions, running
from tests.contract.recording import Object, Recorder


@controlled
def endpoints_of_a_service(it: Recorder) -> None:
    it.have(it.at("services"), service(selector={"app": "one"}))
    running(it, 2)

    def ready(body: Object) -> bool:
        found = [one for it in body["items"] for one in it.get("endpoints") or ()]
        return len(found) == 2 and all(one["conditions"]["ready"] for one in found)

    it.until_seen(it.at("endpointslices"), ready)

    def view(body: Object) -> Any:
        (one,) = body["items"]
        return {
            "type": one["addressType"],
            "ports": one["ports"],
            "labels": sorted(one["metadata"]["labels"].items()),
            "owner": one["metadata"]["ownerReferences"][0]["kind"],
            "endpoints": [sorted(it["conditions"].items()) for it in one["endpoints"]],
        }

    answer = it.get(it.at("endpointslices"), view=view)
    assert answer.body["items"][0]["addressType"] == "IPv4"


@controlled
def service_without_pods(it: Recorder) -> None:
    it.have(it.at("services"), service(selector={"app": "nobody"}))
    it.until_seen(it.at("endpointslices"), lambda body: body["items"])

    def view(body: Object) -> Any:
        return [one.get("endpoints") for one in body["items"]]

    answer = it.get(it.at("endpointslices"), view=view)
    assert len(answer.body["items"]) == 1


@controlled
def claim_is_bound_to_a_volume(it: Recorder) -> None:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/tmp/x"},
        "storageClassName": it.tag,
    }
    it.have("/api/v1/persistentvolumes", {"metadata": {"name": it.tag}, "spec": spec})
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": it.tag,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    it.have(it.at("persistentvolumeclaims"), {"metadata": {"name": "one"}, "spec": wanted})
    path = it.at("persistentvolumeclaims", "one")
    it.wait(path, lambda body: body["status"]["phase"] == "Bound")

    def view(body: Object) -> Any:
        return [body["spec"], body["status"]["phase"], body["status"]["capacity"]]

    answer = it.get(path, view=view)
    assert answer.body["spec"]["volumeName"] == it.tag
    volume = it.get(
        f"/api/v1/persistentvolumes/{it.tag}", view=lambda body: body["status"]["phase"]
    )
    assert volume.body["status"]["phase"] == "Bound"
    it.quietly("DELETE", f"/api/v1/persistentvolumes/{it.tag}")


@controlled
def logs(it: Recorder) -> None:
    """What a container says is up to what stands in for a kubelet."""
    running(it)
    (pod,) = it.quietly("GET", it.at("pods"))["items"]
    path = it.at("pods", pod["metadata"]["name"], "log")
    answer = it.get(path, accept="*/*", view=bool)
    assert answer.body
    it.get(f"{path}?container=main&tailLines=1", accept="*/*", view=lambda text: text.count("\n"))


@controlled
def nodes_are_ready(it: Recorder) -> None:
    def view(body: Object) -> Any:
        return [one[:2] for it in body["items"][:1] for one in conditions(it) if one[0] == "Ready"]

    answer = it.get("/api/v1/nodes", view=view)
    assert view(answer.body) == [["Ready", "True"]]


@controlled
def namespaces_that_are_there_from_the_start(it: Recorder) -> None:
    wanted = ["default", "kube-node-lease", "kube-public", "kube-system"]

    def view(body: Object) -> list[str]:
        found = {one["metadata"]["name"] for one in body["items"]}
        return [name for name in wanted if name in found]

    assert view(it.get("/api/v1/namespaces", view=view).body) == wanted


@controlled
def service_of_the_server(it: Recorder) -> None:
    """It leads to the server, whose port is its own."""

    def view(body: Object) -> Any:
        (port,) = body["spec"].pop("ports")
        return [body["metadata"]["labels"], body["spec"], port["name"], port["port"]]

    path = "/api/v1/namespaces/default/services/kubernetes"
    answer = it.get(path, view=lambda body: view(copy.deepcopy(body)))
    assert answer.body["spec"]["ports"][0]["port"] == 443
