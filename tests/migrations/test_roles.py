"""What each role can do, and what it cannot, tried as that role."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import errors, sql

from fleet.registry import schema
from tests.servers.postgres import TestDatabase

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def _names(url: str, query: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str(name) for (name,) in connection.execute(query)]


TABLES = (
    "select relname from pg_class where relnamespace = 'public'::regnamespace"
    " and relkind in ('r', 'p', 'v')"
)
VIEWS = "select viewname from pg_views where schemaname = 'audit'"


def test_the_reader_sees_every_view(database: TestDatabase) -> None:
    views = _names(database.url, VIEWS)
    assert len(views) == 9
    with psycopg.connect(database.reader_url) as connection:
        for view in views:
            connection.execute(sql.SQL("select * from audit.{}").format(sql.Identifier(view)))
        connection.execute("select * from audit.deployed_at(now())")


def test_the_reader_sees_nothing_else(database: TestDatabase) -> None:
    tables = _names(database.url, TABLES)
    assert "tokens" in tables
    with psycopg.connect(database.reader_url, autocommit=True) as connection:
        for table in tables:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(sql.SQL("select 1 from {}").format(sql.Identifier(table)))


@pytest.mark.parametrize(
    "statement",
    [
        "create table public.mine ()",
        "create table audit.mine ()",
        "create view audit.mine as select 1",
        "select fleet_ensure_partitions(1)",
        "select fleet_drop_partitions(now())",
        "select fleet_grant_roles()",
        "select procrastinate_register_worker_v1()",
        "set role fleet_app",
        "set role fleet_owner",
    ],
)
def test_the_reader_can_do_nothing_else(database: TestDatabase, statement: str) -> None:
    with psycopg.connect(database.reader_url) as connection:
        # not only because the role is read-only unless it says otherwise
        connection.execute("set transaction read write")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_reader_cannot_write_through_a_view(database: TestDatabase) -> None:
    for view in _names(database.url, VIEWS):
        with psycopg.connect(database.reader_url) as connection:
            connection.execute("set transaction read write")
            with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
                connection.execute(sql.SQL("delete from audit.{}").format(sql.Identifier(view)))


FORBIDDEN_TO_APP = [
    "update audit_log set actor = 'mallory'",
    "delete from audit_log",
    "truncate audit_log",
    "alter table audit_log disable trigger append_only",
    "alter table audit_log disable trigger all",
    "drop trigger append_only on audit_log",
    "drop table audit_log",
    "delete from audit_log_default",
    "update audit_log_default set actor = 'mallory'",
    "truncate audit_log_default",
    "delete from audit_head",
    "update audit_anchors set signature = ''",
    "delete from audit_anchors",
    "set session_replication_role = replica",
    (
        "create or replace function fleet_refuse_change() returns trigger language plpgsql as"
        " 'begin return new; end'"
    ),
    "select fleet_add_partition('audit_log', 'at', now())",
    "select fleet_refuse_change()",
    "update alembic_version set version_num = ''",
    "create table mine ()",
    "set role fleet_owner",
]


@pytest.mark.parametrize("statement", FORBIDDEN_TO_APP)
def test_the_application_cannot_change_the_past(database: TestDatabase, statement: str) -> None:
    with psycopg.connect(database.app_url) as connection, pytest.raises(psycopg.Error) as raised:
        connection.execute(statement)
    assert raised.value.sqlstate == "42501", raised.value


def test_not_even_the_partition_of_this_month(database: TestDatabase) -> None:
    partitions = _names(
        database.url, "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = 'audit_log'::regclass",
    )  # fmt: skip
    assert len(partitions) >= 5
    for partition in partitions:
        for statement in ("update {} set actor = ''", "delete from {}", "truncate {}"):
            query = sql.SQL(statement).format(sql.Identifier(partition))
            with (
                psycopg.connect(database.app_url) as connection,
                pytest.raises(errors.InsufficientPrivilege),
            ):
                connection.execute(query)


ENTRY = (
    "insert into audit_log (seq, at, actor, action, object_kind, object, previous_hash, chain_hash)"
    " values (%s, %s, 'a', 'a', 'a', 'a', '', '')"
)


@pytest.mark.parametrize(
    "statement",
    ["update {} set actor = 'mallory'", "delete from {}", "truncate {}"],
)
def test_triggers_stop_the_owner_too(database: TestDatabase, statement: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(ENTRY, [1, "1990-01-01"])
        connection.execute(ENTRY, [2, "2199-01-01"])
        connection.execute("select fleet_ensure_partitions(0)")
        connection.execute(ENTRY, [3, "1991-01-01"])
        for table in ("audit_log", "audit_log_1990_01", "audit_log_2199_01", "audit_log_default"):
            with pytest.raises(errors.InsufficientPrivilege, match="only grows"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


def test_the_application_can_do_its_work(database: TestDatabase) -> None:
    readable = set(_names(database.url, TABLES))
    partitions = set(_names(database.url, "select relname from pg_class where relispartition"))
    kept = {"audit_log", "audit_head", "audit_anchors", "alembic_version"}
    with psycopg.connect(database.app_url) as connection:
        for table in readable - partitions:
            name = sql.Identifier(table)
            connection.execute(sql.SQL("select * from {}").format(name))
            if table not in kept:
                with connection.transaction(force_rollback=True):
                    connection.execute(sql.SQL("delete from {} where false").format(name))
        connection.execute(ENTRY, [1, "2026-01-01"])
        connection.execute("update audit_head set seq = 1")
        connection.execute("insert into audit_anchors values (1, '', '')")
        connection.execute("select fleet_ensure_partitions(1)")
        connection.execute("select procrastinate_register_worker_v1()")
        connection.execute("select * from audit.applications")


def test_new_tables_are_granted(database: TestDatabase) -> None:
    """A migration that adds a table has to add it to ``fleet_grant_roles``."""
    query = (
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition"
        " and not has_table_privilege('fleet_app', oid, 'select')"
    )
    assert _names(database.superuser_url, query) == []


@pytest.fixture
def plain_role(empty_database: TestDatabase) -> Iterator[str]:
    """A URL for a role that owns the database and may do nothing else, as a managed
    service gives it."""
    role, password = f"r_{secrets.token_hex(4)}", secrets.token_hex(8)
    name = sql.Identifier(role)
    with psycopg.connect(empty_database.superuser_url, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login password {}").format(name, password))
        database = sql.Identifier(empty_database.name)
        admin.execute(sql.SQL("alter database {} owner to {}").format(database, name))
    yield empty_database.url.replace(
        empty_database.url.split("//")[1].split("@")[0], f"{role}:{password}"
    )
    with psycopg.connect(empty_database.superuser_url, autocommit=True) as admin:
        admin.execute(sql.SQL("drop owned by {} cascade").format(name))
        admin.execute(sql.SQL("alter database {} owner to postgres").format(database))
        admin.execute(sql.SQL("drop role {}").format(name))


def test_a_role_that_may_not_create_roles_can_migrate(
    plain_role: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server of the tests has the two roles, so this copy asks for two that it lacks."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    suffix = secrets.token_hex(4)
    lacking = {role: f"{role}_{suffix}" for role in ("fleet_app", "fleet_audit_reader")}
    for step in (folder / "versions").glob("*.py"):
        text = step.read_text()
        for role, other in lacking.items():
            text = text.replace(role, other)
        step.write_text(text)
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["url"] = plain_role

    command.upgrade(config, "head")

    assert schema.check(plain_role).age is schema.SchemaAge.SAME
    said = [
        record.getMessage() for record in caplog.records if "may not create roles" in record.msg
    ]
    assert len(said) == 1
    assert all(other in said[0] for other in lacking.values())
    # an administrator makes up for it later
    assert _names(plain_role, "select * from fleet_grant_roles()") == list(lacking.values())
