"""A team and its sync windows: the real commands, one after another.

Windows are opened by changing the project, and one by the clock, which ends a few seconds after
it began.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.shared import CLUSTER, PATIENTLY, Shared
from tests.cluster.kube import ApiFailed, Object, TestCluster
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


def gate() -> Object:
    """A hook that is through when somebody gives it an address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gate", "annotations": {"argocd.argoproj.io/hook": "PreSync"}},
        "spec": {"type": "LoadBalancer", "selector": {"app": "none"}, "ports": [{"port": 80}]},
    }


def open_gate(shared: Shared) -> None:
    """What a cloud would write."""
    path = f"/api/v1/namespaces/{shared.namespace}/services/gate/status?fieldManager=cloud"
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gate"}, "status": status}
    shared.cluster.request("PATCH", path, body)


def test_who_is_held_by_clock_zone_and_place_and_what_goes_on(
    shared: Shared, git_http: GitHttpServer
) -> None:
    ok, repository = shared.ok, git_http.repository("shop")
    repository.commit(release("1"))
    shared.apply(shared.project("clocks"))

    def add(kind: str, *flags: str) -> None:
        ok("proj", "windows", "add", "clocks", "-k", kind, *flags)

    def statuses() -> list[str]:
        listed = ok("proj", "windows", "list", "clocks").out.splitlines()[1:]
        return [line.split()[1] for line in listed]

    # whose clock it is: two hours from the one that begins where the day ends first
    there = datetime.now(ZoneInfo("Pacific/Kiritimati"))  # always 14 hours ahead
    hours = ("--schedule", f"0 {there.hour} * * *", "--duration", "2h", "--applications", "no-*")
    add("deny", *hours, "--time-zone", "Pacific/Kiritimati")
    add("deny", *hours)
    assert statuses() == ["Active", "Inactive"]

    # whom it concerns: any list, or all of them
    always = ("--schedule", "* * * * *", "--duration", "1h")
    lists = ("--applications", "web", "--namespaces", "elsewhere")
    add("deny", *always, *lists, "--use-and-operator")
    shared.create("web", repository.url, "--path", "web", "--project", "clocks")
    shared.settled("web")
    ok("proj", "windows", "delete", "clocks", "2", "-y")
    add("deny", *always, *lists)
    refused = shared.refused(3, "deny window 2", "app", "sync", "web")
    assert "Hint:" in refused.err

    # only an administrator breaks the glass; who tried is written down
    ok("account", "create", "mia", "--role", "project:clocks")
    as_mia = {"FLEET_AUTH_TOKEN": ok("account", "create-token", "mia").out.strip()}
    emergency = ("app", "sync", "web", "--break-glass", "--reason", "the shop is down")
    denied = shared.fleet(*emergency, **as_mia)
    assert (denied.code, "break-glass" in denied.err) == (3, True), denied
    ok(*emergency)
    entries = ok("audit", "changes", "-o", "json").json()
    broken = [(it["actor"], it["decision"]) for it in entries if it["action"] == "break-glass"]
    assert broken[1] == ("mia", "denied")
    assert broken[0][1] == "allowed"
    ok("proj", "windows", "delete", "clocks", "2", "-y")

    # a sync that runs when its window closes waits where it stands; with overrun it goes on
    repository.commit({"web/gate.yaml": as_file((gate(),)), **release("2")})
    ok("app", "refresh", "web")
    eventually(lambda: shared.live("services/gate") is not None, shared.machine.log)

    def state() -> Object:
        status = ok("app", "get", "web", "-o", "json").json()["status"]
        return dict(status["operationState"])

    began = datetime.fromisoformat(state()["startedAt"])
    add("allow", "--schedule", f"{began.minute} {began.hour} * * *",
        "--duration", f"{began.second + 2}s", "--clusters", CLUSTER)  # fmt: skip
    eventually(lambda: statuses()[2] == "Inactive", lambda: str(statuses()))
    open_gate(shared)
    held = "waits for a sync window"
    eventually(lambda: held in state().get("message", ""), lambda: str(state()))
    assert shared.data("a") == {"value": "1"}
    ok("proj", "windows", "enable-sync-overrun", "clocks", "2")
    shared.settled("web")
    assert shared.data("a") == {"value": "2"}
    ok("proj", "windows", "delete", "clocks", "2", "-y")

    # it ends by the clock: what waited goes ahead then, and nobody has asked
    begins = datetime.now(UTC)
    ends = begins + timedelta(seconds=20)
    seconds = str(begins.second + 20)
    add("deny", "--schedule", f"{begins.minute} {begins.hour} * * *", "--duration", f"{seconds}s",
        "--applications", "web")  # fmt: skip
    repository.commit({"web/gate.yaml": None, **release("3")})
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--sync", *PATIENTLY)
    assert shared.data("a") == {"value": "3"}
    started = datetime.fromisoformat(state()["startedAt"])
    assert started >= ends.replace(microsecond=0)
