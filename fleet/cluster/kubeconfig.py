"""kubeconfig → ``Connection``, read by us.

No library ever loads a user's kubeconfig here: loaders run its plugins, follow its paths
and write its keys to disk. The caller parses the YAML (with limits) and gives the mapping;
each field is then taken over or refused by name. Source of the fields: client-go
``clientcmd/api/v1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from fleet.cluster.connecting import checked_proxy, checked_server, pem_of
from fleet.cluster.exec_plugin import EXEC_API_VERSIONS, WELL_KNOWN_EXEC, check_exec
from fleet.errors import Place, SpecInvalid, UsageError
from fleet.model.clusters import Connection, ExecCredential
from fleet.model.secret import Secret

LARGEST_FILE = 1 << 20  # bytes of a certificate, key or token

#: What may stand in a user entry besides credentials that we take over.
_REFUSED_USER_FIELDS = {
    "auth-provider": "auth-provider was removed from Kubernetes; use an exec plugin.",
    "as": "Impersonation is not supported; register the identity itself.",
    "as-uid": "Impersonation is not supported; register the identity itself.",
    "as-groups": "Impersonation is not supported; register the identity itself.",
}


def contexts_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of all contexts, in the order written."""
    return tuple(name for name, _ in _entries(config, "contexts", "context"))


def connection_of(
    config: Mapping[str, Any],
    context: str,
    *,
    base_dir: Path,
    allowed_exec: frozenset[str] = WELL_KNOWN_EXEC,
    allow_files: bool = False,
    allow_http_loopback: bool = False,
) -> tuple[Connection, str]:
    """What ``context`` says: how to connect, and its namespace ("" when it names none).

    Args:
        base_dir: where relative paths start: the folder of the kubeconfig.
        allow_files: read the paths that it names. Only where the person who gave it may
            read these files anyway: on the CLI, never on the server.

    Raises:
        UsageError: not a kubeconfig, or there is no such context.
        SpecInvalid: a field is wrong or not supported; names it.
        Forbidden: a credential plugin that may not run.
    """
    found = dict(_entries(config, "contexts", "context"))
    if context not in found:
        there = ", ".join(found) or "none"
        raise UsageError(f"the kubeconfig has no context {context!r}; there are: {there}")
    chosen = found[context]
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster"), context)
    user = _named(config, "users", "user", chosen.get("user"), context)
    files = _Files(base_dir, allow_files)
    at_cluster = _Fields(cluster, f"clusters[{chosen.get('cluster')}].cluster", files)
    at_user = _Fields(user, f"users[{chosen.get('user')}].user", files)
    insecure = at_cluster.flag("insecure-skip-tls-verify")
    ca_pem = at_cluster.pem("certificate-authority")
    if insecure and ca_pem:
        raise at_cluster.wrong(
            "insecure-skip-tls-verify", "a CA and no verification exclude each other"
        )
    connection = Connection(
        server=checked_server(
            cluster.get("server"),
            field=at_cluster.field("server"),
            allow_http_loopback=allow_http_loopback,
        ),
        ca_pem=ca_pem,
        insecure_skip_tls_verify=insecure,
        tls_server_name=at_cluster.text("tls-server-name"),
        proxy_url=checked_proxy(cluster.get("proxy-url"), field=at_cluster.field("proxy-url")),
        **_proof(at_user, allowed_exec),
    )
    namespace = chosen.get("namespace")
    return connection, namespace if isinstance(namespace, str) else ""


def exec_credential(
    command: str,
    args: tuple[str, ...],
    env: tuple[tuple[str, str], ...],
    *,
    api_version: str,
    install_hint: str = "",
    provide_cluster_info: bool = False,
    allowed_exec: frozenset[str],
    field: str,
) -> ExecCredential:
    """A plugin in the form in which it may run here.

    A path in front of the command is dropped: it means something on the machine of the
    person who wrote it. ``kubectl oidc-login`` becomes the program that it stands for, as
    ``kubectl`` itself can do far more than print a credential.

    Raises:
        SpecInvalid: an API version without a known protocol.
        Forbidden: see ``check_exec``.
    """
    if api_version not in EXEC_API_VERSIONS:
        raise SpecInvalid(
            f"{api_version!r} is not supported",
            place=Place(field=f"{field}.apiVersion"),
            hint="Use client.authentication.k8s.io/v1 or v1beta1.",
        )
    name = PureWindowsPath(PurePosixPath(command).name).name.removesuffix(".exe")
    if name == "kubectl" and args[:1] == ("oidc-login",):
        name, args = "kubectl-oidc_login", args[1:]
    plugin = ExecCredential(name, args, env, api_version, install_hint, provide_cluster_info)
    check_exec(plugin, allowed_exec)
    return plugin


@dataclass(frozen=True)
class _Files:
    base_dir: Path
    allowed: bool

    def read(self, path: str, field: str) -> str:
        if not self.allowed:
            raise SpecInvalid(
                "paths are not read here",
                place=Place(field=field),
                hint="`kubectl config view --raw --flatten` puts the content in their place.",
            )
        try:
            # A pipe or a device would block or never end.
            file = self.base_dir / path
            if not file.is_file() or file.stat().st_size > LARGEST_FILE:
                raise SpecInvalid(
                    f"{path!r} is not a file that can be used", place=Place(field=field)
                )
            return file.read_text()
        except (OSError, ValueError) as exc:
            raise SpecInvalid(f"{path!r} cannot be read", place=Place(field=field)) from exc


@dataclass(frozen=True)
class _Fields:
    """A mapping that users wrote, and what it is called in messages."""

    values: Mapping[str, Any]
    name: str
    files: _Files

    def field(self, key: str) -> str:
        return f"{self.name}.{key}"

    def wrong(self, key: str, message: str, hint: str = "") -> SpecInvalid:
        return SpecInvalid(message, place=Place(field=self.field(key)), hint=hint)

    def text(self, key: str) -> str:
        found = self.values.get(key)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise self.wrong(key, "has to be text")
        return found

    def flag(self, key: str) -> bool:
        found = self.values.get(key, False)
        if not isinstance(found, bool):
            raise self.wrong(key, "has to be true or false")
        return found

    def pem(self, key: str) -> str:
        """``<key>-data`` decoded, else the file at ``<key>``, else ""."""
        data = self.text(f"{key}-data")
        if data:
            return pem_of(data, field=self.field(f"{key}-data"))
        path = self.text(key)
        return self.files.read(path, self.field(key)) if path else ""


def _proof(user: _Fields, allowed_exec: frozenset[str]) -> dict[str, Any]:
    """The arguments of ``Connection`` that say who we are. A static credential beats a
    plugin, as in client-go; a certificate beats a token, as in the API server."""
    for key, hint in _REFUSED_USER_FIELDS.items():
        if user.values.get(key):
            raise user.wrong(key, "is not supported", hint)
    certificate, key_pem = user.pem("client-certificate"), user.pem("client-key")
    if certificate or key_pem:
        if not (certificate and key_pem):
            raise user.wrong("client-certificate", "a certificate and its key go together")
        return {"client_cert_pem": certificate, "client_key_pem": Secret(key_pem)}
    token = user.text("token")
    if not token and (path := user.text("tokenFile")):
        token = user.files.read(path, user.field("tokenFile")).strip()
    if token:
        return {"token": Secret(token)}
    if user.text("username"):
        return {"username": user.text("username"), "password": Secret(user.text("password"))}
    plugin = user.values.get("exec")
    if isinstance(plugin, Mapping):
        return {"exec": _plugin(_Fields(plugin, user.field("exec"), user.files), allowed_exec)}
    raise SpecInvalid("there are no credentials", place=Place(field=user.name))


def _plugin(at: _Fields, allowed_exec: frozenset[str]) -> ExecCredential:
    args = at.values.get("args") or []
    env = at.values.get("env") or []
    if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
        raise at.wrong("args", "has to be a list of text")
    pairs = []
    for entry in env if isinstance(env, list) else [None]:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        value = entry.get("value", "") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not isinstance(value, str):
            raise at.wrong("env", "has to be a list of name and value")
        pairs.append((name, value))
    return exec_credential(
        at.text("command"),
        tuple(args),
        tuple(pairs),
        api_version=at.text("apiVersion"),
        install_hint=at.text("installHint"),
        provide_cluster_info=at.flag("provideClusterInfo"),
        allowed_exec=allowed_exec,
        field=at.name,
    )


def _entries(
    config: Mapping[str, Any], plural: str, singular: str
) -> list[tuple[str, Mapping[str, Any]]]:
    found = config.get(plural) if isinstance(config, Mapping) else None
    if not isinstance(found, list):
        raise UsageError(
            f"this is not a kubeconfig: it has no list of {plural}",
            hint="`kubectl config view --raw --flatten --minify` prints one.",
        )
    entries = []
    for entry in found:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        inner = entry.get(singular) if isinstance(entry, Mapping) else None
        if isinstance(name, str):
            entries.append((name, inner if isinstance(inner, Mapping) else {}))
    return entries


def _named(
    config: Mapping[str, Any], plural: str, singular: str, name: object, context: str
) -> Mapping[str, Any]:
    for found, inner in _entries(config, plural, singular):
        if found == name:
            return inner
    raise SpecInvalid(
        f"there is no {singular} {name!r} in the kubeconfig",
        place=Place(field=f"contexts[{context}].context.{singular}"),
    )
