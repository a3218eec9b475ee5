"""The audit log: what is written, and what a superuser's tampering looks like."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from fleet.errors import Refused, RegistryError, SealBroken
from fleet.model.scope import EVERYTHING, FLEET, Actor
from fleet.model.secret import MASK, Secret
from fleet.registry import retention
from fleet.registry.audit import record_change, record_denied
from fleet.registry.chain import Verification, export_head, verify, verify_against
from fleet.registry.changes import ChangeFilter, list_changes
from fleet.registry.database import Database, Tx
from fleet.registry.keyring import KeyRing
from fleet.registry.retention import drop_before, ensure_partitions
from tests.servers.postgres import TestDatabase

ACTOR = Actor("alice", source_ip="10.0.0.7", request_id="r-1", role="admin")


async def _record(db: Database, count: int = 1, **options: Any) -> None:
    for number in range(count):
        async with db.transaction() as tx:
            await record_change(
                tx, ACTOR, "update", "Cluster", f"eu-{number}", after={"n": number}, **options
            )


async def _verify(db: Database, ring: KeyRing) -> Verification:
    async with db.reading() as tx:
        return await verify(tx, ring)


async def _head(db: Database, ring: KeyRing) -> dict[str, Any]:
    async with db.reading() as tx:
        return await export_head(tx, ring)


async def _verify_against(db: Database, ring: KeyRing, head: dict[str, Any]) -> Verification:
    async with db.reading() as tx:
        return await verify_against(tx, ring, head)


def _tamper(database: TestDatabase, *statements: str) -> None:
    """As a superuser who knows how to switch triggers off."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


async def test_an_untouched_chain_verifies(db: Database, ring: KeyRing) -> None:
    before = await _verify(db, ring)
    await _record(db, 3)
    found = await _verify(db, ring)
    assert found.ok
    assert (found.checked, found.first_bad_seq) == (before.checked + 3, None)


async def test_an_entry_says_who_did_what(db: Database) -> None:
    async with db.transaction() as tx:
        seq = await record_change(
            tx, ACTOR, "update", "Cluster", "eu-1", {"server": "a"}, {"server": "b", "token": "t0"}
        )
        row = (
            await tx.execute(text("select * from audit.changes where seq = :seq"), {"seq": seq})
        ).one()
    assert (row.actor, row.source_ip, row.request_id) == ("alice", "10.0.0.7", "r-1")
    assert (row.action, row.object_kind, row.object) == ("update", "Cluster", "eu-1")
    assert row.before == {"server": "a"}
    assert (row.after["server"], row.after["token"][: len(MASK)]) == ("b", MASK)
    assert row.decision == "allowed"


async def test_a_denied_attempt_outlives_the_rollback(db: Database, ring: KeyRing) -> None:
    await record_denied(db, ACTOR, "delete", "Cluster", "eu-1", reason="readonly")
    async with db.reading() as tx:
        row = (
            await tx.execute(text("select * from audit.changes order by seq desc limit 1"))
        ).one()
    assert (row.decision, row.action, row.after) == ("denied", "delete", {"reason": "readonly"})
    assert (await _verify(db, ring)).ok


async def test_a_change_that_is_rolled_back_leaves_no_entry(db: Database, ring: KeyRing) -> None:
    before = await _verify(db, ring)
    async with db.transaction() as tx:
        await record_change(tx, FLEET, "create", "Cluster", "eu-1")
        await tx.rollback()
    assert await _verify(db, ring) == before


async def test_concurrent_entries_make_one_chain(db: Database, ring: KeyRing) -> None:
    await asyncio.gather(*(_record(db, 3) for _ in range(4)))
    assert (await _verify(db, ring)).ok


async def test_a_secret_cannot_be_recorded(db: Database) -> None:
    with pytest.raises(TypeError):
        await _record_secret(db)


async def _record_secret(db: Database) -> None:
    async with db.transaction() as tx:
        await record_change(tx, FLEET, "create", "Cluster", "x", after={"a": Secret("s3cret")})


async def test_without_the_keys_nothing_can_be_recorded(database: TestDatabase) -> None:
    db = Database(database.app_url)
    with pytest.raises(RegistryError, match="without the key ring"):
        await _record(db)
    await db.close()


@pytest.mark.parametrize(
    "value",
    [1.0, 1e3, 1e300, 1e-7, 0.1, 2**53, -0.0, "é\u2028", [], {}, None, {"b": 1, "a": [1.5, "x"]}],
)
async def test_what_jsonb_makes_of_a_value_still_verifies(
    db: Database, ring: KeyRing, value: Any
) -> None:
    async with db.transaction() as tx:
        await record_change(tx, FLEET, "create", "Cluster", "x", after={"value": value})
    assert (await _verify(db, ring)).ok


SECOND = "(select min(seq) + 1 from audit_log)"


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ([f"update audit_log set actor = 'mallory' where seq = {SECOND}"], "was changed"),
        ([f"update audit_log set after = '{{}}' where seq = {SECOND}"], "was changed"),
        ([f"update audit_log set at = at + interval '1 us' where seq = {SECOND}"], "was changed"),
        ([f"update audit_log set decision = 'denied' where seq = {SECOND}"], "was changed"),
        ([f"delete from audit_log where seq = {SECOND}"], "is missing"),
        (["delete from audit_log where seq = 1"], "is missing"),
        (
            [
                "update audit_log a set seq = 1000 + a.seq",
                (
                    "update audit_log a set seq = case a.seq when 1002 then 3 when 1003 then 2"
                    " else a.seq - 1000 end"
                ),
            ],
            "was changed",
        ),
        (
            [
                (
                    "insert into audit_log select seq, at + interval '1 s', actor, source_ip,"
                    " action, decision, object_kind, object, before, after, request_id,"
                    f" previous_hash, chain_hash from audit_log where seq = {SECOND}"
                )
            ],
            "is there twice",
        ),
        (["delete from audit_log where seq = (select max(seq) from audit_log)"], "missing"),
        (["update audit_head set seq = seq - 1"], "head was set back"),
        (["delete from audit_head"], "head was set back"),
        (["insert into audit_anchors values (2, 'k1:00', 'k1:00')"], "is not ours"),
    ],
)
async def test_tampering_is_found(
    db: Database, ring: KeyRing, database: TestDatabase, statements: list[str], message: str
) -> None:
    await _record(db, 4)
    _tamper(database, *statements)
    found = await _verify(db, ring)
    assert not found.ok
    assert message in found.message
    assert found.first_bad_seq is not None


CUT_TAIL = (
    "delete from audit_log where seq > 2",
    (
        "update audit_head set (seq, chain_hash) ="
        " (select seq, chain_hash from audit_log order by seq desc limit 1)"
    ),
)


async def test_a_cut_tail_needs_an_exported_head(
    db: Database, ring: KeyRing, database: TestDatabase
) -> None:
    await _record(db, 4)
    head = await _head(db, ring)
    assert (await _verify_against(db, ring, head)).ok
    _tamper(database, *CUT_TAIL)
    assert (await _verify(db, ring)).ok  # the log alone cannot tell
    found = await _verify_against(db, ring, head)
    assert not found.ok
    assert found.first_bad_seq == head["seq"]


async def test_a_chain_that_grew_on_after_a_cut_is_found(
    db: Database, ring: KeyRing, database: TestDatabase
) -> None:
    await _record(db, 4)
    head = await _head(db, ring)
    _tamper(database, *CUT_TAIL)
    await _record(db, 6)  # the number of the exported head is there again, with another hash
    assert (await _verify(db, ring)).ok
    assert not (await _verify_against(db, ring, head)).ok


async def test_an_older_head_still_holds(db: Database, ring: KeyRing) -> None:
    await _record(db, 2)
    head = await _head(db, ring)
    await _record(db, 2)
    assert (await _verify_against(db, ring, head)).ok


@pytest.mark.parametrize("field", ["seq", "chain_hash", "instance", "exported_at", "signature"])
async def test_a_forged_head_is_refused(db: Database, ring: KeyRing, field: str) -> None:
    await _record(db, 2)
    head = await _head(db, ring)
    found = await _verify_against(db, ring, {**head, field: 1 if field == "seq" else "k1:0"})
    assert not found.ok
    assert "not signed" in found.message
    del head[field]
    assert not (await _verify_against(db, ring, head)).ok


async def test_the_head_of_another_fleet_is_refused(
    db: Database, ring: KeyRing, database: TestDatabase
) -> None:
    head = await _head(db, ring)
    _tamper(database, "update instance set id = gen_random_uuid()")
    assert "another Fleet" in (await _verify_against(db, ring, head)).message


async def test_the_chain_goes_on_under_a_new_key(database: TestDatabase) -> None:
    old, new = ("k1", b"1" * 32), ("k2", b"2" * 32)
    for keys in ((old,), (new, old)):
        db = Database(database.app_url, ring=KeyRing(keys))
        await _record(db, 2)
        await db.close()
    db = Database(database.app_url)
    assert (await _verify(db, KeyRing((new, old)))).ok
    with pytest.raises(SealBroken, match="k1"):
        await _verify(db, KeyRing((new,)))
    assert not (await _verify(db, KeyRing((new, ("k1", b"x" * 32))))).ok
    await db.close()


LONG_AGO = datetime(2020, 3, 15, tzinfo=UTC)


async def _grow(db: Database) -> None:
    """Two old months and the present, in order."""
    for at in (LONG_AGO, LONG_AGO + timedelta(days=31), None):
        await _record(db, 2, at=at)


async def test_retention_keeps_the_chain(db: Database, ring: KeyRing) -> None:
    await _grow(db)
    head = await _head(db, ring)
    dropped = await drop_before(db, ring, datetime(2020, 4, 20, tzinfo=UTC))
    assert dropped == ("audit_log_2020_03",)
    assert await drop_before(db, ring, datetime(2020, 5, 1, tzinfo=UTC)) == ("audit_log_2020_04",)
    assert await drop_before(db, ring, datetime(2020, 5, 1, tzinfo=UTC)) == ()
    found = await _verify(db, ring)
    assert (found.ok, found.checked) == (True, 4)  # with what was dropped, twice
    assert (await _verify_against(db, ring, head)).ok
    await _record(db, 2)
    assert (await _verify(db, ring)).checked == 6


async def test_what_retention_drops_is_in_the_log(db: Database, ring: KeyRing) -> None:
    await _grow(db)
    await drop_before(db, ring, datetime(2020, 4, 20, tzinfo=UTC))
    async with db.reading() as tx:
        (entry,), _ = await list_changes(tx, EVERYTHING, ChangeFilter(object_kind="History"))
    assert (entry.actor, entry.action, entry.object) == (FLEET.name, "drop", "before 2020-04")
    assert entry.before == {"partitions": ["audit_log_2020_03"]}


async def test_changes_go_on_while_retention_verifies(
    db: Database, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _grow(db)
    whole = retention.verify

    async def during(tx: Tx, ring: KeyRing) -> Verification:
        found = await whole(tx, ring)
        await asyncio.wait_for(_record(db, 3), 5)
        return found

    monkeypatch.setattr(retention, "verify", during)
    assert await drop_before(db, ring, datetime(2020, 4, 1, tzinfo=UTC)) == ("audit_log_2020_03",)
    assert (await _verify(db, ring)).ok


async def test_what_came_while_retention_verified_is_verified_as_well(
    db: Database, ring: KeyRing, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _grow(db)
    whole = retention.verify

    async def during(tx: Tx, ring: KeyRing) -> Verification:
        found = await whole(tx, ring)
        await _record(db, 2)
        _tamper(database, "update audit_log set actor = 'mallory' where seq = 7")
        return found

    monkeypatch.setattr(retention, "verify", during)
    with pytest.raises(Refused, match="entry 7 was changed"):
        await drop_before(db, ring, datetime(2021, 1, 1, tzinfo=UTC))


async def test_dropping_everything_leaves_a_chain_to_go_on(db: Database, ring: KeyRing) -> None:
    await _record(db, 2, at=LONG_AGO)
    head = await _head(db, ring)
    await drop_before(db, ring, datetime(2021, 1, 1, tzinfo=UTC))
    assert (await _verify_against(db, ring, head)).ok
    await _record(db, 1)
    assert (await _verify(db, ring)).checked == 2


async def test_a_broken_chain_is_not_dropped(
    db: Database, ring: KeyRing, database: TestDatabase
) -> None:
    await _grow(db)
    _tamper(database, "update audit_log set actor = 'mallory' where seq = 2")
    with pytest.raises(Refused, match="entry 2 was changed"):
        await drop_before(db, ring, datetime(2021, 1, 1, tzinfo=UTC))
    assert (await _verify(db, ring)).first_bad_seq == 2


async def test_an_unanchored_month_cannot_be_dropped(db: Database, ring: KeyRing) -> None:
    await _grow(db)
    async with db.transaction() as tx:
        await ensure_partitions(tx)
    with pytest.raises(RegistryError, match="audit_log_2020_03 is not anchored"):
        await _drop_directly(db)
    assert (await _verify(db, ring)).ok


async def _drop_directly(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("select fleet_drop_partitions('2021-01-01')"))


async def test_dropping_a_partition_by_hand_is_found(
    db: Database, ring: KeyRing, database: TestDatabase
) -> None:
    await _grow(db)
    async with db.transaction() as tx:
        await ensure_partitions(tx)
    _tamper(database, "drop table audit_log_2020_03")
    found = await _verify(db, ring)
    assert (found.ok, found.first_bad_seq) == (False, 1)


async def test_verification_goes_page_by_page(
    db: Database, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.registry.chain.BATCH", 2)
    await _record(db, 5)
    found = await _verify(db, ring)
    assert (found.ok, found.checked) == (True, 5)


async def test_partitions_are_made_in_advance(db: Database) -> None:
    async def ensure(tx: Tx, months: int) -> tuple[str, ...]:
        return await ensure_partitions(tx, months)

    async with db.transaction() as tx:
        assert await ensure(tx, 3) == ()
        made = await ensure(tx, 5)
    assert len(made) == 8
    assert {name.rpartition("_20")[0] for name in made} == {
        "operations",
        "operation_results",
        "audit_log",
        "drift_events",
    }
