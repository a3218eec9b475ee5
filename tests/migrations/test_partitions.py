"""Monthly partitions: there in advance, and no row is refused when they are not."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from fleet.registry.tables import PARTITIONED, Base
from tests.servers.postgres import TestDatabase


def _partitions(connection: psycopg.Connection[tuple[object, ...]], parent: str) -> list[str]:
    rows = connection.execute(
        "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = %s::regclass order by 1",
        [parent],
    )
    return [str(name) for (name,) in rows]


def _drift(connection: psycopg.Connection[tuple[object, ...]], at: str) -> str:
    """Insert a drift event first seen at ``at``; returns the partition that took it."""
    row = connection.execute(
        "insert into drift_events (first_seen, application_id, application, cluster, object)"
        " values (%s, gen_random_uuid(), 'web', 'eu-1', 'ConfigMap/shop/web')"
        " returning tableoid::regclass::text",
        [at],
    ).fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("parent", sorted(PARTITIONED))
def test_this_month_and_the_next_three(database: TestDatabase, parent: str) -> None:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "select to_char(date_trunc('month', now() at time zone 'UTC') + n * interval '1 month',"
            " 'YYYY_MM') from generate_series(0, 3) n"
        ).fetchall()
        expected = {f"{parent}_{month}" for (month,) in rows} | {f"{parent}_default"}
        assert set(_partitions(connection, parent)) == expected


def test_the_models_name_every_partitioned_table(database: TestDatabase) -> None:
    with psycopg.connect(database.url) as connection:
        found = connection.execute(
            "select partrelid::regclass::text, attname from pg_partitioned_table"
            " join pg_attribute on attrelid = partrelid and attnum = partattrs[0]"
        ).fetchall()
        in_function = connection.execute("select * from fleet_history_tables()").fetchall()
    assert dict(found) == PARTITIONED == dict(in_function)
    for table, column in PARTITIONED.items():
        assert column in Base.metadata.tables[table].primary_key.columns


def test_a_row_without_a_partition_waits_in_default_and_is_moved(database: TestDatabase) -> None:
    with psycopg.connect(database.app_url, autocommit=True) as connection:
        assert _drift(connection, "2019-05-31T23:59:59Z") == "drift_events_default"
        assert _drift(connection, "2019-06-01T00:00:00Z") == "drift_events_default"
        made = connection.execute("select fleet_ensure_partitions(3)").fetchall()
        assert made == [("drift_events_2019_05",), ("drift_events_2019_06",)]
        where = connection.execute(
            "select tableoid::regclass::text, count(*) from drift_events group by 1 order by 1"
        ).fetchall()
        assert where == [("drift_events_2019_05", 1), ("drift_events_2019_06", 1)]
        assert _drift(connection, "2019-05-02T00:00:00Z") == "drift_events_2019_05"
        assert connection.execute("select fleet_ensure_partitions(3)").fetchall() == []


def test_months_are_utc_whatever_the_session_says(database: TestDatabase) -> None:
    with psycopg.connect(database.app_url, autocommit=True) as connection:
        connection.execute("set timezone = 'Pacific/Kiritimati'")  # 14 hours ahead
        _drift(connection, "2019-05-31T23:00:00Z")
        made = connection.execute("select fleet_ensure_partitions(0)").fetchall()
        assert made == [("drift_events_2019_05",)]
        assert _drift(connection, "2019-05-01T00:00:00Z") == "drift_events_2019_05"


def test_two_leaders_at_once(database: TestDatabase) -> None:
    with (
        psycopg.connect(database.app_url) as one,
        psycopg.connect(database.app_url, autocommit=True) as other,
    ):
        assert len(one.execute("select fleet_ensure_partitions(6)").fetchall()) == 12
        other.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select fleet_ensure_partitions(6)")
        one.commit()
        assert other.execute("select fleet_ensure_partitions(6)").fetchall() == []


def test_a_new_partition_has_all_that_the_parent_has(database: TestDatabase) -> None:
    with psycopg.connect(database.url) as connection:
        indexes = dict(
            connection.execute(
                "select indrelid::regclass::text, count(*) from pg_index"
                " where indrelid::regclass::text like 'operations%' group by 1"
            ).fetchall()
        )
        triggers = dict(
            connection.execute(
                "select tgrelid::regclass::text, count(*) from pg_trigger"
                " where tgrelid::regclass::text like 'audit_log%' group by 1"
            ).fetchall()
        )
    assert len(indexes) == 6
    assert len(set(indexes.values())) == 1
    assert len(triggers) == 6
    assert set(triggers.values()) == {2}


def test_dropping_takes_whole_months_only(database: TestDatabase) -> None:
    with psycopg.connect(database.app_url, autocommit=True) as connection:
        for at in ("2019-05-10Z", "2019-06-10Z", "2019-07-10Z"):
            _drift(connection, at)
        connection.execute("select fleet_ensure_partitions(0)")

        def drop(before: datetime) -> list[tuple[object, ...]]:
            return connection.execute("select fleet_drop_partitions(%s)", [before]).fetchall()

        assert drop(datetime(2019, 5, 31, 23, 59, tzinfo=UTC)) == []
        assert drop(datetime(2019, 6, 30, tzinfo=UTC)) == [("drift_events_2019_05",)]
        assert drop(datetime(2019, 7, 1, tzinfo=UTC)) == [("drift_events_2019_06",)]
        left = connection.execute("select count(*) from drift_events").fetchone()
        assert left == (1,)
