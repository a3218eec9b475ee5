"""Questions in SQL from people: read-only, whatever the role that asks may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from fleet.errors import FleetError, RegistryError, UsageError
from fleet.model.secret import Secret
from fleet.registry.database import connect_arguments, parse_url, session_settings
from fleet.registry.faults import translated

_SETTINGS = {**session_settings(), "default_transaction_read_only": "on"}


@dataclass(frozen=True, slots=True)
class Answer:
    """``columns`` is empty when the statement returns nothing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def ask(url: Secret, query: str) -> Answer:
    """What ``query`` returns: one statement, in a read-only transaction that is rolled back.

    It goes by the extended protocol, which takes one statement only: a second could end the
    transaction and start one that writes.

    Raises:
        UsageError: PostgreSQL does not understand the query, it would change something, or it
            is more than one.
        RegistryUnavailable: there is no server.
    """
    parsed = parse_url(url)
    arguments = connect_arguments(parsed, "fleet db sql", _SETTINGS)
    plain = parsed.difference_update_query(["options"]).set(drivername="postgresql")
    conninfo = plain.render_as_string(hide_password=False)
    try:
        with psycopg.connect(conninfo, **arguments) as connection:
            connection.read_only = True
            cursor = connection.execute(query.encode(), prepare=True)
            columns = tuple(column.name for column in cursor.description or ())
            rows = tuple(cursor.fetchall()) if columns else ()
            connection.rollback()
    except psycopg.Error as error:
        raise _explained(error) from None
    return Answer(columns, rows)


def _explained(error: psycopg.Error) -> FleetError:
    """What the person wrote is theirs to mend; the rest is the database's."""
    diagnostic = error.diag.message_primary
    if error.sqlstate and error.sqlstate[:2] in ("42", "22", "25", "2D", "0A"):
        return UsageError(f"SQL: {diagnostic}", hint=error.diag.message_hint or "")
    return translated(error) or RegistryError(f"SQL: {diagnostic or 'the query failed'}")
