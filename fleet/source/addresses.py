"""Where the source room may connect to: every host and file is judged here, after DNS.

Two kinds of URL come in. One that an administrator registered may point anywhere inside the
company: private ranges are where git servers live. One that *content* named (a submodule, a
chart dependency, a link in an index, a redirect) may only reach hosts on a list, because
whoever can commit can write it. Neither reaches this machine, its link or its cloud's
metadata service unless ``allowed_networks`` says so.

What is checked is the address that a name resolves to, all of them, with the wrappings of
IPv6 taken off; the caller then connects to a checked address and to no other, so that a
second DNS answer changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from urllib.parse import unquote

from fleet.errors import AddressForbidden, SourceUnreachable
from fleet.model.repositories import Remote
from fleet.source.urls import DEFAULT_PORTS, RepositoryUrl, parse_url

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

RESOLVE_SECONDS = 10.0

# Metadata services outside the link-local range: AWS over IPv6, Alibaba, Azure, Oracle.
METADATA = frozenset(
    ip_address(text)
    for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What the settings allow.

    Attributes:
        allowed_networks: where loopback, link-local, metadata, multicast and unspecified
            addresses are allowed after all. Private ranges need no entry.
        allowed_file_roots: absolute directories below which ``file://`` may read.
        allowed_content_hosts: hosts that content may name: ``git.corp`` (at the default port),
            ``git.corp:8443``, ``*.example.org`` (public addresses only).
        public_hosts: further ones, at public addresses only.
    """

    allowed_networks: tuple[Network, ...] = ()
    allowed_file_roots: tuple[str, ...] = ()
    allowed_content_hosts: tuple[str, ...] = ()
    public_hosts: tuple[str, ...] = ()

    def of(self, remote: Remote) -> AddressRules:
        """These rules for ``remote`` and what its content names."""
        return replace(
            self,
            allowed_content_hosts=(*self.allowed_content_hosts, *remote.allowed_hosts),
            public_hosts=(*self.public_hosts, *remote.public_hosts),
        )


async def check(rules: AddressRules, url: str, *, registered: bool) -> tuple[str, ...]:
    """The addresses to connect to for ``url``, in the resolver's order; empty for a file.

    Raises:
        AddressForbidden: the rules do not allow it; the hint names the setting.
        SourceUnreachable: the name does not resolve.
        SpecInvalid: no acceptable URL.
    """
    target = parse_url(url, link=True)
    if target.scheme == "file":
        check_file(rules, target, registered=registered)
        return ()
    return await check_host(rules, target, registered=registered)


async def check_host(
    rules: AddressRules, target: RepositoryUrl, *, registered: bool
) -> tuple[str, ...]:
    """``check`` for a URL that was parsed already and is no file."""
    only_public = False
    if not registered:
        only_public = _listed(rules, target)
    addresses = await _resolve(target.host, target.port)
    for address in addresses:
        _judge(rules, target.host, address, only_public=only_public)
    return tuple(str(address) for address in addresses)


def check_file(rules: AddressRules, target: RepositoryUrl, *, registered: bool) -> Path:
    """The real path behind a file URL, symlinks resolved.

    Raises:
        AddressForbidden: content named it, or it is below no allowed root.
    """
    if not registered:
        raise AddressForbidden(
            f"{target}: content may not name files on the server",
            hint="Register the repository, or use a path inside this one.",
        )
    real = Path(unquote(target.path)).resolve()
    for root in rules.allowed_file_roots:
        if real.is_relative_to(Path(root).resolve()):
            return real
    raise AddressForbidden(
        f"{target}: not below an allowed directory",
        hint="Add its directory to the setting allowed_file_roots.",
    )


def unwrap(address: Address) -> Address:
    """The IPv4 address inside a mapped, NAT64, 6to4 or Teredo one; else ``address``."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo:
        return address.teredo[1]
    compatible = IPv4Address(int(address)) if 1 < int(address) < 2**32 else None
    return address.ipv4_mapped or address.sixtofour or compatible or address


def _listed(rules: AddressRules, target: RepositoryUrl) -> bool:
    """Whether the host may only be reached at a public address.

    Raises:
        AddressForbidden: it is not on the list at all.
    """
    default = target.port == DEFAULT_PORTS.get(target.scheme)
    names = {f"{target.host}:{target.port}"} | ({target.host} if default else set())
    entries = {entry.lower() for entry in rules.allowed_content_hosts}
    if names & entries:
        return False
    if names & set(rules.public_hosts):
        return True
    if default and any(
        entry.startswith("*.") and target.host.endswith(entry[1:]) for entry in entries
    ):
        return True
    raise AddressForbidden(
        f"{target.netloc}: named by content, and not a registered or allowed host",
        hint=f"Register it, or add {target.netloc!r} to the setting allowed_content_hosts.",
    )


async def _resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise SourceUnreachable(f"{host}: the name server did not answer") from None
    except (OSError, UnicodeError):
        raise SourceUnreachable(
            f"{host}: the name does not resolve", hint="Check the spelling of the URL, and DNS."
        ) from None
    found = [ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    return list(dict.fromkeys(found))


def _judge(rules: AddressRules, host: str, address: Address, *, only_public: bool) -> None:
    real = unwrap(address)
    if any(address in network or real in network for network in rules.allowed_networks):
        return
    kind = _special(real)
    if not kind and only_public and not real.is_global:
        raise AddressForbidden(
            f"{host}: a private address, of a host that nobody registered",
            hint="Register the repository: `fleet repo add` (or a prefix: `fleet repocreds add`).",
        )
    if kind:
        shown = host if host == str(address) else f"{host} ({address})"
        raise AddressForbidden(
            f"{shown}: a {kind} address is not allowed",
            hint=f"Add {real}/{real.max_prefixlen} or its range to the setting allowed_networks.",
        )


def _special(address: Address) -> str:
    if address in METADATA:
        return "cloud metadata"
    for kind in ("unspecified", "loopback", "link_local", "multicast", "reserved"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    if isinstance(address, IPv4Address) and address in ip_network("0.0.0.0/8"):
        return "this-network"
    return ""
