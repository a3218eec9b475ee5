"""What the driver says → what Fleet says. The one place where SQLSTATEs are read.

Messages carry PostgreSQL's primary message only: its DETAIL quotes rows, and SQLAlchemy's
text quotes statements and parameters.
"""

from __future__ import annotations

import psycopg
from sqlalchemy import exc as sa_exc

from fleet.errors import (
    FleetError,
    RegistryError,
    RegistryUnavailable,
    SchemaMismatch,
    UsageError,
)

#: Another try with the same input may go through (``Database.run`` does it).
CONFLICTS = frozenset({"40001", "40P01"})

_UPGRADE = "Run `fleet db upgrade`, and make sure that every process runs the same version."
_CONNECT = "Check that PostgreSQL is running and that FLEET_DATABASE_URL is right."

#: SQLSTATE, or its class (first two characters) → class, what happened, what to do.
#: The longest match wins. Source: PostgreSQL manual, appendix A.
_BY_STATE: dict[str, tuple[type[FleetError], str, str]] = {
    "08": (RegistryUnavailable, "the connection to PostgreSQL failed", _CONNECT),
    "22": (UsageError, "a value does not fit its column", ""),
    "25006": (
        RegistryUnavailable,
        "PostgreSQL accepts no writes",
        "This is a standby, or default_transaction_read_only is on: connect to the primary.",
    ),
    "25P03": (RegistryUnavailable, "a transaction sat idle and was ended", ""),
    "25P04": (RegistryUnavailable, "a transaction took too long and was ended", ""),
    "28": (
        RegistryUnavailable,
        "PostgreSQL refused the login",
        "Check user and password in FLEET_DATABASE_URL, and pg_hba.conf.",
    ),
    "3D000": (
        RegistryUnavailable,
        "the database does not exist",
        "Create it, or correct the name in FLEET_DATABASE_URL.",
    ),
    "3F000": (SchemaMismatch, "the schema is not the one this program expects", _UPGRADE),
    "40": (RegistryUnavailable, "concurrent changes got in each other's way", "Try again."),
    "42501": (
        RegistryError,
        "the database role may not do this",
        "Grant it the role fleet_app, or connect as the owner of the tables.",
    ),
    "42P01": (SchemaMismatch, "the schema is not the one this program expects", _UPGRADE),
    "42703": (SchemaMismatch, "the schema is not the one this program expects", _UPGRADE),
    "42883": (SchemaMismatch, "the schema is not the one this program expects", _UPGRADE),
    "53": (RegistryUnavailable, "PostgreSQL is out of resources", ""),
    "53100": (
        RegistryUnavailable,
        "the disk of PostgreSQL is full",
        "Free space on its data directory; nothing was written.",
    ),
    "53300": (
        RegistryUnavailable,
        "PostgreSQL has no connection left",
        "Raise max_connections, or run fewer Fleet processes.",
    ),
    "55P03": (
        RegistryUnavailable,
        "a lock was not free in time",
        "Look in pg_stat_activity for a long transaction, then try again.",
    ),
    "57": (RegistryUnavailable, "PostgreSQL is stopping or starting", "Try again in a moment."),
    "57014": (
        RegistryUnavailable,
        "a statement ran past its time limit",
        "Look in pg_stat_activity for what it waits on.",
    ),
    "58": (
        RegistryUnavailable,
        "PostgreSQL met a system error",
        "Its log has the cause; check disk and memory.",
    ),
    "XX001": (RegistryError, "PostgreSQL found corrupted data", "Restore from a backup."),
    "XX002": (RegistryError, "PostgreSQL found a corrupted index", "REINDEX it."),
}


def translated(error: BaseException) -> FleetError | None:
    """The Fleet error for a driver or SQLAlchemy error; None for any other exception."""
    if isinstance(error, FleetError):
        return error
    driver = driver_error(error)
    if driver is not None:
        return _of_driver(driver)
    if isinstance(error, sa_exc.TimeoutError):
        return RegistryUnavailable(
            "PostgreSQL: no connection of the pool became free in time",
            hint="Fewer things at once, or a larger pool.",
        )
    if isinstance(error, sa_exc.DisconnectionError):
        return RegistryUnavailable("PostgreSQL: the connection was lost", hint=_CONNECT)
    if isinstance(error, sa_exc.SQLAlchemyError):
        return RegistryError(f"PostgreSQL: {type(error).__name__} in a query of Fleet")
    return None


def driver_error(error: BaseException) -> psycopg.Error | None:
    """The psycopg error inside, whether SQLAlchemy wrapped it or not."""
    original = error.orig if isinstance(error, sa_exc.StatementError) else error
    return original if isinstance(original, psycopg.Error) else None


def sqlstate_of(error: BaseException) -> str:
    """The five characters, or "" where there are none (client side, or not PostgreSQL)."""
    driver = driver_error(error)
    return (driver.sqlstate or "") if driver is not None else ""


def constraint_of(error: BaseException) -> str:
    """Name of the constraint or unique index that was violated, "" for any other error.

    For nouns: ``except IntegrityError as exc: if constraint_of(exc) == "uq_clusters_name":
    raise AlreadyExists(...)``.
    """
    driver = driver_error(error)
    return (driver.diag.constraint_name or "") if driver is not None else ""


def _of_driver(error: psycopg.Error) -> FleetError:
    state = error.sqlstate or ""
    for key in (state, state[:2]):
        if key in _BY_STATE:
            kind, what, hint = _BY_STATE[key]
            return kind(f"PostgreSQL: {what}{_said(error)}", hint=hint)
    if state:
        constraint = error.diag.constraint_name
        on = f" ({constraint})" if constraint else ""
        return RegistryError(f"PostgreSQL refused a statement of Fleet{on}{_said(error)}")
    # without a SQLSTATE the error is the client's: no server, no name, TLS, or our misuse
    if isinstance(error, psycopg.OperationalError):
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else "lost"
        return RegistryUnavailable(f"PostgreSQL: {first_line}", hint=_CONNECT)
    if isinstance(error, psycopg.DataError):
        return UsageError("PostgreSQL: a value does not fit its column")
    return RegistryError(f"PostgreSQL: {type(error).__name__} in the driver")


def _said(error: psycopg.Error) -> str:
    """Primary message, left out for class 22, where it quotes the value."""
    primary = error.diag.message_primary
    if not primary or (error.sqlstate or "").startswith("22"):
        return ""
    return f": {primary}"
