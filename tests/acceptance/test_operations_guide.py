"""docs/operations.md: its backup is restored into another Fleet, its commands and queries run,
and its metrics are there."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from fleet.embedded import find_postgres
from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine, machine, typed
from tests.cluster.kube import Object, TestCluster
from tests.documents import blocks, commands
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
PASSWORD = "geheim"
PATIENCE = "180"  # seconds; only a hang takes so long


def section(title: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


NIGHT = re.findall(r"^\| [^|]+ \| `(fleet [^`]+)` \|", section("At three in the morning"), re.M)
QUERIES = blocks(section("PostgreSQL"), "sql")
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
        machine.ok("app", "wait", "web", "--sync", "--timeout", PATIENCE)
        assert self.live()["data"] == {"value": value}


@pytest.fixture(scope="module")
def site(
    bare_clusters: list[TestCluster], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Set up, and stopped again."""
    cluster = bare_clusters[0].extra_apiserver(f"guide-{secrets.token_hex(4)}")
    with GitHttpServer(tmp_path_factory.mktemp("guide-git")) as server, machine() as made:
        repository = server.repository("shop")
        repository.commit({"web/a.yaml": config_map("1")})
        server.require_basic("ci", PASSWORD)
        found = Site(made, cluster, repository, "shop")
        with made.up():
            set_up(found)
        yield found
    cluster.remove()


@dataclass(frozen=True)
class Backup:
    """What the section on backups leaves in a folder, and what was so when it was made."""

    folder: Path
    operations: list[dict[str, str]]
    version: str  # resourceVersion of the live object


@pytest.fixture(scope="module")
def backup(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    folder = tmp_path_factory.mktemp("backup")
    with site.machine.up():
        site.deploy(site.machine, "2")
        follow("Backup", site.machine, folder)
        made = operations(site.machine)
    return Backup(folder, made, site.live()["metadata"]["resourceVersion"])


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
    ok("app", "wait", "web", "--sync", "--timeout", PATIENCE)


def follow(title: str, where: Machine, folder: Path) -> None:
    """Type what a section says."""
    done = typed("\n".join(commands(section(title))), folder, where.environment)
    assert done.code == 0, f"{title}: {done}"


def operations(where: Machine) -> list[dict[str, str]]:
    query = "select sync_id, phase from audit.sync_history order by started_at"
    found: list[dict[str, str]] = where.ok("db", "sql", "-o", "json", "-c", query).json()
    return found


def test_what_is_asked_at_night_answers(site: Site) -> None:
    assert len(NIGHT) == 17
    assert len(QUERIES) == 3
    assert len(METRICS) > 10
    with site.machine.up():
        for command in NIGHT:
            done = site.machine.fleet(*shlex.split(command)[1:])
            assert done.code == 0, f"{command}: {done}"
        site.machine.ok("cluster", "resume", "eu-1")
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


def test_no_secret_is_in_a_backup(site: Site, backup: Backup) -> None:
    dumped = (backup.folder / "fleet.sql").read_text()
    key = (backup.folder / "secret.key").read_text().strip()
    found = [text for text in (PASSWORD, site.cluster.admin_token, key) if text in dumped]
    assert found == []


def test_without_its_key_a_backup_is_not_started(backup: Backup) -> None:
    with machine() as second:
        second.ok("db", "restore", "--file", str(backup.folder / "fleet.sql"))
        refused = second.fleet("up")
        assert refused.code == 3, refused
        assert "key" in refused.err
        assert "Traceback" not in refused.err


def test_a_backup_goes_into_a_database_of_yours_and_back(
    backup: Backup, tmp_path: Path, empty_database: TestDatabase
) -> None:
    yours = {"DATABASE_URL": empty_database.url, "ALLOW_UNSAFE_DATABASE": "true"}
    with machine(**yours) as between, machine() as last:
        for name in ("fleet.sql", "head.json", "secret.key"):
            shutil.copy(backup.folder / name, tmp_path)
        follow("Restore", between, tmp_path)
        (tmp_path / "fleet.sql").unlink()
        follow("Backup", between, tmp_path)
        follow("Restore", last, tmp_path)
        assert operations(last) == backup.operations


def test_a_backup_becomes_a_fleet_again(site: Site, backup: Backup) -> None:
    with machine() as second:
        second.home.rmdir()
        follow("Restore", second, backup.folder)
        with second.up():
            # the credentials of the cluster and of the repository open
            second.ok("cluster", "test", "eu-1")
            second.ok("app", "refresh", "web", "--hard")
            second.ok("app", "wait", "web", "--sync", "--timeout", PATIENCE)
            # it was looked at, and left alone
            assert operations(second) == backup.operations
            assert site.live()["metadata"]["resourceVersion"] == backup.version
            # and it goes on
            site.deploy(second, "3")
            assert len(operations(second)) == len(backup.operations) + 1
            assert "intact" in second.ok("audit", "verify").out
