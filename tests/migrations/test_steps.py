"""Every migration runs on data of the version before, forth and back.

The harness is generic: it stops before each revision, puts a row into every table that
exists at that version, and takes the step. A migration that adds a NOT NULL column without
a default, or a constraint that old rows break, fails here.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from tests.servers.postgres import TestDatabase

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Config(str(ROOT / "alembic.ini"))
REVISIONS = [
    script.revision for script in reversed([*ScriptDirectory.from_config(CONFIG).walk_revisions()])
]

#: A value for any column type of ours; foreign keys are switched off while filling.
SAMPLES = {
    "uuid": "gen_random_uuid()",
    "text": "'x'",
    "character varying": "'x'",
    "timestamp with time zone": "now()",
    "jsonb": "'{}'",
    "boolean": "true",
    "integer": "1",
    "bigint": "1",
    "smallint": "1",
    "bytea": "'x'",
    "ARRAY": "'{}'",
    "USER-DEFINED": "null",  # enums of the queue, which have defaults
}
#: One row by their own constraint, or kept by Alembic; the audit log may not be changed.
FULL = {"instance", "audit_head", "alembic_version"}


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


def _tables(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    rows = connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition order by relname"
    )
    return [str(name) for (name,) in rows]


def _fill(database: TestDatabase) -> set[str]:
    """One row in each table, given only what has no default."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("set session_replication_role = replica")
        tables = set(_tables(connection)) - FULL
        for table in tables:
            columns = connection.execute(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'public' and table_name = %s and is_identity = 'NO'"
                " and (column_default is null and is_nullable = 'NO')",
                [table],
            ).fetchall()
            names = [sql.Identifier(str(name)) for name, _ in columns]
            values = [sql.SQL(SAMPLES[str(kind)]) for _, kind in columns]
            if names:
                statement = sql.SQL(
                    "insert into {} ({}) values ({}) on conflict do nothing"
                ).format(
                    sql.Identifier(table), sql.SQL(", ").join(names), sql.SQL(", ").join(values)
                )
            else:
                statement = sql.SQL("insert into {} default values").format(sql.Identifier(table))
            try:
                with connection.transaction():
                    connection.execute(statement)
            except psycopg.errors.CheckViolation:
                # after the first migration, history has no partition to take a row yet
                tables = tables - {table}
    return tables


def _filled(database: TestDatabase) -> set[str]:
    with psycopg.connect(database.superuser_url) as connection:
        found = set()
        for table in _tables(connection):
            query = sql.SQL("select exists (select from {})").format(sql.Identifier(table))
            row = connection.execute(query).fetchone()
            if row and row[0]:
                found.add(table)
        return found


@pytest.mark.parametrize("position", range(len(REVISIONS)), ids=REVISIONS)
def test_each_step_keeps_the_rows(empty_database: TestDatabase, position: int) -> None:
    config = _config(empty_database.url)
    if position:
        command.upgrade(config, REVISIONS[position - 1])
    rows = _fill(empty_database)
    command.upgrade(config, REVISIONS[position])
    assert rows <= _filled(empty_database)


def test_the_way_back_from_a_full_database(empty_database: TestDatabase) -> None:
    config = _config(empty_database.url)
    command.upgrade(config, "head")
    assert len(_fill(empty_database)) > 20
    command.downgrade(config, "base")
    with psycopg.connect(empty_database.url) as connection:
        assert _tables(connection) == ["alembic_version"]


def test_revisions_are_one_line_of_numbers() -> None:
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
