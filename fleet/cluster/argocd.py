"""Argo CD cluster Secrets (as the model parsed them) → ``Connection``.

Source: Argo CD's declarative set-up, "Clusters" (``features.md`` §3.5). Its own helper
``argocd-k8s-auth`` is not there where Fleet runs, so calls of it become calls of the
clouds' helpers that do the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from fleet.cluster.connecting import checked_proxy, checked_server, pem_of
from fleet.cluster.exec_plugin import WELL_KNOWN_EXEC
from fleet.cluster.kubeconfig import exec_credential
from fleet.errors import Place, SpecInvalid
from fleet.model.argo_secrets import ClusterSecret
from fleet.model.clusters import IN_CLUSTER_SERVER, Connection, ExecCredential
from fleet.model.secret import Secret

V1BETA1 = "client.authentication.k8s.io/v1beta1"
#: The application that AKS registers for its API servers, the same for every tenant.
AKS_SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"


def connection_from_argocd(
    secret: ClusterSecret, *, allowed_exec: frozenset[str] = WELL_KNOWN_EXEC
) -> Connection:
    """How to connect, from the ``server`` and ``config`` of a cluster Secret.

    Argo CD's own cluster, ``https://kubernetes.default.svc`` without credentials, is the one
    that Fleet itself runs in.

    Raises:
        SpecInvalid: a key is wrong or not supported; names it.
        Forbidden: a credential plugin that may not run.
    """
    config = _config(secret.config.reveal())
    server = checked_server(secret.server, field="data.server")
    tls = _mapping(config, "tlsClientConfig")
    insecure = tls.get("insecure") is True
    ca_pem = _pem(tls, "caData")
    if insecure and ca_pem:
        raise _wrong("tlsClientConfig", "insecure and caData exclude each other")
    proof = _proof(config, tls, allowed_exec)
    in_cluster = server == IN_CLUSTER_SERVER and not proof
    if not proof and not in_cluster:
        raise _wrong("", "there are no credentials")
    return Connection(
        server=server,
        ca_pem=ca_pem,
        insecure_skip_tls_verify=insecure,
        tls_server_name=_text(tls, "serverName"),
        proxy_url=checked_proxy(config.get("proxyUrl"), field="data.config.proxyUrl"),
        in_cluster=in_cluster,
        **proof,
    )


def _proof(
    config: Mapping[str, Any], tls: Mapping[str, Any], allowed_exec: frozenset[str]
) -> dict[str, Any]:
    """The arguments of ``Connection`` that say who we are; {} when nothing does."""
    certificate, key = _pem(tls, "certData"), _pem(tls, "keyData")
    if bool(certificate) != bool(key):
        raise _wrong("tlsClientConfig", "certData and keyData go together")
    if certificate:
        return {"client_cert_pem": certificate, "client_key_pem": Secret(key)}
    if token := _text(config, "bearerToken"):
        return {"token": Secret(token)}
    if username := _text(config, "username"):
        return {"username": username, "password": Secret(_text(config, "password"))}
    if aws := _mapping(config, "awsAuthConfig"):
        return {"exec": _aws(aws, allowed_exec)}
    if plugin := _mapping(config, "execProviderConfig"):
        return {"exec": _plugin(plugin, allowed_exec)}
    return {}


def _aws(aws: Mapping[str, Any], allowed_exec: frozenset[str]) -> ExecCredential:
    """``awsAuthConfig{clusterName, roleARN, profile}`` as ``aws eks get-token``."""
    name = _text(aws, "clusterName")
    if not name:
        raise _wrong("awsAuthConfig.clusterName", "is missing")
    return exec_credential(
        "aws",
        aws_token_arguments(name, _text(aws, "roleARN"), _text(aws, "profile")),
        (),
        api_version=V1BETA1,
        allowed_exec=allowed_exec,
        field="data.config.awsAuthConfig",
    )


def aws_token_arguments(cluster: str, role: str = "", profile: str = "") -> tuple[str, ...]:
    """What ``aws`` is asked with for a token of an EKS cluster."""
    pairs = (("--cluster-name", cluster), ("--role-arn", role), ("--profile", profile))
    flags = [word for pair in pairs if pair[1] for word in pair]
    return ("eks", "get-token", "--output", "json", *flags)


def _plugin(plugin: Mapping[str, Any], allowed_exec: frozenset[str]) -> ExecCredential:
    field = "execProviderConfig"
    args, env = plugin.get("args") or [], plugin.get("env") or {}
    if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
        raise _wrong(f"{field}.args", "has to be a list of text")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise _wrong(f"{field}.env", "has to be a mapping of text")
    command = _text(plugin, "command")
    if command.rpartition("/")[2] == "argocd-k8s-auth":
        return _argocd_helper(args, env, allowed_exec)
    return exec_credential(
        command,
        tuple(args),
        tuple(env.items()),
        api_version=_text(plugin, "apiVersion") or V1BETA1,
        install_hint=_text(plugin, "installHint"),
        provide_cluster_info=plugin.get("provideClusterInfo") is True,
        allowed_exec=allowed_exec,
        field=f"data.config.{field}",
    )


def _argocd_helper(
    args: list[str], env: Mapping[str, str], allowed_exec: frozenset[str]
) -> ExecCredential:
    """``argocd-k8s-auth aws|gcp|azure`` as the cloud's own helper."""
    cloud, flags = (args[0] if args else ""), _flags(args[1:])
    if cloud == "aws":
        found = _aws(
            {
                "clusterName": flags.get("cluster-name", ""),
                "roleARN": flags.get("role-arn", ""),
                "profile": flags.get("profile", ""),
            },
            allowed_exec,
        )
        command, mapped = found.command, found.args
    elif cloud == "gcp":
        command, mapped = "gke-gcloud-auth-plugin", ()
    elif cloud == "azure":
        server_id = flags.get("server-id") or env.get("AAD_SERVER_APPLICATION_ID")
        command = "kubelogin"
        mapped = (
            *("get-token", "--server-id", server_id or AKS_SERVER_ID),
            # kubelogin's own default asks a person to open a browser.
            *("--login", env.get("AAD_LOGIN_METHOD") or "workloadidentity"),
        )
    else:
        raise _wrong("execProviderConfig.args", f"argocd-k8s-auth {cloud} is not known")
    return exec_credential(
        command,
        mapped,
        tuple(env.items()),
        api_version=V1BETA1,
        allowed_exec=allowed_exec,
        field="data.config.execProviderConfig",
    )


def _flags(args: list[str]) -> dict[str, str]:
    """``--name value`` and ``--name=value``; anything else is left out."""
    found: dict[str, str] = {}
    rest = iter(args)
    for arg in rest:
        name, equals, value = arg.removeprefix("--").partition("=")
        if arg.startswith("--"):
            found[name] = value if equals else next(rest, "")
    return found


def _config(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as exc:
        raise _wrong("", "is not JSON") from exc
    if not isinstance(found, dict):
        raise _wrong("", "has to be a JSON object")
    return found


def _mapping(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key) or {}
    if not isinstance(found, dict):
        raise _wrong(key, "has to be an object")
    return found


def _text(values: Mapping[str, Any], key: str) -> str:
    found = values.get(key) or ""
    if not isinstance(found, str):
        raise _wrong(key, "has to be text")
    return found


def _pem(tls: Mapping[str, Any], key: str) -> str:
    return pem_of(_text(tls, key), field=f"data.config.tlsClientConfig.{key}")


def _wrong(field: str, message: str) -> SpecInvalid:
    return SpecInvalid(message, place=Place(field=f"data.config.{field}".rstrip(".")))
