"""An application gets another name, project, namespace and cluster, and leaves nothing behind."""

from __future__ import annotations

import secrets

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import Team
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import config_map
from tests.servers.git_http import GitHttpServer

WAIT = ("--timeout", "180")


def there(cluster: TestCluster, namespace: str) -> str:
    """UID of the ConfigMap in a namespace; "" when it is not there, or on its way out."""
    try:
        found = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a")
    except ApiFailed as failed:
        if failed.status != 404:
            raise
        return ""
    metadata = found["metadata"]
    return "" if "deletionTimestamp" in metadata else str(metadata["uid"])


def test_from_name_to_cluster_without_an_orphan(
    running: Machine,
    full_cluster: TestCluster,
    bare_clusters: list[TestCluster],
    namespace: str,
    git_http: GitHttpServer,
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    other, new = bare_clusters[0], f"m-{secrets.token_hex(5)}"
    team.commit("web", config_map("a", value="1"))
    team.register()
    team.ok("cluster", "add", "eu-2", *connection(other), "-y")
    team.create("web", "--sync-policy", "automated", "--auto-prune", "--self-heal",
                "--sync-option", "CreateNamespace=true")  # fmt: skip
    team.settles("web")
    first = there(full_cluster, namespace)
    assert first

    # its name: no object changes, and what was deployed is remembered
    assert "no object changes" in team.ok("app", "rename", "web", "shop", "--dry-run").out
    team.ok("app", "rename", "web", "shop")
    team.settles("shop")
    assert team.fails(3, "app", "get", "web")
    assert len(team.ok("app", "history", "shop", "-o", "json").json()) == 1

    # its project: one that could not have it is refused, before anything is done
    team.ok("proj", "create", "narrow", "--src", "*", "--dest", "eu-*,*")
    team.ok("proj", "deny-namespace-resource", "narrow", "/ConfigMap")
    assert "does not allow what it applied" in team.fails(
        3, "app", "set", "shop", "--project", "narrow"
    )
    team.ok("proj", "create", "wide", "--src", "*", "--dest", "eu-*,*",
            "--allow-cluster-resource", "/Namespace")  # fmt: skip
    told = team.ok("app", "set", "shop", "--project", "wide")
    assert "from now on project wide decides" in told.err + told.out
    team.settles("shop")
    assert there(full_cluster, namespace) == first

    # its namespace: what is new first, then what is old
    told = team.ok("app", "set", "shop", "--dest-namespace", new, "--dry-run")
    assert "are pruned" in told.err + told.out
    assert there(full_cluster, namespace) == first
    team.ok("app", "set", "shop", "--dest-namespace", new)
    eventually(
        lambda: bool(there(full_cluster, new)) and not there(full_cluster, namespace),
        lambda: str(team.document("shop")["status"]),
    )
    team.settles("shop")

    # its cluster: somebody has to say what becomes of the old objects
    move = ("app", "set", "shop", "--dest-name", "eu-2")
    assert "--move prune" in team.fails(3, *move)
    told = team.ok(*move, "--move", "prune", "--dry-run")
    assert "waits until it is Synced and Healthy there" in told.err + told.out
    assert there(other, new) == ""
    team.ok(*move, "--move", "prune")
    eventually(
        lambda: bool(there(other, new)) and not there(full_cluster, new),
        lambda: team.ok("app", "list").out,
    )
    eventually(
        lambda: team.ok("app", "list", "-o", "name").out.split() == ["application/shop"],
        lambda: team.ok("app", "list").out,
    )
    team.settles("shop")

    # and what is left on purpose is written down
    told = team.ok("app", "set", "shop", "--dest-name", "eu-1", "--move", "release")
    assert "1 objects in cluster eu-2 are left" in told.err + told.out
    team.settles("shop")
    assert there(other, new)
    entries = team.ok("audit", "changes", "-o", "json").json()
    assert [it["after"]["count"] for it in entries if it["action"] == "release"] == [1]
    team.ok("app", "delete", "shop", "-y", "--wait", *WAIT)
    assert there(full_cluster, new) == ""
    for cluster in (full_cluster, other):
        cluster.request("DELETE", f"/api/v1/namespaces/{new}")
