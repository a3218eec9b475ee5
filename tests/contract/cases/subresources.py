"""Status, scale and what else is below an object."""

from __future__ import annotations

from tests.contract.case import case
from tests.contract.cases.creating import configmap, deployment, pod
from tests.contract.cases.validation import ingress, job, service
from tests.contract.recording import APPLY, JSON_PATCH, STRATEGIC, Object, Recorder


def status(body: Object) -> object:
    """The status alone."""
    return body.get("status")


@case
def status_is_read(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    answer = it.get(it.at("deployments", "one", "status"))
    assert answer.body["kind"] == "Deployment"


@case
def status_is_replaced(it: Recorder) -> None:
    made = it.have(it.at("deployments"), deployment())
    made["status"] = {"replicas": 1, "observedGeneration": 1}
    made["spec"]["replicas"] = 7
    answer = it.put(it.at("deployments", "one", "status"), made)
    assert answer.body["status"] == {"replicas": 1, "observedGeneration": 1}
    assert answer.body["spec"]["replicas"] == 1
    assert answer.body["metadata"]["generation"] == 1


@case
def status_is_patched(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    patch = {"metadata": {"labels": {"a": "b"}}, "status": {"readyReplicas": 1, "replicas": 1}}
    answer = it.patch(it.at("deployments", "one", "status"), patch)
    assert answer.body["status"] == {"readyReplicas": 1, "replicas": 1}
    assert "labels" not in answer.body["metadata"]


@case
def status_conditions_merge_by_type(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = it.at("deployments", "one", "status")
    for kind in ("Available", "Progressing"):
        condition = {"type": kind, "status": "True"}
        answer = it.patch(path, {"status": {"conditions": [condition]}}, kind=STRATEGIC)
    found = answer.body["status"]["conditions"]
    assert sorted(one["type"] for one in found) == ["Available", "Progressing"]


@case
def status_is_left_alone_by_a_replace(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    it.patch(it.at("deployments", "one", "status"), {"status": {"replicas": 1}})
    answer = it.put(it.at("deployments", "one"), deployment(replicas=2))
    assert (answer.body["status"], answer.body["spec"]["replicas"]) == ({"replicas": 1}, 2)


@case
def status_conflict(it: Recorder) -> None:
    made = it.have(it.at("deployments"), deployment())
    it.patch(it.at("deployments", "one", "status"), {"status": {"replicas": 1}}, view=status)
    made["status"] = {"replicas": 2}
    it.put(it.at("deployments", "one", "status"), made, expect=(409, "Conflict"))


@case
def status_is_validated(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    patch = {"status": {"replicas": -1}}
    it.patch(it.at("deployments", "one", "status"), patch, expect=(422, "Invalid"))


@case
def status_of_what_has_none(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.get(it.at("configmaps", "one", "status"), expect=404)


@case
def status_of_a_job(it: Recorder) -> None:
    it.have(it.at("jobs"), job())
    answer = it.patch(it.at("jobs", "one", "status"), {"status": {"active": 1}}, view=status)
    assert answer.body["status"]["active"] == 1


@case
def status_of_an_ingress(it: Recorder) -> None:
    it.have(it.at("ingresses"), {**ingress(host="a.example.com")})
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": "10.1.1.1"}]}}}
    answer = it.patch(it.at("ingresses", "one", "status"), patch)
    assert answer.body["status"]["loadBalancer"]["ingress"] == [{"ip": "10.1.1.1"}]


@case
def status_of_a_service(it: Recorder) -> None:
    it.have(it.at("services"), service(type="LoadBalancer"))
    patch = {"status": {"loadBalancer": {"ingress": [{"hostname": "a.example.com"}]}}}
    answer = it.patch(it.at("services", "one", "status"), patch, view=status)
    assert answer.body["status"]["loadBalancer"]


@case
def pod_condition_by_patch(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    patch = {"status": {"phase": "Running", "podIP": "10.9.9.9"}}
    answer = it.patch(it.at("pods", "one", "status"), patch, view=status)
    assert answer.body["status"]["phase"] == "Running"


@case
def scale_is_read(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment(replicas=3))
    answer = it.get(it.at("deployments", "one", "scale"))
    assert (answer.body["kind"], answer.body["spec"]) == ("Scale", {"replicas": 3})
    assert answer.body["status"]["selector"] == "app=one"


@case
def scale_is_replaced(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment(replicas=3))
    body = {"metadata": {"name": "one", "namespace": it.ns}, "spec": {"replicas": 5}}
    answer = it.put(it.at("deployments", "one", "scale"), body)
    assert answer.body["spec"] == {"replicas": 5}
    found = it.get(it.at("deployments", "one"))
    assert (found.body["spec"]["replicas"], found.body["metadata"]["generation"]) == (5, 2)


@case
def scale_is_patched(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment(replicas=3))
    path = it.at("deployments", "one", "scale")
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    answer = it.patch(path, patch, kind=JSON_PATCH)
    assert answer.body["spec"] == {}
    assert it.patch(path, {"spec": {"replicas": 4}}).body["spec"] == {"replicas": 4}


@case
def scale_below_zero(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    patch = {"spec": {"replicas": -1}}
    it.patch(it.at("deployments", "one", "scale"), patch, expect=(422, "Invalid"))


@case
def scale_of_a_stateful_set(it: Recorder) -> None:
    body = deployment()
    body["spec"]["serviceName"] = "one"
    it.have(it.at("statefulsets"), body)
    it.patch(it.at("statefulsets", "one", "scale"), {"spec": {"replicas": 2}})
    answer = it.get(it.at("statefulsets", "one"), view=lambda body: body["spec"])
    assert answer.body["spec"]["replicas"] == 2


@case
def scale_is_applied(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = f"{it.at('deployments', 'one', 'scale')}?fieldManager=me&force=true"
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "one"},
        "spec": {"replicas": 2},
    }
    assert it.patch(path, body, kind=APPLY).body["spec"] == {"replicas": 2}


@case
def scale_of_what_has_none(it: Recorder) -> None:
    it.have(it.at("services"), service())
    it.get(it.at("services", "one", "scale"), expect=404)


@case
def subresource_of_what_is_not_there(it: Recorder) -> None:
    it.get(it.at("deployments", "none", "status"), expect=(404, "NotFound"))
    it.get(it.at("deployments", "none", "scale"), expect=(404, "NotFound"))
    it.get(it.at("pods", "none", "log"), expect=(404, "NotFound"))


@case
def subresource_that_there_is_not(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    it.get(it.at("deployments", "one", "nonsense"), expect=404)


@case
def namespace_is_finalized(it: Recorder) -> None:
    made = it.have("/api/v1/namespaces", {"metadata": {"name": f"{it.tag}-a"}})
    path = f"/api/v1/namespaces/{it.tag}-a"
    it.delete(path)
    made["spec"]["finalizers"] = []
    del made["metadata"]["resourceVersion"]
    it.put(f"{path}/finalize", made)
    it.get(path, expect=(404, "NotFound"))


@case
def pod_is_bound_to_a_node(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    body = {"metadata": {"name": "one"}, "target": {"kind": "Node", "name": "some"}}
    it.post(it.at("pods", "one", "binding"), body)
    answer = it.get(it.at("pods", "one"), view=lambda body: body["spec"])
    assert answer.body["spec"]["nodeName"] == "some"


@case
def pod_is_evicted(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one"}}
    it.post(it.at("pods", "one", "eviction"), body)
    it.get(it.at("pods", "one"), expect=404)
