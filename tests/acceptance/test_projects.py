"""What a project keeps its applications from: sources, places, kinds, clusters, namespaces."""

from __future__ import annotations

import json

from tests.acceptance.shared import CLUSTER, PATIENTLY, Shared
from tests.cluster.kube import ApiFailed, Object
from tests.integration.operations.harness import as_file, config_map
from tests.servers.git_http import GitHttpServer

GROUP = "rbac.authorization.k8s.io"


def cluster_role(name: str) -> Object:
    metadata = {"name": name}
    return {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": []}


def has_role(shared: Shared, name: str) -> bool:
    try:
        found = shared.cluster.request("GET", f"/apis/{GROUP}/v1/clusterroles/{name}")
    except ApiFailed:
        return False
    return "deletionTimestamp" not in found["metadata"]


def test_where_from_where_to_and_what(shared: Shared, git_http: GitHttpServer) -> None:
    ok, own = shared.ok, shared.namespace
    open_, closed = git_http.repository("open"), git_http.repository("closed")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"}}
    open_.commit(
        {
            "web/a.yaml": as_file((config_map("web"), cluster_role(f"shop-{own}"))),
            "secrets/a.yaml": as_file((config_map("beside"), secret)),
            "roles/a.yaml": as_file((config_map("alone"), cluster_role(f"other-{own}"))),
            "stray/a.yaml": as_file(({**config_map("stray"), "metadata": {
                "name": "stray", "namespace": "kube-system"}},)),
        }
    )  # fmt: skip
    closed.commit({"web/a.yaml": as_file((config_map("closed"),))})
    document = shared.project(
        "fenced",
        sourceRepos=["*", f"!{closed.url}"],
        destinations=[
            {"name": "eu-*", "namespace": "*"},
            {"name": "*", "namespace": "!kube-*"},
        ],
        namespaceResourceBlacklist=[{"group": "", "kind": "Secret"}],
        clusterResourceWhitelist=[{"group": GROUP, "kind": "ClusterRole", "name": "shop-*"}],
    )
    shared.apply(document)
    made = ("app", "create", "no", "--project", "fenced", "--dest-name", CLUSTER, "--path", "web")
    shared.refused(3, closed.url, *made, "--repo", closed.url, "--dest-namespace", own)
    shared.refused(3, "kube-system", *made, "--repo", open_.url, "--dest-namespace", "kube-system")
    for name in ("web", "secrets", "roles", "stray"):
        shared.create(name, open_.url, "--path", name, "--project", "fenced",
                      "--sync-retry-limit", "0")  # fmt: skip
    shared.settled("web")
    assert has_role(shared, f"shop-{own}")

    # one object that may not be keeps back the sync as a whole, before anything is sent
    told = {name: shared.conditions(name)["SyncError"] for name in ("secrets", "roles", "stray")}
    assert f"Secret/{own}/password" in told["secrets"]
    assert f"ClusterRole/other-{own}" in told["roles"]
    assert "ConfigMap/kube-system/stray" in told["stray"]
    assert shared.data("beside") is None
    assert shared.data("alone") is None
    assert not has_role(shared, f"other-{own}")

    # the project relents, by a command, and what waited goes ahead
    fenced = ("proj", "allow-cluster-resource", "fenced", f"{GROUP}/ClusterRole")
    ok(*fenced)
    ok("app", "sync", "roles", *PATIENTLY)
    assert has_role(shared, f"other-{own}")
    ok("app", "delete", "web", "roles", "-y", "--wait", *PATIENTLY)
    assert not has_role(shared, f"shop-{own}")
    kept = shared.refused(3, "application(s)", "proj", "delete", "fenced", "-y")
    assert "Hint:" in kept.err


def test_clusters_repositories_and_namespaces_of_a_project(
    shared: Shared, git_http: GitHttpServer
) -> None:
    ok, repository = shared.ok, git_http.repository("bank")
    repository.commit({"web/a.yaml": as_file((config_map("web"),))})
    shared.apply(shared.project("bank"), shared.project("rival"))

    # a repository of one project is nobody else's
    ok("repo", "add", repository.url, "--project", "bank")
    where = ("--dest-name", CLUSTER, "--dest-namespace", shared.namespace, "--path", "web")
    source = ("--repo", repository.url, "--revision", "main")
    shared.refused(3, "bank", "app", "create", "thief", "--project", "rival", *source, *where)
    shared.create("web", repository.url, "--path", "web", "--project", "bank")
    shared.settled("web")

    # a project that wants clusters of its own uses no other
    only = shared.project("bank", permitOnlyProjectScopedClusters=True)
    shared.apply(only)
    said = "permitOnlyProjectScopedClusters"
    shared.refused(3, said, "app", "create", "more", "--project", "bank", *source, *where)
    repository.commit({"web/a.yaml": as_file((config_map("web", x="2"),))})
    ok("app", "refresh", "web")
    shared.fleet("app", "wait", "web", "--operation", *PATIENTLY)
    assert shared.data("web") == {"colour": "blue"}
    assert said in json.dumps(shared.conditions("web"))

    # applications come from the namespaces that their project names
    shared.apply(shared.project("bank", sourceNamespaces=["team-*"]))
    shared.settled("web")
    assert shared.data("web") == {"x": "2"}
    spec = {"source": {"repoURL": repository.url, "path": "web"}, "project": "bank"}
    document = shared.application("theirs", **spec, syncPolicy={})
    document["metadata"]["namespace"] = "others"
    text = json.dumps(document)
    shared.refused(3, "sourceNamespaces", "apply", "-f", "-", stdin=text)
    ok("apply", "-f", "-", stdin=text.replace("others", "team-a"))
    assert ok("app", "get", "theirs", "-o", "json").json()["metadata"]["namespace"] == "team-a"
    ok("app", "delete", "web", "theirs", "-y", "--wait", *PATIENTLY)
    ok("repo", "rm", repository.url, "-y")
