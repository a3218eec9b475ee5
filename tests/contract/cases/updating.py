"""Replacing objects: versions, what cannot change, dry runs, fields that nobody knows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.contract.case import case, tabled
from tests.contract.cases.creating import configmap, deployment, pod
from tests.contract.cases.validation import job, service
from tests.contract.recording import JSON_PATCH, Object, Recorder


@case
def replace(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    answer = it.put(it.at("configmaps", "one"), {**made, "data": {"b": "2"}})
    assert answer.body["data"] == {"b": "2"}
    assert answer.body["metadata"]["uid"] == made["metadata"]["uid"]
    assert answer.version != made["metadata"]["resourceVersion"]


@case
def conflict(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    it.put(it.at("configmaps", "one"), {**made, "data": {"b": "2"}})
    stale = {**made, "data": {"b": "3"}}
    message = "the object has been modified; please apply your changes to the latest version"
    it.put(it.at("configmaps", "one"), stale, expect=(409, "Conflict", message))


@case
def conflict_in_a_group(it: Recorder) -> None:
    made = it.have(it.at("deployments"), deployment())
    it.patch(it.at("deployments", "one"), {"spec": {"replicas": 2}}, view=lambda body: body["kind"])
    expect = (409, "Conflict", 'Operation cannot be fulfilled on deployments.apps "one"')
    it.put(it.at("deployments", "one"), made, expect=expect)


@case
def without_a_version_it_always_wins(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.put(it.at("configmaps", "one"), {**configmap(), "data": {"b": "2"}})
    assert answer.body["data"] == {"b": "2"}


@case
def service_keeps_its_address(it: Recorder) -> None:
    it.have(it.at("services"), service())
    answer = it.put(it.at("services", "one"), service({"port": 81}))
    assert answer.body["spec"]["clusterIP"]


@case
def nothing_changes(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    answer = it.put(it.at("configmaps", "one"), made)
    assert answer.version == made["metadata"]["resourceVersion"]


@case
def lost_metadata_is_kept(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    answer = it.put(it.at("configmaps", "one"), configmap())
    for name in ("uid", "creationTimestamp"):
        assert answer.body["metadata"][name] == made["metadata"][name]


@case
def labels_go_with_a_replace(it: Recorder) -> None:
    body = configmap()
    body["metadata"]["labels"] = {"a": "b"}
    it.have(it.at("configmaps"), body)
    answer = it.put(it.at("configmaps", "one"), configmap())
    assert "labels" not in answer.body["metadata"]


@case
def name_must_match_the_path(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    message = "does not match the name on the URL"
    it.put(it.at("configmaps", "one"), configmap("two"), expect=(400, "BadRequest", message))


@case
def uid_must_match(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = configmap()
    body["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"
    it.put(it.at("configmaps", "one"), body, expect=(409, "Conflict", "UID in precondition"))


@case
def what_is_not_there(it: Recorder) -> None:
    it.put(it.at("deployments", "one"), deployment(), expect=(404, "NotFound"))


@case
def put_may_create_some_kinds(it: Recorder) -> None:
    body = {"metadata": {"name": "one"}, "spec": {"holderIdentity": "me"}}
    it.put(it.at("leases", "one"), body, expect=201)


@case
def dry_run(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    path = f"{it.at('configmaps', 'one')}?dryRun=All"
    answer = it.put(path, {**made, "data": {"b": "2"}})
    assert answer.body["data"] == {"b": "2"}
    assert it.get(it.at("configmaps", "one")).body["data"] == {"a": "1"}


@case
def version_of_no_server(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    made["metadata"]["resourceVersion"] = "new"
    it.put(it.at("configmaps", "one"), made, expect=(500, "", "invalid syntax"))


@case
def manager_of_a_replace(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    path = f"{it.at('configmaps', 'one')}?fieldManager=other"
    answer = it.put(path, {**made, "data": {"a": "1", "b": "2"}})
    managers = [one["manager"] for one in answer.body["metadata"]["managedFields"]]
    assert sorted(managers) == ["contract", "other"]


@case
def replace_can_forget_managers(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap())
    made["metadata"]["managedFields"] = [{}]
    answer = it.put(it.at("configmaps", "one"), made)
    assert not answer.body["metadata"].get("managedFields")


def change(resource: str, body: Object, patch: list[Object], message: str) -> Any:
    """A script that changes what cannot be changed."""

    def script(it: Recorder) -> None:
        it.have(it.at(resource), copy.deepcopy(body))
        path = it.at(resource, "one")
        it.patch(path, patch, kind=JSON_PATCH, expect=(422, "Invalid", message))

    return script


def replacing(path: str, value: Any) -> list[Object]:
    """A JSON patch of one step."""
    return [{"op": "add", "path": path, "value": value}]


def claim() -> Object:
    """A claim of one gibibyte."""
    requests = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "some", "resources": requests}
    return {"metadata": {"name": "one"}, "spec": spec}


def stateful_set() -> Object:
    """A StatefulSet of one container."""
    made = deployment()
    made["spec"]["serviceName"] = "one"
    return made


def binding() -> Object:
    """A RoleBinding."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one"}
    return {"metadata": {"name": "one"}, "roleRef": role, "subjects": []}


IMMUTABLE: dict[str, tuple[str, Object, list[Object], str]] = {
    "data": (
        "configmaps",
        configmap(immutable=True),
        replacing("/data/a", "2"),
        "field is immutable when `immutable` is set",
    ),
    "immutable": (
        "configmaps",
        configmap(immutable=True),
        replacing("/immutable", False),
        "field is immutable when `immutable` is set",
    ),
    "type_of_a_secret": (
        "secrets",
        {"metadata": {"name": "one"}, "type": "example.com/a"},
        replacing("/type", "example.com/b"),
        "type: Invalid value",
    ),
    "selector_of_a_deployment": (
        "deployments",
        deployment(),
        replacing("/spec/selector/matchLabels", {"app": "other"}),
        "spec.selector: Invalid value",
    ),
    "template_of_a_job": (
        "jobs",
        job(),
        replacing("/spec/template/spec/containers/0/image", "other"),
        "field is immutable",
    ),
    "service_name_of_a_stateful_set": (
        "statefulsets",
        stateful_set(),
        replacing("/spec/serviceName", "other"),
        "spec.serviceName: Invalid value",
    ),
    "address_of_a_service": (
        "services",
        service(),
        replacing("/spec/clusterIP", "10.0.0.77"),
        "spec.clusterIPs[0]",
    ),
    "class_of_a_claim": (
        "persistentvolumeclaims",
        claim(),
        replacing("/spec/storageClassName", "other"),
        "spec: Forbidden",
    ),
    "role_of_a_binding": (
        "rolebindings",
        binding(),
        replacing("/roleRef/name", "other"),
        "field is immutable",
    ),
    "name_of_a_container": (
        "pods",
        pod(),
        replacing("/spec/containers/0/name", "b"),
        "pod updates may not change fields other than",
    ),
}

for _name, _row in IMMUTABLE.items():
    tabled(__name__, f"immutable_{_name}", change(*_row))


def unknown() -> Object:
    """A Deployment with a field that there is not, twice."""
    made = deployment(nonsense=1)
    made["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    return made


def creating(validation: str, script: Callable[[Recorder, str], None]) -> None:
    """A case of one way to treat unknown fields."""
    query = f"?fieldValidation={validation}" if validation else ""

    def run(it: Recorder) -> None:
        script(it, it.at("deployments") + query)

    tabled(__name__, f"unknown_fields_{validation.lower() or 'by_default'}", run)


def _accepted(it: Recorder, path: str) -> None:
    answer = it.post(path, unknown(), view=lambda body: body["spec"])
    assert "nonsense" not in answer.body["spec"]


def _warned(it: Recorder, path: str) -> None:
    _accepted(it, path)
    warnings = it.transcript[-1]["warnings"]
    assert any('unknown field "spec.nonsense"' in it.replace("\\", "") for it in warnings)


def _refused(it: Recorder, path: str) -> None:
    message = 'unknown field "spec.nonsense"'
    it.post(path, unknown(), expect=(400, "BadRequest", message))


creating("", _warned)
creating("Ignore", _accepted)
creating("Warn", _warned)
creating("Strict", _refused)


@case
def unknown_fields_strangely(it: Recorder) -> None:
    path = f"{it.at('deployments')}?fieldValidation=Maybe"
    it.post(path, deployment(), expect=(422, "Invalid", "fieldValidation"))


@case
def unknown_field_in_a_patch(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = f"{it.at('deployments', 'one')}?fieldValidation=Strict"
    it.patch(path, {"spec": {"nonsense": 1}}, expect=(422, "Invalid", "unknown field"))


@case
def field_twice(it: Recorder) -> None:
    text = b'{"metadata": {"name": "one"}, "data": {"a": "1"}, "data": {"b": "2"}}'
    path = f"{it.at('configmaps')}?fieldValidation=Strict"
    it.post(path, text, expect=(400, "BadRequest", 'duplicate field "data"'))
