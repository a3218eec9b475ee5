"""Our tables of what Kubernetes has, compared with a real API server."""

from __future__ import annotations

import os
import re
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from fleet.embedded.sandbox import discovery, roles
from fleet.embedded.sandbox.columns import COLUMNS
from fleet.embedded.sandbox.kinds import BUILTIN, builtin_kind
from fleet.embedded.sandbox.objects import meta_of
from fleet.embedded.sandbox.printing import columns_of
from tests.cluster import build
from tests.cluster.kube import Object, TestCluster, request

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.fixture(scope="module")
def real(bare_clusters: list[TestCluster]) -> TestCluster:
    return bare_clusters[0]


def ask(cluster: TestCluster, path: str, accept: str) -> Object:
    headers = {"Authorization": f"Bearer {cluster.admin_token}", "Accept": accept}
    prepared = urllib.request.Request(cluster.server + path, headers=headers)
    trust = ssl.create_default_context(cadata=cluster.ca_pem)
    with urllib.request.urlopen(prepared, context=trust, timeout=30) as answer:
        found: Object = orjson.loads(answer.read())
    return found


def served(groups: list[Object]) -> dict[tuple[str, str, str], Any]:
    """What is told of each kind, by group, version and plural."""
    return {
        (group["metadata"].get("name", ""), version["version"], row["resource"]): row
        for group in groups
        for version in group["versions"]
        for row in version["resources"]
        if not group["metadata"].get("name", "").endswith("example.com")
    }


@pytest.mark.parametrize("core", [True, False])
def test_built_in_kinds_are_those_of_the_real_server(real: TestCluster, core: bool) -> None:
    theirs = served(ask(real, "/api" if core else "/apis", AGGREGATED)["items"])
    assert served(orjson.loads(discovery._builtin_list(core=core))["items"]) == theirs


def test_columns_are_those_of_the_real_server(real: TestCluster) -> None:
    different = {}
    for kind in BUILTIN:
        if kind.storage not in COLUMNS or kind.storage == ("", "resourcequotas"):
            continue
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else "/api/v1"
        found = ask(real, f"{root}/{kind.plural}?limit=1", TABLE)["columnDefinitions"]
        theirs = [(it["name"], it["type"], it["format"], it["priority"]) for it in found]
        ours = [(it.name, it.type, it.format, it.priority) for it in columns_of(kind)]
        if ours != theirs:
            different[kind.resource] = (ours, theirs)
    assert different == {}


def test_roles_are_those_of_the_real_server(real: TestCluster) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1"
    found = real.request("GET", f"{path}/clusterroles")["items"]
    theirs = {meta_of(it)["name"]: it for it in found}
    for role in roles.cluster_roles():
        real_one = theirs[meta_of(role)["name"]]
        assert meta_of(real_one)["labels"] == meta_of(role)["labels"]
        assert real_one.get("aggregationRule") == role.get("aggregationRule")
        if not role.get("aggregationRule"):  # nobody gathers rules without controllers
            assert real_one["rules"] == role["rules"]
    found = real.request("GET", f"{path}/clusterrolebindings")["items"]
    bindings = {meta_of(it)["name"]: it for it in found}
    for binding in roles.cluster_role_bindings():
        assert bindings[meta_of(binding)["name"]]["subjects"] == binding["subjects"]


def test_generations_are_counted_where_the_real_server_counts(real: TestCluster) -> None:
    from fleet.embedded.sandbox.strategies import counts_generations

    objects: dict[tuple[str, str], Object] = {
        ("v1", "ConfigMap"): {},
        ("v1", "Pod"): {"spec": {"containers": [{"name": "c", "image": "i"}]}},
        ("apps/v1", "DaemonSet"): {"spec": _workload()},
        ("batch/v1", "Job"): {"spec": {"template": _pod("Never")}},
        ("autoscaling/v2", "HorizontalPodAutoscaler"): {
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
            }
        },
        ("networking.k8s.io/v1", "NetworkPolicy"): {"spec": {"podSelector": {}}},
        ("policy/v1", "PodDisruptionBudget"): {
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
        },
        ("discovery.k8s.io/v1", "EndpointSlice"): {"addressType": "IPv4", "endpoints": []},
        ("coordination.k8s.io/v1", "Lease"): {"spec": {}},
        ("rbac.authorization.k8s.io/v1", "Role"): {"rules": []},
        ("v1", "Service"): {"spec": {"ports": [{"port": 80}]}},
    }
    for (version, word), obj in objects.items():
        kind = builtin_kind(version, word)
        root = f"/apis/{version}" if kind.group else "/api/v1"
        path = f"{root}/namespaces/default/{kind.plural}?dryRun=All"
        made = request(
            real.server, real.ca_pem, real.admin_token, "POST", path,
            {"metadata": {"name": "probe"}, **obj},
        )  # fmt: skip
        assert ("generation" in meta_of(made)) is counts_generations(kind), word


def _pod(restart: str = "Always") -> Object:
    spec = {"restartPolicy": restart, "containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"labels": {"a": "b"}}, "spec": spec}


def _workload() -> Object:
    return {"selector": {"matchLabels": {"a": "b"}}, "template": _pod()}


PROTO_MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
PROTO_FIELD = re.compile(
    r"(?:(?:optional|repeated|required)\s+[\w.]+|map<[^>]*>)\s+(\w+)\s*=\s*(\d+)"
)


def test_numbers_of_fields_are_those_of_the_published_definitions() -> None:
    """The modules that the control plane of the tests is built from hold them."""
    from fleet.embedded.sandbox.protobuf import _table

    text = (Path(build.HERE) / "go.mod").read_text()
    found = re.search(r"k8s.io/api (\S+)", text)
    assert found is not None
    modules = Path(os.environ.get("GOMODCACHE") or Path.home() / "go" / "pkg" / "mod")
    folder = modules / "k8s.io" / f"api@{found[1]}"
    if not folder.exists():
        pytest.skip(f"{folder} is there only where the control plane was built")
    for path in ("core/v1", "apps/v1", "batch/v1", "networking/v1", "rbac/v1", "storage/v1"):
        text = (folder / path / "generated.proto").read_text()
        for name, body in PROTO_MESSAGE.findall(re.sub(r"//.*", "", text)):
            line = _table().get(f"V1{name}")
            # core/v1 has another message of this name, which nothing uses
            if line is None or "(" in line or name == "Preconditions":
                continue
            numbered = {int(number): field for field, number in PROTO_FIELD.findall(body)}
            ours = {n: it for n, it in enumerate(line.split(), 1) if it != "-"}
            theirs = {n: numbered.get(n, "").lower() for n in ours}
            assert {n: it.lower() for n, it in ours.items()} == theirs, name
