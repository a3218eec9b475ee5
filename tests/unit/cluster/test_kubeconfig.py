from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from fleet.cluster.exec_plugin import WELL_KNOWN_EXEC
from fleet.cluster.kubeconfig import connection_of, contexts_of
from fleet.errors import FleetError, Forbidden, SpecInvalid, UsageError
from fleet.model.clusters import Connection
from fleet.model.credential_plugins import CREDENTIAL_COMMANDS
from fleet.model.secret import Secret
from fleet.settings import Settings

NOWHERE = Path("/nonexistent")


def data(text: str) -> str:
    return b64encode(text.encode()).decode()


def config(user: Any = None, cluster: Any = None, **context: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "eu",
        "contexts": [
            {"name": "eu", "context": {"cluster": "c", "user": "u", **context}},
            {"name": "us", "context": {"cluster": "gone", "user": "u"}},
        ],
        "clusters": [
            {
                "name": "c",
                "cluster": {
                    "server": "https://eu.example:6443/",
                    "certificate-authority-data": data("CA"),
                    **(cluster or {}),
                },
            }
        ],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
    }


def read(written: dict[str, Any], context: str = "eu", **options: Any) -> Connection:
    return connection_of(written, context, base_dir=NOWHERE, **options)[0]


def plugin(**changes: Any) -> dict[str, Any]:
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "/opt/bin/aws",
            "args": ["eks", "get-token"],
            "env": [{"name": "AWS_PROFILE", "value": "prod"}],
            "installHint": "install the aws CLI",
            "provideClusterInfo": True,
            **changes,
        }
    }


def test_a_context_becomes_a_connection_and_its_namespace() -> None:
    written = config(cluster={"tls-server-name": "api"}, namespace="shop")

    connection, namespace = connection_of(written, "eu", base_dir=NOWHERE)

    assert connection == Connection(
        server="https://eu.example:6443",
        ca_pem="CA",
        tls_server_name="api",
        token=Secret("t"),
    )
    assert namespace == "shop"
    assert contexts_of(written) == ("eu", "us")


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (
            {"client-certificate-data": data("C"), "client-key-data": data("K"), "token": "t"},
            {"client_cert_pem": "C", "client_key_pem": Secret("K")},
        ),
        (
            {"username": "joe", "password": "p"},
            {"username": "joe", "password": Secret("p")},
        ),
        ({"token": "t", **plugin()}, {"token": Secret("t")}),
    ],
)
def test_each_way_to_prove_who_we_are(user: dict[str, Any], expected: dict[str, Any]) -> None:
    fixed = {"server": "https://eu.example:6443", "ca_pem": "CA"}

    assert read(config(user)) == Connection(**fixed, **expected)


def test_a_plugin_is_found_by_its_bare_name() -> None:
    found = read(config(plugin())).exec

    assert found is not None
    assert (found.command, found.args) == ("aws", ("eks", "get-token"))
    assert found.env == (("AWS_PROFILE", "prod"),)
    assert found.provide_cluster_info


def test_kubectl_may_only_stand_for_oidc_login() -> None:
    asked = plugin(command="kubectl", args=["oidc-login", "get-token", "--x"])

    found = read(config(asked)).exec

    assert found is not None
    assert (found.command, found.args) == ("kubectl-oidc_login", ("get-token", "--x"))
    with pytest.raises(Forbidden):
        read(config(plugin(command="kubectl", args=["get", "secrets"])))


@pytest.mark.parametrize(
    "changes",
    [
        {"command": "sh"},
        {"command": "/tmp/evil"},
        {"command": ""},
        {"command": "..\\aws\\cmd.exe"},
        {"env": [{"name": "LD_PRELOAD", "value": "/tmp/evil.so"}]},
        {"env": [{"name": "PATH", "value": "/tmp"}]},
        {"env": [{"name": "path", "value": "/tmp"}]},
        {"env": [{"name": "AWS_CONFIG_FILE", "value": "/tmp/credential_process"}]},
        {"env": [{"name": "PYTHONPATH", "value": "/tmp"}]},
    ],
)
def test_a_plugin_that_could_run_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        read(config(plugin(**changes)))


@pytest.mark.parametrize(
    ("command", "args", "allowed"),
    [
        ("aws", "--region eu-1 eks get-token --cluster-name c", True),
        ("aws", "--no-verify-ssl --output=json eks get-token", True),
        ("aws", "s3 cp s3://evil /etc/cron.d/x", False),
        ("aws", "s3 cp eks get-token", False),
        ("aws", "--region eks get-token", False),
        ("aws", "", False),
        ("tsh", "ssh host rm", False),
        ("tsh", "kube credentials --proxy=p", True),
        ("kubelogin", "convert-kubeconfig", False),
        ("kubelogin", "get-token --login msi", True),
        ("yc", "k8s create-token", True),
        ("gke-gcloud-auth-plugin", "", True),
        ("rancher", "token --server r", True),
        ("scw", "k8s exec-credential id", True),
        # a flag of which nobody knows whether it takes a value hides what runs
        ("tsh", "--debug ssh kube credentials", False),
        ("rancher", "--debug ssh token", False),
        ("rancher", "--config token ssh node", False),
    ],
)
def test_a_clouds_command_line_may_only_print_a_credential(
    command: str, args: str, allowed: bool
) -> None:
    asked = config(plugin(command=command, args=args.split()))

    if allowed:
        assert read(asked).exec is not None
    else:
        with pytest.raises(Forbidden, match="only be asked for a credential"):
            read(asked)


def test_what_may_run_by_default_was_looked_at() -> None:
    assert set(Settings().allowed_exec_commands) == WELL_KNOWN_EXEC == set(CREDENTIAL_COMMANDS)
    az = config(plugin(command="az", args=["vm", "run-command", "invoke"]))
    with pytest.raises(Forbidden, match="not on the allow-list"):
        read(az, allowed_exec=frozenset(Settings().allowed_exec_commands))


def test_the_allow_list_is_the_callers() -> None:
    asked = config(plugin(command="my-helper"))

    assert read(asked, allowed_exec=frozenset({"my-helper"})).exec is not None
    with pytest.raises(Forbidden, match="my-helper"):
        read(asked)


@pytest.mark.parametrize(
    ("user", "field"),
    [
        ({"auth-provider": {"name": "gcp"}}, "users[u].user.auth-provider"),
        ({"as": "admin", "token": "t"}, "users[u].user.as"),
        ({"tokenFile": "/etc/shadow"}, "users[u].user.tokenFile"),
        (
            {"client-certificate": "a.crt", "client-key": "a.key"},
            "users[u].user.client-certificate",
        ),
        ({"client-certificate-data": data("C")}, "users[u].user.client-certificate"),
        ({"client-certificate-data": "é"}, "users[u].user.client-certificate-data"),
        ({"token": 5}, "users[u].user.token"),
        ({}, "users[u].user"),
        (plugin(apiVersion="v1alpha1"), "users[u].user.exec.apiVersion"),
        (plugin(args="eks"), "users[u].user.exec.args"),
        (plugin(env=[{"name": "A"}, 5]), "users[u].user.exec.env"),
        (plugin(env=5), "users[u].user.exec.env"),
    ],
)
def test_a_user_that_cannot_be_taken_over_is_named(user: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        read(config(user))

    assert caught.value.place.field == field


@pytest.mark.parametrize(
    ("cluster", "field"),
    [
        ({"server": "http://eu.example"}, "server"),
        ({"server": "https://joe:hunter2@eu.example"}, "server"),
        ({"server": "https://eu.example/?a=b"}, "server"),
        ({"server": "https://eu.example:99999"}, "server"),
        ({"server": "file:///etc/passwd"}, "server"),
        ({"server": None}, "server"),
        ({"server": "http://127.0.0.1:8001"}, "server"),
        ({"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify"),
        ({"insecure-skip-tls-verify": "yes"}, "insecure-skip-tls-verify"),
        ({"proxy-url": "socks5://p:1080"}, "proxy-url"),
        ({"proxy-url": "http://joe:hunter2@p:3128"}, "proxy-url"),
        (
            {"certificate-authority-data": "", "certificate-authority": "ca"},
            "certificate-authority",
        ),
    ],
)
def test_a_cluster_that_cannot_be_taken_over_is_named(cluster: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        read(config(cluster=cluster))

    assert caught.value.place.field == f"clusters[c].cluster.{field}"
    assert "hunter2" not in str(caught.value)


def test_http_is_only_for_this_machine_and_only_when_asked_for() -> None:
    here = config(cluster={"server": "http://127.0.0.1:8001"})
    elsewhere = config(cluster={"server": "http://10.0.0.1:8001"})

    assert read(here, allow_http_loopback=True).server == "http://127.0.0.1:8001"
    with pytest.raises(SpecInvalid):
        read(elsewhere, allow_http_loopback=True)


def test_an_unknown_context_is_told_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no context 'asia'; there are: eu, us"):
        read(config(), "asia")
    with pytest.raises(SpecInvalid, match="no cluster 'gone'"):
        read(config(), "us")


@pytest.mark.parametrize("written", [{}, {"kind": "Deployment"}, {"contexts": "x"}, [], "text"])
def test_what_is_no_kubeconfig_is_said_to_be_none(written: Any) -> None:
    with pytest.raises(UsageError, match="not a kubeconfig"):
        read(written)


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, [5], [{"name": 5}], [{"name": "eu"}]])
@pytest.mark.parametrize("part", ["contexts", "clusters", "users"])
def test_junk_is_an_error_of_ours(part: str, junk: Any) -> None:
    with pytest.raises(FleetError):
        read({**config(), part: junk})
