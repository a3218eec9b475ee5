"""Provenance of Helm charts (``.prov``): what the signed text says about an archive. No I/O.

The text is signed in the clear by OpenPGP and holds the chart's ``Chart.yaml``, a line
``...`` and the digests of archives. Only the bytes that the signature covers are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pysequoia

from fleet.errors import FleetError
from fleet.source.signatures import Signers, gpg_signer_fault

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"


@dataclass(frozen=True, slots=True)
class Archive:
    """A chart as it is packed. ``digest`` is SHA-256 in hex; ``version`` is empty where only
    the digest was asked for."""

    name: str
    version: str
    digest: str


def provenance_fault(
    text: bytes, archive: Archive, signers: Signers, parse_yaml: Callable[[str], Any]
) -> str:
    """Why ``text`` does not vouch for the archive in the name of ``signers``; "" when it does.

    Args:
        parse_yaml: one document; raises FleetError.
    """
    if not text.lstrip().startswith(_BEGIN):
        return "has a provenance that is no signed text"
    try:
        certificates = signers.certificates()
        found = pysequoia.verify(text, store=lambda _: certificates)
    except RuntimeError:  # the library's one class for whatever is wrong
        return _with(
            signers, "is signed by a key that Fleet does not know, or its signature is not valid"
        )
    stranger = gpg_signer_fault(found.valid_sigs, signers)
    if stranger:
        return _with(signers, stranger)
    metadata, cut, sums = (found.bytes or b"").replace(b"\r\n", b"\n").partition(b"\n...\n")
    try:
        chart, files = parse_yaml(metadata.decode()), parse_yaml(sums.decode())
    except (FleetError, UnicodeDecodeError):
        cut = b""
    if not cut or not isinstance(chart, dict) or not isinstance(files, dict):
        return "has a provenance that cannot be read"
    return _mismatch(archive, chart, files.get("files"))


def _mismatch(archive: Archive, chart: dict[str, Any], files: Any) -> str:
    listed = list(files.values()) if isinstance(files, dict) else []
    if f"sha256:{archive.digest}" not in listed:
        return "is not the archive that its provenance vouches for"
    named = (chart.get("name"), chart.get("version"))
    if named[0] != archive.name or archive.version not in ("", named[1]):
        said = " ".join(str(part)[:80] for part in named)
        return f"has the provenance of another chart, {said}"
    return ""


def _with(signers: Signers, fault: str) -> str:
    return f"{fault} (wanted: {', '.join(signers.allowed) or 'no key'})"
