"""Connections and transactions against a real server, and what it answers when it is ill."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fleet.errors import (
    Refused,
    RegistryError,
    RegistryUnavailable,
    SchemaMismatch,
    SettingsInvalid,
    UsageError,
)
from fleet.model.secret import Secret
from fleet.registry.database import Database, Tx, constraint_of, now_of, parse_url
from tests.servers.postgres import TestDatabase


async def _scalar(tx: Tx, sql: str) -> object:
    return (await tx.execute(text(sql))).scalar_one()


async def _run(db: Database, *statements: str) -> None:
    """All of them in one transaction."""
    async with db.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement))


def _hang_up(database: TestDatabase) -> None:
    """End every connection to the database, as an administrator does; wait until gone."""
    with psycopg.connect(database.superuser_url, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


async def test_commit_and_rollback(db: Database) -> None:
    insert = text("insert into projects (name, document) values (:name, '{}')")
    async with db.transaction() as tx:
        await tx.execute(insert, {"name": "kept"})

    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.execute(insert, {"name": "lost"})
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with db.reading() as tx:
        names = (await tx.execute(text("select name from projects order by name"))).scalars().all()
    assert "kept" in names
    assert "lost" not in names


async def test_every_timeout_is_set(db: Database) -> None:
    settings = {
        "statement_timeout": "30s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
        "TimeZone": "UTC",
        "application_name": "fleet",
    }
    async with db.transaction() as tx:
        found = {name: await _scalar(tx, f"select current_setting('{name}')") for name in settings}
    assert found == settings


async def test_socket_options_reach_libpq(db: Database) -> None:
    async with db.transaction() as tx:
        raw = await tx.get_raw_connection()
        parameters = raw.driver_connection.info.get_parameters()
    assert parameters["connect_timeout"] == "5"
    assert parameters["keepalives_idle"] == "5"
    assert parameters["tcp_user_timeout"] == "10000"


async def test_reading_sees_one_moment_and_cannot_write(db: Database) -> None:
    count = "select count(*) from projects"
    async with db.reading() as tx:
        before = await _scalar(tx, count)
        async with db.transaction() as other:
            await other.execute(text("insert into projects (name, document) values ('p', '{}')"))
        assert await _scalar(tx, count) == before
    with pytest.raises(RegistryUnavailable, match="accepts no writes"):
        async with db.reading() as tx:
            await tx.execute(text("delete from projects"))
    async with db.transaction() as tx:  # the mode does not stick to the connection
        await tx.execute(text("delete from projects where name = 'p'"))


async def test_a_connection_lost_while_idle_costs_nothing(
    db: Database, database: TestDatabase
) -> None:
    async with db.transaction() as tx:
        first = await _scalar(tx, "select pg_backend_pid()")
    await asyncio.to_thread(_hang_up, database)
    async with db.transaction() as tx:
        assert await _scalar(tx, "select pg_backend_pid()") != first


async def test_a_connection_lost_in_a_transaction(db: Database, database: TestDatabase) -> None:
    async def work() -> None:
        async with db.transaction() as tx:
            await _scalar(tx, "select 1")
            await asyncio.to_thread(_hang_up, database)
            await _scalar(tx, "select 1")

    with pytest.raises(RegistryUnavailable) as raised:
        await work()
    assert raised.value.transient
    async with db.transaction() as tx:
        assert await _scalar(tx, "select 1") == 1


async def test_no_server() -> None:
    db = Database("postgresql://fleet:s3cret@127.0.0.1:1/fleet")
    with pytest.raises(RegistryUnavailable) as raised:
        await db.open()
    assert "s3cret" not in str(raised.value) + raised.value.hint
    await db.close()


@pytest.mark.parametrize("part", ["name", "password"])
async def test_wrong_database_or_login(database: TestDatabase, part: str) -> None:
    url = parse_url(database.url)
    url = url.set(database="none_such") if part == "name" else url.set(password="wr0ng")
    db = Database(url.render_as_string(hide_password=False))
    with pytest.raises(RegistryUnavailable) as raised:
        await db.open()
    assert "wr0ng" not in raised.value.message
    await db.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:s3cret@h/d", "postgresql://h:port/d"])
def test_not_a_url(url: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        Database(Secret(url))
    assert "s3cret" not in str(raised.value)


def test_the_url_is_not_shown(database: TestDatabase) -> None:
    db = Database(Secret(database.url))
    password = str(parse_url(database.url).password)
    assert password not in repr(db) + repr(vars(db)) + repr(db.conninfo())
    assert parse_url(db.conninfo()) == parse_url(database.url)


async def test_an_unsafe_server_is_refused(database: TestDatabase) -> None:
    # the server of the tests runs with all three switched off
    db = Database(database.url)
    with pytest.raises(Refused, match="fsync=off, full_page_writes=off, synchronous_commit=off"):
        await db.open()
    await db.close()


async def test_synchronous_commit_of_the_role_counts(database: TestDatabase, db: Database) -> None:
    await db.open()  # unsafe is allowed here
    url = parse_url(database.url).update_query_dict({"options": "-c synchronous_commit=on"})
    strict = Database(url.render_as_string(hide_password=False))
    with pytest.raises(Refused) as raised:
        await strict.open()
    assert "synchronous_commit" not in raised.value.message
    await strict.close()


async def test_a_read_only_server_is_refused(database: TestDatabase) -> None:
    url = parse_url(database.url).update_query_dict(
        {"options": "-c default_transaction_read_only=on"}
    )
    db = Database(url.render_as_string(hide_password=False), allow_unsafe=True)
    with pytest.raises(Refused, match="accepts no writes"):
        await db.open()
    await db.close()


async def test_an_empty_database_is_a_mismatch(empty_database: TestDatabase) -> None:
    db = Database(empty_database.url)
    with pytest.raises(SchemaMismatch) as raised:
        async with db.transaction() as tx:
            await tx.execute(text("select * from clusters"))
    assert "fleet db upgrade" in raised.value.hint
    await db.close()


TWICE = "insert into projects (name, document) values ('s3cret', '{}')"


async def test_a_noun_can_read_the_constraint(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text(TWICE))
        with pytest.raises(IntegrityError) as raised:
            async with tx.begin_nested():
                await tx.execute(text(TWICE))
        assert constraint_of(raised.value) == "uq_projects_name"


async def test_messages_quote_no_values(db: Database) -> None:
    with pytest.raises(RegistryError, match="uq_projects_name") as raised:
        await _run(db, TWICE, TWICE)
    assert "s3cret" not in raised.value.message + raised.value.hint
    with pytest.raises(UsageError) as bad:
        await _run(db, "select cast('s3cret' as int)")
    assert "s3cret" not in bad.value.message


async def test_a_lock_that_is_not_free(db: Database) -> None:
    lock = "select 1 from audit_head for update"
    async with db.transaction() as holder:
        await holder.execute(text(lock))
        with pytest.raises(RegistryUnavailable, match="not free in time"):
            await _run(db, "set local lock_timeout = '10ms'", lock)


async def test_a_statement_that_takes_too_long(db: Database) -> None:
    with pytest.raises(RegistryUnavailable, match="time limit"):
        await _run(db, "set local statement_timeout = '10ms'", "select pg_sleep(5)")


async def test_deadlock_is_run_again(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("insert into projects (name, document) values ('a','{}'), ('b','{}')")
        )
    both_hold = asyncio.Barrier(2)
    tries = {"a": 0, "b": 0}
    update = text("update projects set generation = generation + 1 where name = :name")

    async def cross(first: str, second: str) -> str:
        async def work(tx: Tx) -> str:
            tries[first] += 1
            await tx.execute(update, {"name": first})
            if tries[first] == 1:
                await both_hold.wait()
            await tx.execute(update, {"name": second})
            return first

        return await db.run(work)

    assert await asyncio.gather(cross("a", "b"), cross("b", "a")) == ["a", "b"]
    assert sorted(tries.values()) == [1, 2]
    async with db.reading() as tx:
        total = await _scalar(tx, "select sum(generation) from projects where name in ('a','b')")
    assert total == 6


async def test_a_conflict_that_stays_is_given_up(db: Database) -> None:
    tries = 0

    async def work(tx: Tx) -> None:
        nonlocal tries
        tries += 1
        await tx.execute(text("do $$ begin raise exception 'x' using errcode = '40001'; end $$"))

    with pytest.raises(RegistryUnavailable):
        await db.run(work)
    assert tries == 5


async def test_other_errors_are_not_run_again(db: Database) -> None:
    tries = 0

    async def work(tx: Tx) -> None:
        nonlocal tries
        tries += 1
        await tx.execute(text("select 1 / 0"))

    with pytest.raises(UsageError):
        await db.run(work)
    assert tries == 1


async def test_the_pool_does_not_wait_for_ever(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.registry.database.POOL_TIMEOUT_SECONDS", 0.01)
    db = Database(database.url, pool_size=1)
    async with db.transaction():
        with pytest.raises(RegistryUnavailable, match="pool"):
            async with db.transaction():
                pass
    await db.close()


async def test_the_clock_moves_within_a_transaction(db: Database) -> None:
    async with db.transaction() as tx:
        first = await now_of(tx)
        assert await now_of(tx) > first
        assert first.utcoffset() is not None


async def test_cancelling_rolls_back_and_frees_the_connection(database: TestDatabase) -> None:
    db = Database(database.url, pool_size=1)
    inside = asyncio.Event()

    async def work() -> None:
        async with db.transaction() as tx:
            await tx.execute(text("insert into projects (name, document) values ('c', '{}')"))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.transaction() as tx:
        assert await _scalar(tx, "select count(*) from projects where name = 'c'") == 0
    await db.close()


@pytest.mark.parametrize("way", ["asking", "reading", "stating"])
async def test_whoever_is_cut_off_leaves_no_connection_half_set(
    db: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The driver yields while options are set, once the loop was busy for a while."""
    monkeypatch.setattr(psycopg.waiting, "MAX_BUSY_TIME", 0.0)

    async def ask() -> None:
        async with getattr(db, way)() as tx:
            await tx.execute(text("select 1"))

    for ticks in range(40):
        asked = asyncio.create_task(ask())
        for _ in range(ticks):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        async with db.transaction() as tx:
            driver = (await tx.get_raw_connection()).driver_connection
            assert driver is not None
            assert not driver.autocommit
            assert not driver.read_only
