"""Charts, overlays and operators as they are found in the wild, on a cluster with controllers.

CustomResourceDefinitions with their objects, StatefulSets with volumes, Ingress, RBAC that
aggregates, webhooks, autoscalers, quotas, Lists in Lists. All has to become Healthy, nothing
may differ afterwards, and all has to go again.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine, machine
from tests.cluster.kube import ApiFailed, TestCluster
from tests.servers.git_http import GitHttpServer
from tests.tools import tools_home

WORLD = Path(__file__).parents[1] / "data" / "real_world"
NAMES = (
    "edge", "edge-eu", "fleetboard", "oddities", "operator", "shop-production", "shop-staging",
)  # fmt: skip
CANARY = "rw-canary"
WAIT = "180"
VOLUMES = tuple(f"real-world-{number}" for number in range(3))
#: What a cloud writes into the status of what it exposes to the world.
ADDRESS = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}


@pytest.fixture
def running() -> Iterator[Machine]:
    with machine() as made:
        (made.home / "tools").symlink_to(tools_home() / "tools")
        with made.up():
            yield made


@pytest.fixture
def cluster(full_cluster: TestCluster) -> Iterator[TestCluster]:
    """With volumes for the StatefulSets; the test cluster has nobody who makes them."""
    for name in VOLUMES:
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "real-world",
            "hostPath": {"path": f"/volumes/{name}"},
        }
        body = {"metadata": {"name": name}, "spec": spec}
        full_cluster.request("POST", "/api/v1/persistentvolumes", body)
    yield full_cluster
    for name in VOLUMES:
        full_cluster.request("DELETE", f"/api/v1/persistentvolumes/{name}")


def _expose(cluster: TestCluster, path: str) -> None:
    """Play the cloud's controller for a Service or an Ingress."""
    live = cluster.request("GET", path)
    cluster.request("PUT", f"{path}/status", {**live, "status": ADDRESS})


def _expose_all(cluster: TestCluster) -> None:
    ingresses = "/apis/networking.k8s.io/v1/namespaces/real-world-shop/ingresses"
    for name in ("prod-web", "staging-web"):
        _expose(cluster, f"{ingresses}/{name}")
    _expose(cluster, "/api/v1/namespaces/real-world-edge/services/edge")


def _is_there(cluster: TestCluster, path: str) -> bool:
    with contextlib.suppress(ApiFailed):
        cluster.request("GET", path)
        return True
    return False


def _until_there(cluster: TestCluster, path: str) -> None:
    deadline = time.monotonic() + float(WAIT)
    while not _is_there(cluster, path):
        assert time.monotonic() < deadline, path
        time.sleep(0.1)  # a list of one object is no event to wait for


def _history(fleet: Machine) -> list[dict[str, Any]]:
    query = "select application, phase, trigger, failed, message from audit.sync_history"
    rows: list[dict[str, Any]] = fleet.ok("db", "sql", "-o", "json", "-c", query).json()
    return rows


def test_real_inputs_become_healthy_stay_so_and_go(
    running: Machine, cluster: TestCluster, git_http: GitHttpServer, tmp_path: Path
) -> None:
    ok = running.ok
    repository = git_http.repository("world")
    repository.commit(
        {
            str(path.relative_to(WORLD)): path.read_text()
            for path in WORLD.rglob("*")
            if path.is_file()
        }
    )
    ok("cluster", "add", "world", *connection(cluster), "-y")
    ok("repo", "add", repository.url)
    documents = tmp_path / "applications.yaml"
    documents.write_text(
        (WORLD / "applications.yaml").read_text().replace("REPOSITORY", repository.url)
    )
    ok("apply", "-f", str(documents))
    # a wave of the chart waits for its load balancer, which nobody here makes
    ok("app", "wait", *(name for name in NAMES if name != "edge"), "--sync", "--timeout", WAIT)
    _until_there(cluster, "/api/v1/namespaces/real-world-edge/services/edge")
    _expose_all(cluster)
    ok("app", "wait", *NAMES, "--sync", "--health", "--timeout", WAIT)

    # what the objects of each tell of it
    databases = "/apis/data.example.test/v1/namespaces/real-world-operator/databases"
    assert cluster.request("GET", f"{databases}/orders")["spec"]["engine"] == "postgres"
    maps = "/api/v1/namespaces/real-world-{}/configmaps/{}"
    assert cluster.request("GET", maps.format("board", "board-team-red"))["data"]["team"] == "red"
    merged = cluster.request("GET", maps.format("oddities", "merged"))
    assert (merged["data"]["octal"], merged["metadata"]["labels"]["true"]) == (
        "0644",
        "yes",
    )  # YAML 1.1's `on`
    config = cluster.request("GET", maps.format("edge-eu", "edge-eu"))["data"]
    assert config["upstream"] == "real-world-edge-eu.svc"
    web = "/apis/apps/v1/namespaces/real-world-shop/deployments/prod-web"
    (container,) = cluster.request("GET", web)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.test/shop/web:1.9.1"

    # one sync each, and nothing differs afterwards, however it is asked
    ok("app", "refresh", *NAMES)
    ok("app", "wait", *NAMES, "--sync", "--health", "--timeout", WAIT)
    for name in NAMES:
        assert ok("app", "diff", name).out == "", name
    history = _history(running)
    assert sorted(row["application"] for row in history) == list(NAMES), history
    assert {row["phase"] for row in history} == {"Succeeded"}, history
    drift = ok("db", "sql", "-o", "json", "-c", "select * from audit.drift_history").json()
    assert drift == []

    # nothing shows what is secret
    shown = [ok("app", "manifests", name).out for name in NAMES]
    shown += [ok("app", "get", name, "-o", "json").out for name in NAMES]
    shown += [running.log(), json.dumps(history)]
    assert [text for text in shown if CANARY in text] == []

    ok("app", "delete", *NAMES, "-y", "--wait", "--timeout", WAIT)
    left = (
        web,
        databases,
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/edgeroutes.edge.example.test",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/real-world-operator",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/edge",
    )
    assert [path for path in left if _is_there(cluster, path)] == []
