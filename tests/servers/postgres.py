"""The PostgreSQL of a test run, and the databases that tests get in it.

Runs as a keeper (``tests.keeper``): ``python -m tests.servers.postgres``. The schema is
migrated once, in a template; a test's database is a copy of it, made in some 40 ms.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from fleet.embedded import start_postgres
from tests.keeper import State, keep, scratch

TEMPLATE = "fleet_template"
EMPTY = "fleet_empty"
# A test database need not survive a crash of the machine.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
OPTIONS = {**FAST, "max_connections": "200", "max_wal_size": "1GB"}


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test; the URLs differ in role only. libpq URLs, without a driver."""

    __test__ = False

    name: str
    url: str = field(repr=False)
    app_url: str = field(repr=False)
    reader_url: str = field(repr=False)
    superuser_url: str = field(repr=False)


def create_database(state: State, *, template: str = TEMPLATE) -> TestDatabase:
    """A copy of ``template`` for one test."""
    name = f"t_{secrets.token_hex(6)}"
    _execute(
        state, "create database {} template {} strategy file_copy owner fleet_owner", name, template
    )
    _execute(state, "grant connect on database {} to fleet_app, fleet_audit_reader", name)
    if template == TEMPLATE:
        # a copy would share its installation id, and so its objects on a cluster, with all others
        _execute(state, "update instance set id = gen_random_uuid()", database=name)

    def url(role: str) -> str:
        return f"{state['urls'][role]}/{name}"

    return TestDatabase(
        name=name,
        url=url("fleet_owner"),
        app_url=url("fleet_app"),
        reader_url=url("fleet_audit_reader"),
        superuser_url=url("postgres"),
    )


def drop_database(state: State, database: TestDatabase) -> None:
    """Drop it, whoever is still connected."""
    _execute(state, "drop database if exists {} with (force)", database.name)


def _execute(state: State, statement: str, *names: str, database: str = "postgres") -> None:
    query = sql.SQL(statement).format(*map(sql.Identifier, names))
    with psycopg.connect(f"{state['urls']['postgres']}/{database}", autocommit=True) as connection:
        connection.execute(query)


def _migrate(url: str) -> None:
    """Bring the template up to the newest schema, as `fleet db upgrade` does."""
    from fleet.registry.schema import upgrade

    upgrade(url)


@contextlib.contextmanager
def _server() -> Iterator[State]:
    with scratch() as folder:
        folder.chmod(0o711)  # PostgreSQL may run as another user
        with start_postgres(folder, options=OPTIONS) as server:
            urls = {role: server.url("", role).rstrip("/") for role in server.address.passwords}
            state: State = {"urls": urls}
            for name in (TEMPLATE, EMPTY):
                _execute(state, "create database {} owner fleet_owner", name)
                _execute(state, "revoke all on database {} from public", name)
            _migrate(f"{urls['fleet_owner']}/{TEMPLATE}")
            yield {**state, "server_pid": server.pid}


if __name__ == "__main__":
    keep(_server())
