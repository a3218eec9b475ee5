"""A bad release, and how a team gets by: the real commands, one after another."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.cluster.kube import ApiFailed, Object, TestCluster
from tests.integration.operations.harness import as_file, config_map
from tests.servers.git_http import GitHttpServer


def release(value: str, *more: Object) -> dict[str, str]:
    """The files of a commit."""
    return {"web/a.yaml": as_file((config_map("a", value=value), *more))}


def stuck() -> Object:
    """A hook that nobody lets through: no node takes its Pod."""
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": {"no": "node"},
        "containers": [{"name": "wait", "image": "registry.test/wait:1"}],
    }
    marks = {"argocd.argoproj.io/hook": "PreSync"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "annotations": marks},
        "spec": {"template": {"spec": pod}},
    }


def value(cluster: TestCluster, namespace: str, name: str = "a") -> str | None:
    try:
        found = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    except ApiFailed:
        return None
    return None if "deletionTimestamp" in found["metadata"] else str(found["data"]["value"])


def create(machine: Machine, repository: str, namespace: str, *flags: str) -> None:
    machine.ok("app", "create", "web", "--repo", repository, "--path", "web", "--revision", "main",
               "--dest-name", "eu-1", "--dest-namespace", namespace,
               "--sync-option", "CreateNamespace=true", *flags)  # fmt: skip


def test_a_bad_release_is_taken_back_and_the_fix_goes_out(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    cluster, fleet, ok = full_cluster, running.fleet, running.ok
    repository = git_http.repository("shop")
    repository.commit(release("1"))
    ok("cluster", "add", "eu-1", *connection(cluster), "-y")
    create(running, repository.url, namespace, "--sync-policy", "automated", "--auto-prune",
           "--self-heal")  # fmt: skip
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert value(cluster, namespace) == "1"

    # the release hangs in its migration, and nobody waits for that
    repository.commit(release("2", stuck()))
    ok("app", "refresh", "web")
    rolled = ok("app", "rollback", "web", "0", "--reason", "the migration hangs", "-y",
                "--timeout", "120")  # fmt: skip
    assert "rollback Succeeded" in rolled.out
    page = ok("app", "get", "web").out
    assert "Pinned: pinned to deployment 0 by" in page
    assert "the migration hangs" in page

    # what is committed now waits
    repository.commit(release("3"))
    ok("app", "refresh", "web")
    assert value(cluster, namespace) == "1"
    looked = fleet("app", "diff", "web")  # what resuming would change
    assert (looked.code, '+  value: "3"' in looked.out) == (1, True), looked

    # the fix is tried on a branch, then everybody follows Git again
    repository.branch("fix")
    repository.commit(release("4"), branch="fix")
    previewed = fleet("app", "sync", "web", "--revision", "fix", "--preview-changes")
    assert (previewed.code, '+  value: "4"' in previewed.out) == (2, True), previewed
    ok("app", "sync", "web", "--revision", "fix", "--until", "2h", "--timeout", "120")
    assert value(cluster, namespace) == "4"
    assert ok("app", "get", "web", "-o", "json").json()["status"]["holds"]["pin"]["until"]
    ok("app", "resume", "web")
    ok("app", "wait", "web", "--sync", "--timeout", "120")
    assert value(cluster, namespace) == "3"

    # during the fair nothing is deployed by itself
    ok("app", "pause", "web", "--only", "deploy", "--reason", "fair", "--until", "8h")
    repository.commit(release("5"))
    ok("app", "refresh", "web")
    assert value(cluster, namespace) == "3"
    assert "deploy is paused by" in ok("app", "get", "web").out
    ok("app", "resume", "web", "--only", "deploy")
    ok("app", "wait", "web", "--sync", "--timeout", "120")
    assert value(cluster, namespace) == "5"


def test_somebodys_own_files_are_tried_before_they_are_committed(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    cluster, fleet, ok = full_cluster, running.fleet, running.ok
    repository = git_http.repository("shop")
    repository.commit(release("1"))
    ok("cluster", "add", "eu-1", *connection(cluster), "-y")
    create(running, repository.url, namespace)
    ok("app", "refresh", "web")
    for name, text in release("mine").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    mine = ("--local", str(tmp_path / "web"), "--local-repo-root", str(tmp_path))
    tried = ok("app", "sync", "web", *mine, "--dry-run", "--timeout", "120").out
    assert "dry run Succeeded with local files: nothing was changed" in tried
    assert value(cluster, namespace) is None
    assert "sync Succeeded with local files" in ok("app", "sync", "web", *mine).out
    assert value(cluster, namespace) == "mine"

    # by hand, for whoever has no other way to the cluster
    chosen = ("--kind", "ConfigMap", "--resource-name", "a")
    ok("app", "patch-resource", "web", *chosen, "--patch", json.dumps({"data": {"value": "x"}}))
    assert value(cluster, namespace) == "x"
    assert "deleted ConfigMap" in ok("app", "delete-resource", "web", *chosen, "-y").out
    assert value(cluster, namespace) is None

    # the document, part by part
    ok("app", "patch", "web", "--type", "merge", "--patch",
       json.dumps({"spec": {"source": {"directory": {"recurse": True}}}}))  # fmt: skip
    ok("app", "add-source", "web", "--repo", repository.url, "--path", "more",
       "--revision", "main", "--source-name", "more")  # fmt: skip
    spec = ok("app", "get", "web", "-o", "json").json()["spec"]
    assert [it.get("name", "") for it in spec["sources"]] == ["", "more"]
    assert spec["sources"][0]["directory"] == {"recurse": True}
    ok("app", "set", "web", "--source-name", "more", "--nameprefix", "eu-")
    ok("app", "unset", "web", "--source-name", "more", "--nameprefix")
    ok("app", "remove-source", "web", "--source-name", "more", "-y")
    spec = ok("app", "get", "web", "-o", "json").json()["spec"]
    assert [it["path"] for it in spec["sources"]] == ["web"]
    wrong = fleet("app", "remove-source", "web", "--source-position", "1", "-y")
    assert (wrong.code, "its only one" in wrong.err) == (2, True), wrong

    # it goes to another namespace: shown, then done
    new = f"{namespace}-b"
    shown = ok("app", "set", "web", "--dest-namespace", new, "--dry-run")
    assert "dry run" in shown.out
    ok("app", "delete", "web", "--force-forget", "-y")
    assert fleet("app", "get", "web").code == 3
