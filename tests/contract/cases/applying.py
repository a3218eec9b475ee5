"""Server-side apply: what is made of an object."""

from __future__ import annotations

from typing import Any

from tests.contract.case import case
from tests.contract.cases.creating import deployment
from tests.contract.recording import APPLY, Object, Recorder


def configmap(name: str = "one", **data: str) -> Object:
    """A ConfigMap as it is applied."""
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return {**made, "data": data} if data else made


def workload(*containers: Object, **spec: Any) -> Object:
    """A Deployment as it is applied."""
    made = deployment(**spec)
    if containers:
        made["spec"]["template"]["spec"]["containers"] = list(containers)
    return {"apiVersion": "apps/v1", "kind": "Deployment", **made}


def container(name: str = "main", **more: Any) -> Object:
    """A container of a workload."""
    return {"name": name, "image": "nginx:1", **more}


def first(body: Object) -> Object:
    """The first container of a workload."""
    return dict(body["spec"]["template"]["spec"]["containers"][0])


def owned(body: Object, manager: str) -> Any:
    """The fields of a manager's entries, by operation and subresource."""
    return {
        f"{entry['operation']}/{entry.get('subresource', '')}": entry["fieldsV1"]
        for entry in body["metadata"]["managedFields"]
        if entry["manager"] == manager
    }


@case
def creates(it: Recorder) -> None:
    answer = it.apply(it.at("configmaps", "one"), configmap(a="1"), expect=201)
    assert owned(answer.body, "one") == {"Apply/": {"f:data": {"f:a": {}}}}


@case
def creates_a_workload(it: Recorder) -> None:
    answer = it.apply(it.at("deployments", "one"), workload(), expect=201)
    fields = owned(answer.body, "one")["Apply/"]
    assert "f:replicas" not in fields["f:spec"]
    assert answer.body["spec"]["replicas"] == 1


@case
def again_changes_nothing(it: Recorder) -> None:
    path = it.at("deployments", "one")
    made = it.apply(path, workload(), expect=201)
    again = it.apply(path, workload())
    assert again.version == made.version
    assert again.body["metadata"]["generation"] == 1


@case
def changes_a_value(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    assert it.apply(path, configmap(a="2")).body["data"] == {"a": "2"}


@case
def removes_what_is_no_longer_applied(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="2"), expect=201)
    assert it.apply(path, configmap(a="1")).body["data"] == {"a": "1"}


@case
def empty_map_is_a_value(it: Recorder) -> None:
    body = {**configmap(), "data": {}}
    answer = it.apply(it.at("configmaps", "one"), body, expect=201)
    assert owned(answer.body, "one") == {"Apply/": {"f:data": {}}}


@case
def removes_the_last_field(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    assert "data" not in it.apply(path, configmap()).body


@case
def default_comes_back(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(replicas=3), expect=201)
    assert it.apply(path, workload()).body["spec"]["replicas"] == 1


@case
def keeps_what_others_wrote(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    it.patch(path, {"data": {"b": "2"}})
    assert it.apply(path, configmap(a="3")).body["data"] == {"a": "3", "b": "2"}


@case
def keeps_what_another_applies_too(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="2"), expect=201)
    it.apply(path, configmap(b="2"), "two")
    assert it.apply(path, configmap(a="1")).body["data"] == {"a": "1", "b": "2"}


@case
def labels_of_two_appliers(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    one, two = configmap(), configmap()
    one["metadata"]["labels"] = {"a": "1"}
    two["metadata"]["labels"] = {"b": "2"}
    it.apply(path, one, expect=201)
    answer = it.apply(path, two, "two")
    assert answer.body["metadata"]["labels"] == {"a": "1", "b": "2"}
    answer = it.apply(path, configmap())
    assert answer.body["metadata"]["labels"] == {"b": "2"}


@case
def removes_a_container(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container("a"), container("b")), expect=201)
    answer = it.apply(path, workload(container("b")))
    found = answer.body["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in found] == ["b"]


@case
def containers_of_two_appliers(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container("a")), expect=201)
    answer = it.apply(path, workload(container("b")), "two")
    found = answer.body["spec"]["template"]["spec"]["containers"]
    assert sorted(one["name"] for one in found) == ["a", "b"]


@case
def order_of_containers(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container("a"), container("b"), container("c")), expect=201)
    answer = it.apply(path, workload(container("c"), container("a"), container("b")))
    found = answer.body["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in found] == ["c", "a", "b"]


@case
def new_item_between_others(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container("a"), container("c")), expect=201)
    answer = it.apply(path, workload(container("a"), container("b"), container("c")))
    found = answer.body["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in found] == ["a", "b", "c"]


@case
def ports_by_number_and_protocol(it: Recorder) -> None:
    path = it.at("deployments", "one")
    one = container(ports=[{"containerPort": 53, "protocol": "UDP", "name": "u"}])
    two = container(ports=[{"containerPort": 53, "protocol": "TCP", "name": "t"}])
    it.apply(path, workload(one), expect=201)
    answer = it.apply(path, workload(two), "two")
    assert len(first(answer.body)["ports"]) == 2


@case
def key_with_a_default(it: Recorder) -> None:
    path = it.at("deployments", "one")
    answer = it.apply(path, workload(container(ports=[{"containerPort": 80}])), expect=201)
    key = 'k:{"containerPort":80,"protocol":"TCP"}'
    spec = owned(answer.body, "one")["Apply/"]["f:spec"]
    main = spec["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert key in main["f:ports"]


@case
def environment_by_name(it: Recorder) -> None:
    path = it.at("deployments", "one")
    both = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    it.apply(path, workload(container(env=both)), expect=201)
    answer = it.apply(path, workload(container(env=both[1:])))
    assert first(answer.body)["env"] == [{"name": "B", "value": "2"}]


@case
def plain_list_as_a_whole(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container(args=["a", "b"])), expect=201)
    answer = it.apply(path, workload(container(args=["c"])))
    assert first(answer.body)["args"] == ["c"]


@case
def finalizers_are_a_set(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    one, two = configmap(), configmap()
    one["metadata"]["finalizers"] = ["example.com/a"]
    two["metadata"]["finalizers"] = ["example.com/b"]
    it.apply(path, one, expect=201)
    answer = it.apply(path, two, "two")
    assert answer.body["metadata"]["finalizers"] == ["example.com/a", "example.com/b"]
    answer = it.apply(path, configmap())
    assert answer.body["metadata"]["finalizers"] == ["example.com/b"]


@case
def selector_as_a_whole(it: Recorder) -> None:
    path = it.at("deployments", "one")
    answer = it.apply(path, workload(), expect=201)
    assert owned(answer.body, "one")["Apply/"]["f:spec"]["f:selector"] == {}


@case
def service(it: Recorder) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "a"}},
    }
    path = it.at("services", "one")
    it.apply(path, body, expect=201)
    body["spec"] = {"ports": [{"port": 81, "name": "x"}], "selector": {"app": "b"}}
    answer = it.apply(path, body)
    assert [one["port"] for one in answer.body["spec"]["ports"]] == [81]


@case
def service_ports_by_number_and_protocol(it: Recorder) -> None:
    ports = [{"port": 53, "name": "u", "protocol": "UDP"}, {"port": 53, "name": "t"}]
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one"},
        "spec": {"ports": ports},
    }
    answer = it.apply(it.at("services", "one"), body, expect=201)
    assert len(answer.body["spec"]["ports"]) == 2


@case
def role_rules_as_a_whole(it: Recorder) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "one"},
        "rules": [rule],
    }
    answer = it.apply(it.at("roles", "one"), body, expect=201)
    assert owned(answer.body, "one")["Apply/"] == {"f:rules": {}}


@case
def secret_with_plain_text(it: Recorder) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "one"},
        "stringData": {"a": "b"},
    }
    answer = it.apply(it.at("secrets", "one"), body, expect=201)
    assert answer.body["data"] == {"a": "Yg=="}


@case
def namespace(it: Recorder) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{it.tag}-a"}}
    answer = it.apply(f"/api/v1/namespaces/{it.tag}-a", body, expect=201)
    assert answer.body["status"] == {"phase": "Active"}


@case
def dry_run(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201, options="&dryRun=All")
    it.get(path, expect=(404, "NotFound"))
    it.apply(path, configmap(a="1"), expect=201)
    answer = it.apply(path, configmap(a="2"), options="&dryRun=All")
    assert answer.body["data"] == {"a": "2"}
    assert it.get(path).body["data"] == {"a": "1"}


@case
def needs_a_manager(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    expect = (422, "Invalid", "is required for apply patch")
    it.patch(path, configmap(a="1"), kind=APPLY, expect=expect)


@case
def needs_kind_and_version(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, {"metadata": {"name": "one"}}, expect=400)
    it.apply(path, {"kind": "ConfigMap", "metadata": {"name": "one"}}, expect=400)


@case
def kind_must_match(it: Recorder) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}}
    it.apply(it.at("configmaps", "one"), body, expect=400)


@case
def name_must_match(it: Recorder) -> None:
    it.apply(it.at("configmaps", "one"), configmap("two"), expect=(400, "BadRequest"))


@case
def managed_fields_must_not_be_sent(it: Recorder) -> None:
    body = configmap(a="1")
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    expect = (400, "BadRequest", "metadata.managedFields must be nil")
    it.apply(it.at("configmaps", "one"), body, expect=expect)


@case
def force_is_for_apply_alone(it: Recorder) -> None:
    it.have(it.at("configmaps"), {"metadata": {"name": "one"}})
    path = f"{it.at('configmaps', 'one')}?force=true"
    it.patch(path, {"data": {}}, expect=(422, "Invalid", "may not be specified"))


@case
def version_is_checked(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    made = it.apply(path, configmap(a="1"), expect=201)
    it.apply(path, configmap(a="2"))
    body = configmap(a="3")
    body["metadata"]["resourceVersion"] = made.version
    it.apply(path, body, expect=(409, "Conflict"))


@case
def version_of_nothing(it: Recorder) -> None:
    body = configmap(a="3")
    body["metadata"]["resourceVersion"] = "5"
    it.apply(it.at("configmaps", "one"), body, expect=201)


@case
def uid_of_nothing(it: Recorder) -> None:
    body = configmap(a="3")
    body["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"
    it.apply(it.at("configmaps", "one"), body, expect=(409, "Conflict"))


@case
def unknown_field(it: Recorder) -> None:
    body = workload(nonsense=1)
    it.apply(it.at("deployments", "one"), body, expect=500)


@case
def unknown_field_when_strict(it: Recorder) -> None:
    body = workload(nonsense=1)
    path = it.at("deployments", "one")
    it.apply(path, body, options="&fieldValidation=Strict", expect=500)


@case
def is_validated(it: Recorder) -> None:
    body = workload({"name": "main"})
    expect = (422, "Invalid", "image: Required value")
    it.apply(it.at("deployments", "one"), body, expect=expect)


@case
def yaml(it: Recorder) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: '1'}\n"
    answer = it.apply(it.at("configmaps", "one"), text, expect=201)
    assert answer.body["data"] == {"a": "1"}


@case
def same_key_twice(it: Recorder) -> None:
    body = workload(container("a"), container("a"))
    it.apply(it.at("deployments", "one"), body, expect=500)


@case
def null_is_no_value(it: Recorder) -> None:
    body = {**configmap(a="1"), "immutable": None}
    answer = it.apply(it.at("configmaps", "one"), body, expect=201)
    assert "immutable" not in answer.body
