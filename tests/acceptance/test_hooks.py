"""Hooks as a person meets them: on the command line, in Argo CD's shapes, and in SQL."""

from __future__ import annotations

import secrets
from typing import Any

from tests.acceptance.conftest import apply_shop
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import WAIT as WAITING
from tests.acceptance.team import Team
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    Object,
    as_file,
    config_map,
    deployment,
    in_wave,
)
from tests.servers.git_http import GitHttpServer

WAIT = "180"
HOOK = "argocd.argoproj.io/hook"
POLICY = f"{HOOK}-delete-policy"
HELM_POLICY = "helm.sh/hook-delete-policy"
APPS, BATCH = "apps/v1", "batch/v1"


def job(name: str, marks: dict[str, str], pod: str = "") -> Object:
    """``pod`` names how kwok lets its pod misbehave."""
    template: Object = {
        "metadata": {"annotations": {"tests.fleet.dev/pod": pod} if pod else {}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "registry.test/job:1"}],
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": marks},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 0, "template": template},
    }


def results(fleet: Machine) -> dict[str, tuple[str, str]]:
    """What the last operation says of each hook: type and phase."""
    shown: dict[str, Any] = fleet.ok("app", "get", "shop", "-o", "json").json()
    found = shown["status"]["operationState"]["syncResult"]["resources"]
    return {it["name"]: (it["hookType"], it["hookPhase"]) for it in found if "hookType" in it}


def test_a_release_with_a_migration_a_check_and_a_farewell(
    running: Machine, full_cluster: TestCluster, git_http: GitHttpServer
) -> None:
    ok, repository = running.ok, git_http.repository("shop")
    namespace = f"hooks-{secrets.token_hex(4)}"
    farewell = job("farewell", {HOOK: "PreDelete"})
    cleanup = job("cleanup", {HOOK: "PostDelete"})
    rest = (deployment("web"), config_map("settings"), farewell, cleanup)

    def release(*objects: Object) -> None:
        repository.commit({"shop/objects.yaml": as_file((*objects, *rest))})
        ok("app", "refresh", "shop")

    # a chart's migration, and a check of our own; both vanish as soon as they have ended
    migrate = job("migrate", {"helm.sh/hook": "pre-install,pre-upgrade"})
    check = job("check", {HOOK: "PostSync"})
    repository.commit({"shop/objects.yaml": as_file((migrate, check, *rest))})
    apply_shop(running, full_cluster, repository.url, namespace, "CreateNamespace=true")
    told = ok("app", "sync", "shop", "--timeout", WAIT).out
    assert f"Job/{namespace}/migrate  PreSync hook Succeeded" in told
    assert f"Job/{namespace}/check  PostSync hook Succeeded" in told
    assert results(running) == {
        "migrate": ("PreSync", "Succeeded"),
        "check": ("PostSync", "Succeeded"),
    }
    ok("app", "wait", "shop", "--sync", "--health", "--timeout", WAIT)

    # a migration that never ends, until somebody ends it
    release(job("migrate", {HOOK: "PreSync"}, pod="pending"), check)
    ok("app", "sync", "shop", "--async")
    late = running.fleet("app", "wait", "shop", "--operation", "--timeout", "20")
    assert (late.code, f"waiting for Job/{namespace}/migrate: is Progressing" in late.err) == (
        1,
        True,
    ), late
    ok("app", "terminate-op", "shop", "-y")
    ok("app", "wait", "shop", "--operation", "--timeout", WAIT)
    assert results(running) == {"migrate": ("PreSync", "Failed")}
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    eventually(
        lambda: full_cluster.request("GET", jobs)["items"] == [],
        lambda: str(full_cluster.request("GET", jobs)),
    )

    # one that fails runs what is to run then, and nothing else
    release(job("migrate", {HOOK: "PreSync"}, pod="fail"), check, job("alarm", {HOOK: "SyncFail"}))
    failed = running.fleet("app", "sync", "shop", "--timeout", WAIT)
    assert (failed.code, "PreSync hook" in failed.err) == (3, True), failed
    assert results(running) == {
        "migrate": ("PreSync", "Failed"),
        "alarm": ("SyncFail", "Succeeded"),
    }

    # all of it is history, the farewell included
    ok("app", "delete", "shop", "-y", "--wait", "--timeout", WAIT)
    query = (
        "select r.phase, r.name, r.hook_phase from audit.sync_results r"
        " join audit.sync_history h using (sync_id) where hook_phase <> ''"
        " order by h.started_at, r.name"
    )
    rows = ok("db", "sql", "-o", "json", "-c", query).json()
    assert [tuple(row.values()) for row in rows] == [
        ("PostSync", "check", "Succeeded"),
        ("PreSync", "migrate", "Succeeded"),
        ("PreSync", "migrate", "Failed"),
        ("SyncFail", "alarm", "Succeeded"),
        ("PreSync", "migrate", "Failed"),
        ("PostDelete", "cleanup", "Succeeded"),
        ("PreDelete", "farewell", "Succeeded"),
    ]
    full_cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")


def lasting(made: Object) -> Object:
    """A Job that stays when it is through."""
    return {**made, "spec": {k: v for k, v in made["spec"].items() if not k.startswith("ttl")}}


def generated(prefix: str, marks: dict[str, str]) -> Object:
    """A Job that has another name each time."""
    made = lasting(job("", marks))
    return {**made, "metadata": {"generateName": prefix, "annotations": marks}}


def probe(marks: dict[str, str]) -> Object:
    """A Pod; kwok leaves it as it is, so that a test says when it has ended."""
    marks = {**marks, "tests.fleet.dev/pod": "pending"}
    containers = [{"name": "main", "image": "registry.test/probe:1"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "annotations": marks},
        "spec": {"restartPolicy": "Never", "containers": containers},
    }


def test_a_release_in_waves_with_every_kind_of_hook(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    chart = {"helm.sh/hook": "pre-install"}
    hooks = (
        lasting(job("early", {**chart, "helm.sh/hook-weight": "-5"})),
        lasting(job("late", {**chart, "helm.sh/hook-weight": "5"})),
        lasting(job("gone", {"helm.sh/hook": "post-install", HELM_POLICY: "hook-succeeded"})),
        lasting(job("ours", {HOOK: "PostSync", **chart})),
        lasting(job("both", {HOOK: "PreSync,PostSync"})),
        generated("report-", {HOOK: "PostSync", POLICY: "HookFailed"}),
        config_map("never", {HOOK: "Skip"}),
    )
    objects = (
        deployment("db", wave=-1, pod="pending"),
        in_wave(config_map("web"), 1),
        config_map("definition", {"helm.sh/hook": "crd-install"}),
        config_map("kept", {"helm.sh/resource-policy": "keep"}),
    )
    during = probe({HOOK: "Sync", POLICY: "HookSucceeded"})
    team.commit("shop", *hooks, during, *objects)
    team.register()
    team.create("shop")

    # the first wave is not well: told with the reason, and everything after it waits
    team.ok("app", "sync", "shop", "--async")
    team.says("shop", f"waiting for Deployment/{namespace}/db: is Progressing")
    assert team.hooks("shop") == [
        ("PreSync", "both", "Succeeded"),
        ("PreSync", "early", "Succeeded"),
        ("PreSync", "late", "Succeeded"),
    ]
    assert "web" not in team.names("configmaps")
    early, late = team.live("jobs", "early", group=BATCH), team.live("jobs", "late", group=BATCH)
    assert early["status"]["completionTime"] <= late["metadata"]["creationTimestamp"]

    # it recovers, and the sync goes on by itself, up to the hook among its objects
    team.pods_become("Running", "db-")
    team.says("shop", f"waiting for Pod/{namespace}/probe")
    assert "web" not in team.names("configmaps")
    team.pods_become("Succeeded", "probe")
    team.settles("shop", "--operation")
    found = team.hooks("shop")
    (report,) = [name for _, name, _ in found if name.startswith("report-")]
    after = [("PostSync", name, "Succeeded") for name in ("both", "gone", "ours", report)]
    assert [it for it in found if it[0] != "PreSync"] == [*after, ("Sync", "probe", "Succeeded")]
    # what is left of them is what their policies say
    assert team.names("jobs", group=BATCH) == {"early", "late", "ours", "both", report}
    assert "probe" not in team.names("pods")
    assert team.names("configmaps") >= {"web", "definition", "kept"}
    assert "never" not in team.names("configmaps")

    # a part of it is synced without hooks, the whole with all of them anew
    uid = team.live("jobs", "both", group=BATCH)["metadata"]["uid"]
    team.ok("app", "sync", "shop", "--resource", ":ConfigMap:definition", *WAITING)
    assert team.hooks("shop") == []
    assert team.live("jobs", "both", group=BATCH)["metadata"]["uid"] == uid
    team.release("shop", *hooks, *objects)
    team.ok("app", "sync", "shop", *WAITING)
    assert len(team.hooks("shop")) == 7
    assert team.live("jobs", "both", group=BATCH)["metadata"]["uid"] != uid
    reports = [it for it in team.names("jobs", group=BATCH) if it.startswith("report-")]
    assert (len(reports), report in reports) == (2, True)

    # what leaves Git goes once the rest is well, if that is asked for
    team.release("shop", deployment("db", wave=-1, pod="pending", replicas=2), objects[3])
    last = ("--prune", "--sync-option", "PruneLast=true", "--async")
    team.ok("app", "sync", "shop", *last)
    team.says("shop", f"waiting for Deployment/{namespace}/db: is Progressing")
    assert team.names("configmaps") >= {"web", "definition"}
    team.pods_become("Running", "db-")
    team.settles("shop", "--operation")
    assert not team.names("configmaps") & {"web", "definition"}

    # with the application goes all but what the chart wants kept
    team.ok("app", "delete", "shop", "-y", "--wait", *WAITING)
    assert "kept" in team.names("configmaps")
    assert team.names("deployments", group=APPS) == set()


def test_no_sync_takes_longer_than_it_may(
    full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    """``controller.sync.timeout.seconds`` of Argo CD."""
    with machine(SYNC_TIMEOUT_SECONDS="3") as limited, limited.up():
        team = Team(limited, full_cluster, namespace, git_http.repository("shop"))
        migrate = lasting(job("migrate", {HOOK: "PreSync"}, pod="pending"))
        team.commit("shop", migrate, config_map("settings"))
        team.register()
        team.create("shop", "--sync-policy", "automated", "--sync-retry-limit", "0")
        team.settles("shop", "--operation")
        team.says("shop", "took longer than 3 s: waiting for Job/")
        eventually(
            lambda: not team.names("jobs", group=BATCH),
            lambda: str(team.cluster.request("GET", team.base("jobs", BATCH))),
        )
        assert team.data("settings") is None
