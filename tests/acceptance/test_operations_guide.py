"""docs/operations.md: its backup is restored into another Fleet, its commands and queries run,
and its metrics are there."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from fleet.embedded import find_postgres
from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine, machine
from tests.cluster.kube import Object, TestCluster
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
PASSWORD = "geheim"


def section(title: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


def script(title: str) -> list[str]:
    """The commands of a section's block, in order."""
    (block,) = re.findall(r"```console\n(.*?)```", section(title), re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines()]


NIGHT = re.findall(r"^\| [^|]+ \| `(fleet [^`]+)` \|", section("At three in the morning"), re.M)
QUERIES = re.findall(r"```sql\n(.*?)```", section("PostgreSQL"), re.DOTALL)
METRICS = sorted(set(re.findall(r"fleet_\w+", section("What to watch"))))


def config_map(value: str) -> str:
    object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    return json.dumps({**object, "data": {"value": value}})


@dataclass(frozen=True)
class Site:
    """A Fleet with a cluster, a repository that asks for a password, and an application."""

    machine: Machine
    cluster: TestCluster
    repository: GitRepo
    namespace: str

    def live(self) -> Object:
        return self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/configmaps/a")

    def deploy(self, machine: Machine, value: str) -> None:
        """Commit, and wait until it is live."""
        self.repository.commit({"web/a.yaml": config_map(value)})
        machine.ok("app", "refresh", "web")
        machine.ok("app", "wait", "web", "--sync", "--timeout", "60")
        assert self.live()["data"] == {"value": value}


@pytest.fixture
def site(bare_clusters: list[TestCluster], git_http: GitHttpServer) -> Iterator[Site]:
    cluster = bare_clusters[0].extra_apiserver(f"guide-{secrets.token_hex(4)}")
    repository = git_http.repository("shop")
    repository.commit({"web/a.yaml": config_map("1")})
    git_http.require_basic("ci", PASSWORD)
    with machine() as made:
        yield Site(made, cluster, repository, "shop")
    cluster.remove()


def set_up(site: Site) -> None:
    """Register and deploy; run while it is up."""
    ok = site.machine.ok
    ok("cluster", "add", "eu-1", *connection(site.cluster), "-y")
    url = site.repository.url
    ok("repo", "add", url, "--username", "ci", "--password-stdin", stdin=f"{PASSWORD}\n")
    ok(
        "app", "create", "web", "--repo", url, "--path", "web", "--revision", "main",
        "--dest-name", "eu-1", "--dest-namespace", site.namespace,
        "--sync-policy", "automated", "--self-heal", "--sync-option", "CreateNamespace=true",
    )  # fmt: skip
    ok("app", "wait", "web", "--sync", "--timeout", "60")


def run(commands: list[str], where: Machine, folder: Path) -> None:
    """Run lines as somebody types them, in a shell that stops at the first that fails."""
    program = folder / "bin" / "fleet"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m fleet "$@"\n')
        program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(commands)],
        cwd=folder,
        env={**where.environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}"


def operations(where: Machine) -> list[dict[str, str]]:
    query = "select sync_id, phase from audit.sync_history order by started_at"
    found: list[dict[str, str]] = where.ok("db", "sql", "-o", "json", "-c", query).json()
    return found


def test_a_backup_becomes_a_fleet_again(site: Site, tmp_path: Path) -> None:
    first = site.machine
    with first.up():
        set_up(site)
        site.deploy(first, "2")
        run(script("Backup"), first, tmp_path)
        before = operations(first)
    assert PASSWORD not in (tmp_path / "fleet.sql").read_text()
    assert site.cluster.admin_token not in (tmp_path / "fleet.sql").read_text()
    version = site.live()["metadata"]["resourceVersion"]

    with machine() as second:
        second.home.rmdir()
        run(script("Restore"), second, tmp_path)
        with second.up():
            # the credentials of the cluster and of the repository open
            second.ok("cluster", "test", "eu-1")
            second.ok("app", "refresh", "web", "--hard")
            second.ok("app", "wait", "web", "--sync", "--timeout", "60")
            # it was looked at, and left alone
            assert operations(second) == before
            assert site.live()["metadata"]["resourceVersion"] == version
            # and it goes on
            site.deploy(second, "3")
            assert [row["phase"] for row in operations(second)] == ["Succeeded"] * 3
            assert "intact" in second.ok("audit", "verify").out


def test_a_backup_of_the_embedded_database_goes_into_one_of_yours(
    site: Site, tmp_path: Path, empty_database: TestDatabase
) -> None:
    with site.machine.up():
        set_up(site)
        run(script("Backup"), site.machine, tmp_path)
        before = operations(site.machine)
    yours = {"DATABASE_URL": empty_database.url, "ALLOW_UNSAFE_DATABASE": "true"}
    with machine(**yours) as second:
        run(script("Restore"), second, tmp_path)
        # and from there again
        (tmp_path / "fleet.sql").unlink()
        run(script("Backup"), second, tmp_path)
        with second.up():
            token = (site.machine.home / "admin.token").read_text().strip()
            asked = {"FLEET_AUTH_TOKEN": token}
            done = second.fleet("app", "refresh", "web", **asked)
            assert done.code == 0, done
            assert operations(second) == before


def test_without_its_key_a_backup_is_not_started(site: Site, tmp_path: Path) -> None:
    with site.machine.up():
        set_up(site)
        run(script("Backup"), site.machine, tmp_path)
    with machine() as second:
        second.ok("db", "restore", "--file", str(tmp_path / "fleet.sql"))
        refused = second.fleet("up")
        assert refused.code == 3, refused
        assert "key" in refused.err
        assert "Traceback" not in refused.err


def test_what_is_asked_at_night_answers(site: Site) -> None:
    assert len(NIGHT) == 17
    assert len(QUERIES) == 3
    assert len(METRICS) > 10
    with site.machine.up():
        set_up(site)
        for command in NIGHT:
            done = site.machine.fleet(*shlex.split(command)[1:])
            assert done.code == 0, f"{command}: {done}"
        server = find_postgres(site.machine.home)
        assert server is not None
        with psycopg.connect(server.url("fleet", "fleet_owner"), autocommit=True) as connected:
            for query in QUERIES:
                for statement in query.split(";\n"):
                    connected.execute(statement.encode())
        address = f"http://127.0.0.1:{site.machine.environment['FLEET_PORT']}/metrics"
        with urllib.request.urlopen(address, timeout=30) as answer:
            shown = answer.read().decode()
    # one that nobody renews a token for, and those that count what did not happen yet
    said = {line.split("{")[0].split()[0] for line in shown.splitlines() if line[:1] != "#"}
    described = set(re.findall(r"^# HELP (\w+)", shown, re.MULTILINE))
    assert [name for name in METRICS if name not in said | described] == []
