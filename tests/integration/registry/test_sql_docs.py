"""docs/sql.md against the database: every view, every column, every example."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from tests.documents import blocks
from tests.servers.postgres import TestDatabase

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "sql.md").read_text()
EXAMPLES = blocks(TEXT, "sql")

#: What issue and interface fixed for good: these columns, in this order, in front.
FIXED = {
    "sync_history": "sync_id application project cluster namespace trigger initiated_by revision"
    " previous_revision sources rollout_id phase message started_at finished_at duration_seconds"
    " created configured unchanged pruned failed manifests_sha256",
    "sync_results": "sync_id api_group kind namespace name phase wave action message error",
    "deployments": "application cluster namespace revision manifests_sha256 healthy_at"
    " deployed_from deployed_until",
    "drift_history": "application cluster object fields manager first_seen last_seen healed_at"
    " healed_by",
    "changes": "at actor source_ip action object_kind object before after request_id chain_hash",
}


def _documented() -> dict[str, list[tuple[str, str]]]:
    """View → its columns and types, as written."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, section in re.findall(r"^### `audit\.(\w+)`\n(.*?)(?=^#|\Z)", TEXT, re.M | re.S):
        found[name] = re.findall(r"^\| `(\w+)` \| ([\w \[\]]+) \|", section, re.M)
    return found


def _actual(url: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    with psycopg.connect(url) as connection:
        for view, column, kind in connection.execute(
            "select relname, attname, format_type(atttypid, atttypmod)"
            " from pg_attribute join pg_class c on c.oid = attrelid"
            " where relnamespace = 'audit'::regnamespace and relkind = 'v' and attnum > 0"
            " order by relname, attnum"
        ):
            found.setdefault(view, []).append((column, kind))
    return found


def test_every_view_and_column_is_documented(database: TestDatabase) -> None:
    assert _documented() == _actual(database.url)


def test_fixed_columns_come_first(database: TestDatabase) -> None:
    actual = _actual(database.url)
    for view, columns in FIXED.items():
        expected = columns.split()
        assert [name for name, _ in actual[view]][: len(expected)] == expected


def test_deployed_at_returns_what_deployments_has(database: TestDatabase) -> None:
    with psycopg.connect(database.reader_url) as connection:
        view = connection.execute("select * from audit.deployments").description
        function = connection.execute("select * from audit.deployed_at(now())").description
    assert view is not None
    assert function is not None
    assert [(c.name, c.type_code) for c in view] == [(c.name, c.type_code) for c in function]


def test_there_are_ten_examples() -> None:
    assert len(EXAMPLES) == 10


FILL = """
    insert into projects (id, name, document)
    values ('00000000-0000-0000-0000-000000000001', 'shop', '{}');
    insert into clusters (id, name, server, observed_at)
    values ('00000000-0000-0000-0000-000000000002', 'eu-1', 'https://eu-1', now());
    insert into applications (name, project_id, cluster_id, document, images, sync_status)
    values ('web', '00000000-0000-0000-0000-000000000001',
            '00000000-0000-0000-0000-000000000002', '{}', '{reg.example/web:1}', 'OutOfSync');
    insert into operations (id, application_id, application, project, cluster, namespace, kind,
                            trigger, initiated_by, phase, started_at, finished_at)
    values ('00000000-0000-0000-0000-000000000003', gen_random_uuid(), 'web', 'shop', 'eu-1',
            'shop', 'sync', 'manual', 'alice', 'Failed', now() - interval '2 s', now());
    insert into operation_results (operation_id, created_at, api_group, kind, namespace, name,
                                   action)
    select id, created_at, 'apps', 'Deployment', 'shop', 'web', 'failed' from operations;
    insert into deployments (application_id, number, operation_id, application, project, cluster,
                             namespace, revision, manifests_sha256, initiated_by, started_at,
                             deployed_from)
    values (gen_random_uuid(), 0, gen_random_uuid(), 'web', 'shop', 'eu-1', 'shop',
            '4f0c9a7e21d3b86a5f1e0d9c8b7a695847362514', 'abc', 'alice', now(), '2026-10-01Z'),
           (gen_random_uuid(), 1, gen_random_uuid(), 'api', 'shop', 'eu-1', 'shop',
            '0', 'abc', 'alice', now(), now() - interval '1 hour');
    insert into drift_events (application_id, application, cluster, object, manager, fields)
    values (gen_random_uuid(), 'web', 'eu-1', 'Deployment/shop/web', 'kubectl-edit',
            '[{"path": ".spec.replicas"}]');
    insert into audit_log (seq, at, actor, action, object_kind, object, previous_hash, chain_hash)
    values (1, now(), 'alice', 'sync', 'Application', 'web', '', '');
"""


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_answer_the_reader(database: TestDatabase, number: int) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(FILL.encode())
    with psycopg.connect(database.reader_url) as connection:
        assert connection.execute(EXAMPLES[number].encode()).fetchall()
