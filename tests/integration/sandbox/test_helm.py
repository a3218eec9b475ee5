"""The real Helm against a sandbox cluster: it keeps its releases there and waits for Pods."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fleet.render.tools import find_tools
from tests.integration.sandbox.conftest import SECONDS, Sandbox
from tests.integration.sandbox.test_kubectl import DEPLOYMENT
from tests.tools import tools_home


def helm(sandbox: Sandbox, *arguments: str) -> str:
    argv = [find_tools(tools_home()).helm.path, f"--kubeconfig={sandbox.kubeconfig}", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_release_from_install_to_uninstall(sandbox: Sandbox, tmp_path: Path) -> None:
    chart = tmp_path / "web"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: web, version: 1.0.0}\n")
    template = DEPLOYMENT.replace("replicas: 2", "replicas: {{ .Values.size }}")
    (chart / "templates" / "web.yaml").write_text(template)
    (chart / "values.yaml").write_text("size: 1\n")
    assert "STATUS: deployed" in helm(sandbox, "install", "web", str(chart), "--wait")
    helm(sandbox, "upgrade", "web", str(chart), "--set", "size=2", "--wait")
    replicas = sandbox.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")
    assert replicas == "2"
    helm(sandbox, "rollback", "web", "1", "--wait")
    assert "Rollback to 1" in helm(sandbox, "history", "web")
    helm(sandbox, "uninstall", "web", "--wait")
    assert "web" not in sandbox.kubectl("get", "deployments,secrets")
