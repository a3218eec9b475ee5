"""The real kubectl against a sandbox cluster does what people do with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.sandbox.conftest import Sandbox

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "nginx:1"}]}
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}}}
          status: {type: object, properties: {size: {type: integer}}}
"""
WIDGET = """
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {size: 2}
"""


def test_apply_get_edit_delete(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.kubectl("apply", "-f", "-", stdin=CONFIG_MAP) == "configmap/settings created\n"
    assert "unchanged" in sandbox.kubectl("apply", "-f", "-", stdin=CONFIG_MAP)
    changed = CONFIG_MAP.replace("blue", "green")
    assert "configured" in sandbox.kubectl("apply", "-f", "-", stdin=changed)
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i s/green/red/ "$1"\n')
    editor.chmod(0o755)
    told = sandbox.kubectl("edit", "configmap", "settings", EDITOR=str(editor))
    assert told == "configmap/settings edited\n"
    found = json.loads(sandbox.kubectl("get", "configmap", "settings", "-o", "json"))
    assert found["data"] == {"colour": "red"}
    sandbox.kubectl("delete", "configmap", "settings")
    gone = sandbox.try_kubectl("get", "configmap", "settings")
    assert 'configmaps "settings" not found' in gone.stderr


def test_server_side_apply_and_its_conflict(sandbox: Sandbox) -> None:
    side = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in sandbox.kubectl(*side, stdin=CONFIG_MAP)
    changed = CONFIG_MAP.replace("blue", "green")
    refused = sandbox.try_kubectl(*side, "--field-manager=other", stdin=changed)
    assert 'conflict with "kubectl": .data.colour' in refused.stderr
    sandbox.kubectl(*side, "--field-manager=other", "--force-conflicts", stdin=changed)
    managers = sandbox.kubectl(
        "get", "configmap", "settings", "--show-managed-fields",
        "-o", "jsonpath={.metadata.managedFields[*].manager}",
    )  # fmt: skip
    assert managers == "other"


def test_dry_run_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.kubectl("apply", "--dry-run=server", "-f", "-", stdin=CONFIG_MAP)
    assert "settings" not in sandbox.kubectl("get", "configmaps")


def test_diff_shows_what_would_change(sandbox: Sandbox) -> None:
    sandbox.kubectl("apply", "-f", "-", stdin=CONFIG_MAP)
    differs = sandbox.try_kubectl("diff", "-f", "-", stdin=CONFIG_MAP.replace("blue", "green"))
    assert differs.returncode == 1
    assert "+  colour: green" in differs.stdout


def test_a_misspelt_field_is_refused(sandbox: Sandbox) -> None:
    misspelt = DEPLOYMENT.replace("replicas: 2", "replica: 2")
    refused = sandbox.try_kubectl("apply", "-f", "-", stdin=misspelt)
    assert 'unknown field "spec.replica"' in refused.stderr


def test_describe_scale_and_wide(sandbox: Sandbox) -> None:
    sandbox.kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    described = sandbox.kubectl("describe", "deployment", "web")
    assert "Replicas:               2 desired" in described
    assert sandbox.kubectl("scale", "deployment", "web", "--replicas=5") == (
        "deployment.apps/web scaled\n"
    )
    header, row = sandbox.kubectl("get", "deployment", "-o", "wide").splitlines()
    assert header.split() == [
        "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR",
    ]  # fmt: skip
    assert row.split()[0] == "web"
    assert row.split()[1].endswith("/5")
    assert row.split()[5:] == ["app", "nginx:1", "app=web"]


def test_wait_and_rollout_status(sandbox: Sandbox) -> None:
    sandbox.kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    told = sandbox.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert "successfully rolled out" in told
    told = sandbox.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    assert "condition met" in told
    assert sandbox.kubectl("get", "pods", "-l", "app=web", "-o", "name").count("pod/web-") == 2


def test_what_there_is(sandbox: Sandbox) -> None:
    rows = sandbox.kubectl("api-resources").splitlines()
    assert any(
        it.split() == ["deployments", "deploy", "apps/v1", "true", "Deployment"] for it in rows
    )
    assert "autoscaling/v2" in sandbox.kubectl("api-versions").split()
    assert "Server Version: v1.37" in sandbox.kubectl("version")
    assert "DESCRIPTION" in sandbox.kubectl("explain", "deployment.spec.strategy")


def test_typed_clients_send_protobuf(sandbox: Sandbox) -> None:
    sandbox.kubectl("create", "namespace", "shop")
    sandbox.kubectl("-n", "shop", "create", "deployment", "web", "--image=nginx:1", "--replicas=3")
    sandbox.kubectl("-n", "shop", "create", "secret", "generic", "key", "--from-literal=a=b")
    sandbox.kubectl("-n", "shop", "create", "quota", "small", "--hard=cpu=2,pods=3")
    sandbox.kubectl("create", "clusterrole", "reader", "--verb=get", "--resource=pods")
    sandbox.kubectl("-n", "shop", "create", "cronjob", "j", "--image=i", "--schedule=0 * * * *")
    sandbox.kubectl(
        "-n", "shop", "create", "ingress", "i", "--rule=a.example/*=web:80,tls=cert"
    )  # fmt: skip
    found = {
        "deployment/web": "{.spec.replicas} {.spec.template.spec.containers[0].image}",
        "secret/key": "{.data.a}",
        "resourcequota/small": "{.spec.hard.cpu} {.spec.hard.pods}",
        "cronjob/j": "{.spec.schedule} {.spec.jobTemplate.spec.template.spec.restartPolicy}",
        "ingress/i": "{.spec.rules[0].http.paths[0].backend.service.port.number}",
    }
    answers = [
        sandbox.kubectl("-n", "shop", "get", name, "-o", f"jsonpath={path}")
        for name, path in found.items()
    ]
    assert answers == ["3 nginx:1", "Yg==", "2 3", "0 * * * * OnFailure", "80"]


def test_a_namespace_goes_with_what_is_in_it(sandbox: Sandbox) -> None:
    sandbox.kubectl("create", "namespace", "shop")
    sandbox.kubectl("-n", "shop", "apply", "-f", "-", stdin=CONFIG_MAP)
    sandbox.kubectl("delete", "namespace", "shop", "--timeout=20s")
    assert "not found" in sandbox.try_kubectl("get", "namespace", "shop").stderr
    assert "shop" not in sandbox.kubectl("get", "configmaps", "-A")


@pytest.mark.parametrize("side", [(), ("--server-side",)])
def test_custom_kinds(sandbox: Sandbox, side: tuple[str, ...]) -> None:
    sandbox.kubectl("apply", *side, "-f", "-", stdin=DEFINITION)
    sandbox.kubectl("wait", "--for=condition=Established", "crd/widgets.example.com")
    sandbox.kubectl("apply", *side, "-f", "-", stdin=WIDGET)
    header, row = sandbox.kubectl("get", "wd").splitlines()
    assert (header.split(), row.split()[:2]) == (["NAME", "SIZE"], ["one", "2"])
    sandbox.kubectl("scale", "widget", "one", "--replicas=7")
    assert sandbox.kubectl("get", "wd", "one", "-o", "jsonpath={.spec.size}") == "7"
    assert "size" in sandbox.kubectl("explain", "widget.spec")
    sandbox.kubectl("delete", "crd", "widgets.example.com", "--timeout=20s")
    assert "NotFound" in sandbox.try_kubectl("get", "widgets").stderr


def test_rights_of_an_account(sandbox: Sandbox) -> None:
    sandbox.kubectl("create", "serviceaccount", "viewer")
    sandbox.kubectl(
        "create", "rolebinding", "v", "--clusterrole=view", "--serviceaccount=default:viewer"
    )  # fmt: skip
    token = sandbox.kubectl("create", "token", "viewer").strip()
    mine = f"--token={token}"
    assert "kube-root-ca.crt" in sandbox.kubectl(mine, "get", "configmaps")
    refused = sandbox.try_kubectl(mine, "delete", "configmap", "kube-root-ca.crt").stderr
    assert (
        'configmaps "kube-root-ca.crt" is forbidden: User "system:serviceaccount:default:viewer" '
        'cannot delete resource "configmaps" in API group "" in the namespace "default"'
    ) in refused
    assert sandbox.try_kubectl(mine, "auth", "can-i", "list", "secrets").stdout == "no\n"
    assert sandbox.try_kubectl(mine, "auth", "can-i", "list", "pods").stdout == "yes\n"
    sandbox.kubectl("delete", "serviceaccount", "viewer")
    assert "Unauthorized" in sandbox.try_kubectl(mine, "get", "configmaps").stderr


def test_logs(sandbox: Sandbox) -> None:
    sandbox.kubectl("run", "job", "--image=busybox", "--annotations=sandbox.fleet.dev/log=done")
    sandbox.kubectl("wait", "--for=condition=Ready", "pod/job", "--timeout=20s")
    assert sandbox.kubectl("logs", "job") == "sandbox: job started with image busybox\ndone\n"
    assert sandbox.kubectl("logs", "job", "--tail=1") == "done\n"
    refused = sandbox.try_kubectl("logs", "job", "-c", "other").stderr
    assert "container other is not valid" in refused
    sandbox.kubectl("delete", "pod", "job", "--timeout=20s")
