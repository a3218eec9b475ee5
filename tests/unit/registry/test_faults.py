"""Every exception of psycopg and SQLAlchemy has a place in Fleet's tree."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy import exc as sa_exc

from fleet.errors import (
    FleetError,
    Forbidden,
    RegistryError,
    RegistryUnavailable,
    SchemaMismatch,
    UsageError,
)
from fleet.registry.faults import constraint_of, sqlstate_of, translated


def _below(base: type[BaseException]) -> list[type[BaseException]]:
    found = [base]
    for child in base.__subclasses__():
        found += _below(child)
    return sorted(set(found), key=lambda cls: cls.__name__)


#: Transient: the same request may work in a moment, once PostgreSQL is back or free.
TRANSIENT = {"08", "28", "40", "53", "57", "58"}
TRANSIENT_STATES = {"25006", "25P03", "25P04", "3D000", "55P03"}
MISMATCH = {"3F000", "42P01", "42703", "42883"}


@pytest.mark.parametrize(
    "error", [cls for cls in _below(psycopg.Error) if getattr(cls, "sqlstate", None)]
)
def test_every_sqlstate(error: type[psycopg.Error]) -> None:
    state = str(error.sqlstate)
    wrapped = sa_exc.DBAPIError("select 's3cret'", {"p": "s3cret"}, error("quoting s3cret"))
    ours = translated(wrapped)
    if state in MISMATCH:
        expected: type[FleetError] = SchemaMismatch
    elif state[:2] == "22":
        expected = UsageError
    elif state[:2] in TRANSIENT or state in TRANSIENT_STATES:
        expected = RegistryUnavailable
    else:
        expected = RegistryError
    assert type(ours) is expected
    assert "s3cret" not in ours.message + ours.hint
    assert sqlstate_of(wrapped) == state


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("connection refused"), RegistryUnavailable),
        (psycopg.OperationalError(""), RegistryUnavailable),
        (psycopg.errors.ConnectionTimeout("timed out"), RegistryUnavailable),
        (psycopg.DataError("text fields cannot contain NUL"), UsageError),
        (psycopg.InterfaceError("the connection is closed"), RegistryError),
        (psycopg.InternalError("?"), RegistryError),
        (psycopg.NotSupportedError("?"), RegistryError),
        (psycopg.ProgrammingError("?"), RegistryError),
        (psycopg.IntegrityError("?"), RegistryError),
    ],
)
def test_errors_of_the_driver_itself(error: psycopg.Error, expected: type[FleetError]) -> None:
    assert type(translated(error)) is expected


@pytest.mark.parametrize("error", _below(sa_exc.SQLAlchemyError))
def test_every_class_of_sqlalchemy(error: type[sa_exc.SQLAlchemyError]) -> None:
    made = error.__new__(error)  # their constructors differ; the class is what is looked at
    Exception.__init__(made, "s3cret")
    made.orig = None  # type: ignore[attr-defined]
    ours = translated(made)
    assert isinstance(ours, RegistryError)
    assert "s3cret" not in ours.message
    transient = issubclass(error, sa_exc.TimeoutError | sa_exc.DisconnectionError)
    assert ours.transient is transient


def test_others_are_left_alone() -> None:
    assert translated(KeyError("x")) is None
    assert translated(TimeoutError()) is None
    ours = Forbidden("no")
    assert translated(ours) is ours


def test_constraint_is_empty_without_one() -> None:
    assert constraint_of(pg.UniqueViolation("x")) == ""
    assert constraint_of(KeyError("x")) == ""


def test_the_full_disk_says_so() -> None:
    ours = translated(pg.DiskFull("could not extend file"))
    assert isinstance(ours, RegistryUnavailable)
    assert "disk" in ours.message
    assert ours.hint
