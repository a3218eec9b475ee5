"""What the views of the schema ``audit`` say about rows that have a story."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.servers.postgres import TestDatabase

PROJECT = "00000000-0000-0000-0000-000000000001"
CLUSTER = "00000000-0000-0000-0000-000000000002"


def _write(database: TestDatabase, statement: str, *values: object) -> None:
    with psycopg.connect(database.app_url) as connection:
        connection.execute(statement.encode(), values)


def _read(database: TestDatabase, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(database.reader_url, row_factory=dict_row) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def shop(database: TestDatabase) -> TestDatabase:
    """Project ``shop`` with application ``web`` on cluster ``eu-1``, seen just now."""
    _write(
        database,
        "insert into projects (id, name, document) values"
        ' (%s, \'shop\', \'{"spec": {"description": "The shop"}}\')',
        PROJECT,
    )
    _write(
        database,
        "insert into clusters (id, name, server, status, observed_at, sealed)"
        " values (%s, 'eu-1', 'https://eu-1', 'Successful', now(), 'v1:k1:s3cret')",
        CLUSTER,
    )
    _write(
        database,
        "insert into applications (name, project_id, cluster_id, document, revisions,"
        " synced_revision, sync_status, health_status, health_message)"
        " values ('web', %s, %s, '{}', '{c2,d}', 'c1', 'Synced', 'Healthy', 'all up')",
        PROJECT,
        CLUSTER,
    )
    return database


def _application(database: TestDatabase) -> dict[str, Any]:
    return _read(database, "select * from audit.applications")[0]


def test_fresh(shop: TestDatabase) -> None:
    found = _application(shop)
    assert (found["application"], found["project"], found["cluster"]) == ("web", "shop", "eu-1")
    assert (found["sync_status"], found["health_status"]) == ("Synced", "Healthy")
    assert (found["revision"], found["desired_revision"]) == ("c1", "c2")
    assert found["stale_since"] is None
    project = _read(shop, "select * from audit.projects where project = 'shop'")[0]
    assert (project["description"], project["applications"]) == ("The shop", 1)
    assert (project["out_of_sync"], project["not_healthy"]) == (0, 0)


@pytest.mark.parametrize(
    ("age_seconds", "interval", "default", "stale"),
    [
        (355, None, 120, False),
        (365, None, 120, True),
        (365, 300, 120, False),
        (905, 300, 120, True),
        (35, None, 10, True),
    ],
)
def test_stale_after_three_intervals(
    shop: TestDatabase, age_seconds: int, interval: int | None, default: int, stale: bool
) -> None:
    _write(shop, "update instance set default_interval_seconds = %s", default)
    _write(
        shop,
        "update clusters set interval_seconds = %s,"
        " observed_at = now() - make_interval(secs => %s)",
        interval,
        age_seconds,
    )
    found = _application(shop)
    cluster = _read(shop, "select * from audit.clusters")[0]
    if stale:
        assert (found["sync_status"], found["health_status"]) == ("Unknown", "Unknown")
        assert found["health_message"] == ""
        assert found["stale_since"] == found["last_seen"] == cluster["last_seen"]
        assert cluster["status"] == "Unknown"
    else:
        assert (found["sync_status"], found["health_status"]) == ("Synced", "Healthy")
        assert found["stale_since"] is None
        assert cluster["status"] == "Successful"


def test_a_cluster_never_seen_gets_three_intervals_too(shop: TestDatabase) -> None:
    _write(shop, "update clusters set observed_at = null")
    assert _application(shop)["stale_since"] is None
    _write(shop, "update clusters set created_at = now() - interval '1 hour'")
    found = _application(shop)
    assert found["last_seen"] is None
    assert found["stale_since"] is not None
    assert found["health_status"] == "Unknown"


def test_an_application_without_a_cluster_is_there(shop: TestDatabase) -> None:
    _write(shop, "update applications set cluster_id = null, health_status = 'Unknown'")
    found = _application(shop)
    assert (found["cluster"], found["last_seen"]) == ("", None)


def test_sealed_credentials_are_in_no_view(shop: TestDatabase) -> None:
    _write(
        shop,
        "insert into repositories (url, canonical_url, sealed)"
        " values ('https://ci:s3cret@git.example/x', 'c', 'v1:k1:s3cret')",
    )
    views = _read(shop, "select viewname from pg_views where schemaname = 'audit'")
    for view in views:
        assert "s3cret" not in str(_read(shop, f"select * from audit.{view['viewname']}"))
    assert _read(shop, "select repository from audit.repositories") == [
        {"repository": "https://ci@git.example/x"}
    ]


OPERATION = (
    "insert into operations (application_id, application, project, cluster, namespace, kind,"
    " trigger, initiated_by, started_at, finished_at, options)"
    " values (gen_random_uuid(), %s, 'shop', 'eu-1', 'shop', 'sync', 'manual', 'alice',"
    " '2026-01-01 12:00Z', %s, %s)"
)


def test_duration_and_dry_runs(shop: TestDatabase) -> None:
    _write(shop, OPERATION, "web", "2026-01-01 12:00:01.5Z", '{"dryRun": false}')
    _write(shop, OPERATION, "running", None, "{}")
    _write(shop, OPERATION, "dry", "2026-01-01 12:00:01Z", '{"dryRun": true}')
    _write(
        shop,
        "insert into operation_results (operation_id, created_at, api_group, kind, namespace, name,"
        " action) select id, created_at, '', 'ConfigMap', 'shop', application, 'created'"
        " from operations",
    )
    rows = _read(shop, "select * from audit.sync_history order by application")
    assert [(row["application"], row["duration_seconds"]) for row in rows] == [
        ("running", None),
        ("web", 1.5),
    ]
    names = _read(shop, "select name from audit.sync_results order by name")
    assert names == [{"name": "running"}, {"name": "web"}]


def test_deployed_at(shop: TestDatabase) -> None:
    for number, (start, end) in enumerate([("10:00Z", "11:00Z"), ("11:00Z", None)]):
        _write(
            shop,
            "insert into deployments (application_id, number, operation_id, application, project,"
            " cluster, namespace, revision, manifests_sha256, initiated_by, started_at,"
            " deployed_from, deployed_until) values (gen_random_uuid(), %s, gen_random_uuid(),"
            " 'web', 'shop', 'eu-1', 'shop', %s, '', 'alice', now(), %s, %s)",
            number,
            f"c{number}",
            f"2026-01-01 {start}",
            end and f"2026-01-01 {end}",
        )

    def running(at: str) -> list[str]:
        rows = _read(shop, f"select revision from audit.deployed_at('2026-01-01 {at}')")
        return [row["revision"] for row in rows]

    assert running("09:59Z") == []
    assert running("10:00Z") == ["c0"]
    assert running("11:00Z") == ["c1"]  # the moment of change belongs to what follows
    assert running("23:00Z") == ["c1"]


def test_repository_revisions(shop: TestDatabase) -> None:
    _write(
        shop,
        "with r as (insert into repositories (url, canonical_url, implicit)"
        " values ('https://git.example/x', 'c', true) returning id)"
        " insert into repository_refs (repository_id, target_revision, revision)"
        " select id, unnest(array['main', 'dev']), 'abc' from r",
    )
    row = _read(shop, "select * from audit.repositories")[0]
    assert row["registered"] is False
    assert [ref["targetRevision"] for ref in row["revisions"]] == ["dev", "main"]
