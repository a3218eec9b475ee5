"""How an application goes: what it takes along, what it waits for, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.team import Team
from tests.cluster.kube import TestCluster
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import config_map, deployment
from tests.servers.git_http import GitHttpServer

WAIT = ("--timeout", "180")
APPS = "apps/v1"
HELD = "tests.fleet.dev/held"
FINALIZER = "resources-finalizer.argocd.argoproj.io"


def hold(team: Team, *finalizers: str) -> None:
    """Keep all pods from going, or let them go."""
    for name in team.names("pods"):
        body = {"apiVersion": "v1", "kind": "Pod"}
        metadata = {"name": name, "finalizers": list(finalizers)}
        path = f"{team.base('pods')}/{name}?fieldManager=holder&force=true"
        team.cluster.request("PATCH", path, {**body, "metadata": metadata})


def release_held(team: Team) -> None:
    """Let all pods go, also those that are on their way out."""
    for item in team.cluster.request("GET", team.base("pods"))["items"]:
        name = item["metadata"]["name"]
        path = f"{team.base('pods')}/{name}?fieldManager=holder&force=true"
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
        team.cluster.request("PATCH", path, body)


def is_there(team: Team, name: str) -> bool:
    """Whether a Deployment is there at all, be it on its way out."""
    items = team.cluster.request("GET", team.base("deployments", APPS))["items"]
    return name in {it["metadata"]["name"] for it in items}


def test_a_deletion_survives_a_crash_and_takes_what_it_is_told(
    full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    names = ("foreground", "background", "orphan", "left", "kept")
    with machine() as fleet:
        team = Team(fleet, full_cluster, namespace, git_http.repository("shop"))
        for name in names:
            team.commit(name, deployment(name))
        with fleet.up() as process:
            team.register()
            for name in names:
                team.create(name)
            team.ok("app", "sync", *names, *WAIT)
            team.ok("app", "wait", *names, *WAIT)

            # what objects own goes before them, after them, or stays
            hold(team, HELD)
            finalizers = [f"{FINALIZER}/background"]
            body = json.dumps({"metadata": {"finalizers": finalizers}})
            team.ok("app", "patch", "background", "--type", "merge", "--patch", body)
            team.ok("app", "delete", "background", "-y", "--wait", *WAIT)
            assert not is_there(team, "background")
            policy = ("--propagation-policy", "orphan")
            team.ok("app", "delete", "orphan", *policy, "-y", "--wait", *WAIT)
            assert not is_there(team, "orphan")
            sets = team.names("replicasets", group=APPS)
            assert any(it.startswith("orphan-") for it in sets)
            team.ok("app", "delete", "left", "--cascade=false", "-y", "--wait", *WAIT)
            assert team.live("deployments", "left", group=APPS)
            team.ok("app", "delete", "foreground", "-y")
            team.says("foreground", f"waiting for Deployment/{namespace}/foreground to go away")
            said = team.fails(1, "app", "wait", "foreground", "--delete", "--timeout", "1")
            assert "is not gone yet" in said
            assert is_there(team, "foreground")
            process.kill()
        with fleet.up():
            # nobody asks again: it goes on where it was
            team.says("foreground", f"waiting for Deployment/{namespace}/foreground to go away")
            release_held(team)
            team.ok("app", "wait", "foreground", "--delete", *WAIT)
            assert not is_there(team, "foreground")
            assert team.ok("app", "list", "-o", "name").out.split() == ["application/kept"]
            assert team.live("deployments", "kept", group=APPS)


def test_a_cluster_that_is_away_or_gone(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    fault_proxy: Callable[[str, int], FaultProxy],
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    address = urlsplit(full_cluster.server)
    assert address.hostname
    assert address.port
    door = fault_proxy(address.hostname, address.port)
    authority = running.home / "ca.pem"
    authority.write_text(full_cluster.ca_pem)
    team.ok("cluster", "add", "eu-1", "--server", f"https://127.0.0.1:{door.port}", "--ca",
            str(authority), "--token", full_cluster.admin_token)  # fmt: skip
    for name in ("waits", "forgotten"):
        team.commit(name, config_map(name))
        team.create(name)
        team.ok("app", "sync", name, *WAIT)

    # the cluster does not answer: the deletion waits, says so, and goes on by itself
    door.refuse()
    team.ok("app", "delete", "waits", "-y")
    team.warns("waits", "DeletionError", "cluster eu-1")
    assert team.names("configmaps") >= {"waits", "forgotten"}

    # one that is gone for good is no reason to keep the application
    team.ok("app", "delete", "forgotten", "--force-forget", "-y")
    assert team.ok("app", "list", "-o", "name").out.split() == ["application/waits"]
    entries = team.ok("audit", "changes", "-o", "json").json()
    (entry,) = [it for it in entries if it["action"] == "force-forget"]
    assert f"ConfigMap/{namespace}/forgotten" in json.dumps(entry["after"])

    door.heal()
    team.ok("app", "wait", "waits", "--delete", *WAIT)
    left = team.names("configmaps")
    assert ("waits" in left, "forgotten" in left) == (False, True)
