"""How Alembic meets the database: one starter at a time, no migration that waits for ever.

The URL comes from ``-x url=…``, from the program that calls us in-process
(``fleet.registry.schema``), or from ``FLEET_DATABASE_URL``.
"""

from __future__ import annotations

import os
from logging.config import fileConfig
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, pool, text

from fleet.registry.database import connect_arguments, parse_url
from fleet.registry.tables import Base

#: Any two processes that migrate the same database take turns on this lock. The number is
#: arbitrary; it only has to stay the same ("fleet" in ASCII).
MIGRATION_LOCK = 0x666C656574

#: How long a starter waits for another one's migrations.
TURN_TIMEOUT_SECONDS = 600

#: A migration that cannot have its lock within 5 s gives up rather than queue up in front
#: of every query of the version that still runs.
SESSION = {
    "timezone": "UTC",
    "lock_timeout": "5s",
    "statement_timeout": "900s",
    "idle_in_transaction_session_timeout": "900s",
}


def run() -> None:
    if context.is_offline_mode():
        raise CommandError("--sql is not supported: migrations look at what is there")
    if context.config.config_file_name is not None:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    url = parse_url(_url())
    engine = create_engine(
        url.difference_update_query(["options"]),
        poolclass=pool.NullPool,
        hide_parameters=True,
        use_native_hstore=False,
        connect_args=connect_arguments(url, "fleet migrate", SESSION),
    )
    with engine.connect() as connection:
        _take_turn(connection)
        _migrate(connection)
    # closing the session gives the turn to the next


def _url() -> Any:
    given = context.get_x_argument(as_dictionary=True).get("url")
    url = given or context.config.attributes.get("url") or os.environ.get("FLEET_DATABASE_URL")
    if not url:
        raise CommandError("no database: set FLEET_DATABASE_URL, or pass -x url=postgresql://…")
    return url


def _take_turn(connection: Connection) -> None:
    """Wait for other starters, longer than a migration waits for a table; then the lock is
    the session's, and what is set here ends with this transaction."""
    connection.execute(text(f"set local lock_timeout = '{TURN_TIMEOUT_SECONDS}s'"))
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()


def _migrate(connection: Connection) -> None:
    partitions = set(
        connection.execute(text("select relname from pg_class where relispartition")).scalars()
    )
    connection.commit()

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        """Leave out what no model describes: partitions, and the tables of the queue."""
        if kind != "table" or name is None:
            return True
        return name not in partitions and not name.startswith("procrastinate_")

    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=is_ours,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
