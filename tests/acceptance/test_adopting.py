"""A team that goes from Argo CD to Fleet: first only looking, then taking over."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import Team
from tests.cluster.argo_crds import definitions
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations import argo
from tests.integration.operations.harness import Object, as_file, config_map, deployment
from tests.servers.git_http import GitHttpServer


@pytest.fixture
def running() -> Iterator[Machine]:
    with machine(RECONCILE_INTERVAL_SECONDS="2", RECONCILE_JITTER_SECONDS="0") as made, made.up():
        yield made


@dataclass(frozen=True)
class _Place:
    """Where Argo CD deployed the team's objects."""

    cluster: TestCluster
    namespace: str

    def request(self, method: str, path: str, body: Object | None = None, /) -> Object:
        return self.cluster.request(method, path, body)


def exported(url: str, namespace: str, *statuses: tuple[str, str]) -> Object:
    """The application as Argo CD exports it, with what it says of its objects."""
    resources = [
        {"version": "v1", "kind": "ConfigMap", "namespace": namespace, "name": name, "status": sync}
        for name, sync in statuses
    ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": "web", "targetRevision": "main"},
            "destination": {"name": "eu-1", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
        "status": {"sync": {"status": "Synced"}, "resources": resources},
    }


@pytest.fixture
def argos(bare_clusters: list[TestCluster]) -> Iterator[TestCluster]:
    """A cluster of the test's own, in which an Argo CD runs."""
    made = bare_clusters[0].extra_apiserver(f"argo-{secrets.token_hex(4)}")
    yield made
    made.remove()


def with_argo_cd(cluster: TestCluster, *documents: Object) -> None:
    """Its kinds, and its Applications with what it says of them."""
    (definition,) = (it for it in definitions() if it["spec"]["names"]["kind"] == "Application")
    cluster.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": "argocd"}})
    applications = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"

    def served() -> bool:
        try:
            cluster.request("GET", applications)
        except ApiFailed as failed:
            if failed.status not in (404, 429):  # its storage is being made
                raise
            return False
        return True

    eventually(served, lambda: applications)
    for document in documents:
        cluster.request("POST", applications, document)


def test_what_a_running_argo_cd_says_is_asked_where_it_runs(
    running: Machine,
    full_cluster: TestCluster,
    argos: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
) -> None:
    repository = git_http.repository("web")
    repository.commit({"web/all.yaml": as_file((config_map("page", colour="blue"),))})
    running.ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")
    (running.home / "ca.pem").write_text(argos.ca_pem)
    at = ("--server", argos.server, "--ca", "ca.pem", "--token-stdin")
    running.ok("cluster", "add", "hub", *at, stdin=argos.admin_token)
    document = exported(repository.url, namespace, ("page", "Synced"))
    running.ok("apply", "-f", "-", "--shadow", stdin=json.dumps(document))
    running.ok("app", "refresh", "web")

    # who says nothing of Argo CD, or names a cluster without one, is told so
    report = ("app", "shadow-report", "web")
    asked = running.fleet(*report)
    assert (asked.code, "--from-cluster" in asked.err) == (2, True), asked
    asked = running.fleet(*report, "--from-cluster", "hub")
    assert (asked.code, "Cluster/hub: it knows no Applications" in asked.err) == (3, True), asked

    with_argo_cd(argos, document)
    elsewhere = running.fleet(*report, "--from-cluster", "hub", "--namespace", "gitops")
    assert (elsewhere.code, "in namespace 'gitops'" in elsewhere.err) == (3, True), elsewhere
    before = argos.request("GET", "/apis/argoproj.io/v1alpha1/applications")["items"]

    def rows(*how: str) -> Any:
        return running.fleet(*report, *how, "-o", "json").json()

    wanted = {
        ("", "sync", "OutOfSync", "Synced"),
        (f"ConfigMap/{namespace}/page", "sync", "OutOfSync", "Synced"),
    }

    def found() -> set[tuple[str, ...]]:
        parts = ("object", "what", "fleet", "argo")
        return {tuple(it[part] for part in parts) for it in rows("--from-cluster", "hub")}

    eventually(lambda: found() == wanted, lambda: str(found()))
    assert rows("--from-cluster", "hub", "-A") == rows("--from-cluster", "hub")
    assert argos.request("GET", "/apis/argoproj.io/v1alpha1/applications")["items"] == before


def test_from_argo_cd_to_fleet(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    repository = git_http.repository("web")
    page, other = config_map("page", colour="blue"), config_map("other", shade="dark")
    repository.commit({"web/all.yaml": as_file((page, other))})
    place = _Place(full_cluster, namespace)
    argo.deploy(place, page)
    argo.deploy(place, config_map("other", shade="light"))
    argo.deploy(place, config_map("left", shade="grey"))  # Git had it once
    precious = config_map("precious", {"argocd.argoproj.io/sync-options": "Prune=false"})
    argo.deploy(place, precious)
    before = [argo.live(place, it) for it in (page, other)]

    # at first Fleet only looks: whatever the export says of syncing by itself
    running.ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")
    document = exported(repository.url, namespace, ("page", "Synced"), ("other", "Synced"))
    said = tmp_path / "export.yaml"
    said.write_text(yaml.safe_dump(document))
    running.ok("apply", "-f", str(said), "--shadow")
    running.ok("app", "refresh", "web")

    def status() -> Any:
        return running.ok("app", "get", "web", "-o", "json").json()["status"]

    eventually(lambda: status()["sync"]["status"] == "OutOfSync", lambda: str(status()))
    assert [it["type"] for it in status()["conditions"]] == ["ShadowMode"]

    def report() -> dict[tuple[str, str], tuple[str, str]]:
        told = running.fleet("app", "shadow-report", "--argo-export", str(said), "-o", "json")
        assert told.code == 1, told.err
        rows = json.loads(told.out)
        return {(it["object"], it["what"]): (it["fleet"], it["argo"]) for it in rows}

    differs = ("OutOfSync", "Synced")
    wanted = {("", "sync"): differs, (f"ConfigMap/{namespace}/other", "sync"): differs}
    eventually(lambda: report() == wanted, lambda: f"{report()} {status()['resources']}")
    refused = running.fleet("app", "sync", "web")
    assert refused.code == 3
    assert "--no-shadow" in refused.err
    assert [argo.live(place, it) for it in (page, other)] == before

    # then it takes over, once nothing would change
    running.ok("app", "set", "web", "--no-shadow", "--sync-policy", "none")
    refused = running.fleet("app", "adopt", "web", "--policy", "IfNoDiff", "-y")
    assert refused.code == 3
    assert f"differs from Git: ConfigMap/{namespace}/other" in refused.err
    repository.commit({"web/all.yaml": as_file((page, config_map("other", shade="light")))})
    running.ok("app", "refresh", "web")

    def plan() -> str:
        return running.fleet("app", "adopt", "web", "--dry-run", "--policy", "IfNoDiff").out

    whose = "would be taken over from Argo CD's application web, as it is"
    eventually(lambda: plan().count(whose) == 2, plan)
    assert "Argo CD's marks stay" in plan()
    assert [argo.live(place, it) for it in (page, other)] == before
    left = f"ConfigMap/{namespace}/left  is left, not in Git (Argo CD's application web; prunable)"
    assert left in plan()
    running.ok("app", "adopt", "web", "--policy", "IfNoDiff", "-y")
    assert status()["sync"]["status"] == "Synced"
    for was, name in zip(before, (page, other), strict=True):
        now = argo.live(place, name)
        assert (now["metadata"]["uid"], now["data"]) == (was["metadata"]["uid"], was["data"])
        mark = was["metadata"]["annotations"][argo.TRACKING_ID]
        assert now["metadata"]["annotations"][argo.TRACKING_ID] == mark
    assert "is Fleet's already" in plan()

    # what Git does not hold any more stays until somebody asks for its end
    assert argo.live(place, config_map("left"))["data"] == {"shade": "grey"}
    shown = running.ok("app", "adopt", "web", "--prune", "--dry-run").out
    assert f"ConfigMap/{namespace}/left  would be pruned" in shown
    assert f"ConfigMap/{namespace}/precious  is left" in shown
    assert argo.live(place, config_map("left"))["data"] == {"shade": "grey"}
    told = running.ok("app", "adopt", "web", "--prune", "-y", "--timeout", "120").out
    assert f"ConfigMap/{namespace}/left  pruned" in told
    found = full_cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")["items"]
    names = {it["metadata"]["name"] for it in found if "deletionTimestamp" not in it["metadata"]}
    assert names >= {"page", "other", "precious"}
    assert "left" not in names


def test_marks_of_every_sort_and_of_another_installation(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    """What Argo CD tracks by a label goes on running; another Argo CD's is not taken unasked."""
    team = Team(running, full_cluster, namespace, git_http.repository("web"))
    key = "application"
    label, web, page = "shop.example/app", deployment("web"), config_map("page")
    argo.deploy(team, web, labels={label: "web"}, is_annotated=False)
    argo.deploy(team, page, "other", labels={label: "other"}, installation="eu")
    eventually(lambda: len(team.names("pods")) == 1, lambda: str(team.names("pods")))
    pods = team.names("pods")
    before = argo.live(team, web)
    team.register()

    def argocd_cm(method: str, **more: str) -> None:
        data = {f"{key}.resourceTrackingMethod": method, f"{key}.instanceLabelKey": label, **more}
        named = {"name": "argocd-cm", "namespace": "argocd"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}
        team.ok("apply", "-f", "-", stdin=yaml.safe_dump(body))

    argocd_cm("label")
    team.commit("web", web)
    team.create("web")
    team.ok("app", "refresh", "web")
    told = team.ok("app", "adopt", "web", "--policy", "IfNoDiff", "-y", "--timeout", "180").out
    assert f"Deployment/{namespace}/web  would be taken over from Argo CD's application web" in told
    after = argo.live(team, web)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"][label] == "web"
    assert team.names("pods") == pods

    argocd_cm("annotation+label", installationID="us")
    team.commit("other", page)
    team.create("other")
    team.ok("app", "refresh", "other")
    refused = team.fails(3, "app", "adopt", "other", "-y")
    assert "of the installation eu" in refused
    team.ok("app", "adopt", "other", "--installation", "eu", "-y", "--timeout", "180")
    assert team.document("other")["status"]["sync"]["status"] == "Synced"
