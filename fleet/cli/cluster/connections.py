"""How to reach a cluster, from flags: the body that the API takes as ``connection``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.cli.asking import secret_from_stdin
from fleet.cli.cluster.plugins import PLUGIN_OPTIONS, names_plugin, plugin_from
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function
from fleet.cli.output import printable
from fleet.cli.reading import text_of
from fleet.errors import SpecInvalid, UsageError

if TYPE_CHECKING:
    from fleet.model.clusters import Connection

#: Hundreds of contexts with their CAs within. Of them one is kept, and that has to be small.
LARGEST_KUBECONFIG = 4 << 20
PRINT_ONE = "`kubectl config view --raw --flatten --minify` prints one."
_KEYS = ("server", "token", "username", "client_cert", "client_key", "ca", "token_stdin")


def connection_options(function: Function) -> Function:
    """The flags that say how a cluster is reached; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS = (
    click.option(
        "--kubeconfig", metavar="FILE", help="Kubeconfig.  [default: $KUBECONFIG, ~/.kube/config]"
    ),
    click.option("--context", metavar="NAME", help="Context in it.  [default: the cluster's name]"),
    click.option("--in-cluster", is_flag=True, help="The cluster that Fleet itself runs in."),
    click.option("--server", metavar="URL", help="API server, instead of a kubeconfig."),
    click.option("--ca", metavar="FILE", help="CA of the API server (PEM)."),
    click.option("--token", metavar="TOKEN", help="Bearer token; visible in the process list."),
    click.option("--token-stdin", is_flag=True, help="Read the bearer token from standard input."),
    click.option("--client-cert", metavar="FILE", help="Client certificate (PEM)."),
    click.option("--client-key", metavar="FILE", help="Its key (PEM)."),
    click.option("--username", metavar="NAME", help="For basic authentication."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option(
        "--insecure-skip-tls-verify", is_flag=True, help="Believe any certificate. Unsafe."
    ),
    click.option("--tls-server-name", metavar="NAME", help="Name that the certificate is for."),
    click.option("--proxy-url", metavar="URL", help="HTTP proxy towards the cluster."),
    *PLUGIN_OPTIONS,
)
#: The parts of a connection that prove who we are.
_PROOFS = ("token", "clientCertificate", "clientKey", "username", "password", "exec")


def connection_from(invocation: Invocation, name: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The request's ``connection``.

    Args:
        name: of the cluster; the context unless ``--context`` names another.

    Raises:
        UsageError: flags that exclude each other, no kubeconfig, or no such context.
        SpecInvalid: a field of the kubeconfig cannot be used; names it.
    """
    ways = [
        flags["in_cluster"],
        bool(flags["server"]),
        bool(flags["kubeconfig"] or flags["context"]),
    ]
    if sum(ways) > 1:
        raise UsageError("--in-cluster, --server and --kubeconfig/--context exclude each other")
    if not flags["server"] and any(flags[key] for key in _KEYS):
        raise UsageError("--ca, --token, --client-cert and --username go with --server URL")
    plugin = plugin_from(flags)
    if flags["in_cluster"] and plugin:
        raise UsageError("--in-cluster has credentials of its own, and needs no plugin")
    if flags["in_cluster"]:
        found: dict[str, Any] = {"inCluster": True}
    elif flags["server"]:
        found = _from_flags(flags)
    else:
        found = _from_kubeconfig(invocation, flags["context"] or name, flags["kubeconfig"])
        for note in taken_over(found):
            click.echo(f"From the kubeconfig: {note}", err=True)
    if plugin:
        found = {key: value for key, value in found.items() if key not in _PROOFS}
        found["exec"] = plugin
    if flags["insecure_skip_tls_verify"]:
        found.pop("ca", None)
        found["insecure"] = True
    for key, flag in (("tlsServerName", "tls_server_name"), ("proxyUrl", "proxy_url")):
        if flags[flag]:
            found[key] = flags[flag]
    _warn_if_insecure(found)
    return found


def taken_over(connection: Mapping[str, Any]) -> tuple[str, ...]:
    """What of a kubeconfig changes who is spoken to, and what runs here: nobody typed it."""
    plugin = connection.get("exec") or {}
    notes = (
        ("everything goes through the proxy {}", connection.get("proxyUrl")),
        ("the certificate has to be for {}", connection.get("tlsServerName")),
        ("credentials come from the program {}", plugin.get("command")),
    )
    return tuple(printable(text.format(value)) for text, value in notes if value)


def _warn_if_insecure(connection: Mapping[str, Any]) -> None:
    if connection.get("insecure"):
        click.secho(
            "WARNING: the cluster's certificate is NOT verified. Whoever is in between can read\n"
            "the credentials and take over the cluster. Give its CA with --ca instead.",
            fg="red",
            bold=True,
            err=True,
            color=None if not os.environ.get("NO_COLOR") else False,
        )


def _from_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    found = {"server": flags["server"]}
    if flags["ca"]:
        found["ca"] = text_of(flags["ca"])
    if bool(flags["client_cert"]) != bool(flags["client_key"]):
        raise UsageError("--client-cert and --client-key go together")
    proofs = [
        bool(flags["token"] or flags["token_stdin"]),
        bool(flags["client_cert"]),
        bool(flags["username"]),
        names_plugin(flags),
    ]
    if sum(proofs) != 1:
        raise UsageError(
            "--server needs one way to prove who we are",
            hint="Give --token-stdin, or --client-cert and --client-key, or --username and"
            " --password-stdin, or --exec-command.",
        )
    if flags["token_stdin"]:
        found["token"] = secret_from_stdin("Bearer token")
    elif flags["token"]:
        found["token"] = flags["token"]
    elif flags["client_cert"]:
        found["clientCertificate"] = text_of(flags["client_cert"])
        found["clientKey"] = text_of(flags["client_key"])
    elif flags["username"]:
        found["username"] = flags["username"]
        found["password"] = secret_from_stdin("Password") if flags["password_stdin"] else ""
    return found


def kubeconfig_files(given: str | None, environ: Mapping[str, str]) -> list[Path]:
    """Where kubectl would look. Files of KUBECONFIG that do not exist are passed over."""
    if given:
        return [Path(given).expanduser()]
    named = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in named if path.exists()] or [Path("~/.kube/config").expanduser()]


def _from_kubeconfig(invocation: Invocation, context: str, given: str | None) -> dict[str, Any]:
    from fleet.cluster import connection_of, contexts_of

    seen: list[str] = []
    for path in kubeconfig_files(given, os.environ):
        config = _parsed(path)
        there = contexts_of(config)
        seen += there
        if context in there:
            connection, _ = connection_of(
                config,
                context,
                base_dir=path.absolute().parent,
                allowed_exec=frozenset(invocation.settings.allowed_exec_commands),
                allow_files=True,
            )
            return to_request(connection)
    raise UsageError(
        f"the kubeconfig has no context {context!r}; there are: {', '.join(seen) or 'none'}",
        hint="Name one of them with --context.",
    )


def _parsed(path: Path) -> Any:
    from fleet.render.yaml import load_one

    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_KUBECONFIG + 1)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}",
            hint="Name a kubeconfig with --kubeconfig, or the cluster itself with --server.",
        ) from None
    try:
        found = load_one(content, file=str(path), max_bytes=LARGEST_KUBECONFIG)
    except SpecInvalid as error:
        raise UsageError(
            f"{error.message}; this is not a kubeconfig", hint=error.hint or PRINT_ONE
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("contexts"), list):
        raise UsageError(f"{path}: is not a kubeconfig: it has no list of contexts", hint=PRINT_ONE)
    return found


def to_request(connection: Connection) -> dict[str, Any]:
    """A connection as the API reads it: secrets in the clear, for the one request."""
    plugin = connection.exec
    found = {
        "server": connection.server,
        "ca": connection.ca_pem,
        "token": connection.token.reveal() if connection.token else "",
        "clientCertificate": connection.client_cert_pem,
        "clientKey": connection.client_key_pem.reveal() if connection.client_key_pem else "",
        "username": connection.username,
        "password": connection.password.reveal() if connection.password else "",
        "tlsServerName": connection.tls_server_name,
        "proxyUrl": connection.proxy_url,
        "insecure": connection.insecure_skip_tls_verify,
    }
    if plugin is not None:
        found["exec"] = {
            "command": plugin.command,
            "args": list(plugin.args),
            "env": dict(plugin.env),
            "apiVersion": plugin.api_version,
            "installHint": plugin.install_hint,
            "provideClusterInfo": plugin.provide_cluster_info,
        }
    return {key: value for key, value in found.items() if value not in ("", False)}
