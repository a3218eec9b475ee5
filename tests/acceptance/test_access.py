"""A team that brings its policy: groups, a pipeline with a token, a company-wide project, and
a robot in whose name its syncs are done."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Done, Machine
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import as_file, config_map
from tests.servers.git_http import GitHttpServer

POLICY = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm}
data:
  policy.csv: |
    p, role:dev, applications, get, shop/*, allow
    p, role:dev, applications, sync, shop/*, allow
    p, role:dev, applications, sync, shop/ledger, deny
    g, devs, role:dev
"""
COMPANY = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  globalProjects: |
    - labelSelector: {matchLabels: {tier: prod}}
      projectName: company
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: company}
spec:
  namespaceResourceBlacklist: [{group: "", kind: Secret}]
  syncWindows:
  - {kind: deny, schedule: "* * * * *", duration: 1h, applications: [ledger], description: Frozen}
"""


def project(namespace: str) -> str:
    return f"""
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {{name: shop, labels: {{tier: prod}}}}
spec:
  sourceRepos: ["*"]
  destinations: [{{name: eu-1, namespace: {namespace}}}]
  destinationServiceAccounts:
  - {{server: "*", namespace: "*", defaultServiceAccount: robot}}
"""


def test_a_team_with_its_policy_its_pipeline_and_its_robot(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    cluster, fleet, ok = full_cluster, running.fleet, running.ok

    def done(*arguments: str, **variables: str) -> Done:
        found = fleet(*arguments, **variables)
        assert found.code == 0, found
        return found

    repository = git_http.repository("shop")
    for name in ("web", "ledger"):
        repository.commit({f"{name}/a.yaml": as_file((config_map(name),))})
    ok("cluster", "add", "eu-1", *connection(cluster), "-y")
    for file, text in (("rbac", POLICY), ("company", COMPANY), ("shop", project(namespace))):
        (tmp_path / f"{file}.yaml").write_text(text)

    # a policy is tried before it is in force; the documents come in any order
    rbac = str(tmp_path / "rbac.yaml")
    ok("account", "create", "alice", "--role", "none", "--group", "devs")
    asked = ("admin", "rbac", "can", "alice", "sync", "applications")
    assert "1 grants" in ok("admin", "rbac", "validate", "-f", rbac).out
    assert ok(*asked, "shop/web", "-f", rbac).out == "yes\n"
    assert fleet(*asked, "shop/web").code == 1
    ok("apply", "-f", str(tmp_path))
    assert ok(*asked, "shop/web").out == "yes\n"
    denied = fleet(*asked, "shop/ledger")
    assert (denied.code, denied.out, "denies" in denied.err) == (1, "no\n", True)

    for name in ("web", "ledger"):
        ok("app", "create", name, "--project", "shop", "--repo", repository.url, "--path", name,
           "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace)  # fmt: skip
        ok("app", "refresh", name)

    # alice, by her token
    alice = ok("account", "create-token", "alice").out.strip()
    as_alice = {"FLEET_AUTH_TOKEN": alice}
    assert done("app", "list", "-o", "name", **as_alice).out.split() == [
        "application/ledger",
        "application/web",
    ]
    refused = fleet("app", "sync", "ledger", **as_alice)
    assert (refused.code, "denies" in refused.err) == (3, True), refused
    assert fleet("account", "can-i", "delete", "applications", "shop/web", **as_alice).code == 1

    # the robot may nothing yet
    failed = fleet("app", "sync", "web", **as_alice)
    assert failed.code != 0
    assert f"system:serviceaccount:{namespace}:robot" in failed.out + failed.err
    let_robot(cluster, namespace)

    # a pipeline, confined to the project and to what its role says
    ok("proj", "role", "create", "shop", "ci", "--description", "Pipelines")
    for action in ("get", "sync"):
        ok("proj", "role", "add-policy", "shop", "ci", "--action", action, "--object", "web")
    token = ok("proj", "role", "create-token", "shop", "ci", "--id", "gh", "-e", "1h").out.strip()
    as_ci = {"FLEET_AUTH_TOKEN": token}
    assert done("app", "list", "-o", "name", **as_ci).out.split() == ["application/web"]
    done("app", "sync", "web", **as_ci)
    found = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/web")
    assert found["data"] == {"colour": "blue"}
    assert fleet("app", "get", "ledger", **as_ci).code == 3
    assert fleet("cluster", "list", **as_ci).code == 3
    ok("proj", "role", "delete-token", "shop", "ci", "gh", "-y")
    assert "unknown, expired or revoked" in fleet("app", "list", **as_ci).err

    page = ok("proj", "get", "shop").out
    assert all(word in page for word in ("company", "ci (2 policies, 1 token)", "*,*: robot")), page
    # what the company says holds here, too
    assert "Frozen" in ok("proj", "windows", "list", "shop", "-o", "wide").out
    held = fleet("app", "sync", "ledger")
    assert (held.code, "deny window 0" in held.err) == (3, True), held
    kept = fleet("proj", "delete", "company", "-y")
    assert (kept.code, "global" in kept.err) == (3, True), kept
    kept = fleet("proj", "delete", "shop", "-y")
    assert (kept.code, "application(s)" in kept.err) == (3, True), kept


def let_robot(cluster: TestCluster, namespace: str) -> None:
    """The robot may deploy ConfigMaps."""
    home = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "create", "patch", "delete"],
    }
    cluster.request("POST", f"{home}/roles", {"metadata": {"name": "robot"}, "rules": [rule]})
    group = "rbac.authorization.k8s.io"
    body = {
        "metadata": {"name": "robot"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "robot"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}],
    }
    cluster.request("POST", f"{home}/rolebindings", body)
