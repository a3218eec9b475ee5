"""Writes of one transaction, sent together: one round trip, whatever their number.

A statement that nobody needs the answer of may wait for the next. ``Together`` stands in for
the transaction of a function that only writes (``Writes``); at the end of its block all that
it was told goes out as one pipeline of the driver, in order, and the answers are read. What
fails then fails the transaction, as it would have alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

import psycopg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql import psycopg as dialect

from fleet.errors import FleetError, RegistryError
from fleet.registry.database import Tx

_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]


class Writes(Protocol):
    """A transaction, for functions that read no answer: what they say may be sent later."""

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any], /) -> object:
        """Say it, now or with the others."""


@dataclass
class Answer:
    """What a statement came to; nothing before it was sent."""

    rows: Sequence[tuple[Any, ...]] = ()
    rowcount: int = 0


@dataclass(frozen=True)
class _Said:
    sql: str
    parameters: Mapping[str, Any]
    answer: Answer
    least: int = 0
    otherwise: FleetError | None = None


class Together:
    """Collects what is said to one transaction until the end of its block."""

    def __init__(self) -> None:
        self._said: list[_Said] = []

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any], /) -> Answer:
        """Say it with the others; the answer is filled in when all are sent."""
        answer = Answer()
        self._said.append(_Said(_sql_of(statement), parameters, answer))
        return answer

    def demand(
        self,
        statement: TextClause,
        parameters: Mapping[str, Any],
        least: int,
        otherwise: FleetError,
    ) -> None:
        """Say it; raise ``otherwise`` at the end of the block if it concerned fewer rows."""
        said = _Said(_sql_of(statement), parameters, Answer(), least, otherwise)
        self._said.append(said)

    async def send(self, tx: Tx) -> None:
        """All of it, in order.

        Raises:
            psycopg.Error: the first that was refused.
            FleetError: a demand was not met.
        """
        said, self._said = self._said, []
        if not said:
            return
        driver = await _driver_of(tx)
        async with driver.pipeline():
            cursors = [await driver.execute(one.sql, one.parameters) for one in said]
        for one, cursor in zip(said, cursors, strict=True):
            one.answer.rowcount = cursor.rowcount
            if one.otherwise is not None and cursor.rowcount < one.least:
                raise one.otherwise
            if cursor.description:
                one.answer.rows = await cursor.fetchall()


@asynccontextmanager
async def together(tx: Tx) -> AsyncIterator[Together]:
    """What is said in the block is sent at its end, unless the block fails."""
    said = Together()
    yield said
    await said.send(tx)


async def _driver_of(tx: Tx) -> psycopg.AsyncConnection[Any]:
    """psycopg's connection below SQLAlchemy's, in the same transaction."""
    raw = await tx.get_raw_connection()
    if raw.driver_connection is None:
        raise RegistryError("the connection of this transaction is gone")
    return cast("psycopg.AsyncConnection[Any]", raw.driver_connection)


@lru_cache(maxsize=512)
def _sql_of(statement: TextClause) -> str:
    """The statement as the driver reads it."""
    return str(statement.compile(dialect=_DIALECT))
