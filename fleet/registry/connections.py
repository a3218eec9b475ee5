"""A cluster's Connection ↔ its columns: what is not secret, and what is sealed.

Proxy URLs and exec plugins are sealed whole: the first may hold a password, the second may
hold one anywhere in its arguments and environment.
"""

from __future__ import annotations

from typing import Any

from fleet.model.clusters import Connection, ExecCredential
from fleet.model.secret import Secret


def auth_of(connection: Connection) -> str:
    """The word shown to people: token, client-certificate, basic, exec or in-cluster."""
    if connection.in_cluster:
        return "in-cluster"
    if connection.exec is not None:
        return "exec"
    if connection.token is not None:
        return "token"
    if connection.client_key_pem is not None:
        return "client-certificate"
    return "basic" if connection.password is not None else ""


def public_part(connection: Connection) -> dict[str, Any]:
    """The column ``connection``; empty fields are left out."""
    fields = {
        "caPem": connection.ca_pem,
        "insecure": connection.insecure_skip_tls_verify,
        "tlsServerName": connection.tls_server_name,
        "clientCertPem": connection.client_cert_pem,
        "username": connection.username,
        "inCluster": connection.in_cluster,
    }
    return {name: value for name, value in fields.items() if value}


def secret_part(connection: Connection) -> dict[str, Any]:
    """What goes into the envelope; {} when there is nothing to hide."""
    secrets = {
        "token": connection.token,
        "clientKeyPem": connection.client_key_pem,
        "password": connection.password,
    }
    found: dict[str, Any] = {name: value.reveal() for name, value in secrets.items() if value}
    if connection.proxy_url:
        found["proxyUrl"] = connection.proxy_url
    if connection.exec is not None:
        found["exec"] = _exec_to_json(connection.exec)
    return found


def joined(server: str, public: dict[str, Any], secret: dict[str, Any]) -> Connection:
    """The inverse of ``public_part`` and ``secret_part``."""
    return Connection(
        server=server,
        ca_pem=public.get("caPem", ""),
        insecure_skip_tls_verify=public.get("insecure", False),
        tls_server_name=public.get("tlsServerName", ""),
        proxy_url=secret.get("proxyUrl", ""),
        token=_secret(secret.get("token")),
        client_cert_pem=public.get("clientCertPem", ""),
        client_key_pem=_secret(secret.get("clientKeyPem")),
        username=public.get("username", ""),
        password=_secret(secret.get("password")),
        exec=_exec_from_json(secret["exec"]) if "exec" in secret else None,
        in_cluster=public.get("inCluster", False),
    )


def _secret(value: str | None) -> Secret | None:
    return None if value is None else Secret(value)


def _exec_to_json(plugin: ExecCredential) -> dict[str, Any]:
    return {
        "command": plugin.command,
        "args": list(plugin.args),
        "env": [list(pair) for pair in plugin.env],
        "apiVersion": plugin.api_version,
        "installHint": plugin.install_hint,
        "provideClusterInfo": plugin.provide_cluster_info,
    }


def _exec_from_json(stored: dict[str, Any]) -> ExecCredential:
    return ExecCredential(
        command=stored["command"],
        args=tuple(stored["args"]),
        env=tuple((name, value) for name, value in stored["env"]),
        api_version=stored["apiVersion"],
        install_hint=stored["installHint"],
        provide_cluster_info=stored["provideClusterInfo"],
    )
