"""Credential plugins: programs that print a short-lived credential for an API server.

The protocol is client-go's ``client.authentication.k8s.io`` ``ExecCredential``: the request
goes in by ``KUBERNETES_EXEC_INFO``, the credential comes out on stdout. A plugin runs with
our rights on our machine, so what may run is closed from all sides: a bare name from an
allow-list, found on our PATH; no shell; an environment without our secrets; a deadline
that kills the whole process group.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from fleet.errors import ClusterAuthFailed, Forbidden
from fleet.model.clusters import Connection, ExecCredential
from fleet.model.credential_plugins import CREDENTIAL_COMMANDS
from fleet.model.secret import Secret

WELL_KNOWN_EXEC = frozenset(CREDENTIAL_COMMANDS)
#: Global flags that take a value and may stand in front of a command, as ``aws eks
#: update-kubeconfig`` writes them.
_VALUED = frozenset({"--region", "--profile", "--output"})
EXEC_API_VERSIONS = frozenset(
    {"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}
)
DEADLINE_SECONDS = 20.0
LARGEST_ANSWER = 1 << 20  # bytes
QUOTED = 512  # characters of what the plugin complained

#: What plugins may see of our environment: where to find things, which cloud identity the
#: machine has, how to get out. Everything else, FLEET_* above all, is none of their business.
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TMPDIR|TZ|SSL_CERT_FILE|SSL_CERT_DIR"
    r"|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|XDG_CONFIG_HOME|XDG_CACHE_HOME"
    r"|(AWS|AZURE|AAD|GOOGLE|CLOUDSDK|OCI|DIGITALOCEAN|TELEPORT)_.*"
)
#: Variables that choose which code runs or which files are read: with one of these, a
#: harmless name on the allow-list runs anything.
_FORBIDDEN = re.compile(
    r"PATH|LD_.*|DYLD_.*|GCONV_PATH|PYTHON.*|PERL.*|RUBY.*|NODE_.*|JAVA_.*|_JAVA_.*|JDK_.*"
    r"|BASH_.*|ENV|SHELL.*|IFS|PS4|HOME|XDG_.*|OPENSSL_.*|KUBECONFIG|CLOUDSDK_PYTHON.*"
    r"|CLOUDSDK_CONFIG|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE|GOOGLE_APPLICATION_.*"
    r"|GOOGLE_EXTERNAL_ACCOUNT_.*|KUBERNETES_EXEC_INFO|FLEET_.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ExecAnswer:
    """The credential of an ``ExecCredential``: a token, a client certificate, or both."""

    token: Secret | None
    client_cert_pem: str
    client_key_pem: Secret | None
    expires_at: datetime | None  # None means: until the server says 401


def check_exec(plugin: ExecCredential, allowed: frozenset[str]) -> None:
    """Refuse a plugin that may not run here.

    Raises:
        Forbidden: the command is not on the allow-list or is a path, a well-known one is
            asked for something else than a credential, or the environment asked for would
            change what runs.
    """
    if plugin.command not in allowed:
        raise Forbidden(
            f"the credential plugin {plugin.command!r} is not on the allow-list",
            hint="Allowed are: " + ", ".join(sorted(allowed)) + ".",
        )
    wanted = CREDENTIAL_COMMANDS.get(plugin.command, ((),))
    words = _words(plugin.args)
    if not any(words[: len(command)] == command for command in wanted):
        raise Forbidden(
            f"the credential plugin {plugin.command!r} may only be asked for a credential",
            hint=f"Its arguments have to begin with: {' '.join(wanted[0])}.",
        )
    for name, _ in plugin.env:
        if _FORBIDDEN.fullmatch(name):
            raise Forbidden(
                f"the credential plugin {plugin.command!r} must not set {name}: it would "
                "change which program runs"
            )


def _words(args: tuple[str, ...]) -> tuple[str, ...]:
    """``args`` from the command on, without the flags in front of it.

    Of a flag that we do not know nobody can say whether the next word is its value or the
    command: behind one, no word counts.
    """
    rest = list(args)
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in _VALUED:
            del rest[:1]
        elif "=" not in flag and not flag.startswith("--no-"):
            return ()
    return tuple(rest)


async def run_exec(
    plugin: ExecCredential,
    connection: Connection,
    *,
    allowed: frozenset[str],
    cluster: str,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> ExecAnswer:
    """Run ``plugin`` once and read its credential.

    Raises:
        Forbidden: see ``check_exec``.
        ClusterAuthFailed: it is not installed, failed, took too long, or printed no
            credential.
    """
    check_exec(plugin, allowed)
    program = shutil.which(plugin.command)
    if program is None:
        raise _failed(cluster, plugin, "is not installed here", plugin.install_hint)
    environment = {k: v for k, v in os.environ.items() if _PASSED.fullmatch(k)}
    environment |= dict(plugin.env)
    environment["KUBERNETES_EXEC_INFO"] = orjson.dumps(_exec_info(plugin, connection)).decode()
    process = await asyncio.create_subprocess_exec(
        program,
        *plugin.args,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that what it started can be killed with it
    )
    try:
        async with asyncio.timeout(deadline_seconds):
            output, complaint = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            await process.wait()
    except TimeoutError as exc:
        reason = f"gave no credential within {deadline_seconds:.0f} s"
        raise _failed(cluster, plugin, reason) from exc
    finally:
        await _end(process)
    if process.returncode != 0:
        words = "".join(c if c.isprintable() else " " for c in complaint.decode(errors="replace"))
        raise _failed(
            cluster, plugin, f"ended with {process.returncode}: {words.strip()[-QUOTED:]}"
        )
    return _answer(output, cluster, plugin)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the process and everything it started, also what outlived it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    """All of ``stream``; what lies beyond the limit is read and dropped."""
    assert stream is not None
    kept = bytearray()
    while chunk := await stream.read(1 << 16):
        kept += chunk[: LARGEST_ANSWER - len(kept)]
    return bytes(kept)


def _exec_info(plugin: ExecCredential, connection: Connection) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        cluster: dict[str, Any] = {"server": connection.server}
        if connection.tls_server_name:
            cluster["tls-server-name"] = connection.tls_server_name
        if connection.insecure_skip_tls_verify:
            cluster["insecure-skip-tls-verify"] = True
        if connection.ca_pem:
            cluster["certificate-authority-data"] = base64.b64encode(
                connection.ca_pem.encode()
            ).decode()
        if connection.proxy_url:
            cluster["proxy-url"] = connection.proxy_url
        spec["cluster"] = cluster
    return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}


def _answer(output: bytes, cluster: str, plugin: ExecCredential) -> ExecAnswer:
    try:
        found = orjson.loads(output)
    except orjson.JSONDecodeError as exc:
        raise _failed(cluster, plugin, "printed something that is not JSON") from exc
    status = found.get("status") if isinstance(found, Mapping) else None
    if not isinstance(status, Mapping) or found.get("apiVersion") not in EXEC_API_VERSIONS:
        raise _failed(cluster, plugin, "printed no ExecCredential with a status")
    token = status.get("token")
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    has_pair = isinstance(certificate, str) and isinstance(key, str)
    if not has_pair and not (isinstance(token, str) and token):
        raise _failed(cluster, plugin, "printed neither a token nor a certificate")
    return ExecAnswer(
        token=Secret(token) if isinstance(token, str) and token else None,
        client_cert_pem=str(certificate) if has_pair else "",
        client_key_pem=Secret(str(key)) if has_pair else None,
        expires_at=_moment(status.get("expirationTimestamp")),
    )


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _failed(cluster: str, plugin: ExecCredential, reason: str, hint: str = "") -> ClusterAuthFailed:
    return ClusterAuthFailed(
        f"Cluster/{cluster}: the credential plugin {plugin.command!r} {reason}",
        hint=hint,
        object=f"Cluster/{cluster}",
    )
