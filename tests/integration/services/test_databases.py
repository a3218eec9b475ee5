"""Every test has a database of its own, with the three roles that Fleet uses."""

from __future__ import annotations

import psycopg
import pytest

from tests.servers.postgres import TestDatabase


@pytest.mark.parametrize("attempt", [1, 2])
def test_databases_do_not_see_each_other(database: TestDatabase, attempt: int) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("create table public.only_here ()")


def test_databases_are_of_different_installations(
    database: TestDatabase, second_database: TestDatabase
) -> None:
    """Else each would count and list what the others put on the clusters that they share."""
    ids = set()
    for made in (database, second_database):
        with psycopg.connect(made.url) as connection:
            ids.add(connection.execute("select id from instance").fetchone())
    assert len(ids) == 2


def test_roles(database: TestDatabase) -> None:
    urls = {
        "fleet_owner": database.url,
        "fleet_app": database.app_url,
        "fleet_audit_reader": database.reader_url,
    }
    for role, url in urls.items():
        with psycopg.connect(url) as connection:
            row = connection.execute("select current_user, current_database()").fetchone()
            assert row == (role, database.name)


def test_empty_database_has_no_tables(empty_database: TestDatabase) -> None:
    with psycopg.connect(empty_database.url) as connection:
        tables = connection.execute(
            "select count(*) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        )
        assert tables.fetchone() == (0,)
