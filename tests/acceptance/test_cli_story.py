"""What a user does, from an empty machine to a rollback: the real commands, one after another."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from fleet.render.yaml import load_one
from tests.acceptance.fleet_process import Machine
from tests.cluster import kube
from tests.cluster.kube import ApiFailed, Object
from tests.ports import free_port
from tests.servers.git_http import GitHttpServer


class Kubernetes(Protocol):
    """A cluster with controllers, as far as a story needs it."""

    @property
    def name(self) -> str: ...
    @property
    def kubeconfig(self) -> Path: ...
    def request(self, method: str, path: str) -> Object: ...


@dataclass(frozen=True)
class SandboxCluster:
    """One that ``fleet sandbox up`` started."""

    name: str
    kubeconfig: Path

    def request(self, method: str, path: str) -> Object:
        config = load_one(self.kubeconfig.read_bytes())
        at, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        ca = b64decode(at["certificate-authority-data"]).decode()
        return kube.request(at["server"], ca, user["token"], method, path)


@pytest.fixture(params=["real", "sandbox"])
def cluster(
    request: pytest.FixtureRequest, running: Machine, tmp_path: Path
) -> Iterator[Kubernetes]:
    """The full cluster of the tests, for a foreground deletion needs the garbage collector; and
    one of a sandbox, which is to be as good for this."""
    if request.param == "real":
        yield request.getfixturevalue("full_cluster")
        return
    running.ok("sandbox", "up", "--clusters", "1", "--port", str(free_port()))
    try:
        kubeconfig = tmp_path / "sandbox"
        kubeconfig.write_text(running.ok("sandbox", "kubeconfig", "eu-1").out)
        yield SandboxCluster("eu-1", kubeconfig)
    finally:
        running.ok("sandbox", "down")


def config_map(name: str, value: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"value": value},
        }
    )


def live_value(cluster: Kubernetes, namespace: str, name: str) -> str:
    found = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return str(found["data"]["value"])


def test_from_an_empty_machine_to_a_rollback(
    running: Machine,
    cluster: Kubernetes,
    namespace: str,
    git_http: GitHttpServer,
    tmp_path: Path,
) -> None:
    ok = running.ok
    repository = git_http.repository("shop")
    first = repository.commit(
        {"web/a.yaml": config_map("a", "1"), "web/b.yaml": config_map("b", "1")}
    )
    git_http.require_basic("ci", "geheim")

    added = ok(
        "cluster", "add", "eu-1", "--kubeconfig", str(cluster.kubeconfig),
        "--context", cluster.name, "--label", "env=prod", "--label", "region=eu", "-y",
    )  # fmt: skip
    assert added.out == "cluster/eu-1 created\n"
    shown = ok("cluster", "get", "eu-1", "-o", "json").json()
    assert shown["labels"] == {"env": "prod", "region": "eu"}
    assert shown["managedAuth"]["serviceAccount"] == "fleet-manager"
    assert ok("cluster", "test", "eu-1").out.startswith("cluster/eu-1 answers: v1.")
    assert ok("cluster", "list", "-l", "env=prod", "-o", "name").out == "cluster/eu-1\n"

    ok("repo", "add", repository.url, "--username", "ci", "--password-stdin", stdin="geheim\n")
    assert "geheim" not in ok("repo", "get", repository.url, "-o", "yaml").out
    made = ok("proj", "create", "shop", "--src", f"{git_http.url}/*", "--dest", f"eu-*,{namespace}")
    assert made.out == "project/shop created\n"

    created = ok(
        "app", "create", "web", "--project", "shop", "--repo", repository.url, "--path", "web",
        "--revision", "main", "--dest-name", "eu-1", "--dest-namespace", namespace,
        "--sync-policy", "automated", "--auto-prune", "--self-heal",
        "--sync-option", "CreateNamespace=true",
    )  # fmt: skip
    assert created.out == "application/web created\n"
    waited = ok("app", "wait", "web", "--sync", "--health", "--timeout", "60")
    assert waited.out == "application/web Synced Healthy\n"
    assert live_value(cluster, namespace, "a") == "1"

    listed = ok("app", "list").out.splitlines()
    assert listed[0].split() == [
        "NAME", "CLUSTER", "NAMESPACE", "PROJECT", "STATUS", "HEALTH", "SYNCPOLICY", "CONDITIONS",
    ]  # fmt: skip
    assert listed[1].split() == [
        "web", "eu-1", namespace, "shop", "Synced", "Healthy", "Auto-Prune", "-",
    ]  # fmt: skip
    document = ok("app", "get", "web", "-o", "json").json()
    assert document["status"]["sync"] == {
        **document["status"]["sync"],
        "status": "Synced",
        "revision": first,
    }
    assert f"ConfigMap   {namespace}" in ok("app", "get", "web").out
    assert "value: '1'" in ok("app", "manifests", "web").out.replace('"', "'")
    objects = ok("app", "resources", "web", "-o", "name").out.splitlines()
    assert objects == [f"resource/ConfigMap/{namespace}/{name}" for name in "ab"]

    second = repository.commit({"web/a.yaml": config_map("a", "2"), "web/b.yaml": None})
    different = running.fleet("app", "diff", "web", "--revision", second)
    assert different.code == 1, different
    assert "-  value: '1'" in different.out.replace('"', "'")
    assert "+  value: '2'" in different.out.replace('"', "'")
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--timeout", "60")
    assert live_value(cluster, namespace, "a") == "2"
    with pytest.raises(ApiFailed):
        live_value(cluster, namespace, "b")
    assert ok("app", "diff", "web").out == ""

    local = tmp_path / "local"
    local.mkdir()
    (local / "a.yaml").write_text(config_map("a", "3"))
    mine = running.fleet("app", "diff", "web", "--local", str(local), "--side-by-side")
    assert mine.code == 1, mine
    assert '"3"' in mine.out

    history = ok("app", "history", "web", "-o", "json").json()
    assert [entry["revision"] for entry in history] == [first, second]
    back = ok("app", "rollback", "web", str(history[0]["id"]), "-y", "--timeout", "60")
    assert f"ConfigMap/{namespace}/b  created" in back.out
    assert live_value(cluster, namespace, "a") == "1"
    assert ok("app", "resume", "web").out == "application/web resumed\n"
    ok("app", "wait", "web", "--sync", "--timeout", "60")
    assert live_value(cluster, namespace, "a") == "2"
    assert ok("app", "set", "web", "--sync-policy", "none").out == "application/web configured\n"

    file = tmp_path / "applications.yaml"
    ok("app", "get", "web", "-o", "yaml")
    other = {**document, "metadata": {"name": "web-2"}}
    other["spec"] = {**other["spec"], "destination": {"name": "eu-1", "namespace": namespace}}
    other["spec"]["syncPolicy"] = {}
    other["spec"]["source"] = {**other["spec"]["source"], "path": "other"}
    file.write_text(json.dumps(other) + "\n---\n" + json.dumps({**other, "kind": "Mystery"}))
    applied = running.fleet("apply", "-f", str(file))
    assert applied.code == 2, applied
    assert applied.out == "application/web-2 created\n"
    assert "Mystery" in applied.err
    assert (
        ok("app", "delete", "web-2", "-y", "--cascade=false").out == "application/web-2 deleted\n"
    )

    rows = ok("db", "sql", "-o", "json", "-c", "select application, phase from audit.sync_history")
    assert {(row["application"], row["phase"]) for row in rows.json()} == {("web", "Succeeded")}
    assert "intact" in ok("audit", "verify").out
    assert "eu-1" in ok("daemon", "jobs").out

    gone = ok("app", "delete", "web", "-y", "--wait", "--timeout", "60")
    assert gone.out == "application/web deleted\n"
    with pytest.raises(ApiFailed):
        live_value(cluster, namespace, "a")
    assert ok("cluster", "rm", "eu-1", "-y").out == "cluster/eu-1 removed\n"
