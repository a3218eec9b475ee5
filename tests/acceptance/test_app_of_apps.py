"""A team that brings its Argo CD: an export, with the root of everything in Git."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import as_file, config_map, in_wave
from tests.servers.git_http import GitHttpServer

CASCADE = "resources-finalizer.argocd.argoproj.io"


def argo(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "argocd"}
    if kind == "Application":
        metadata["finalizers"] = [CASCADE]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def application(name: str, url: str, destination: dict[str, str], **spec: Any) -> dict[str, Any]:
    return argo(
        "Application",
        name,
        {
            "project": "default",
            "source": {"repoURL": url, "path": name, "targetRevision": "main"},
            "destination": destination,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
            **spec,
        },
    )


def _page(cluster: TestCluster, namespace: str) -> dict[str, str] | None:
    try:
        return dict(
            cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/page")["data"]
        )
    except ApiFailed:
        return None


def _follows(document: dict[str, Any]) -> str:
    return str(document["spec"]["source"]["targetRevision"])


def test_from_an_export_to_a_running_fleet_and_back(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    ok, repository = running.ok, git_http.repository("shop")
    there, here = (
        {"name": "eu-1", "namespace": namespace},
        {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
    )
    web = application("web", repository.url, there, project="shop")
    project = argo(
        "AppProject",
        "shop",
        {
            "sourceRepos": ["*"],
            "destinations": [{"name": "eu-1", "server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
        },
    )
    repository.commit(
        {
            "root/all.yaml": as_file((in_wave(web, 1), project)),
            "web/a.yaml": as_file((config_map("page", colour="blue"),)),
        }
    )
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"timeout.reconciliation": "60s"},
    }
    export = tmp_path / "export.yaml"
    root = application("root", repository.url, here)
    export.write_text(as_file((root, settings)))

    # what would become of it, then what becomes of it
    rehearsed = ok("apply", "-f", str(export), "--dry-run").out
    assert "application/root created (dry run)" in rehearsed
    assert "configmap/argocd-cm created (dry run)" in rehearsed
    assert ok("app", "list", "-o", "name").out == ""
    ok("apply", "-f", str(export))

    # the project and the application of Git come; the cluster comes last
    ok("app", "wait", "root", "--sync", "--timeout", "120")
    assert "cluster eu-1 is not registered yet" in ok("app", "get", "web").out
    assert running.fleet("app", "create", "late", "--repo", repository.url, "--path", "web",
                         "--dest-name", "eu-2").code != 0  # fmt: skip
    late = ("app", "create", "late", "--repo", repository.url, "--path", "web")
    assert "waits" not in ok(*late, "--dest-name", "eu-2", "--validate=false").err
    ok("app", "delete", "late", "-y")
    ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")
    ok("app", "wait", "web", "root", "--health", "--sync", "--timeout", "120")
    assert _page(full_cluster, namespace) == {"colour": "blue"}
    assert "Application" in ok("app", "resources", "root").out

    # what somebody sets by hand, Git takes back
    ok("app", "set", "web", "--revision", "nowhere")
    eventually(
        lambda: _follows(ok("app", "get", "web", "-o", "json").json()) == "main",
        lambda: ok("app", "get", "root").out,
    )

    # and back: Argo CD's own documents, as they were written
    documents = ok("export", "-o", "json").json()["items"]
    found = {f"{doc['kind']}/{doc['metadata']['name']}": doc for doc in documents}
    assert found["Application/root"] == root
    assert found["Application/web"] == in_wave(web, 1)
    assert found["AppProject/shop"] == project
    assert found["ConfigMap/argocd-cm"] == settings
    assert "fleet.dev" not in json.dumps(documents)
    with_secrets = ok("export", "--with-secrets", "-o", "json").json()["items"]
    assert [doc["kind"] for doc in with_secrets].count("Secret") == 1
    assert "export" in ok("audit", "changes").out

    # the end: children, and what they deployed, go with the root
    ok("app", "delete", "root", "-y", "--wait", "--timeout", "120")
    assert ok("app", "list", "-o", "name").out == ""
    assert _page(full_cluster, namespace) is None
