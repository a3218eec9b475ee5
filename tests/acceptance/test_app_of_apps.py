"""A team that brings its Argo CD: an export, with the root of everything in Git."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import Team
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import as_file, config_map, deployment, in_wave
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


def _config(documents: tuple[dict[str, Any], ...], **folders: dict[str, Any]) -> dict[str, str]:
    """The files of a commit: the root's, and one object for each child."""
    files = {f"{name}/a.yaml": as_file((made,)) for name, made in folders.items()}
    return {**files, "root/all.yaml": as_file(documents)}


def test_children_wait_for_each_other_and_go_as_they_say(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    there = {"name": "eu-1", "namespace": namespace}
    here = {"name": "in-cluster", "namespace": "argocd"}
    url = team.repository.url
    db, web = application("db", url, there), application("web", url, there)
    left = application("left", url, there)
    del left["metadata"]["finalizers"]
    folders = {
        "db": deployment("db", pod="pending"),
        "web": config_map("page"),
        "left": config_map("left"),
    }
    wanted = (in_wave(db, 1), in_wave(web, 2), in_wave(left, 2))
    team.repository.commit(_config(wanted, **folders))
    team.register()
    team.ok("apply", "-f", "-", stdin=json.dumps(application("root", url, here)))

    # the second wave waits until the application of the first is well, and says so
    team.says("root", "waiting for Application/argocd/db: is Progressing")
    listed = team.ok("app", "list", "-o", "name").out.split()
    assert sorted(listed) == ["application/db", "application/root"]
    team.pods_become("Running", "db-")
    team.settles("root")
    assert _page(full_cluster, namespace) == {"colour": "blue"}

    # a commit that changes both: what db said of the one before does not count
    folders["db"] = deployment("db", pod="pending", replicas=2)
    folders["web"] = config_map("page", colour="green")
    parameters = {"directory": {"recurse": True}}
    db["spec"]["source"] |= parameters
    web["spec"]["source"] |= {"path": "next", **parameters}
    files = _config((in_wave(db, 1), in_wave(web, 2), in_wave(left, 2)), **folders)
    files["next/a.yaml"] = files["web/a.yaml"]
    team.repository.commit({**files, "web/a.yaml": as_file((config_map("page"),))})
    team.ok("app", "refresh", "root")
    team.says("root", "waiting for Application/argocd/db: is Progressing")
    assert _page(full_cluster, namespace) == {"colour": "blue"}
    team.pods_become("Running", "db-")
    team.settles("root")
    assert _page(full_cluster, namespace) == {"colour": "green"}

    # a child that leaves Git takes its objects along only if its finalizer says so
    team.repository.commit(_config((in_wave(db, 1),), **folders))
    team.ok("app", "refresh", "root")
    eventually(
        lambda: sorted(team.ok("app", "list", "-o", "name").out.split()) == sorted(listed),
        lambda: team.ok("app", "get", "root").out,
    )
    assert _page(full_cluster, namespace) is None
    assert team.data("left") == {"colour": "blue"}
