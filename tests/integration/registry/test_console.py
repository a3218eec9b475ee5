"""Questions in SQL change nothing, not even as the owner of everything."""

from __future__ import annotations

import psycopg
import pytest

from fleet.errors import UsageError
from fleet.model.secret import Secret
from fleet.registry.console import ask
from tests.servers.postgres import TestDatabase


def test_an_answer_has_columns_and_rows(database: TestDatabase) -> None:
    answer = ask(Secret(database.reader_url), "select 1 as one, '100%' as share;")
    assert (answer.columns, answer.rows) == (("one", "share"), ((1, "100%"),))


@pytest.mark.parametrize(
    "query",
    [
        "insert into projects (name) values ('x')",
        "commit; create table escaped ()",
        "rollback; set default_transaction_read_only = off; create table escaped ()",
        "select 1; select 2",
        "set transaction read write; create table escaped ()",
        "select set_config('transaction_read_only', 'off', true)",
        "do $$ begin set transaction read write; create table escaped (); end $$",
        "do $$ begin commit; create table escaped (); end $$",
    ],
)
def test_nothing_is_written(database: TestDatabase, query: str) -> None:
    with pytest.raises(UsageError):
        ask(Secret(database.url), query)
    with psycopg.connect(database.url) as connection:
        found = connection.execute("select to_regclass('escaped'), count(*) from projects")
        assert found.fetchone() == (None, 0)


@pytest.mark.parametrize("query", ["commit", "set transaction read write"])
def test_the_transaction_is_the_last_thing_that_can_be_left(
    database: TestDatabase, query: str
) -> None:
    ask(Secret(database.url), query)
    with pytest.raises(UsageError):
        ask(Secret(database.url), "create table escaped ()")
