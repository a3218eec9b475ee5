"""A team and its sync windows: the real commands, one after another.

No test waits for a clock: windows are opened by changing the project, and what opens by the
clock is in ``integration/daemon/test_openings.py``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import as_file, config_map
from tests.servers.git_http import GitHttpServer


def release(value: str) -> dict[str, str]:
    """The files of a commit."""
    return {"web/a.yaml": as_file((config_map("a", value=value),))}


def value(cluster: TestCluster, namespace: str) -> str | None:
    try:
        found = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a")
    except ApiFailed:
        return None
    return str(found["data"]["value"])


def test_a_freeze_from_its_announcement_to_its_end(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    cluster, fleet, ok = full_cluster, running.fleet, running.ok
    repository = git_http.repository("shop")
    repository.commit(release("1"))
    ok("cluster", "add", "eu-1", *connection(cluster), "-y")
    ok("proj", "create", "shop", "--src", "*", "--dest", "eu-*,*")
    allowed = ("--allow-cluster-resource", "/Namespace")
    ok("proj", "set", "shop", *allowed)

    # what cannot be is refused, and says so
    wrong = fleet("proj", "windows", "add", "shop", "-k", "deny", "--schedule", "0 0 31 2 *",
                  "--duration", "1h", "--applications", "*")  # fmt: skip
    assert (wrong.code, "never comes" in wrong.err) == (2, True), wrong
    usual = ("-k", "deny", "--schedule", "0 0 * * *", "--duration", "1h", "--applications", "*")
    wrong = fleet("proj", "windows", "add", "shop", *usual, "--time-zone", "Mars/Base")
    assert (wrong.code, "Mars/Base" in wrong.err) == (2, True), wrong
    assert ok("proj", "windows", "list", "shop").out == ""

    # a freeze: on two applications and for ever, until it is lifted
    freeze = ("--schedule", "* * * * *", "--duration", "1h", "--applications", "web,api-*")
    ok("proj", "windows", "add", "shop", "-k", "deny", *freeze, "--description", "Black Friday")
    listed = ok("proj", "windows", "list", "shop").out.splitlines()
    assert listed[0].split()[:6] == ["ID", "STATUS", "KIND", "SCHEDULE", "DURATION", "APPLICATIONS"]
    assert listed[1].split()[:3] == ["0", "Active", "deny"]
    assert "web,api-*" in listed[1]

    ok("app", "create", "web", "--project", "shop", "--repo", repository.url, "--path", "web",
       "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
       "--sync-policy", "automated", "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "refresh", "web")
    assert value(cluster, namespace) is None
    page = ok("app", "get", "web").out
    assert "Sync Denied" in page
    assert "deny window 0 (* * * * * for 1h, UTC) is open (Black Friday)" in page
    status = ok("app", "get", "web", "-o", "json").json()["status"]
    assert status["syncWindow"]["window"]["id"] == 0
    assert [it["type"] for it in status["conditions"]] == ["SyncWindow"]

    refused = fleet("app", "sync", "web")
    assert refused.code == 3, refused
    assert "deny window 0" in refused.err
    assert "--break-glass" in refused.err

    # an emergency
    unsaid = fleet("app", "sync", "web", "--break-glass")
    assert (unsaid.code, "--reason" in unsaid.err) == (2, True), unsaid
    broken = ok("app", "sync", "web", "--break-glass", "--reason", "the shop is down")
    assert "sync Succeeded" in broken.out
    assert value(cluster, namespace) == "1"
    entries = ok("audit", "changes", "-o", "json").json()
    assert any("break-glass" in json.dumps(entry) for entry in entries)

    # people may, Fleet may not
    ok("proj", "windows", "enable-manual-sync", "shop", "0")
    repository.commit(release("2"))
    ok("app", "refresh", "web")
    assert value(cluster, namespace) == "1"
    assert "Manual Allowed" in ok("app", "get", "web").out
    ok("app", "sync", "web", "--timeout", "60")
    assert value(cluster, namespace) == "2"

    # the freeze is lifted, and what waited goes ahead by itself
    repository.commit(release("3"))
    ok("app", "refresh", "web")
    assert value(cluster, namespace) == "2"
    ok("proj", "windows", "delete", "shop", "0", "-y")
    ok("app", "wait", "web", "--sync", "--timeout", "60")
    assert value(cluster, namespace) == "3"
    assert "SyncWindow" not in ok("app", "get", "web").out


def test_a_deployment_of_a_whole_project_is_planned(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    cluster, ok = full_cluster, running.ok
    repository = git_http.repository("shop")
    repository.commit(release("1"))
    ok("cluster", "add", "eu-1", *connection(cluster), "-y")
    ok("proj", "create", "shop", "--src", "*", "--dest", "eu-*,*",
       "--allow-cluster-resource", "/Namespace")  # fmt: skip
    ok("app", "create", "web", "--project", "shop", "--repo", repository.url, "--path", "web",
       "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
       "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "refresh", "web")
    at = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    planned = ok("proj", "sync", "shop", "--at", at, "-o", "json").json()
    page = ok("proj", "get", "shop").out
    assert at in page
    assert planned["id"] in page
    cancelled = ok("proj", "cancel-sync", "shop", planned["id"], "-y").out
    assert "sync cancelled" in cancelled
    assert planned["id"] not in ok("proj", "get", "shop").out

    # and one for a moment from now, which the leader has begun
    ok("proj", "sync", "shop", "--at", "1s")
    ok("app", "wait", "web", "--sync", "--timeout", "60")
    assert value(cluster, namespace) == "1"
    listed = ok("proj", "syncs", "shop", "-o", "json").json()
    assert [it["state"] for it in listed] == ["Cancelled", "Started"]
    assert [it["application"] for it in listed[1]["results"]] == ["web"]
    assert listed[1]["results"][0]["operation"]
