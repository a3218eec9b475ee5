"""Bad input to the commands themselves: clusters, repositories, documents, databases."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fleet.render.yaml import load_one
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.stage import SECRET, Stage
from tests.acceptance.surroundings import taken_port
from tests.cluster.kube import request
from tests.cluster.tokens import account_token
from tests.ports import free_port
from tests.servers.git_http import GitHttpServer
from tests.servers.git_ssh import GitSshServer
from tests.servers.postgres import TestDatabase
from tests.servers.tls import CertificateAuthority

NO_ANSWER = "https://127.0.0.1:1"


# Clusters -------------------------------------------------------------------------------


@pytest.fixture
def add_cluster(stage: Stage, files: Path) -> Callable[..., tuple[str, ...]]:
    """The command that adds a cluster by a changed copy of a good kubeconfig."""

    def command(
        *flags: str, name: str = stage.cluster.name, user: Any = None, **cluster: str
    ) -> tuple[str, ...]:
        config = load_one(stage.cluster.kubeconfig.read_bytes(), file="kubeconfig")
        for entry in config["clusters"]:
            entry["cluster"].update(
                {key.replace("_", "-"): value for key, value in cluster.items()}
            )
        for entry in config["users"] if user else ():
            entry["user"] = user
        path = files / "kubeconfig"
        path.write_text(json.dumps(config))
        return ("cluster", "add", "bad", "--kubeconfig", str(path), "--context", name, *flags, "-y")

    return command


def test_a_cluster_that_does_not_answer(
    stage: Stage, add_cluster: Callable[..., tuple[str, ...]]
) -> None:
    stage.refuses(add_cluster(server=NO_ANSWER), 4, "Cluster/bad", NO_ANSWER, "Hint:")


def test_a_cluster_with_another_ca(
    stage: Stage, add_cluster: Callable[..., tuple[str, ...]], authority: CertificateAuthority
) -> None:
    other = {"certificate_authority_data": base64.b64encode(authority.pem.encode()).decode()}
    where = stage.cluster.server.replace("127.0.0.1", "localhost")
    said = ("Cluster/bad", "unknown authority", "Hint:", "--ca")
    stage.refuses(add_cluster(server=where, **other), 4, *said)


@pytest.mark.parametrize("flags", [(), ("--keep-credentials",)])
def test_a_token_that_nobody_issued(
    stage: Stage, add_cluster: Callable[..., tuple[str, ...]], flags: tuple[str, ...]
) -> None:
    where = stage.cluster.server.replace("127.0.0.1", "localhost")
    command = add_cluster(*flags, server=where, user={"token": SECRET})
    stage.refuses(command, 3, "Cluster/bad", "credentials", "Hint:")


def test_a_token_that_has_expired(
    stage: Stage, add_cluster: Callable[..., tuple[str, ...]]
) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    cluster, name = stage.cluster, "deployer"
    cluster.request("POST", accounts, {"metadata": {"name": name}})
    good, old = (account_token(cluster, "default", name, seconds_left=left) for left in (3600, -60))
    request(cluster.server, cluster.ca_pem, good, "GET", "/version")  # it is only the time
    where = cluster.server.replace("127.0.0.1", "localhost")
    command = add_cluster("--keep-credentials", server=where, user={"token": old})
    with stage.unchanged():
        refused = stage.machine.fleet(*command)
    cluster.request("DELETE", f"{accounts}/{name}")
    stage.failed(refused, 3, "Cluster/bad", "credentials", "Hint:")
    assert old not in refused.out + refused.err + stage.machine.log()


@pytest.mark.parametrize("text", ["hello: world\n", "hello", "{{{", "\x7fELF\0", "a:\n\tb: 1\n"])
def test_what_is_no_kubeconfig(stage: Stage, files: Path, text: str) -> None:
    path = files / "not-a-kubeconfig"
    path.write_text(text)
    command = ("cluster", "add", "bad", "--kubeconfig", str(path), "-y")
    stage.refuses(command, 2, str(path), "Hint:")


def test_a_context_that_does_not_exist(
    stage: Stage, add_cluster: Callable[..., tuple[str, ...]]
) -> None:
    said = ("'nope'", stage.cluster.name, "--context")
    stage.refuses(add_cluster(name="nope"), 2, *said)


# Repositories ---------------------------------------------------------------------------


def test_a_repository_that_does_not_answer(stage: Stage) -> None:
    url = f"http://127.0.0.1:{free_port()}/shop.git"
    stage.refuses(("repo", "add", url), 4, url, "Hint:")


@pytest.mark.parametrize("flags", [(), ("--username", "ci", "--password-stdin")])
def test_a_repository_that_needs_other_credentials(
    stage: Stage, git_http: GitHttpServer, flags: tuple[str, ...]
) -> None:
    url = git_http.repository().url
    git_http.require_basic("ci", "right")
    stage.refuses(("repo", "add", url, *flags), 3, url, "credential", "Hint:", stdin=f"{SECRET}\n")


def test_a_host_that_is_not_the_known_one(stage: Stage, git_ssh: GitSshServer, files: Path) -> None:
    url = git_ssh.repository().url
    key = files / "key"
    key.touch(mode=0o600)
    key.write_text(git_ssh.client_key.private)
    add = ("repo", "add", url, "--ssh-private-key-path", str(key))
    scan = f"ssh-keyscan -p {git_ssh.port} 127.0.0.1 | fleet cert add-ssh"
    stage.refuses(add, 3, "127.0.0.1", "SSH host key is not known", scan)
    stage.machine.ok("cert", "add-ssh", "--batch", "--from", "-", stdin=git_ssh.known_hosts)
    git_ssh.change_host_keys()
    stage.refuses(add, 3, "another SSH host key", f"ssh '[127.0.0.1]:{git_ssh.port}'`")


def test_a_repository_that_an_application_names_and_nobody_registered(stage: Stage) -> None:
    url = "https://10.1.2.3/shop.git"  # refused before anything is sent there
    create = ("app", "create", "stray", "--repo", url, "--path", ".", "--dest-name", "target")
    stage.machine.ok(*create)
    stage.machine.ok("app", "refresh", "stray")  # ends, though there is nothing to be had
    shown = stage.machine.ok("app", "get", "stray").out
    assert "ComparisonError" in shown
    assert "a private address, of a host that nobody registered" in shown
    assert "last good revision" not in shown
    stage.failed(stage.machine.fleet("app", "wait", "stray", "--sync", "--timeout", "1"), 1, url)
    stage.machine.ok("app", "delete", "stray", "-y", "--cascade=false")


# Documents ------------------------------------------------------------------------------


def application(**spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "odd"},
            "spec": {"project": "default", "destination": {"name": "target"}, **spec},
        }
    )


SOURCE = {"repoURL": "https://git.example/shop.git", "path": "web"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (application(source=SOURCE, sources=[SOURCE]), ("spec.sources", "Hint:")),
        (application(source={**SOURCE, "path": "../x"}), ("spec.source.path", "leaves")),
        (application(source={**SOURCE, "path": "/etc"}), ("spec.source.path",)),
        (
            application(
                source=SOURCE,
                syncPolicy={"retry": {"limit": 1, "backoff": {"duration": "5 parsecs"}}},
            ),
            ("spec.syncPolicy.retry.backoff.duration", "'5 parsecs'", "1h30m"),
        ),
    ],
)
def test_an_application_that_cannot_be(stage: Stage, document: str, said: tuple[str, ...]) -> None:
    stage.refuses(("app", "create", "-f", "-"), 2, *said, stdin=document)


def test_an_unknown_field_is_kept_and_told(stage: Stage) -> None:
    document = application(source={**SOURCE, "pth": "x"}, colour="red")
    created = stage.machine.ok("app", "create", "-f", "-", stdin=document)
    assert "spec.source.pth: unknown field" in created.err
    assert "did you mean path?" in created.err
    assert "spec.colour" in created.err
    spec = stage.machine.ok("app", "get", "odd", "-o", "json").json()["spec"]
    assert (spec["colour"], spec["source"]["pth"]) == ("red", "x")
    stage.machine.ok("app", "delete", "odd", "-y", "--cascade=false")


@pytest.mark.parametrize(
    ("schedule", "duration", "said"),
    [
        ("61 * * * *", "1h", ("syncWindows[0].schedule", "'61'", "Five fields")),
        ("1 * * * *", "one hour", ("syncWindows[0].duration", "'one hour'", "1h30m")),
    ],
)
def test_a_sync_window_that_cannot_be(
    stage: Stage, files: Path, schedule: str, duration: str, said: tuple[str, ...]
) -> None:
    window = {"kind": "allow", "schedule": schedule, "duration": duration, "applications": ["*"]}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject"}
    document = {**kind, "metadata": {"name": "odd"}, "spec": {"syncWindows": [window]}}
    path = files / "project.yaml"
    path.write_text(f"# a project\n---\n{json.dumps(document)}\n")
    stage.refuses(("apply", "-f", str(path)), 2, f"{path}:3", *said)


def test_what_is_no_yaml(stage: Stage, files: Path) -> None:
    path = files / "tab.yaml"
    path.write_text("kind: AppProject\nmetadata:\n\tname: odd\n")
    stage.refuses(("apply", "-f", str(path)), 2, f"{path}:3", "tab")


# Databases and processes ----------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[Machine]:
    """A machine where no Fleet runs, whose database cannot be reached."""
    url = f"postgresql://fleet:{SECRET}@127.0.0.1:{free_port()}/fleet"
    with machine(DATABASE_URL=url) as made:
        yield made


@pytest.mark.parametrize("command", [("app", "list"), ("up",), ("db", "check")])
def test_a_database_that_is_down(
    stage: Stage, elsewhere: Machine, command: tuple[str, ...]
) -> None:
    stage.failed(elsewhere.fleet(*command), 4, "PostgreSQL", "FLEET_DATABASE_URL")


def test_a_database_of_a_newer_version(
    stage: Stage, elsewhere: Machine, database: TestDatabase
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
        for command in (("app", "list"), ("up",), ("db", "upgrade")):
            done = elsewhere.fleet(
                *command, FLEET_DATABASE_URL=database.url, FLEET_ALLOW_UNSAFE_DATABASE="true"
            )
            stage.failed(done, 3, "9999", "newer", "Hint:")
        version = connection.execute("select version_num from alembic_version").fetchone()
    assert version == ("9999",)


def test_two_fleets_on_one_home(stage: Stage) -> None:
    with stage.unchanged():
        second = stage.machine.fleet("up", FLEET_PORT=str(free_port()))
        address = f"http://127.0.0.1:{stage.machine.environment['FLEET_PORT']}"
        stage.failed(second, 3, str(stage.machine.home), address, "FLEET_HOME")
    stage.machine.ok("app", "list")


def test_a_port_that_is_taken() -> None:
    with taken_port() as port, machine() as made:
        done = made.fleet("up", "--port", str(port))
        assert done.code == 2, done
        assert f"port {port} on 127.0.0.1 is taken" in done.err
        assert "Traceback" not in done.err
        assert not (made.home / "postgres").exists()
        assert not (made.home / "admin.token").exists()
