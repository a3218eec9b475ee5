"""Creating objects: what the server adds, what it refuses."""

from __future__ import annotations

from tests.contract.case import case
from tests.contract.recording import Object, Recorder


def configmap(name: str = "one", **more: object) -> Object:
    """A ConfigMap with one entry."""
    return {"metadata": {"name": name}, "data": {"a": "1"}, **more}


@case
def server_fills_in_metadata(it: Recorder) -> None:
    answer = it.post(it.at("configmaps"), configmap())
    metadata = answer.body["metadata"]
    assert metadata["uid"]
    assert metadata["creationTimestamp"]
    assert metadata["resourceVersion"]
    assert metadata["namespace"] == it.ns
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("ConfigMap", "v1")


@case
def kind_may_be_told(it: Recorder) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", **configmap()}
    assert it.post(it.at("configmaps"), body).body["data"] == {"a": "1"}


@case
def server_ignores_what_it_sets_itself(it: Recorder) -> None:
    body = configmap()
    body["metadata"] |= {
        "uid": "11111111-1111-1111-1111-111111111111",
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "generation": 7,
        "selfLink": "/somewhere",
    }
    metadata = it.post(it.at("configmaps"), body).body["metadata"]
    assert not metadata["uid"].startswith("11111111")
    assert not metadata["creationTimestamp"].startswith("2001")


@case
def version_must_not_be_set(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["resourceVersion"] = "5"
    message = "resourceVersion should not be set on objects to be created"
    it.post(it.at("configmaps"), body, expect=(500, "", message))


@case
def already_exists(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.post(it.at("configmaps"), configmap(), expect=(409, "AlreadyExists"))


@case
def already_exists_in_a_group(it: Recorder) -> None:
    role: Object = {"metadata": {"name": "one"}, "rules": []}
    it.have(it.at("roles"), role)
    it.post(it.at("roles"), role, expect=(409, "AlreadyExists", "roles.rbac"))


@case
def generate_name(it: Recorder) -> None:
    body = {"metadata": {"generateName": "some-"}}
    one = it.post(it.at("configmaps"), body).body["metadata"]["name"]
    other = it.post(it.at("configmaps"), body).body["metadata"]["name"]
    assert one.startswith("some-")
    assert len(one) == len("some-") + 5
    assert one != other


@case
def generate_name_cuts_a_long_prefix(it: Recorder) -> None:
    body = {"metadata": {"generateName": "a" * 70}}
    name = it.post(it.at("configmaps"), body).body["metadata"]["name"]
    assert len(name) == 63


@case
def name_wins_over_generate_name(it: Recorder) -> None:
    body = {"metadata": {"name": "one", "generateName": "some-"}}
    assert it.post(it.at("configmaps"), body).body["metadata"]["name"] == "one"


@case
def generation_of_a_workload(it: Recorder) -> None:
    made = it.have(it.at("deployments"), deployment())
    assert made["metadata"]["generation"] == 1
    path = it.at("deployments", "one")
    view = generation
    labelled = it.patch(path, {"metadata": {"labels": {"a": "b"}}}, view=view)
    assert generation(labelled.body) == 1
    assert generation(it.patch(path, {"spec": {"replicas": 3}}, view=view).body) == 2


def generation(body: Object) -> object:
    """How often the wish has changed; None for kinds that do not count it."""
    return body["metadata"].get("generation")


def deployment(name: str = "one", **spec: object) -> Object:
    """A Deployment of one container."""
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
            },
            **spec,
        },
    }


def pod(*names: str) -> Object:
    """A Pod named ``one`` that leaves nothing to admission plugins which need controllers."""
    containers = [{"name": name, "image": "nginx"} for name in names or ("main",)]
    settled = {
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    return {"metadata": {"name": "one"}, "spec": {"containers": containers, **settled}}


@case
def no_generation_where_nothing_counts_it(it: Recorder) -> None:
    answer = it.post(it.at("configmaps"), configmap())
    assert generation(answer.body) is None


@case
def status_of_a_new_object_is_dropped(it: Recorder) -> None:
    body = {**deployment(), "status": {"replicas": 5}}
    answer = it.post(it.at("deployments"), body, view=lambda body: body["status"])
    assert answer.body["status"] == {}


@case
def namespace_of_the_body_must_match(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["namespace"] = "elsewhere"
    message = "does not match the namespace"
    it.post(it.at("configmaps"), body, expect=(400, "BadRequest", message))


@case
def namespace_that_is_not_there(it: Recorder) -> None:
    path = f"/api/v1/namespaces/{it.tag}-none/configmaps"
    it.post(path, configmap(), expect=(404, "NotFound", "namespaces"))


@case
def list_in_a_namespace_that_is_not_there(it: Recorder) -> None:
    answer = it.get(f"/api/v1/namespaces/{it.tag}-none/configmaps")
    assert answer.body["items"] == []


@case
def create_without_a_namespace(it: Recorder) -> None:
    it.post("/api/v1/configmaps", configmap(), expect=405)


@case
def create_with_a_name_in_the_path(it: Recorder) -> None:
    it.post(it.at("configmaps", "one"), configmap(), expect=(405, "MethodNotAllowed"))


@case
def namespace_gets_its_label(it: Recorder) -> None:
    answer = it.post("/api/v1/namespaces", {"metadata": {"name": it.tag}})
    assert answer.body["metadata"]["labels"] == {"kubernetes.io/metadata.name": it.tag}
    assert answer.body["spec"]["finalizers"] == ["kubernetes"]
    assert answer.body["status"] == {"phase": "Active"}


@case
def secret_of_plain_text(it: Recorder) -> None:
    body = {"metadata": {"name": "one"}, "stringData": {"a": "hello"}}
    answer = it.post(it.at("secrets"), body)
    assert (answer.body["data"], answer.body["type"]) == ({"a": "aGVsbG8="}, "Opaque")
    assert "stringData" not in answer.body


@case
def manager_is_the_user_agent(it: Recorder) -> None:
    answer = it.post(it.at("configmaps"), configmap())
    (entry,) = answer.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("contract", "Update")


@case
def manager_may_be_named(it: Recorder) -> None:
    answer = it.post(f"{it.at('configmaps')}?fieldManager=me", configmap())
    (entry,) = answer.body["metadata"]["managedFields"]
    assert entry["manager"] == "me"


@case
def manager_of_a_strange_name(it: Recorder) -> None:
    long = "m" * 129
    path = f"{it.at('configmaps')}?fieldManager={long}"
    it.post(path, configmap(), expect=(422, "Invalid", "fieldManager"))


@case
def dry_run_keeps_nothing(it: Recorder) -> None:
    answer = it.post(f"{it.at('configmaps')}?dryRun=All", configmap())
    assert answer.body["metadata"]["uid"]
    assert "resourceVersion" not in answer.body["metadata"]
    it.get(it.at("configmaps", "one"), expect=(404, "NotFound"))


@case
def dry_run_finds_what_is_wrong(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    path = f"{it.at('configmaps')}?dryRun=All"
    it.post(path, configmap(), expect=(409, "AlreadyExists"))
    it.post(path, configmap("No"), expect=(422, "Invalid"))


@case
def dry_run_must_be_all(it: Recorder) -> None:
    path = f"{it.at('configmaps')}?dryRun=Some"
    it.post(path, configmap(), expect=(422, "Invalid", "dryRun"))


@case
def owner_reference_needs_a_uid(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": "x"}]
    it.post(it.at("configmaps"), body, expect=(422, "Invalid", "uid"))


@case
def finalizer_needs_a_domain(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["finalizers"] = ["Not a name"]
    it.post(it.at("configmaps"), body, expect=(422, "Invalid", "finalizers"))


def event(it: Recorder) -> Object:
    """An Event about a Pod."""
    return {
        "metadata": {"name": "one"},
        "involvedObject": {"kind": "Pod", "namespace": it.ns, "name": "x"},
        "reason": "Tested",
        "message": "it was tested",
        "type": "Normal",
    }


@case
def event_about_a_pod(it: Recorder) -> None:
    it.post(it.at("events"), event(it))
    answer = it.get(f"{it.at('events')}?fieldSelector=involvedObject.name%3Dx,reason%3DTested")
    assert [one["reason"] for one in answer.body["items"]] == ["Tested"]


@case
def yaml_is_understood(it: Recorder) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata: {a: b}\n"
    answer = it.post(it.at("configmaps"), text, kind="application/yaml")
    assert answer.body["data"] == {"a": "b"}
