"""How to connect, as the ``config`` of an Argo CD cluster Secret: the inverse of ``argocd``."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from fleet.model.clusters import Connection, ExecCredential
from fleet.model.secret import Secret


def argocd_config(connection: Connection) -> Secret:
    """The JSON text; it holds whatever proves who we are."""
    tls = {
        "insecure": connection.insecure_skip_tls_verify,
        "serverName": connection.tls_server_name,
        "caData": _wrapped(connection.ca_pem),
        "certData": _wrapped(connection.client_cert_pem),
        "keyData": _wrapped(_revealed(connection.client_key_pem)),
    }
    config = {
        "bearerToken": _revealed(connection.token),
        "username": connection.username,
        "password": _revealed(connection.password),
        "proxyUrl": connection.proxy_url,
        "execProviderConfig": _plugin(connection.exec) if connection.exec else {},
        "tlsClientConfig": {key: value for key, value in tls.items() if value},
    }
    return Secret(orjson.dumps({key: value for key, value in config.items() if value}).decode())


def _plugin(plugin: ExecCredential) -> dict[str, Any]:
    found = {
        "command": plugin.command,
        "args": list(plugin.args),
        "env": dict(plugin.env),
        "apiVersion": plugin.api_version,
        "installHint": plugin.install_hint,
        "provideClusterInfo": plugin.provide_cluster_info,
    }
    return {key: value for key, value in found.items() if value}


def _revealed(secret: Secret | None) -> str:
    return "" if secret is None else secret.reveal()


def _wrapped(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode() if pem else ""
