"""From a Remote to what git needs to reach it, for the length of one command.

Files with secrets live in a private directory that goes away with the command. Passwords and
tokens travel as a header in the environment, bound to the scheme, host and port of the
repository; they are never in an argument, a URL or a file. Name lookups are done before, and
git is told the outcome (``http.curloptResolve``; ``HostName`` for ssh).
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.errors import SourceAuthFailed, SourceError
from fleet.model.repositories import Remote
from fleet.model.secret import Secret
from fleet.source.addresses import AddressRules, check, check_file
from fleet.source.credentials import Access, Credentials
from fleet.source.http import HttpClient, Request, Route, checked_hosts, proxy_for
from fleet.source.known_hosts import host_pattern
from fleet.source.tls import tls_of, write_private
from fleet.source.urls import RepositoryUrl, parse_url


@dataclass(frozen=True, slots=True)
class Transport:
    """``url`` is the operand for git; ``secrets`` is what must be kept out of messages."""

    url: str
    target: RepositoryUrl
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[Secret, ...] = ()


def route_of(remote: Remote, deadline_seconds: float = 60.0) -> Route:
    """How plain HTTP requests to ``remote`` go."""
    options = remote.options
    return Route(tls_of(remote), options.proxy, options.no_proxy, deadline_seconds)


@contextlib.asynccontextmanager
async def opened(
    remote: Remote, rules: AddressRules, credentials: Credentials, scratch: Path
) -> AsyncIterator[Transport]:
    """Check the address, get the credential, and lay out the files under ``scratch``.

    Raises:
        AddressForbidden, SourceAuthFailed, SourceUnreachable, SpecInvalid: see ``check`` and
            ``Credentials.access``.
    """
    target = parse_url(remote.url)
    if target.scheme == "oci":
        raise SourceError(f"{target}: an OCI registry is no git repository")
    if target.scheme == "file":
        path = check_file(rules, target, registered=remote.registered)
        yield Transport(f"file://{path}", target, *_allowing("file"))
        return
    access = await credentials.access(remote.auth, remote.url, route_of(remote))
    folder = Path(tempfile.mkdtemp(prefix="git-", dir=scratch))
    try:
        if target.scheme == "ssh":
            yield await _ssh(remote, target, rules, access, folder)
        else:
            yield await _http(remote, target, rules, access, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def confirm_repository(remote: Remote, rules: AddressRules, credentials: Credentials) -> None:
    """Make sure that "no refs" came from a git server.

    git takes any page with status 200 for the listing of a server of the oldest kind, and a
    sign-in page then looks like an empty repository. "Unknown" must never look like "empty".

    Raises:
        SourceError: something else than a git server answers.
    """
    target = parse_url(remote.url)
    if target.scheme not in {"http", "https"}:
        return
    access = await credentials.access(remote.auth, remote.url, route_of(remote))
    request = Request(
        f"{target}/info/refs?service=git-upload-pack",
        authorization=access.authorization,
        registered=remote.registered,
    )
    reply = await HttpClient(rules, route_of(remote)).send(request)
    if reply.headers.get("content-type") != "application/x-git-upload-pack-advertisement":
        raise SourceError(
            f"{target}: the server answers with a page, not with a git repository",
            hint="Is it the address of the repository, and does the server want a sign-in?",
        )


def _allowing(scheme: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"GIT_ALLOW_PROTOCOL": scheme}, {f"protocol.{scheme}.allow": "always"}


async def _http(
    remote: Remote, target: RepositoryUrl, rules: AddressRules, access: Access, folder: Path
) -> Transport:
    environment, config = _allowing(target.scheme)
    options, auth = remote.options, remote.auth
    proxy = proxy_for(options.proxy, options.no_proxy, target)
    pinned = await checked_hosts(rules, target, proxy, registered=remote.registered)
    if proxy:
        config["http.proxy"] = proxy
    else:
        config["http.curloptResolve"] = _resolve_entry(target, pinned[target.host])
    if access.authorization:
        origin = f"{target.scheme}://{target.netloc}/"
        config[f"http.{origin}.extraHeader"] = f"Authorization: {access.authorization.reveal()}"
    if options.insecure:
        config["http.sslVerify"] = "false"
    if remote.ca_pem:
        config["http.sslCAInfo"] = str(write_private(folder / "ca.pem", remote.ca_pem))
    if auth.tls_client_cert_pem and auth.tls_client_key_pem:
        key = auth.tls_client_key_pem.reveal()
        config["http.sslCert"] = str(write_private(folder / "cert.pem", auth.tls_client_cert_pem))
        config["http.sslKey"] = str(write_private(folder / "key.pem", key))
    return Transport(str(target), target, environment, config, access.secrets)


def _resolve_entry(target: RepositoryUrl, addresses: tuple[str, ...]) -> str:
    shown = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}:{shown}"


async def _ssh(
    remote: Remote, target: RepositoryUrl, rules: AddressRules, access: Access, folder: Path
) -> Transport:
    if remote.options.proxy:
        raise SourceError(f"{target.netloc}: a proxy is not supported for ssh")
    if not access.ssh_private_key:
        raise SourceAuthFailed(
            f"{target.netloc}: ssh needs a private key",
            hint="Register the repository with --ssh-private-key-path.",
        )
    if not remote.known_hosts.strip():
        raise unknown_host(target)
    addresses = await check(rules, remote.url, registered=remote.registered)
    environment, config = _allowing("ssh")
    # OpenSSH wants Unix line ends and a final one.
    key = access.ssh_private_key.reveal().replace("\r\n", "\n").strip() + "\n"
    write_private(folder / "key", key)
    write_private(folder / "known_hosts", remote.known_hosts.strip() + "\n")
    settings = write_private(folder / "config", _ssh_config(target, addresses[0], folder))
    # The one command line that a shell may read; nothing in it comes from outside.
    environment["GIT_SSH_COMMAND"] = f"ssh -F {shlex.quote(str(settings))}"
    environment["GIT_SSH_VARIANT"] = "ssh"
    return Transport(str(target), target, environment, config, access.secrets)


def unknown_host(target: RepositoryUrl) -> SourceAuthFailed:
    """The server's key is not known, and keys are never trusted at first sight."""
    port = f"-p {target.port} " if target.port != 22 else ""
    return SourceAuthFailed(
        f"{target.netloc}: its SSH host key is not known",
        hint=f"Add it with `ssh-keyscan {port}{target.host} | fleet cert add-ssh`, after"
        " comparing it with what the server's administrator says.",
    )


def _ssh_config(target: RepositoryUrl, address: str, folder: Path) -> str:
    place = str(folder).replace("%", "%%")
    lines = (
        "Host *",
        f"HostName {address}",
        f"Port {target.port}",
        *((f"User {target.user}",) if target.user else ()),
        f"HostKeyAlias {host_pattern(target.host, target.port)}",
        f'IdentityFile "{place}/key"',
        f'UserKnownHostsFile "{place}/known_hosts"',
        "GlobalKnownHostsFile /dev/null",
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "CheckHostIP no",
        "VerifyHostKeyDNS no",
        "BatchMode yes",
        "IdentitiesOnly yes",
        "IdentityAgent none",
        "PreferredAuthentications publickey",
        "ForwardAgent no",
        "ForwardX11 no",
        "ClearAllForwardings yes",
        "PermitLocalCommand no",
        "ProxyCommand none",
        "ProxyJump none",
        "CanonicalizeHostname no",
        "ControlMaster no",
        "ControlPath none",
        "ConnectTimeout 10",
        "ServerAliveInterval 15",
        "ServerAliveCountMax 2",
        "LogLevel ERROR",
    )
    return "\n".join(lines) + "\n"
