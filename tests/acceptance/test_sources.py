"""Where manifests come from, beyond a folder of YAML: the real commands, one after another."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.render.sandbox import sandbox_status
from fleet.source.oci import CONTENT_LAYERS
from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.kubelet import eventually
from tests.cluster.kube import TestCluster
from tests.conftest import require
from tests.integration.operations.harness import as_file, config_map
from tests.integration.operations.test_artifacts import layer
from tests.servers import cosign, signing
from tests.servers.cosign import CosignKey
from tests.servers.git_http import GitHttpServer
from tests.servers.oci_registry import OciRegistry
from tests.servers.signing import SshKey
from tests.servers.sops import AgeKey, encrypt
from tests.tools import tools_home


@pytest.fixture
def running() -> Iterator[Machine]:
    require(sandbox_status().is_safe, sandbox_status().message)
    with machine(PLUGIN_PATHS="/usr/bin") as made:
        (made.home / "tools").symlink_to(tools_home() / "tools")
        with made.up():
            yield made


def data(cluster: TestCluster, namespace: str, name: str) -> Any:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    return cluster.request("GET", path)["data"]


PLUGIN = """
apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata: {name: stage}
spec:
  version: v1
  init: {command: [sh, -c], args: ['cp objects.txt /tmp/objects']}
  generate:
    command: [sh, -c]
    args: ['sed "s/COLOUR/$PARAM_COLOUR/; s/STAGE/$ARGOCD_ENV_STAGE/" /tmp/objects']
  discover: {fileName: objects.txt}
  parameters:
    static: [{name: colour, title: Colour, required: true}]
    dynamic: {command: [cat, parameters.json]}
"""
APPLICATION = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web}
spec:
  project: default
  source:
    repoURL: %(repo)s
    path: web
    targetRevision: main
    plugin:
      name: stage-v1
      env: [{name: STAGE, value: $ARGOCD_APP_NAME-prod}]
      parameters: [{name: colour, string: red}]
  destination: {name: eu-1, namespace: %(namespace)s}
  syncPolicy:
    automated: {prune: true}
    syncOptions: [CreateNamespace=true]
"""


def test_a_team_brings_its_plugin(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    ok, fleet = running.ok, running.fleet
    repository = git_http.repository("shop")
    objects = as_file((config_map("a", colour="COLOUR", stage="STAGE"),))
    repository.commit(
        {
            "web/objects.txt": objects,
            "web/parameters.json": '[{"name": "size", "string": "big"}]',
        }
    )
    ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")

    # a plugin that nobody registered: the application says so
    application = APPLICATION % {"repo": repository.url, "namespace": namespace}
    ok("apply", "-f", "-", stdin=application)
    ok("app", "refresh", "web")
    assert "no config management plugin stage-v1 is registered" in ok("app", "get", "web").out

    # an administrator registers it, and what waited for it goes on by itself
    assert ok("apply", "-f", "-", "--dry-run", stdin=PLUGIN).out.split() == [
        "configmanagementplugin/stage-v1", "created", "(dry", "run)",
    ]  # fmt: skip
    ok("apply", "-f", "-", stdin=PLUGIN)
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "a") == {"colour": "red", "stage": "web-prod"}
    assert ok("plugin", "list").out.splitlines()[1].split() == [
        "stage-v1",
        "objects.txt",
        "sh",
        "-c",
    ]
    assert "cp objects.txt /tmp/objects" in ok("plugin", "get", "stage-v1").out
    told = ok("plugin", "parameters", "web").out.splitlines()
    assert [line.split()[0] for line in told[1:]] == ["colour", "size"]

    # one that breaks: what runs stays, and the reason is told
    broken = PLUGIN.replace("[sh, -c], args: ['cp", "[sh, -c], args: ['echo no luck >&2; false; #")
    broken = broken.replace("false; #", "exit 1; cp")
    ok("apply", "-f", "-", stdin=broken)
    ok("app", "refresh", "web")
    assert "plugin stage-v1: init: no luck" in ok("app", "get", "web").out
    assert data(full_cluster, namespace, "a")["colour"] == "red"

    # nobody's machine runs it but Fleet's own
    refused = fleet("app", "diff", "web", "--local", str(running.home))
    assert (refused.code, "Fleet's own machines" in refused.err) == (2, True), refused
    ok("plugin", "rm", "stage-v1", "-y")
    assert ok("plugin", "list").out == ""


PROJECT = """
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: signed}
spec:
  sourceRepos: ["*"]
  destinations: [{name: eu-1, namespace: "*"}]
  clusterResourceWhitelist: [{group: "", kind: Namespace}]
  sourceIntegrity:
    git:
      policies:
      - repos: ["*"]
        gpg: {mode: strict, keys: [%s]}
"""


def test_a_project_deploys_what_is_signed(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    ok, fleet = running.ok, running.fleet
    key, repository = SshKey(tmp_path), git_http.repository("shop")
    signing.commit(repository, {"web/a.yaml": as_file((config_map("a", x="1"),))}, key)
    ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")

    assert "no public key" in fleet("gpg", "add", stdin="nonsense").err
    ok("gpg", "add", stdin=key.public)
    assert ok("gpg", "list").out.splitlines()[1].split()[:2] == [key.id, "ssh-ed25519"]
    assert key.public.split()[1] in ok("gpg", "get", key.id).out
    ok("apply", "-f", "-", stdin=PROJECT % key.id)
    ok("app", "create", "web", "--project", "signed", "--repo", repository.url, "--path", "web",
       "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
       "--sync-policy", "automated", "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "a") == {"x": "1"}

    signing.commit(repository, {"web/a.yaml": as_file((config_map("a", x="2"),))}, None)
    ok("app", "refresh", "web")
    assert "is not signed" in ok("app", "get", "web").out
    seal = "reviewed\n\nArgocd-gpg-seal: that one was ours"
    signing.commit(repository, {"web/b.yaml": as_file((config_map("b"),))}, key, seal)
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "a") == {"x": "2"}
    ok("gpg", "rm", key.id, "-y")
    assert ok("gpg", "list").out == ""


ARTIFACTS = """
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: signed}
spec:
  sourceRepos: ["*"]
  destinations: [{name: eu-1, namespace: "*"}]
  clusterResourceWhitelist: [{group: "", kind: Namespace}]
  sourceIntegrity:
    oci:
      policies:
      - repos: ["oci://**"]
        cosign: {mode: strict, keys: ["%s"]}
"""


def test_a_project_deploys_artifacts_that_cosign_signed(
    running: Machine, full_cluster: TestCluster, namespace: str, oci_registry: OciRegistry
) -> None:
    ok, key, url = running.ok, CosignKey(), f"oci://{oci_registry.host}/configs/shop"
    content = layer("web/a.yaml", as_file((config_map("a", x="1"),)))
    digest = oci_registry.push("configs/shop", "stable", {CONTENT_LAYERS[1]: content})
    ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")
    ok("repo", "add", url, "--type", "oci", "--insecure-oci-force-http")

    ok("gpg", "add", stdin=key.public)
    assert ok("gpg", "list").out.splitlines()[1].split()[:2] == [key.id, "ecdsa-p256"]
    ok("apply", "-f", "-", stdin=ARTIFACTS % key.id)
    ok("app", "create", "web", "--project", "signed", "--repo", url, "--path", "web",
       "--revision", "stable", "--dest-name", "eu-1", "--dest-namespace", namespace,
       "--sync-policy", "automated", "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "refresh", "web")
    told = ok("app", "get", "web", "-o", "json").out
    assert f"configs/shop@{digest} is not signed by cosign (wanted: {key.id})" in told

    cosign.sign(oci_registry, "configs/shop", digest, key)
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "a") == {"x": "1"}


def test_an_encrypted_file_is_deployed_in_the_clear(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    ok, fleet = running.ok, running.fleet
    key, repository = AgeKey(), git_http.repository("shop")
    text = encrypt(tmp_path, "a.yaml", as_file((config_map("a", x="1"),)), key)
    repository.commit({"web/a.yaml": text})
    ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")

    assert "no private key" in fleet("decryption-key", "add", stdin="nonsense").err
    ok("decryption-key", "add", "--project", "default", stdin=key.private)
    listed = ok("decryption-key", "list").out
    assert listed.splitlines()[1].split() == [key.id, "age", "default", "-"]
    ok("app", "create", "web", "--repo", repository.url, "--path", "web",
       "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
       "--sync-policy", "automated", "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "a") == {"x": "1"}
    assert key.private not in ok("audit", "changes", "-o", "json").out
    ok("decryption-key", "rm", key.id, "--project", "default", "-y")
    assert ok("decryption-key", "list").out == ""


WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {region: {{ .Values.region | quote }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.database.password | quote }}}
"""
PATCH = """
spec:
  source:
    kustomize:
      patches:
      - target: {kind: ConfigMap}
        patch: |
          - op: add
            path: /data/team
            value: shop
"""


def test_a_chart_takes_values_from_the_cluster_that_it_goes_to(
    running: Machine,
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    ok, fleet = running.ok, running.fleet
    repository = git_http.repository("shop")
    repository.commit(
        {
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "web/values.yaml": "region: nowhere\n",
            "web/templates/web.yaml": WEB,
        }
    )
    home = f"/api/v1/namespaces/{namespace}"
    region = {"metadata": {"name": "region"}, "data": {"values.yaml": "region: europe"}}
    full_cluster.request("POST", f"{home}/configmaps", region)
    ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")
    ok("cluster", "set", "eu-1", "--interval", "10s")

    # what is missing is named, and nothing is deployed with half of its values
    ok("app", "create", "web", "--repo", repository.url, "--path", "web", "--revision", "main",
       "--dest-name", "eu-1", "--dest-namespace", namespace, "--sync-policy", "automated",
       "--helm-values-from", "ConfigMap/region",
       "--helm-values-from", "Secret/db:password@database.password")  # fmt: skip
    ok("app", "refresh", "web")
    assert f"Secret/{namespace}/db does not exist" in ok("app", "get", "web").out

    # it comes, and the application goes on
    password = "correct-horse-battery"
    db = {"metadata": {"name": "db"}, "stringData": {"password": password}}
    full_cluster.request("POST", f"{home}/secrets", db)
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "web") == {"region": "europe"}
    secret = full_cluster.request("GET", f"{home}/secrets/web")["data"]["password"]
    assert base64.b64decode(secret).decode() == password

    # somebody changes it in the cluster: that is seen without a commit, and without asking
    changed = {**region, "data": {"values.yaml": "region: asia"}}
    full_cluster.request("PUT", f"{home}/configmaps/region", changed)
    eventually(
        lambda: data(full_cluster, namespace, "web") == {"region": "asia"},
        lambda: ok("app", "get", "web").out,
    )

    # patches of kustomize change what the chart printed
    ok("app", "patch", "web", "--type", "merge", "--patch", PATCH)
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "web") == {"region": "asia", "team": "shop"}

    # what was in the Secret is nowhere to be seen, and this machine does not read the cluster
    for command in (("app", "get", "web", "-o", "json"), ("app", "manifests", "web"),
                    ("app", "history", "web"), ("audit", "changes", "-o", "json")):  # fmt: skip
        assert password not in ok(*command).out
    refused = fleet("app", "diff", "web", "--local", str(tmp_path))
    assert (refused.code, "helm.valuesFrom" in refused.err) == (2, True), refused
    ok("app", "unset", "web", "--helm-values-from", "ConfigMap/region")
    ok("app", "wait", "web", "--sync", "--health", "--timeout", "120")
    assert data(full_cluster, namespace, "web") == {"region": "nowhere", "team": "shop"}
