"""Manifest sets: stored once, never rewritten, sealed when they hold a Secret."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from fleet.errors import NotFound, RegistryError, SealBroken
from fleet.model.renders import Reads
from fleet.registry import manifests
from fleet.registry.database import Database
from fleet.registry.keyring import KeyRing
from fleet.registry.manifests import ManifestSet, StoredRender

CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c"},
    "data": {"a": "x" * 500},
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s"},
    "data": {"p": "cGE1NQ=="},
}


def made_of(*objects: dict[str, Any]) -> ManifestSet:
    canonical = orjson.dumps(objects, option=orjson.OPT_SORT_KEYS)
    return ManifestSet(hashlib.sha256(canonical).hexdigest(), canonical, objects)


async def test_a_set_comes_back_as_it_was(db: Database, ring: KeyRing) -> None:
    plain, secret = made_of(CONFIG), made_of(CONFIG, SECRET)
    async with db.transaction() as tx:
        await manifests.put(tx, ring, [plain, secret, plain])
        await manifests.put(tx, ring, [])
        assert await manifests.load(tx, ring, plain.sha256) == (CONFIG,)
        both = await manifests.load_many(tx, ring, [secret.sha256, plain.sha256, "none"])
        assert both == {plain.sha256: (CONFIG,), secret.sha256: (CONFIG, SECRET)}
        rows = {row.sha256: row for row in await tx.execute(text("select * from manifests"))}
    assert not rows[plain.sha256].sealed
    assert len(rows[plain.sha256].body) < len(plain.canonical) / 2
    assert rows[plain.sha256].object_count == 1
    assert rows[secret.sha256].sealed
    assert rows[secret.sha256].body.startswith(b"v1:k1:")
    other = KeyRing((("k2", b"2" * 32),))
    async with db.reading() as tx:
        with pytest.raises(SealBroken):
            await manifests.load(tx, other, secret.sha256)


async def test_what_is_stored_is_never_rewritten(db: Database, ring: KeyRing) -> None:
    entry = made_of(CONFIG, SECRET)
    body = text("select body, xmin::text from manifests")
    async with db.transaction() as tx:
        await manifests.put(tx, ring, [entry])
    async with db.transaction() as tx:
        before = (await tx.execute(body)).one()
        await manifests.put(tx, ring, [entry])
        assert (await tx.execute(body)).one() == before


async def test_damage_is_found(db: Database, ring: KeyRing) -> None:
    entry = made_of(CONFIG)
    async with db.transaction() as tx:
        with pytest.raises(RegistryError, match="do not hash"):
            await manifests.put(tx, ring, [ManifestSet("0" * 64, entry.canonical, entry.objects)])
        with pytest.raises(NotFound):
            await manifests.load(tx, ring, entry.sha256)
        await manifests.put(tx, ring, [entry, made_of(SECRET)])
        other = made_of(SECRET, CONFIG)
        await manifests.put(tx, ring, [other])
        for damage in ("body = overlay(body placing '\\x00'::bytea from 12)", "body = '\\x28'"):
            await tx.execute(text(f"update manifests set {damage} where sha256 = '{entry.sha256}'"))
            with pytest.raises(RegistryError, match="damaged"):
                await manifests.load(tx, ring, entry.sha256)


async def test_an_envelope_does_not_open_as_another_set(db: Database, ring: KeyRing) -> None:
    one, two = made_of(SECRET), made_of(SECRET, CONFIG)
    async with db.transaction() as tx:
        await manifests.put(tx, ring, [one, two])
        await tx.execute(
            text("update manifests set body = (select body from manifests where sha256 = :one)"),
            {"one": one.sha256},
        )
        with pytest.raises(SealBroken):
            await manifests.load(tx, ring, two.sha256)


async def test_renders_are_found_by_key(db: Database, ring: KeyRing) -> None:
    entry = made_of(CONFIG)
    reads = Reads(("web/", "values.yaml"), (("shared", "base"),), application=True, cluster=True)
    render = StoredRender("key-1", entry.sha256, "Helm", reads, ("deprecated",))
    async with db.transaction() as tx:
        await manifests.put(tx, ring, [entry])
        await manifests.record_renders(tx, [render, render])
        await manifests.record_renders(tx, [StoredRender("key-1", entry.sha256, "x", Reads(()))])
        await manifests.record_renders(tx, [])
        assert await manifests.find_renders(tx, ["key-1", "key-2"]) == {"key-1": render}
        assert await manifests.find_renders(tx, []) == {}
