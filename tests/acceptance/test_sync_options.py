"""Sync options as a person meets them: a manifest that cannot be changed in place, an object that
is not to go unasked, and a team that brings what kubectl applied."""

from __future__ import annotations

import secrets
from typing import Any

from tests.acceptance.conftest import apply_shop
from tests.acceptance.fleet_process import Machine
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import Object, as_file, config_map
from tests.servers.git_http import GitHttpServer

WAIT = "180"
OPTIONS = "argocd.argoproj.io/sync-options"


def results(fleet: Machine) -> dict[str, str]:
    """What the last operation says of each object."""
    shown: dict[str, Any] = fleet.ok("app", "get", "shop", "-o", "json").json()
    found = shown["status"]["operationState"]["syncResult"]["resources"]
    return {it["name"]: it.get("message", "") for it in found}


def test_a_release_that_has_to_replace_and_to_ask(
    running: Machine, full_cluster: TestCluster, git_http: GitHttpServer
) -> None:
    ok, repository = running.ok, git_http.repository("shop")
    namespace = f"options-{secrets.token_hex(4)}"
    base = f"/api/v1/namespaces/{namespace}/configmaps"

    def release(*objects: Object) -> None:
        repository.commit({"shop/objects.yaml": as_file(objects)})
        ok("app", "refresh", "shop")

    def fixed(version: str) -> Object:
        return {**config_map("release", version=version), "immutable": True}

    full_cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    before = f"{base}?fieldManager=kubectl-client-side-apply"
    full_cluster.request("POST", before, config_map("settings", colour="blue", old="value"))
    precious = config_map("precious", {OPTIONS: "Prune=confirm,Delete=confirm"})
    repository.commit(
        {"shop/objects.yaml": as_file((fixed("1"), config_map("settings"), precious))}
    )
    apply_shop(running, full_cluster, repository.url, namespace, "Vendor=1")
    ok("app", "refresh", "shop")  # what is said of options is said once it was compared
    assert "Vendor=1" in ok("app", "get", "shop").out

    # what kubectl applied before is taken over, and what Git does not hold of it goes
    ok("app", "sync", "shop", "--timeout", WAIT)
    assert "kubectl-client-side-apply" in results(running)["settings"]
    assert full_cluster.request("GET", f"{base}/settings")["data"] == {"colour": "blue"}

    # a content that cannot change: refused, shown, and then forced
    release(fixed("2"), config_map("settings"), precious)
    failed = running.fleet("app", "sync", "shop", "--timeout", WAIT)
    assert (failed.code, "immutable" in failed.err) == (3, True), failed
    ok("app", "sync", "shop", "--force", "--dry-run", "--timeout", WAIT)
    assert results(running)["release"] == "dry run: would be made anew"
    assert full_cluster.request("GET", f"{base}/release")["data"] == {"version": "1"}
    ok("app", "sync", "shop", "--force", "--timeout", WAIT)
    assert results(running)["release"] == "made anew"
    assert full_cluster.request("GET", f"{base}/release")["data"] == {"version": "2"}

    # what somebody added is replaced when that is asked for
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"added": "by hand"}}
    full_cluster.request("PATCH", f"{base}/settings?fieldManager=hand", patch)
    ok("app", "sync", "shop", "--replace", "--timeout", WAIT)
    assert results(running)["settings"] == "replaced"
    assert full_cluster.request("GET", f"{base}/settings")["data"] == {"colour": "blue"}

    # an object that left Git stays until somebody agrees
    release(fixed("2"), config_map("settings"))
    ok("app", "sync", "shop", "--prune", "--timeout", WAIT)
    assert "waits for a confirmation" in results(running)["precious"]
    ok("app", "confirm-deletion", "shop", "--timeout", WAIT)
    assert results(running) == {"precious": "pruned"}
    refused = running.fleet("app", "confirm-deletion", "shop")
    assert (refused.code, "nothing waits" in refused.err) == (3, True), refused

    # and so does an application that is to be deleted
    release(fixed("2"), precious)
    ok("app", "sync", "shop", "--timeout", WAIT)
    ok("app", "delete", "shop", "-y")
    assert full_cluster.request("GET", f"{base}/precious")["data"]
    told = ok("app", "confirm-deletion", "shop").out
    assert "deletion confirmed" in told
    ok("app", "wait", "shop", "--delete", "--timeout", WAIT)
    assert "precious" not in [
        item["metadata"]["name"] for item in full_cluster.request("GET", base)["items"]
    ]
    full_cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")
