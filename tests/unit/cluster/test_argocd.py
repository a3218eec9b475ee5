from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from fleet.cluster.argocd import connection_from_argocd
from fleet.errors import FleetError, Forbidden, SpecInvalid
from fleet.model.argo_secrets import ClusterSecret
from fleet.model.clusters import Connection, ExecCredential
from fleet.model.secret import Secret

SERVER = "https://eu.example:6443"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


def data(text: str) -> str:
    return b64encode(text.encode()).decode()


def read(config: Any, server: str = SERVER) -> Connection:
    written = config if isinstance(config, str) else json.dumps(config)
    secret = ClusterSecret("eu", server, (), False, "", {}, {}, Secret(written))
    return connection_from_argocd(secret)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"bearerToken": "t"}, {"token": Secret("t")}),
        ({"username": "u", "password": "p"}, {"username": "u", "password": Secret("p")}),
        (
            {"tlsClientConfig": {"certData": data("C"), "keyData": data("K")}},
            {"client_cert_pem": "C", "client_key_pem": Secret("K")},
        ),
        (
            {"bearerToken": "t", "tlsClientConfig": {"caData": data("CA"), "serverName": "api"}},
            {"token": Secret("t"), "ca_pem": "CA", "tls_server_name": "api"},
        ),
        (
            {"bearerToken": "t", "tlsClientConfig": {"insecure": True}, "proxyUrl": "http://p:1"},
            {
                "token": Secret("t"),
                "insecure_skip_tls_verify": True,
                "proxy_url": "http://p:1",
            },
        ),
    ],
)
def test_each_config_becomes_a_connection(config: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read(config) == Connection(server=SERVER, **expected)


def helper(*args: str, **env: str) -> dict[str, Any]:
    command = "argocd-k8s-auth"
    return {"execProviderConfig": {"command": command, "args": list(args), "env": env}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"awsAuthConfig": {"clusterName": "c", "roleARN": "arn:r", "profile": "p"}},
            "aws eks get-token --output json --cluster-name c --role-arn arn:r --profile p",
        ),
        (
            helper("aws", "--cluster-name", "c", "--role-arn=arn:r"),
            "aws eks get-token --output json --cluster-name c --role-arn arn:r",
        ),
        (helper("gcp"), "gke-gcloud-auth-plugin"),
        (
            helper("azure", AAD_LOGIN_METHOD="msi"),
            "kubelogin get-token --server-id 6dae42f8-4368-4678-94ff-3960e28e3630 --login msi",
        ),
        (
            helper("azure", "--server-id", "own"),
            "kubelogin get-token --server-id own --login workloadidentity",
        ),
    ],
)
def test_argocds_helpers_become_the_clouds(config: dict[str, Any], expected: str) -> None:
    found = read(config).exec

    assert found is not None
    assert " ".join((found.command, *found.args)) == expected
    assert found.api_version == V1BETA1


def test_a_plugin_is_taken_over() -> None:
    config = {
        "execProviderConfig": {
            "command": "tsh",
            "args": ["kube", "credentials"],
            "env": {"TELEPORT_PROXY": "x"},
            "apiVersion": "client.authentication.k8s.io/v1",
            "installHint": "get tsh",
        }
    }

    assert read(config).exec == ExecCredential(
        "tsh",
        ("kube", "credentials"),
        (("TELEPORT_PROXY", "x"),),
        "client.authentication.k8s.io/v1",
        "get tsh",
    )


def test_argocds_own_cluster_is_the_one_that_we_run_in() -> None:
    here = "https://kubernetes.default.svc"

    assert read({}, here).in_cluster
    assert not read({"bearerToken": "t"}, here).in_cluster


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "data.config"),
        ("{", "data.config"),
        ("[]", "data.config"),
        ({"bearerToken": 5}, "data.config.bearerToken"),
        ({"tlsClientConfig": []}, "data.config"),
        ({"tlsClientConfig": "x"}, "data.config.tlsClientConfig"),
        ({"tlsClientConfig": {"certData": data("C")}}, "data.config.tlsClientConfig"),
        (
            {"tlsClientConfig": {"caData": data("C"), "insecure": True}, "bearerToken": "t"},
            "data.config.tlsClientConfig",
        ),
        ({"tlsClientConfig": {"caData": "!"}}, "data.config.tlsClientConfig.caData"),
        ({"awsAuthConfig": {"profile": "p"}}, "data.config.awsAuthConfig.clusterName"),
        (helper("ibm"), "data.config.execProviderConfig.args"),
        ({"bearerToken": "t", "proxyUrl": "ftp://x"}, "data.config.proxyUrl"),
        (
            {"execProviderConfig": {"command": "aws", "args": "x"}},
            "data.config.execProviderConfig.args",
        ),
        (
            {"execProviderConfig": {"command": "aws", "env": ["x"]}},
            "data.config.execProviderConfig.env",
        ),
    ],
)
def test_what_cannot_be_taken_over_is_named(config: Any, field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        read(config)

    assert caught.value.place.field == field


def test_a_plugin_off_the_list_is_refused() -> None:
    with pytest.raises(Forbidden):
        read({"execProviderConfig": {"command": "sh", "args": ["-c", "id"]}})
    with pytest.raises(FleetError):
        read({"execProviderConfig": {"command": "argocd-k8s-auth", "args": []}})
