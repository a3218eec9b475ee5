"""Hooks as a person meets them: on the command line, in Argo CD's shapes, and in SQL."""

from __future__ import annotations

import secrets
from typing import Any

from tests.acceptance.conftest import apply_shop
from tests.acceptance.fleet_process import Machine
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import Object, as_file, config_map, deployment
from tests.servers.git_http import GitHttpServer

WAIT = "180"
HOOK = "argocd.argoproj.io/hook"


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
    rest = (deployment("web"), config_map("settings"), farewell)

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
    ok("app", "terminate-op", "shop")
    ok("app", "wait", "shop", "--operation", "--timeout", WAIT)
    assert results(running) == {"migrate": ("PreSync", "Failed")}

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
        ("PreDelete", "farewell", "Succeeded"),
    ]
    full_cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")
