"""The key ring against the database: the right one, the wrong one, and the next one."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from fleet.errors import SealBroken
from fleet.model.scope import EVERYTHING, Actor
from fleet.model.secret import Secret
from fleet.registry.changes import ChangeFilter, list_changes
from fleet.registry.database import Database
from fleet.registry.documents import KeptDocument, keep, list_kept
from fleet.registry.keyring import KeyRing
from fleet.registry.rotation import (
    SEALED,
    check_key,
    forget_lost_keys,
    kids_in_use,
    rotate,
    sealed_by_lost_keys,
)
from fleet.registry.sealing import Place, open_bytes, open_sealed, seal, seal_bytes
from fleet.registry.tables import Base
from tests.servers.postgres import TestDatabase

ADMIN = Actor("local:anna", role="admin")
OLD = ("k1", b"1" * 32)
NEW = ("k2", b"2" * 32)
BOTH = KeyRing((NEW, OLD))


async def _check(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        await check_key(tx, ring)


def _place(number: int) -> Place:
    return Place("clusters", str(number), "sealed", f"https://c{number}")


async def _fill(db: Database, ring: KeyRing, count: int = 5) -> None:
    """Sealed clusters, one without credentials, a sealed and an open manifest set."""
    async with db.transaction() as tx:
        for number in range(count):
            await tx.execute(
                text(
                    "insert into clusters (name, server, sealed) values (:name, :server, :sealed)"
                ),
                {
                    "name": f"c{number}",
                    "server": f"https://c{number}",
                    "sealed": seal(ring, _place(number), Secret(f"token {number}")),
                },
            )
        await tx.execute(text("insert into clusters (name, server) values ('open', 'https://o')"))
        body = seal_bytes(ring, Place("manifests", "s", "body"), b"\x28\xb5\x2f\xfd")
        for sha256, sealed, data in (("s", True, body), ("o", False, b"\xff\x00v1:k1:")):
            await tx.execute(
                text(
                    "insert into manifests (sha256, body, sealed, object_count, size_bytes)"
                    " values (:sha256, :body, :sealed, 1, 1)"
                ),
                {"sha256": sha256, "body": data, "sealed": sealed},
            )


async def _kids(db: Database) -> set[str]:
    async with db.reading() as tx:
        return await kids_in_use(tx)


async def test_the_first_start_leaves_a_check_value(db: Database) -> None:
    await _check(db, KeyRing((OLD,)))
    assert await _kids(db) == {"k1"}
    await _check(db, KeyRing((OLD,)))
    await _check(db, BOTH)


@pytest.mark.parametrize("wrong", [KeyRing((NEW,)), KeyRing((("k1", b"x" * 32),))])
async def test_a_wrong_ring_is_refused(db: Database, wrong: KeyRing) -> None:
    await _check(db, KeyRing((OLD,)))
    with pytest.raises(SealBroken) as raised:
        await _check(db, wrong)
    assert "key file" in raised.value.hint


async def test_a_ring_that_lacks_a_key_in_use_is_refused(db: Database) -> None:
    await _fill(db, KeyRing((OLD,)))
    with pytest.raises(SealBroken, match="lacks k1"):
        await _check(db, KeyRing((NEW,)))
    assert await _kids(db) == {"k1"}  # nothing was written


async def test_what_lost_keys_sealed_is_given_up_on_request(database: TestDatabase) -> None:
    left = KeyRing((NEW,))
    db = Database(database.app_url, ring=left, allow_unsafe=True)
    await _check(db, KeyRing((OLD,)))
    await _fill(db, KeyRing((OLD,)), count=2)
    with pytest.raises(SealBroken) as raised:
        await _check(db, left)
    assert "forget-lost-keys" in raised.value.hint
    async with db.transaction() as tx:
        assert await sealed_by_lost_keys(tx, left) == {
            "clusters.sealed": 2,
            "manifests.body": 1,
            "instance.key_check": 1,
        }
        await forget_lost_keys(tx, ADMIN, left)
        await check_key(tx, left)
        assert await sealed_by_lost_keys(tx, left) == {}
    await _check(db, left)
    async with db.reading() as tx:
        held = dict((await tx.execute(text("select name, sealed from clusters"))).all())
        kept = (await tx.execute(text("select sha256 from manifests"))).scalars().all()
        entries, _ = await list_changes(tx, EVERYTHING, ChangeFilter(object_kind="KeyRing"))
    assert (held["open"], held["c0"], list(kept)) == ("", "lost:k1", ["o"])
    with pytest.raises(SealBroken, match="k1 was given up"):
        open_sealed(left, _place(0), held["c0"])
    assert [(entry.action, entry.actor, entry.before) for entry in entries] == [
        ("forget", "local:anna", {"sealedWith": ["k1"]})
    ]
    assert not any((await rotate(db, ADMIN, left)).values())
    await db.close()


async def test_nothing_is_given_up_while_all_keys_are_there(db: Database) -> None:
    await _fill(db, KeyRing((OLD,)))
    async with db.transaction() as tx:
        await forget_lost_keys(tx, ADMIN, BOTH)
    assert await _kids(db) == {"k1"}


async def test_rotation_moves_everything_and_opens_as_before(db: Database) -> None:
    await _check(db, KeyRing((OLD,)))
    await _fill(db, KeyRing((OLD,)))
    kept = KeptDocument("Secret", "argocd", "argocd-secret", {}, {"data": {"key": "dG9rZW4="}})
    async with db.transaction() as tx:
        await keep(tx, ADMIN, kept, KeyRing((OLD,)))
    moved = await rotate(db, ADMIN, BOTH, batch=2)
    assert moved == {
        "clusters.sealed": 5,
        "repositories.sealed": 0,
        "repo_credentials.sealed": 0,
        "kept_documents.sealed": 1,
        "decryption_keys.sealed": 0,
        "manifests.body": 1,
        "instance.key_check": 1,
    }
    assert await _kids(db) == {"k2"}
    only_new = KeyRing((NEW,))
    await _check(db, only_new)
    async with db.reading() as tx:
        rows = (
            await tx.execute(text("select name, sealed from clusters where sealed <> ''"))
        ).all()
        bodies = dict((await tx.execute(text("select sha256, body from manifests"))).all())
        assert await list_kept(tx, only_new, secrets=True) == [kept]
    for row in rows:
        number = int(row.name.removeprefix("c"))
        assert open_sealed(only_new, _place(number), row.sealed) == Secret(f"token {number}")
    assert open_bytes(only_new, Place("manifests", "s", "body"), bytes(bodies["s"]))
    assert bytes(bodies["o"]) == b"\xff\x00v1:k1:"


async def test_again_there_is_nothing_to_do(db: Database) -> None:
    await _fill(db, KeyRing((OLD,)))
    await rotate(db, ADMIN, BOTH)
    assert not any((await rotate(db, ADMIN, BOTH)).values())


async def test_a_rotation_is_in_the_audit_log(database: TestDatabase) -> None:
    db = Database(database.app_url, ring=BOTH, allow_unsafe=True)
    await _fill(db, KeyRing((OLD,)))
    await rotate(db, ADMIN, BOTH)
    async with db.reading() as tx:
        (entry,), _ = await list_changes(tx, EVERYTHING, ChangeFilter(action="rotate"))
    await db.close()
    assert (entry.actor, entry.object_kind, entry.object) == ("local:anna", "KeyRing", "k2")
    assert (entry.before, entry.after) == ({"sealedWith": ["k1"]}, {"sealedWith": ["k2"]})


async def test_a_rotation_that_was_stopped_goes_on(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleet.registry import rotation

    await _fill(db, KeyRing((OLD,)))
    rewrapped = rotation.rewrap
    left = 3

    def stop_in_the_middle(ring: KeyRing, envelope: str) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return rewrapped(ring, envelope)

    monkeypatch.setattr(rotation, "rewrap", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        await rotate(db, ADMIN, BOTH, batch=2)
    assert await _kids(db) == {"k1", "k2"}
    monkeypatch.undo()
    assert (await rotate(db, ADMIN, BOTH))["clusters.sealed"] == 3
    assert await _kids(db) == {"k2"}


async def test_a_broken_envelope_stops_the_rotation_and_is_named(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("insert into clusters (name, server, sealed) values ('x', 'y', 'v1:k9:a:b:c')")
        )
    with pytest.raises(SealBroken):
        await rotate(db, ADMIN, BOTH)


def test_every_sealed_column_is_known_to_the_rotation() -> None:
    known = {sealed.name for sealed in SEALED}
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.name == "sealed":
                name = "body" if str(column.type) == "BOOLEAN" else "sealed"
                assert f"{table.name}.{name}" in known
