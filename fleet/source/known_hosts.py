"""OpenSSH known_hosts text → rows of ``fleet cert list``. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from fleet.errors import Place, SpecInvalid
from fleet.model.repositories import KnownCertificate

KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_HOST = re.compile(
    r"\|1\|[A-Za-z0-9+/=]+\|[A-Za-z0-9+/=]+"  # hashed
    r"|!?(?:[A-Za-z0-9._*?:-]+|\[[A-Za-z0-9._*?:-]+\]:[0-9]{1,5})"
)


def parse_known_hosts(text: str, file: str = "") -> tuple[KnownCertificate, ...]:
    """One row a host and key, in the order of the text; comments and empty lines are skipped.

    A hashed host stays hashed. ``data`` is the whole line for that one host, ready to be
    written into a known_hosts file again.

    Raises:
        SpecInvalid: a line is no known_hosts line; names ``file`` and the line.
    """
    rows: list[KnownCertificate] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            rows += _parse_line(line, Place(file=file, line=number))
    return tuple(rows)


def host_pattern(host: str, port: int) -> str:
    """How known_hosts spells a host: with brackets when the port is not 22."""
    return host if port == 22 else f"[{host}]:{port}"


def _parse_line(line: str, place: Place) -> list[KnownCertificate]:
    fields = line.split()
    if fields[0].startswith("@"):
        raise SpecInvalid(
            f"the marker {fields[0][:40]!r} is not supported",
            place=place,
            hint="List the host's own keys, as `ssh-keyscan` prints them.",
        )
    if len(fields) < 3:
        raise SpecInvalid("not a known_hosts line: host, key type and key", place=place)
    hosts, key_type, encoded = fields[:3]
    if key_type not in KEY_TYPES:
        raise SpecInvalid(f"unknown key type {key_type[:40]!r}", place=place)
    fingerprint = _fingerprint(encoded, key_type, place)
    names = hosts.split(",")
    for name in names:
        if not _HOST.fullmatch(name):
            raise SpecInvalid(f"malformed host {name[:80]!r}", place=place)
    return [
        KnownCertificate(name, "ssh", key_type, fingerprint, f"{name} {key_type} {encoded}")
        for name in names
    ]


def _fingerprint(encoded: str, key_type: str, place: Place) -> str:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise SpecInvalid("the key is not base64", place=place) from None
    length = int.from_bytes(blob[:4], "big")
    if len(blob) < 4 + length or blob[4 : 4 + length] != key_type.encode():
        raise SpecInvalid(f"the key is not of type {key_type}", place=place)
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
