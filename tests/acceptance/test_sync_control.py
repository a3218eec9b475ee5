"""A bad release, and how a team gets by: the real commands, one after another."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import WAIT, Team
from tests.cluster.kube import ApiFailed, Object, TestCluster
from tests.integration.operations.harness import as_file, config_map, deployment
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


def test_a_part_of_it_a_try_and_another_revision(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    note = config_map("note", {"argocd.argoproj.io/hook": "PreSync"})
    back = config_map("b", value="1")
    back["metadata"]["labels"] = {"tier": "back"}
    team.commit("web", note, config_map("a", value="1"), back, config_map("c", value="1"))
    team.register()
    team.create("web")
    ok, sync = team.ok, ("app", "sync", "web", *WAIT)

    # first only asked, then part by part
    ok(*sync, "--dry-run")
    assert set(team.told("web").values()) == {"dry run"}
    assert not team.names("configmaps") & {"a", "b", "c", "note"}
    ok(*sync, "--resource", ":ConfigMap:a")
    assert team.names("configmaps") & {"a", "b", "c", "note"} == {"a"}
    ok("app", "wait", "web", "--resource", ":ConfigMap:a", "--sync", *WAIT)
    ok(*sync, "--resource", "!:ConfigMap:c")
    assert team.names("configmaps") & {"a", "b", "c", "note"} == {"a", "b"}
    back["data"]["value"] = "2"
    team.release("web", note, config_map("a", value="2"), back)
    ok(*sync, "--label", "tier=back")
    assert [team.data(name)["value"] for name in ("a", "b")] == ["1", "2"]

    # all of it without its hooks, with a word for those who look later
    ok(*sync, "--strategy", "apply", "--info", "ticket=OPS-17")
    assert (team.data("a"), team.data("note")) == ({"value": "2"}, None)
    assert "ticket=OPS-17" in ok("app", "get", "web").out
    assert "ticket=OPS-17" in ok("app", "history", "web", "-o", "wide").out
    ok(*sync)
    assert team.hooks("web") == [("PreSync", "note", "Succeeded")]

    # looked at before it is done
    halted = deployment("halted")
    halted["spec"]["paused"] = True
    team.release("web", config_map("a", value="3"), halted)
    shown = ok(*sync, "--preview-changes", "-y").out
    assert '+  value: "3"' in shown
    assert team.data("a") == {"value": "3"}
    ok("app", "wait", "web", "--suspended", *WAIT)
    assert "b" in team.names("configmaps")
    ok(*sync, "--prune")
    assert "b" not in team.names("configmaps")

    # of two sources one is taken from somewhere else
    team.commit("more", config_map("more", value="main"))
    team.repository.branch("fix")
    fix = {"more/objects.yaml": as_file((config_map("more", value="fix"),))}
    team.repository.commit(fix, branch="fix")
    ok("app", "add-source", "web", "--repo", team.repository.url, "--path", "more",
       "--revision", "main", "--source-name", "more")  # fmt: skip
    for chosen, revision in (("--source-names=more", "fix"), ("--source-positions=2", "main")):
        ok(*sync, "--revisions", revision, chosen)
        assert (team.data("more"), team.data("a")) == ({"value": revision}, {"value": "3"})

    # what fails is tried again, until it does not
    elsewhere = f"{namespace}-late"
    late = config_map("late")
    late["metadata"]["namespace"] = elsewhere
    team.release("web", late)
    again = ("--retry-limit", "100", "--retry-backoff-duration", "1s",
             "--retry-backoff-factor", "1")  # fmt: skip
    ok("app", "sync", "web", "--async", *again)
    team.says("web", "failed and is retried")
    full_cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    team.settles("web", "--operation")
    assert team.state("web")["phase"] == "Succeeded"
    full_cluster.request("DELETE", f"/api/v1/namespaces/{elsewhere}")


def test_a_rollback_needs_neither_the_repository_nor_a_pause(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    note = config_map("note", {"argocd.argoproj.io/hook": "PreSync"}, text="first")
    team.commit("web", note, config_map("a", value="1"))
    team.register()
    team.create("web", "--sync-policy", "automated", "--auto-prune", "--self-heal")
    team.settles("web")
    later = config_map("note", {"argocd.argoproj.io/hook": "PreSync"}, text="second")
    team.release("web", later, config_map("a", value="2"), config_map("b"))
    team.settles("web")
    assert [team.data(name) for name in ("a", "note")] == [{"value": "2"}, {"text": "second"}]

    # the git server is gone: what was deployed is known all the same, its hooks, too
    away = team.repository.path.with_name("away")
    team.repository.path.rename(away)
    back = ("app", "rollback", "web", "0", "-y", "--prune", "--until", "2h", "--reason", "slow")
    assert "rollback Succeeded" in team.ok(*back, *WAIT).out
    assert [team.data(name) for name in ("a", "b", "note")] == [
        {"value": "1"},
        None,
        {"text": "first"},
    ]
    assert team.hooks("web") == [("PreSync", "note", "Succeeded")]
    pinned = team.conditions("web")["Pinned"]
    assert "slow" in pinned
    assert "until 20" in pinned
    team.edit("a", value="edited")
    eventually(lambda: team.data("a") == {"value": "1"}, lambda: str(team.document("web")))

    # it is back, and so is everybody
    away.rename(team.repository.path)
    team.ok("app", "resume", "web")
    eventually(lambda: team.data("a") == {"value": "2"}, lambda: str(team.document("web")))
    team.settles("web")
    assert "Pinned" not in team.conditions("web")
