"""What a person at a terminal and a script see beside answers: bars, lists that go on, one
document for many things, one shape of errors, flags as argocd spells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Done, Machine, machine
from tests.cluster.kube import TestCluster
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo


@pytest.fixture(scope="module")
def running() -> Iterator[Machine]:
    with machine() as made, made.up():
        yield made


def config_map(name: str, value: str, **labels: str) -> str:
    metadata = {"name": name, "labels": labels}
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}
    )


def error_of(done: Done, code: int) -> dict[str, Any]:
    """The error of a failed command with ``-o json``: all that is on stderr."""
    assert done.code == code, done
    found: dict[str, Any] = json.loads(done.err)["error"]
    return found


def test_a_list_goes_on_until_it_is_interrupted(running: Machine) -> None:
    with running.started("proj", "list", "--watch", "-o", "name") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "project/default\n"
        running.ok("proj", "create", "watched")
        assert process.stdout.readline() == "project/watched\n"
        running.ok("proj", "delete", "watched", "-y")
        assert process.stdout.readline() == "project/watched deleted\n"
    assert process.returncode == 130


def test_a_document_is_changed_in_an_editor(running: Machine, tmp_path: Path) -> None:
    create = ("app", "create", "late", "--repo", "https://git.example/late.git", "--path", "late",
              "--revision", "main", "--dest-name", "in-cluster",
              "--dest-namespace", "argocd")  # fmt: skip
    running.ok(*create)

    def edit(change: str) -> Done:
        editor = tmp_path / "editor"
        editor.write_text(f'#!/bin/sh\n{change} "$1"\n')
        editor.chmod(0o755)
        return running.on_terminal("app", "edit", "late", asks=True, EDITOR=str(editor))

    def revision() -> str:
        document = running.ok("app", "get", "late", "-o", "json").json()
        return str(document["spec"]["source"]["targetRevision"])

    done = edit("sed -i s/main/v2/")
    assert (done.code, revision()) == (0, "v2"), done
    assert edit("test -f").out == "application/late unchanged\n"
    done = edit("sed -i '1s/^/{/'")
    assert (done.code, "late.yaml" in done.err, revision()) == (2, True, "v2"), done
    refused = running.fleet("app", "edit", "late")
    assert (refused.code, "needs a terminal" in refused.err) == (2, True), refused
    running.ok("app", "delete", "late", "-y", "--cascade=false")


def test_entries_of_a_project_are_given_as_argocd_takes_them(running: Machine) -> None:
    running.ok("proj", "create", "argo")
    running.ok("proj", "add-destination", "argo", "https://10.0.0.3:6443", "shop")
    running.ok("proj", "allow-cluster-resource", "argo", "", "Namespace")
    spec = running.ok("proj", "get", "argo", "-o", "json").json()["spec"]
    assert spec["destinations"] == [{"server": "https://10.0.0.3:6443", "namespace": "shop"}]
    assert spec["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]
    running.ok("proj", "remove-destination", "argo", "https://10.0.0.3:6443,shop")
    assert running.fleet("proj", "add-destination", "argo", "a", "b", "c").code == 2
    running.ok("proj", "delete", "argo", "-y")


def deployed(
    running: Machine, cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> GitRepo:
    """Cluster ``eu-1`` and applications ``web`` and ``api``, none of them synced."""
    repository = git_http.repository("shop")
    repository.commit(
        {
            "web/a.yaml": config_map("a", "1", tier="web"),
            "web/b.yaml": config_map("b", "1"),
            "api/c.yaml": config_map("c", "1"),
        }
    )
    drawn = running.on_terminal("cluster", "add", "eu-1", *connection(cluster), "-y")
    assert (drawn.code, drawn.out) == (0, "cluster/eu-1 created\n")
    assert "making ServiceAccount fleet-manager" in drawn.err
    assert "1/2" in drawn.err
    running.ok("repo", "add", repository.url)
    for name in ("web", "api"):
        running.ok(
            "app", "create", name, "--repo", repository.url, "--path", name, "--revision", "main",
            "--dest-name", "eu-1", "--dest-namespace", namespace,
            "--sync-option", "CreateNamespace=true", "--label", "team=a",
        )  # fmt: skip
        running.ok("app", "refresh", name)
    return repository


def test_syncs_at_a_terminal_and_in_a_script(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    repository, ok = deployed(running, full_cluster, namespace, git_http), running.ok

    some = ok("app", "sync", "web", "--label", "tier=web", "--timeout", "60", "-o", "json").json()
    assert [it["name"] for it in some["syncResult"]["resources"] if it.get("action")] == ["a"]
    drawn = running.on_terminal("app", "sync", "web", "--server-side", "--timeout", "60")
    assert (drawn.code, "sync Succeeded" in drawn.out) == (0, True)
    assert "1/1" in drawn.err
    drawn = running.on_terminal("app", "wait", "web", "--sync", "--health", "--timeout", "60")
    assert (drawn.code, drawn.out) == (0, "application/web Synced Healthy\n")
    assert "2/2" in drawn.err
    waiting = running.on_terminal("app", "wait", "api", "--sync", "--timeout", "1")
    assert waiting.code == 1
    assert "0/1" in waiting.err
    one = f":ConfigMap:{namespace}/a"
    assert ok("app", "wait", "web", "--resource", one).out == "application/web Synced Healthy\n"

    both = ok("app", "sync", "-l", "team=a", "--timeout", "60", "-o", "json").json()
    assert {it["application"] for it in both} == {"web", "api"}
    looked = ok("app", "refresh", "web", "api", "-o", "json").json()
    assert [it["metadata"]["name"] for it in looked] == ["web", "api"]

    unknown = ("--sync-option", "Replce=true")
    error = error_of(running.fleet("app", "sync", "web", *unknown, "-o", "json"), 2)
    assert "Replce=true" in error["message"]

    repository.commit({"web/a.yaml": config_map("a", "2"), "web/b.yaml": config_map("b", "2")})
    ok("app", "diff", "web", "--refresh", "--exit-code", "false")
    ok("app", "sync", "web", "--timeout", "60")
    ok("app", "rollback", "web", "-y", "--timeout", "60")
    live = full_cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a")
    assert live["data"] == {"value": "1"}

    forbidden = config_map("Not-A-Name", "1")
    repository.commit({"api/bad.yaml": forbidden})
    ok("app", "refresh", "api")
    failed = running.fleet(
        "app", "sync", "api", "--timeout", "60", "-o", "json", "--retry-limit", "1",
        "--retry-backoff-duration", "1s",
    )  # fmt: skip
    assert failed.json()["phase"] == "Failed"
    error = error_of(Done(failed.code, "", failed.err), 3)
    assert error["message"].startswith("Application/api: sync Failed")
    syncs = ok("db", "sql", "-o", "csv", "-c", "select application, phase from audit.sync_history")
    assert syncs.out.count("api,Failed") == 1  # its retries are a part of it
    error = error_of(running.fleet("app", "diff", "api", "-o", "json"), 3)
    assert error["message"].startswith(f"ConfigMap/{namespace}/Not-A-Name:")

    gone = ok("app", "delete", "web", "api", "-y", "--cascade=false", "-o", "json").json()
    assert [it["name"] for it in gone] == ["web", "api"]
    ok("app", "wait", "web", "--delete", "--timeout", "5")
