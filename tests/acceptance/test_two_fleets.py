"""Two `fleet up` on one PostgreSQL: both serve, one leads, and one is enough."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import machine
from tests.cluster.kube import TestCluster
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase


def config_map(value: str) -> str:
    object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    return json.dumps({**object, "data": {"value": value}})


def test_one_is_killed_and_the_other_goes_on(
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    namespace: str,
    tmp_path: Path,
) -> None:
    cluster = bare_clusters[0]
    settings = {
        "DATABASE_URL": database.app_url,
        "ALLOW_UNSAFE_DATABASE": "true",
        "ALLOWED_FILE_ROOTS": str(tmp_path),
        "SECRET_KEY": f"both:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "POLL_INTERVAL_SECONDS": "2",
        "POLL_JITTER_SECONDS": "0",
    }
    with machine(**settings) as first, machine(**settings) as second, second.up():
        token = (second.home / "admin.token").read_text().strip()
        with first.up() as process:
            asked = {"FLEET_AUTH_TOKEN": token}
            add = ("cluster", "add", "eu-1", *connection(cluster), "--keep-credentials", "-y")
            assert first.fleet(*add, **asked).code == 0
            git_repo.commit({"web/a.yaml": config_map("1")})
            assert first.fleet("repo", "add", git_repo.url, **asked).code == 0
            second.ok(
                "app", "create", "web", "--repo", git_repo.url, "--path", "web", "--revision",
                "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
                "--sync-policy", "automated", "--self-heal",
                "--sync-option", "CreateNamespace=true",
            )  # fmt: skip
            waited = first.fleet("app", "wait", "web", "--sync", "--timeout", "60", **asked)
            assert waited.code == 0, waited
            process.kill()
            process.wait()
            sha = git_repo.commit({"web/a.yaml": config_map("2")})
            second.ok("app", "refresh", "web")
            second.ok("app", "wait", "web", "--sync", "--timeout", "60")
            live = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a")
            assert live["data"] == {"value": "2"}
            history = second.ok("app", "history", "web", "-o", "json").json()
            assert [entry["revision"] for entry in history][-1] == sha
            assert len(history) == 2
            assert "intact" in second.ok("audit", "verify").out
