"""Rendered sets, content-addressed and never rewritten, and which render made which.

A set that holds a Secret is sealed as a whole: its values are in Git anyway, but a copy of
the database must not be another place to read them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard
from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from fleet.errors import NotFound, RegistryError
from fleet.model.objects import GroupKind, Manifest, group_kind_of
from fleet.model.renders import Reads
from fleet.registry.database import Tx
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import Place, open_bytes, seal_bytes
from fleet.registry.tables import TABLES

MANIFESTS = TABLES["manifests"]
RENDERS = TABLES["renders"]

COMPRESSION_LEVEL = 3
_SECRET = GroupKind("", "Secret")


@dataclass(frozen=True)
class ManifestSet:
    """``canonical`` is the canonical JSON of ``objects``; ``sha256`` the hex digest of that.
    ``is_secret`` has it sealed even without a Secret in it."""

    sha256: str
    canonical: bytes
    objects: Sequence[Manifest]
    is_secret: bool = False


async def put(tx: Tx, ring: KeyRing, sets: Sequence[ManifestSet]) -> None:
    """Store sets that are not there yet; one statement whatever their number."""
    wanted = {entry.sha256: entry for entry in sets}
    known = select(MANIFESTS.c.sha256).where(MANIFESTS.c.sha256.in_(list(wanted)))
    there = set((await tx.execute(known)).scalars()) if wanted else set()
    fresh = [entry for sha256, entry in sorted(wanted.items()) if sha256 not in there]
    if not fresh:
        return
    rows = await asyncio.to_thread(lambda: [_packed(ring, entry) for entry in fresh])
    await tx.execute(insert(MANIFESTS).on_conflict_do_nothing(), rows)


def _packed(ring: KeyRing, entry: ManifestSet) -> dict[str, Any]:
    if hashlib.sha256(entry.canonical).hexdigest() != entry.sha256:
        raise RegistryError(f"manifests {entry.sha256[:12]} do not hash to their name")
    body = zstandard.compress(entry.canonical, COMPRESSION_LEVEL)
    secret = entry.is_secret or any(
        group_kind_of(manifest) == _SECRET for manifest in entry.objects
    )
    return {
        "sha256": entry.sha256,
        "body": seal_bytes(ring, _place(entry.sha256), body) if secret else body,
        "sealed": secret,
        "object_count": len(entry.objects),
        "size_bytes": len(entry.canonical),
    }


def _place(sha256: str) -> Place:
    return Place("manifests", sha256, "body")


async def load(tx: Tx, ring: KeyRing, sha256: str) -> tuple[Manifest, ...]:
    """The set, word for word as it was rendered.

    Raises:
        NotFound: no such set.
        RegistryError: what is stored does not hash to its name any more.
        SealBroken: it is sealed, and not by a key of this ring.
    """
    found = await load_many(tx, ring, [sha256])
    if sha256 not in found:
        raise NotFound(f"no manifests {sha256[:12]!r} are stored")
    return found[sha256]


async def load_many(
    tx: Tx, ring: KeyRing, wanted: Iterable[str]
) -> dict[str, tuple[Manifest, ...]]:
    """The same for several, in one statement; those that are not stored are left out."""
    names = sorted(set(wanted))
    if not names:
        return {}
    rows = (await tx.execute(select(MANIFESTS).where(MANIFESTS.c.sha256.in_(names)))).all()
    return await asyncio.to_thread(lambda: {row.sha256: _unpacked(ring, row) for row in rows})


def _unpacked(ring: KeyRing, row: Row[Any]) -> tuple[Manifest, ...]:
    body = open_bytes(ring, _place(row.sha256), row.body) if row.sealed else row.body
    try:
        canonical = zstandard.ZstdDecompressor().decompress(body, max_output_size=row.size_bytes)
    except zstandard.ZstdError:
        canonical = b""
    if hashlib.sha256(canonical).hexdigest() != row.sha256:
        raise RegistryError(
            f"manifests {row.sha256[:12]} are damaged in the database",
            hint="Restore that row of table manifests from a backup.",
        )
    return tuple(orjson.loads(canonical))


@dataclass(frozen=True)
class StoredRender:
    """What a render came to. ``key`` identifies everything that entered it."""

    key: str
    manifests_sha256: str
    tool: str
    reads: Reads
    warnings: tuple[str, ...] = ()


async def find_renders(tx: Tx, keys: Iterable[str]) -> dict[str, StoredRender]:
    """Renders that were made before, by key."""
    names = sorted(set(keys))
    if not names:
        return {}
    rows = await tx.execute(select(RENDERS).where(RENDERS.c.key.in_(names)))
    return {
        row.key: StoredRender(
            key=row.key,
            manifests_sha256=row.manifests_sha256,
            tool=row.tool,
            reads=reads_from_json(row.reads),
            warnings=tuple(row.warnings),
        )
        for row in rows
    }


async def record_renders(tx: Tx, renders: Sequence[StoredRender]) -> None:
    """Remember renders; their manifests are stored already. The first of a key stays."""
    rows = [
        {
            "key": entry.key,
            "manifests_sha256": entry.manifests_sha256,
            "tool": entry.tool,
            "reads": reads_to_json(entry.reads),
            "warnings": list(entry.warnings),
        }
        for entry in sorted({entry.key: entry for entry in renders}.values(), key=lambda e: e.key)
    ]
    if rows:
        await tx.execute(insert(RENDERS).on_conflict_do_nothing(), rows)


def reads_to_json(reads: Reads) -> dict[str, Any]:
    flags = ("application", "namespace", "project", "revision", "cluster", "plugins")
    return {
        "paths": list(reads.paths),
        "refPaths": [list(pair) for pair in reads.ref_paths],
        "facts": [name for name in flags if getattr(reads, name)],
        **({"keys": list(reads.keys)} if reads.keys else {}),
    }


def reads_from_json(stored: dict[str, Any]) -> Reads:
    return Reads(
        paths=tuple(stored["paths"]),
        ref_paths=tuple((name, path) for name, path in stored["refPaths"]),
        keys=tuple(stored.get("keys", ())),
        **dict.fromkeys(stored["facts"], True),
    )
