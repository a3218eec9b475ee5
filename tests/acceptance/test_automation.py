"""What an application does by itself, and who holds it back: the real commands."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import Team
from tests.acceptance.test_sync_control import stuck
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import config_map
from tests.servers.git_http import GitHttpServer


def policy(team: Team, **automated: bool) -> None:
    """Change what ``web`` does by itself."""
    body = {"spec": {"syncPolicy": {"automated": automated, "retry": {"limit": 0}}}}
    team.ok("app", "patch", "web", "--type", "merge", "--patch", json.dumps(body))


def becomes(team: Team, name: str, data: Any) -> None:
    """Sooner or later a ConfigMap has this data; None: it is gone."""
    eventually(lambda: team.data(name) == data, lambda: str(team.document("web")["status"]))


def differs(team: Team) -> None:
    """Sooner or later that is seen."""
    eventually(
        lambda: team.document("web")["status"]["sync"]["status"] == "OutOfSync",
        lambda: str(team.document("web")["status"]),
    )


def syncs(team: Team) -> list[dict[str, Any]]:
    """All of ``web``, oldest first."""
    query = (
        "select phase, message from audit.sync_history where application = 'web'"
        " order by started_at"
    )
    found: list[dict[str, Any]] = team.ok("db", "sql", "-o", "json", "-c", query).json()
    return found


def test_what_happens_by_itself_and_what_does_not(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    a, b = config_map("a", value="1"), config_map("b")
    team.commit("web", a, b)
    team.register()
    team.create("web", "--sync-policy", "automated", "--sync-retry-limit", "0")
    policy(team, enabled=False, prune=False, selfHeal=False)
    policy(team, enabled=True)
    team.settles("web")

    # each switch does what it says, and nothing else
    team.edit("a", value="by hand")
    differs(team)
    assert team.data("a") == {"value": "by hand"}
    policy(team, selfHeal=True)
    becomes(team, "a", {"value": "1"})
    team.settles("web")
    team.release("web", a)
    differs(team)
    assert team.data("b") == {"colour": "blue"}
    policy(team, prune=True)
    becomes(team, "b", None)

    # everything at once goes only where that is meant
    team.release("web")
    team.warns("web", "SyncError", "everything would be deleted")
    assert team.data("a") == {"value": "1"}
    team.ok("app", "set", "web", "--allow-empty")
    becomes(team, "a", None)

    # a revision that fails is tried once, and again with other parameters
    before = len(syncs(team))
    bad = config_map("bad")
    bad["metadata"]["namespace"] = f"{namespace}-missing"
    team.release("web", bad)
    team.warns("web", "SyncError", "not found")
    for _ in range(2):
        team.ok("app", "refresh", "web")
    assert [it["phase"] for it in syncs(team)[before:]] == ["Failed"]
    team.ok("app", "set", "web", "--directory-recurse")
    eventually(lambda: len(syncs(team)) == before + 2, lambda: str(syncs(team)))

    # newest wins: nobody ends the sync that hangs, but the commit that follows
    team.release("web", stuck(), a)
    team.says("web", "waiting for Job/")
    team.release("web", a)
    becomes(team, "a", {"value": "1"})
    team.settles("web")
    assert [it["message"].startswith("superseded by") for it in syncs(team)[-2:]] == [True, False]


def test_people_hold_back_one_thing_and_see_what_waits(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    team.commit("web", config_map("a", value="1"), config_map("b"))
    team.register()
    team.create("web", "--sync-policy", "automated", "--auto-prune", "--self-heal")
    team.settles("web")

    # drift stays while somebody looks into it; commits go out
    pause = ("app", "pause", "web", "--reason", "somebody looks", "--only")
    team.ok(*pause, "self-heal")
    team.edit("a", value="by hand")
    differs(team)
    assert "self-heal is paused by" in team.conditions("web")["Paused"]
    assert team.data("a") == {"value": "by hand"}
    team.ok("app", "resume", "web", "--only", "self-heal")
    becomes(team, "a", {"value": "1"})

    # what left Git stays while pruning is paused
    team.ok(*pause, "prune", "--until", "8h")
    team.release("web", config_map("a", value="2"))
    becomes(team, "a", {"value": "2"})
    assert team.data("b") == {"colour": "blue"}
    assert "until 20" in team.conditions("web")["Paused"]
    team.ok("app", "resume", "web")
    becomes(team, "b", None)

    # two that fight over a field are seen: the pauses grow, and say until when
    for count in (1, 2):
        team.edit("a", value=f"fight {count}")
        becomes(team, "a", {"value": "2"})
    team.edit("a", value="fight on")
    team.warns("web", "SelfHealBackoff", "self-heal waits, until 20")
    team.ok("app", "sync", "web", "--timeout", "180")
    assert team.data("a") == {"value": "2"}
