"""Whether a chart or an artifact is signed as a project demands: asked of where it comes from,
before a byte of it is unpacked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fleet.errors import Forbidden, RevisionNotFound
from fleet.source.cosign import (
    BUNDLE,
    SIMPLE_SIGNING,
    Claim,
    bundle_claims,
    claims_fault,
    simple_claim,
)
from fleet.source.oci import PROVENANCE_LAYER, Artifact, Registry
from fleet.source.provenance import Archive, provenance_fault
from fleet.source.signatures import Signers

PROVENANCE_BYTES = 1024 * 1024
_SIGNATURE_BYTES = 256 * 1024
#: Of one artifact that are looked at.
MOST_SIGNATURES = 64
#: Layers of one that refers to it that are; cosign writes one.
_MOST_LAYERS = 4
#: What refers to an artifact and may be a signature of cosign.
_KINDS = (BUNDLE, "application/vnd.dev.cosign.artifact.sig.")


@dataclass(frozen=True, slots=True)
class Demands:
    """Who has to have signed: the provenance of a chart, what a registry holds. None where
    nobody has to."""

    provenance: Signers | None = None
    cosign: Signers | None = None

    def __bool__(self) -> bool:
        return self.provenance is not None or self.cosign is not None


NOTHING_DEMANDED = Demands()


async def prove_artifact(registry: Registry, artifact: Artifact, demands: Demands) -> None:
    """Raises Forbidden where ``demands`` ask for a signature of cosign that is not there."""
    if demands.cosign is None:
        return
    claims: list[Claim] = []
    fault = ""
    for gather in (_tagged_claims, _referring_claims):
        claims += await gather(registry, artifact.digest)
        fault = await asyncio.to_thread(
            claims_fault, claims, artifact.digest, demands.cosign.keys, demands.cosign.allowed
        )
        if not fault:
            return
    raise Forbidden(f"{registry.where}@{artifact.digest} {fault}")


async def prove_layer(
    registry: Registry,
    artifact: Artifact,
    version: str,
    demands: Demands,
    parse_yaml: Callable[[str], Any],
) -> None:
    """Raises Forbidden where ``demands`` ask for a provenance: the chart's layer is not what it
    vouches for, or what is there is no chart."""
    if demands.provenance is None:
        return
    where = f"{registry.where}@{artifact.digest}"
    layer = registry.chart_layer(artifact)
    held = artifact.first(PROVENANCE_LAYER)
    text = None if held is None else await registry.download(held, PROVENANCE_BYTES)
    asked = "" if version == artifact.digest else version
    name = registry.where.rpartition("/")[2]
    archive = Archive(name, asked, layer.digest.removeprefix("sha256:"))
    await prove_archive(where, text, archive, demands.provenance, parse_yaml)


async def prove_archive(
    where: str,
    text: bytes | None,
    archive: Archive,
    signers: Signers,
    parse_yaml: Callable[[str], Any],
) -> None:
    """Raises Forbidden where ``text``, a provenance, does not vouch for the archive."""
    if text is None:
        wanted = ", ".join(signers.allowed) or "no key"
        fault = f"has no provenance: it is not signed (wanted: {wanted})"
    else:
        fault = await asyncio.to_thread(provenance_fault, text, archive, signers, parse_yaml)
    if fault:
        raise Forbidden(f"{where} (sha256:{archive.digest}) {fault}")


async def _tagged_claims(registry: Registry, digest: str) -> list[Claim]:
    """Those at the tag that cosign makes of a digest."""
    return await _claims_in(registry, f"{digest.replace(':', '-')}.sig", MOST_SIGNATURES)


async def _referring_claims(registry: Registry, digest: str) -> list[Claim]:
    """Those of what says that it is about the digest."""
    found: list[Claim] = []
    kinds = [id for id, kind in await registry.referrers(digest) if kind.startswith(_KINDS)]
    for reference in kinds[:MOST_SIGNATURES]:
        found += await _claims_in(registry, reference, _MOST_LAYERS)
    return found


async def _claims_in(registry: Registry, reference: str, most: int) -> list[Claim]:
    try:
        artifact = await registry.artifact(reference)
    except RevisionNotFound:
        return []
    found: list[Claim] = []
    for layer in artifact.layers[:most]:
        if layer.media_type == SIMPLE_SIGNING:
            claim = simple_claim(await registry.download(layer, _SIGNATURE_BYTES), layer.signature)
            found += [] if claim is None else [claim]
        elif layer.media_type.startswith(BUNDLE):
            found += bundle_claims(await registry.download(layer, _SIGNATURE_BYTES))
    return found
