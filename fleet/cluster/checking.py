"""A connection as somebody typed it: refused with the field that is wrong, or in one spelling."""

from __future__ import annotations

from dataclasses import replace

from fleet.cluster.connecting import checked_proxy, checked_server
from fleet.cluster.kubeconfig import exec_credential
from fleet.errors import Place, SpecInvalid
from fleet.model.clusters import IN_CLUSTER_SERVER, Connection
from fleet.model.secret import Secret

#: Characters of certificates, keys, tokens and arguments, all together.
LARGEST_CONNECTION = 64 << 10
_ONE_PROOF = (
    "Give a token, a client certificate with its key, a user name with a password, exec, or"
    " inCluster."
)


def checked_connection(
    connection: Connection, *, allowed_exec: frozenset[str], field: str = "connection"
) -> Connection:
    """The connection, ready to be used and stored.

    Raises:
        SpecInvalid: names the field: no https address, none or several ways to prove who we
            are, half a client certificate, TLS options that exclude each other, more than
            ``LARGEST_CONNECTION`` in all.
        Forbidden: a credential plugin that may not run.
    """
    _check_proof(connection, field)
    _check_size(connection, field)
    if connection.insecure_skip_tls_verify and connection.ca_pem:
        raise _wrong(f"{field}.insecure", "insecure and ca exclude each other")
    if connection.ca_pem and "-----BEGIN CERTIFICATE-----" not in connection.ca_pem:
        raise _wrong(f"{field}.ca", "is no PEM certificate")
    server = connection.server or (IN_CLUSTER_SERVER if connection.in_cluster else "")
    plugin = connection.exec
    if plugin is not None:
        plugin = exec_credential(
            plugin.command,
            plugin.args,
            plugin.env,
            api_version=plugin.api_version,
            install_hint=plugin.install_hint,
            provide_cluster_info=plugin.provide_cluster_info,
            allowed_exec=allowed_exec,
            field=f"{field}.exec",
        )
    return replace(
        connection,
        server=checked_server(server, field=f"{field}.server"),
        proxy_url=checked_proxy(connection.proxy_url, field=f"{field}.proxyUrl"),
        exec=plugin,
    )


def _check_size(connection: Connection, field: str) -> None:
    plugin = connection.exec
    parts = (
        connection.ca_pem,
        connection.client_cert_pem,
        connection.username,
        connection.tls_server_name,
        *(secret.reveal() for secret in _secrets(connection)),
        *(plugin.args if plugin else ()),
        *(value for _, value in (plugin.env if plugin else ())),
    )
    size = sum(len(part) for part in parts)
    if size > LARGEST_CONNECTION:
        raise _wrong(
            field,
            f"is larger than {LARGEST_CONNECTION >> 10} KiB",
            hint="A CA is the one that signed the API server's certificate, not all there are.",
        )


def _secrets(connection: Connection) -> tuple[Secret, ...]:
    found = (connection.token, connection.client_key_pem, connection.password)
    return tuple(secret for secret in found if secret is not None)


def _check_proof(connection: Connection, field: str) -> None:
    if bool(connection.client_cert_pem) != bool(connection.client_key_pem):
        raise _wrong(f"{field}.clientKey", "a client certificate and its key go together")
    if connection.password and not connection.username:
        raise _wrong(f"{field}.username", "a password needs a user name")
    ways = (
        connection.token,
        connection.client_key_pem,
        connection.username,
        connection.exec,
        connection.in_cluster,
    )
    given = sum(bool(way) for way in ways)
    if given == 0:
        raise _wrong(field, "there are no credentials", hint=_ONE_PROOF)
    if given > 1:
        raise _wrong(field, "there is more than one kind of credentials", hint=_ONE_PROOF)


def _wrong(field: str, message: str, *, hint: str = "") -> SpecInvalid:
    return SpecInvalid(message, place=Place(field=field), hint=hint)
