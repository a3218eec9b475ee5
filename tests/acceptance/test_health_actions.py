"""A team brings its argocd-cm, and does to its Deployment what it did with Argo CD: the real
commands, one after another."""

from __future__ import annotations

import json

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine
from tests.acceptance.team import Team
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import as_file, config_map, deployment
from tests.servers.git_http import GitHttpServer

COLOUR = """
hs = {}
if obj.data.colour == "blue" then
  hs.status = "Healthy"
else
  hs.status = "Degraded"
  hs.message = "is " .. obj.data.colour
end
return hs
"""
STAMP = """
discovery.lua: |
  return { stamp = { disabled = obj.data.stamped ~= nil } }
definitions:
- name: stamp
  action.lua: |
    obj.data.stamped = "yes"
    return obj
"""
LABEL = """
definitions:
- name: mark
  action.lua: |
    obj.metadata.labels.marked = "yes"
    return obj
"""


def argocd_cm(health: str) -> str:
    data = {
        "url": "https://argocd.example",
        "resource.customizations.health.ConfigMap": health,
        "resource.customizations.actions.ConfigMap": STAMP,
        "resource.customizations.actions.Pod": LABEL,
        "resource.customizations.actions.apps_ReplicaSet": LABEL,
    }
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def test_scripts_and_actions_that_argo_cd_users_know(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    cluster, fleet, ok = full_cluster, running.fleet, running.ok
    web = deployment("web")
    del web["spec"]["template"]["metadata"]["annotations"]
    repository = git_http.repository("shop")
    repository.commit(
        {
            "paint/a.yaml": as_file((config_map("a", colour="red"),)),
            "web/web.yaml": as_file((web,)),
        }
    )
    ok("cluster", "add", "eu-1", *connection(cluster), "-y")
    for name in ("paint", "web"):
        ok("app", "create", name, "--repo", repository.url, "--path", name,
           "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
           "--sync-policy", "automated", "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "wait", "paint", "web", "--sync", "--health", "--timeout", "120")

    # health as a script says it, from the moment it is applied
    applied = ok("apply", "-f", "-", stdin=argocd_cm(COLOUR))
    assert "configmap/argocd-cm created" in applied.out
    assert "data: kept, and not read from here: url" in applied.err
    ok("app", "wait", "paint", "--degraded", "--timeout", "120")
    assert "is red" in ok("app", "get", "paint").out
    ok("app", "wait", "web", "--health", "--timeout", "120")

    # one that never ends harms nobody
    ok("apply", "-f", "-", stdin=argocd_cm("while true do end"))
    ok("app", "refresh", "paint")
    page = ok("app", "get", "paint").out
    assert "it was stopped after 1 s of processor time" in page
    ok("app", "wait", "web", "--health", "--timeout", "120")
    ok("apply", "-f", "-", stdin=argocd_cm(COLOUR.replace("blue", "red")))
    ok("app", "wait", "paint", "--health", "--timeout", "120")

    # what may be done, and doing it
    listed = ok("app", "actions", "list", "web").out.splitlines()
    assert listed[0].split() == ["GROUP", "KIND", "NAME", "ACTION", "DISABLED", "PARAMS"]
    assert [line.split()[3] for line in listed[1:]] == ["pause", "restart", "resume", "scale"]
    one = ("--kind", "Deployment", "--resource-name", "web")
    done = ok("app", "actions", "run", "web", "restart", *one)
    assert f"apps:Deployment:{namespace}/web restart: done" in done.out
    ok("app", "actions", "run", "web", "scale", *one, "--param", "replicas=2")
    live = cluster.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    assert live["spec"]["replicas"] == 2
    assert (
        "kubectl.kubernetes.io/restartedAt" in live["spec"]["template"]["metadata"]["annotations"]
    )
    wrong = fleet("app", "actions", "run", "web", "resume", *one)
    assert (wrong.code, "is not possible as it is now" in wrong.err) == (3, True), wrong
    wrong = fleet("app", "actions", "run", "web", "scale", *one, "--param", "replicas=many")
    assert (wrong.code, "must be a whole number" in wrong.err) == (2, True), wrong

    # and to what others made of its objects: asked for by kind, one by one or all of them
    team = Team(running, cluster, namespace, repository)
    ok("app", "wait", "web", "--health", "--timeout", "120")
    pods = ok("app", "actions", "list", "web", "--kind", "Pod", "-o", "json").json()
    assert {it["action"] for it in pods} == {"mark"}
    several = ("app", "actions", "run", "web", "mark", "--kind", "Pod")
    assert "objects" in team.fails(2, *several)
    ok(*several, "--all")
    (pod, *_) = team.names("pods")
    assert team.live("pods", pod)["metadata"]["labels"]["marked"] == "yes"
    (old, *_) = team.names("replicasets", group="apps/v1")
    ok("app", "actions", "run", "web", "mark", "--kind", "ReplicaSet", "--resource-name", old)
    found = team.live("replicasets", old, group="apps/v1")
    assert found["metadata"]["labels"]["marked"] == "yes"

    # one of the team's own
    ok("app", "actions", "run", "paint", "stamp", "--kind", "ConfigMap")
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    assert cluster.request("GET", path)["data"] == {"colour": "red", "stamped": "yes"}
    (offer,) = ok("app", "actions", "list", "paint", "-o", "json").json()
    assert (offer["action"], offer["disabled"]) == ("stamp", True)
    entries = ok("audit", "changes", "-o", "json").json()
    assert [e["after"]["action"] for e in entries if e["action"] == "action"] == [
        "stamp",
        "mark",
        "mark",
        "scale",
        "restart",
    ]
