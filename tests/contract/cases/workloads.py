"""What controllers make of workloads."""

from __future__ import annotations

from typing import Any

from tests.contract.case import controlled
from tests.contract.cases.creating import deployment
from tests.contract.cases.updating import stateful_set
from tests.contract.cases.validation import job
from tests.contract.recording import Object, Recorder

#: Only a sandbox reads them; what takes it a second or two takes it a moment.
QUICK = {"sandbox.fleet.dev/ready-after": "20ms", "sandbox.fleet.dev/run-for": "20ms"}


def quick(body: Object) -> Object:
    """A workload whose pods do not take their time."""
    metadata = body["spec"]["template"].setdefault("metadata", {})
    metadata["annotations"] = QUICK
    return body


def conditions(body: Object) -> list[list[str]]:
    """Type, status and reason of the conditions."""
    found = body.get("status", {}).get("conditions") or []
    return sorted([it["type"], it["status"], it.get("reason", "")] for it in found)


def status(body: Object) -> Any:
    """A status whose conditions are told in short."""
    return {**body["status"], "conditions": conditions(body)}


def available(count: int) -> Any:
    """Whether a workload has this many pods that are ready, of the newest generation."""

    def ready(body: Object) -> bool:
        found = body.get("status", {})
        return bool(
            found.get("observedGeneration") == body["metadata"]["generation"]
            and found.get("availableReplicas", 0) == count
            and found.get("replicas", 0) == count
            and found.get("updatedReplicas", 0) == count
        )

    return ready


def running(it: Recorder, replicas: int = 1) -> str:
    """A Deployment whose pods are ready; its path."""
    it.have(it.at("deployments"), quick(deployment(replicas=replicas)))
    path = it.at("deployments", "one")
    it.wait(path, available(replicas))
    return path


def settled(body: Object) -> bool:
    """Whether a rollout is over."""
    return ["Progressing", "True", "NewReplicaSetAvailable"] in conditions(body)


def ownership(body: Object) -> Any:
    """How the dependents of one owner look, in no order."""
    return sorted(
        (
            [
                sorted(one["metadata"].get("labels", {})),
                one["metadata"].get("generateName"),
                one["metadata"]["ownerReferences"][0]["kind"],
                one["metadata"]["ownerReferences"][0]["controller"],
                one["metadata"]["ownerReferences"][0]["blockOwnerDeletion"],
            ]
            for one in body["items"]
        ),
        key=str,
    )


@controlled
def deployment_becomes_available(it: Recorder) -> None:
    path = running(it, 2)
    it.wait(path, settled)
    answer = it.get(path, view=status)
    assert answer.body["status"]["readyReplicas"] == 2
    assert answer.body["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}


@controlled
def replica_set_of_a_deployment(it: Recorder) -> None:
    running(it)

    def view(body: Object) -> Any:
        (one,) = body["items"]
        metadata = one["metadata"]
        named = ("name", "labels", "annotations", "ownerReferences", "generation")
        return [{key: metadata.get(key) for key in named}, one["spec"]]

    answer = it.get(it.at("replicasets"), view=view)
    (one,) = answer.body["items"]
    assert one["metadata"]["ownerReferences"][0]["name"] == "one"
    assert one["metadata"]["labels"]["pod-template-hash"] in one["metadata"]["name"]


@controlled
def pods_of_a_deployment(it: Recorder) -> None:
    running(it, 2)
    answer = it.get(it.at("pods"), view=ownership)
    assert len(answer.body["items"]) == 2


@controlled
def pod_that_runs(it: Recorder) -> None:
    running(it)

    def view(body: Object) -> Any:
        (one,) = body["items"]
        found = {c[0]: c[1] for c in conditions(one)}
        (container,) = one["status"]["containerStatuses"]
        return {
            "phase": one["status"]["phase"],
            "class": one["status"]["qosClass"],
            "ready": [found["Ready"], found["PodScheduled"], container["ready"]],
            "state": list(container["state"]),
            "restarts": container["restartCount"],
            "addresses": [key in one["status"] for key in ("podIP", "startTime")],
            "spec": {
                key: value
                for key, value in one["spec"].items()
                if key not in {"nodeName", "volumes", "containers"}
            },
        }

    answer = it.get(it.at("pods"), view=view)
    assert answer.body["items"][0]["status"]["phase"] == "Running"


@controlled
def pod_gets_a_token(it: Recorder) -> None:
    running(it)

    def view(body: Object) -> Any:
        (one,) = body["items"]
        (volume,) = one["spec"]["volumes"]
        (mount,) = one["spec"]["containers"][0]["volumeMounts"]
        return [volume["projected"], mount["mountPath"], mount["readOnly"]]

    answer = it.get(it.at("pods"), view=view)
    (volume,) = answer.body["items"][0]["spec"]["volumes"]
    assert volume["name"].startswith("kube-api-access-")


@controlled
def rollout(it: Recorder) -> None:
    path = running(it)
    container = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x:2"}]}}}}
    it.patch(path, container, view=lambda body: body["metadata"]["generation"])
    it.wait(path, lambda body: available(1)(body) and settled(body))
    it.until_seen(it.at("replicasets"), lambda body: sizes(body) == [["1", 0], ["2", 1]])
    answer = it.get(it.at("replicasets"), view=sizes)
    assert sizes(answer.body) == [["1", 0], ["2", 1]]
    answer = it.get(path, view=lambda body: body["metadata"]["annotations"])
    assert answer.body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def sizes(body: Object) -> list[list[Any]]:
    """Revision and size of ReplicaSets."""
    return sorted(
        [
            one["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
            one["status"].get("replicas", 0),
        ]
        for one in body["items"]
    )


@controlled
def back_to_an_old_template(it: Recorder) -> None:
    """The old ReplicaSet is used again, as the newest revision."""
    path = running(it)
    for image in ("x:2", "nginx:1"):
        container = {"name": "main", "image": image}
        it.quietly(
            "PATCH",
            path,
            {"spec": {"template": {"spec": {"containers": [container]}}}},
            "application/merge-patch+json",
        )
        it.wait(path, lambda body: available(1)(body) and settled(body))
    it.until_seen(it.at("replicasets"), lambda body: sizes(body) == [["2", 0], ["3", 1]])
    answer = it.get(it.at("replicasets"), view=sizes)
    assert len(answer.body["items"]) == 2


@controlled
def scaling(it: Recorder) -> None:
    path = running(it)
    it.patch(f"{path}/scale", {"spec": {"replicas": 3}}, view=lambda body: body["spec"])
    it.wait(path, available(3))
    it.patch(f"{path}/scale", {"spec": {"replicas": 0}}, view=lambda body: body["spec"])
    it.wait(path, available(0))
    it.until_seen(it.at("pods"), lambda body: not body["items"])
    answer = it.get(path, view=lambda body: sorted(body["status"]))
    assert "replicas" not in answer.body["status"]


@controlled
def paused(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment(paused=True))
    path = it.at("deployments", "one")
    it.wait(path, lambda body: body["status"].get("observedGeneration") == 1)
    it.get(it.at("replicasets"), view=lambda body: len(body["items"]))
    answer = it.get(path, view=conditions)
    assert "DeploymentPaused" in str(conditions(answer.body))


@controlled
def lost_pod_is_replaced(it: Recorder) -> None:
    path = running(it)
    (pod,) = it.quietly("GET", it.at("pods"))["items"]
    name = pod["metadata"]["name"]
    it.quietly("DELETE", it.at("pods", name))
    it.wait_gone(it.at("pods", name))
    it.wait(path, available(1))
    answer = it.get(it.at("pods"), view=ownership)
    assert [one["metadata"]["name"] for one in answer.body["items"]] != [name]


@controlled
def deletion_takes_the_pods(it: Recorder) -> None:
    path = running(it)
    it.delete(path, view=lambda body: body["status"])
    for resource in ("replicasets", "pods"):
        it.until_seen(it.at(resource), lambda body: not body["items"])
    it.get(it.at("pods"), view=lambda body: body["items"])


@controlled
def deletion_in_the_foreground(it: Recorder) -> None:
    path = running(it)
    options = {"propagationPolicy": "Foreground"}
    it.delete(path, options, view=lambda body: body["metadata"]["finalizers"])
    it.wait_gone(path)
    it.get(it.at("replicasets"), view=lambda body: body["items"])
    it.get(it.at("pods"), view=lambda body: body["items"])


@controlled
def deletion_that_leaves_orphans(it: Recorder) -> None:
    path = running(it)
    it.delete(path, {"propagationPolicy": "Orphan"}, view=lambda body: body["kind"])
    it.wait_gone(path)

    def view(body: Object) -> Any:
        return [one["metadata"].get("ownerReferences") for one in body["items"]]

    answer = it.get(it.at("replicasets"), view=view)
    assert view(answer.body) == [None]


@controlled
def stateful_set_counts_its_pods(it: Recorder) -> None:
    body = stateful_set()
    body["spec"]["replicas"] = 2
    it.have(it.at("statefulsets"), quick(body))
    path = it.at("statefulsets", "one")
    it.wait(path, lambda body: body["status"].get("readyReplicas") == 2)
    it.wait(path, lambda body: body["status"].get("availableReplicas") == 2)

    def view(body: Object) -> Any:
        keys = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
        return {key: body["status"].get(key) for key in keys}

    it.get(path, view=view)

    def pods(body: Object) -> Any:
        return [
            [
                one["metadata"]["name"],
                sorted(one["metadata"]["labels"]),
                one["spec"]["hostname"],
                one["spec"]["subdomain"],
            ]
            for one in body["items"]
        ]

    answer = it.get(it.at("pods"), view=pods)
    assert [one[0] for one in pods(answer.body)] == ["one-0", "one-1"]


@controlled
def daemon_set_is_on_every_node(it: Recorder) -> None:
    it.have(it.at("daemonsets"), quick(deployment()))
    nodes = len(it.quietly("GET", "/api/v1/nodes")["items"])
    path = it.at("daemonsets", "one")

    def view(body: Object) -> Any:
        found = body["status"]
        keys = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
        return [found[key] == nodes for key in keys] + [found["numberMisscheduled"]]

    it.wait(path, lambda body: body["status"]["numberReady"] == nodes)
    answer = it.get(path, view=view)
    assert answer.body["status"]["desiredNumberScheduled"] == nodes > 0


@controlled
def job_completes(it: Recorder) -> None:
    it.have(it.at("jobs"), quick(job()))
    path = it.at("jobs", "one")
    it.wait(path, lambda body: "completionTime" in body["status"])

    def view(body: Object) -> Any:
        found = body["status"]
        return [found["succeeded"], conditions(body), "startTime" in found, found.get("ready")]

    answer = it.get(path, view=view)
    assert answer.body["status"]["succeeded"] == 1
    it.get(it.at("pods"), view=lambda body: [one["status"]["phase"] for one in body["items"]])


@controlled
def job_of_three(it: Recorder) -> None:
    it.have(it.at("jobs"), quick(job(completions=3, parallelism=2)))
    path = it.at("jobs", "one")
    it.wait(path, lambda body: "completionTime" in body["status"])
    answer = it.get(path, view=lambda body: body["status"]["succeeded"])
    assert answer.body["status"]["succeeded"] == 3


@controlled
def job_labels_its_pods(it: Recorder) -> None:
    it.have(it.at("jobs"), quick(job()))
    path = it.at("jobs", "one")
    it.wait(path, lambda body: "completionTime" in body["status"])

    def view(body: Object) -> Any:
        return [sorted(one["metadata"]["labels"]) for one in body["items"]]

    answer = it.get(it.at("pods"), view=view)
    assert "batch.kubernetes.io/job-name" in view(answer.body)[0]
    it.get(path, view=lambda body: sorted(body["spec"]["template"]["metadata"]["labels"]))


@controlled
def suspended_job(it: Recorder) -> None:
    it.have(it.at("jobs"), job(suspend=True))
    path = it.at("jobs", "one")
    it.wait(path, lambda body: bool(conditions(body)))
    answer = it.get(path, view=conditions)
    assert conditions(answer.body) == [["Suspended", "True", "JobSuspended"]]
    it.get(it.at("pods"), view=lambda body: body["items"])
