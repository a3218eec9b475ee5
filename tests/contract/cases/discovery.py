"""What a client asks first: versions, groups, resources, schemas."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tests.contract.case import case, tabled
from tests.contract.recording import Object, Recorder
from tests.contract.shared import NAMES, SIZED
from tests.contract.shared import version as version_of_kind

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
KUBECTL = (
    f"{AGGREGATED},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)
#: Groups that applications use; a server may have more.
GROUPS = (
    "apps",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "apiextensions.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
)
VERSIONS = (
    "apis/apps/v1",
    "apis/autoscaling/v1",
    "apis/autoscaling/v2",
    "apis/batch/v1",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/storage.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/coordination.k8s.io/v1",
    "apis/discovery.k8s.io/v1",
    "apis/events.k8s.io/v1",
    "apis/authorization.k8s.io/v1",
    "apis/scheduling.k8s.io/v1",
)
CORE = (
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "namespaces/finalize",
    "namespaces/status",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "pods/log",
    "pods/status",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "services",
    "services/status",
)


def named(names: Collection[str], key: str = "name") -> Callable[[Object], Any]:
    """Picks entries of a document of discovery, without what only a storage has."""

    def view(body: Object) -> dict[str, Any]:
        (entries,) = (it for it in map(body.get, ("resources", "groups", "items")) if it)
        found = {}
        for entry in entries:
            name = entry[key] if key in entry else entry["metadata"]["name"]
            if name in names:
                found[name] = {k: v for k, v in entry.items() if k != "storageVersionHash"}
        return {"kind": body["kind"], "found": found}

    return view


def plain(body: Object) -> Object:
    """Resources by name."""
    return dict(named({it["name"] for it in body["resources"]})(body))


@case
def version(it: Recorder) -> None:
    answer = it.get("/version", view=lambda body: [sorted(body), body["major"], body["minor"]])
    assert answer.body["gitVersion"].startswith("v1.")


@case
def probes(it: Recorder) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert it.get(path, accept="*/*").body == "ok"


@case
def core_versions(it: Recorder) -> None:
    answer = it.get("/api", view=lambda body: [body["kind"], body["versions"]])
    assert answer.body["versions"] == ["v1"]


@case
def core_resources(it: Recorder) -> None:
    answer = it.get("/api/v1", view=named(CORE))
    assert answer.body["groupVersion"] == "v1"


@case
def groups(it: Recorder) -> None:
    answer = it.get("/apis", view=named(GROUPS))
    assert answer.body["kind"] == "APIGroupList"


@case
def one_group(it: Recorder) -> None:
    answer = it.get("/apis/apps")
    assert answer.body["preferredVersion"]["groupVersion"] == "apps/v1"


@case
def group_with_two_versions(it: Recorder) -> None:
    answer = it.get("/apis/autoscaling")
    assert [one["version"] for one in answer.body["versions"]] == ["v2", "v1"]


@case
def core_aggregated(it: Recorder) -> None:
    answer = it.get("/api", accept=AGGREGATED, view=core_of_aggregated)
    assert answer.body["kind"] == "APIGroupDiscoveryList"


def core_of_aggregated(body: Object) -> Object:
    """The resources of v1 that cases look at, by name."""
    (group,) = body["items"]
    (found,) = group["versions"]
    resources = {one["resource"]: one for one in found["resources"]}
    return {name: resources.get(name) for name in CORE if "/" not in name}


@case
def groups_aggregated(it: Recorder) -> None:
    answer = it.get("/apis", accept=KUBECTL, view=aggregated)
    assert answer.body["apiVersion"] == "apidiscovery.k8s.io/v2"


def aggregated(body: Object) -> Object:
    """Versions and resources of the groups that applications use."""
    found: dict[str, Any] = {}
    for group in body["items"]:
        if group["metadata"]["name"] in ("apps", "batch", "networking.k8s.io", "policy"):
            for one in group["versions"]:
                if one["version"] == "v1":
                    resources = {it["resource"]: it for it in one["resources"]}
                    found[group["metadata"]["name"]] = {**one, "resources": resources}
    return found


@case
def group_that_is_not_there(it: Recorder) -> None:
    it.get("/apis/nothing.example.com", expect=404)
    it.get("/apis/nothing.example.com/v1", expect=404)
    it.get("/apis/nothing.example.com/v1/namespaces/default/things", expect=404)


@case
def version_that_is_not_there(it: Recorder) -> None:
    it.get("/apis/apps/v1beta9", expect=404)
    it.get("/apis/apps/v1beta9/deployments", expect=404)


@case
def resource_that_is_not_there(it: Recorder) -> None:
    it.get("/api/v1/things", expect=404)
    it.get("/apis/apps/v1/namespaces/default/things/one", expect=404)


@case
def path_that_is_not_there(it: Recorder) -> None:
    it.get("/nothing/of/the/kind", expect=404)


@case
def group_of_a_custom_kind(it: Recorder) -> None:
    it.crd(version_of_kind(subresources={"status": {}}))
    it.until_seen(f"/apis/{it.group}/v1", lambda body: body.get("resources"))
    it.get(f"/apis/{it.group}")
    answer = it.get(f"/apis/{it.group}/v1", view=plain)
    assert [one["name"] for one in answer.body["resources"]] == ["widgets", "widgets/status"]


@case
def custom_kind_aggregated(it: Recorder) -> None:
    it.crd(names={**NAMES, "shortNames": ["wd"], "categories": ["all"]})

    def own(body: Object) -> Any:
        return next((one for one in body["items"] if one["metadata"]["name"] == it.group), None)

    it.until_seen("/apis", own, accept=AGGREGATED)
    answer = it.get("/apis", accept=AGGREGATED, view=own)
    (group,) = (one for one in answer.body["items"] if one["metadata"]["name"] == it.group)
    (resource,) = group["versions"][0]["resources"]
    assert (resource["shortNames"], resource["scope"]) == (["wd"], "Namespaced")


@case
def openapi_index(it: Recorder) -> None:
    def view(body: Object) -> list[str]:
        return sorted(path for path in ("api/v1", *VERSIONS) if path in body["paths"])

    answer = it.get("/openapi/v3", view=view)
    assert answer.body["paths"]["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/")


def schema_of(body: Object, kind: str, *path: str) -> Object:
    """The schema of a field of a kind, references followed; what they are called is nobody's."""
    schemas = body["components"]["schemas"]
    (found,) = (
        one
        for one in schemas.values()
        if [it["kind"] for it in one.get("x-kubernetes-group-version-kind", ())] == [kind]
    )
    for name in path:
        found = found["items"] if name == "[]" else found["properties"][name]
        for inner in (found, *found.get("allOf", ())):
            if "$ref" in inner:
                found = schemas[inner["$ref"].rpartition("/")[2]]
    return dict(found)


@case
def openapi_of_a_group(it: Recorder) -> None:
    def view(body: Object) -> Object:
        found = schema_of(body, "Deployment")
        return {
            "openapi": body["openapi"][:2],
            "gvk": found["x-kubernetes-group-version-kind"],
            "properties": sorted(found["properties"]),
            "spec": sorted(schema_of(body, "Deployment", "spec")["properties"]),
            "required": sorted(schema_of(body, "Deployment", "spec")["required"]),
        }

    it.get("/openapi/v3/apis/apps/v1", view=view)


@case
def openapi_says_how_lists_merge(it: Recorder) -> None:
    pod = ("spec", "template", "spec")
    names = ("ports", "env", "command", "volumeMounts")
    paths = [(*pod, "containers"), (*pod, "tolerations")]
    paths += [(*pod, "containers", "[]", name) for name in names]

    def view(body: Object) -> Object:
        return {path[-1]: merging(schema_of(body, "Deployment", *path)) for path in paths}

    answer = it.get("/openapi/v3/apis/apps/v1", view=view)
    found = view(answer.body)
    assert found["containers"]["x-kubernetes-list-map-keys"] == ["name"]


def merging(schema: Object) -> Object:
    """How a list is merged, as its schema says."""
    return {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}


@case
def openapi_of_a_custom_kind(it: Recorder) -> None:
    it.crd(version_of_kind(schema=SIZED))

    def widget(body: Any) -> Any:
        schemas = body["components"]["schemas"] if isinstance(body, dict) else {}
        (found,) = (one for name, one in schemas.items() if name.endswith(".Widget"))
        return {"spec": found["properties"]["spec"], "gvk": merging(found)}

    it.until_seen(f"/openapi/v3/apis/{it.group}/v1", lambda body: isinstance(body, dict))
    it.get(f"/openapi/v3/apis/{it.group}/v1", view=widget)


@case
def openapi_of_nothing(it: Recorder) -> None:
    it.get("/openapi/v3/apis/nothing.example.com/v1", expect=404)


def resources_of(path: str) -> Callable[[Recorder], None]:
    """A script that lists a group version."""

    def script(it: Recorder) -> None:
        answer = it.get(f"/{path}", view=plain)
        assert answer.body["groupVersion"] == path.removeprefix("apis/")

    return script


for _path in VERSIONS:
    _name = _path.removeprefix("apis/").replace("/", "_").replace(".", "_")
    tabled(__name__, f"resources_of_{_name}", resources_of(_path))
