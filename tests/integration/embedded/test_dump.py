"""A dump is read into another database, as another owner, as a whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from fleet.embedded.dump import dump, restore
from fleet.errors import Refused, RegistryError
from fleet.model.secret import Secret
from fleet.registry import schema
from tests.servers.postgres import TestDatabase


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def dumped(database: TestDatabase, tmp_path: Path) -> Path:
    """What a database with a project in it was written to."""
    with psycopg.connect(database.app_url) as connection:
        connection.execute("insert into projects (name, document) values ('shop', '{}')")
        connection.execute("select nextval('procrastinate_jobs_id_seq') from generate_series(1, 7)")
    file = tmp_path / "fleet.sql"
    with file.open("wb") as out:
        dump(Secret(database.url), out)
    return file


@pytest.fixture
def elsewhere(empty_database: TestDatabase) -> Iterator[str]:
    """A URL of an empty database whose owner is called something else."""
    role, password = f"r_{secrets.token_hex(4)}", secrets.token_hex(8)
    name, database = sql.Identifier(role), sql.Identifier(empty_database.name)
    with psycopg.connect(empty_database.superuser_url, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login password {}").format(name, password))
        admin.execute(sql.SQL("alter database {} owner to {}").format(database, name))
    login = empty_database.url.split("//")[1].split("@")[0]
    yield empty_database.url.replace(login, f"{role}:{password}")
    with psycopg.connect(empty_database.superuser_url, autocommit=True) as admin:
        admin.execute(sql.SQL("alter database {} owner to postgres").format(database))
        admin.execute(sql.SQL("drop owned by {} cascade").format(name))
        admin.execute(sql.SQL("drop role {}").format(name))


def test_everything_comes_back_for_another_owner(
    dumped: Path, elsewhere: str, database: TestDatabase, empty_database: TestDatabase
) -> None:
    with dumped.open("rb") as file:
        restore(Secret(elsewhere), file)
    assert schema.check(elsewhere).age is schema.SchemaAge.SAME
    assert rows(elsewhere, "select name from projects") == [("shop",)]
    # numbers that only grow go on where they were
    (before,), (after,) = (
        rows(url, "select last_value from procrastinate_jobs_id_seq")
        for url in (database.url, elsewhere)
    )
    assert after == before
    # the roles have the rights that they had, and no other
    may = (
        "select has_table_privilege('fleet_app', 'clusters', 'update'),"
        " has_table_privilege('fleet_app', 'audit_log', 'update'),"
        " has_table_privilege('fleet_audit_reader', 'audit.sync_history', 'select'),"
        " has_table_privilege('fleet_audit_reader', 'clusters', 'select'),"
        " has_function_privilege('public', 'fleet_grant_roles()', 'execute')"
    )
    assert rows(elsewhere, may) == [(True, False, True, False, False)]
    assert rows(empty_database.superuser_url, may) == rows(database.superuser_url, may)


def test_nothing_is_written_into_what_is_there(dumped: Path, database: TestDatabase) -> None:
    with dumped.open("rb") as file, pytest.raises(Refused, match="not empty"):
        restore(Secret(database.url), file)
    assert rows(database.url, "select name from projects") == [("shop",)]


def test_a_dump_that_broke_off_leaves_nothing(dumped: Path, elsewhere: str) -> None:
    text = dumped.read_bytes()
    end = text.index(b"COPY public.projects")
    file = dumped.with_name("broken.sql")
    file.write_bytes(text[:end] + b"select nonsense;\n")
    with file.open("rb") as given, pytest.raises(RegistryError, match="nonsense") as caught:
        restore(Secret(elsewhere), given)
    assert "nothing was restored" in caught.value.message
    assert schema.check(elsewhere).current == ""


def test_no_password_is_said(empty_database: TestDatabase, tmp_path: Path) -> None:
    wrong = Secret("postgresql://nobody:geheim@127.0.0.1:1/fleet")
    with (tmp_path / "x").open("wb") as out, pytest.raises(RegistryError) as caught:
        dump(wrong, out)
    assert "geheim" not in caught.value.message
    with (tmp_path / "x").open("rb") as given, pytest.raises(RegistryError) as caught:
        restore(wrong, given)
    assert "geheim" not in caught.value.message
