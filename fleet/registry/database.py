"""Connections and transactions. Everything that is said to PostgreSQL goes through here."""

from __future__ import annotations

import asyncio
import secrets
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import orjson
from sqlalchemy import event, func, text
from sqlalchemy import select as sql_select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fleet.errors import FleetError, Refused, RegistryError, RegistryUnavailable, SettingsInvalid
from fleet.model.secret import Secret
from fleet.registry.faults import CONFLICTS, constraint_of, sqlstate_of, translated
from fleet.registry.keyring import KeyRing

__all__ = ["Database", "Tx", "constraint_of", "libpq_url", "now_of", "parse_url", "ring_of"]

#: An open transaction. A function that takes one never commits and never rolls back.
Tx: TypeAlias = AsyncConnection
Result = TypeVar("Result")

OLDEST_SERVER = 140000
CONFLICT_TRIES = 5
CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 15
STATEMENT_TIMEOUT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 10
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = 60

#: A dead peer is noticed within about 15 s, whatever the kernel's defaults are.
_SOCKET = {
    "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

#: Execution option under which every connection carries the key ring of its Database.
_RING = "fleet_key_ring"

#: With any of these off, PostgreSQL may forget what it acknowledged.
_DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")


class Database:
    """One PostgreSQL database: a pool, and transactions on it.

    Args:
        url: ``postgresql://user:password@host:port/name``, as libpq writes it.
        pool_size: connections at most; none is opened before it is needed.
        application_name: shown in ``pg_stat_activity``.
        ring: keys that chain the audit log; without them nothing audited can be written.
        allow_unsafe: ``open`` accepts a server that may lose commits (tests).
    """

    def __init__(
        self,
        url: Secret | str,
        *,
        pool_size: int = 5,
        application_name: str = "fleet",
        ring: KeyRing | None = None,
        allow_unsafe: bool = False,
    ) -> None:
        self._url = parse_url(url)
        self._allow_unsafe = allow_unsafe
        engine = _engine(self._url, pool_size, application_name)
        self._engine = engine.execution_options(**{_RING: ring})

    async def open(self) -> None:
        """Connect once and refuse a server that cannot keep what it is given.

        Raises:
            RegistryUnavailable: there is no server, or it refuses the login.
            Refused: too old, read-only, or set to lose acknowledged commits.
        """
        async with self.transaction() as tx:
            row = (await tx.execute(_SERVER_FACTS)).mappings().one()
        _check_server(dict(row), allow_unsafe=self._allow_unsafe)

    async def close(self) -> None:
        """Close every connection; the object can be used again afterwards."""
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """READ COMMITTED. Commits when the block ends well, rolls back when it does not.

        Driver errors that leave the block become ``fleet.errors``; inside they are
        SQLAlchemy's, so that a noun can read ``constraint_of``.
        """
        with _spoken():
            async with self._engine.begin() as tx:
                yield tx

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """Read-only, REPEATABLE READ: all queries of one answer see the same moment."""
        with _spoken():
            async with self._engine.connect() as plain:
                tx = await _set(plain, isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with tx.begin():
                    yield tx

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Tx]:
        """For one query alone, which is a moment of its own: no transaction around it, and so
        one round trip instead of three."""
        with _spoken():
            async with self._engine.connect() as plain:
                yield await _set(plain, isolation_level="AUTOCOMMIT", postgresql_readonly=True)

    @asynccontextmanager
    async def stating(self) -> AsyncIterator[Tx]:
        """For one statement alone that writes: ``asking``, for those that are not questions."""
        with _spoken():
            async with self._engine.connect() as plain:
                yield await _set(plain, isolation_level="AUTOCOMMIT")

    async def run(self, work: Callable[[Tx], Awaitable[Result]]) -> Result:
        """Do ``work`` in a transaction, again if it deadlocked or could not be serialized.

        ``work`` may run up to five times, so it must have no effect but on the database.
        """
        for attempt in range(1, CONFLICT_TRIES + 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except RegistryUnavailable as error:
                cause = error.__cause__
                conflict = cause is not None and sqlstate_of(cause) in CONFLICTS
                if not conflict or attempt == CONFLICT_TRIES:
                    raise
            await asyncio.sleep(_jitter_seconds(attempt))
        raise AssertionError("the last attempt returns or raises")

    def conninfo(self) -> Secret:
        """The URL for libpq, for a connection apart from the pool (LISTEN, the queue)."""
        return libpq_url(self._url)


async def _set(plain: AsyncConnection, **options: Any) -> AsyncConnection:
    """The connection with options that the pool takes back when it is returned.

    The driver lets other tasks run while it sets them. Who is cancelled then would return a
    connection that is read-only from now on: it is thrown away.
    """
    try:
        return await plain.execution_options(**options)
    except BaseException:
        await plain.invalidate()
        raise


def parse_url(url: Secret | str) -> URL:
    """The URL with our driver in it; the password stays out of every message.

    Raises:
        SettingsInvalid: not a URL, or not PostgreSQL's.
    """
    raw = url.reveal() if isinstance(url, Secret) else url
    hint = "Write it as postgresql://user:password@host:5432/name."
    try:
        parsed = make_url(raw)
    except (ArgumentError, ValueError):
        raise SettingsInvalid("FLEET_DATABASE_URL is not a URL", hint=hint) from None
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise SettingsInvalid(
            f"FLEET_DATABASE_URL: {parsed.drivername} is not PostgreSQL", hint=hint
        )
    return parsed.set(drivername="postgresql+psycopg")


def libpq_url(url: URL) -> Secret:
    """The same URL without SQLAlchemy's driver name."""
    return Secret(url.set(drivername="postgresql").render_as_string(hide_password=False))


def ring_of(tx: Tx) -> KeyRing:
    """The key ring that the transaction's ``Database`` was made with."""
    ring = tx.sync_connection.get_execution_options().get(_RING) if tx.sync_connection else None
    if not isinstance(ring, KeyRing):
        raise RegistryError(
            "this connection cannot write to the audit log: it was opened without the key ring"
        )
    return ring


async def now_of(tx: Tx) -> datetime:
    """The clock of PostgreSQL: the only one that all processes share."""
    now: datetime = (await tx.execute(sql_select(func.clock_timestamp()))).scalar_one()
    return now


async def server_version(tx: Tx) -> str:
    """PostgreSQL's version as it names itself, e.g. ``17.5``."""
    found: str = (await tx.execute(text("show server_version"))).scalar_one()
    return found


@asynccontextmanager
async def rehearsed(tx: Tx, *, undo: bool) -> AsyncIterator[None]:
    """The block's effects are undone at its end if ``undo``: what would be refused is, and
    nothing stays."""
    async with tx.begin_nested() as savepoint:
        yield
        if undo:
            await savepoint.rollback()


def session_settings() -> dict[str, str]:
    """What every session sets at connect, in the units that PostgreSQL reads."""
    return {
        "timezone": "UTC",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s",
    }


def connect_arguments(url: URL, application_name: str, settings: dict[str, str]) -> dict[str, Any]:
    """Arguments for the driver; what the URL itself says wins."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    own = url.query.get("options", "")
    given = own if isinstance(own, str) else " ".join(own)
    arguments = {
        **_SOCKET,
        "application_name": application_name,
        "options": f"{options} {given}".strip(),
    }
    return {k: v for k, v in arguments.items() if k == "options" or k not in url.query}


def _engine(url: URL, pool_size: int, application_name: str) -> AsyncEngine:
    engine = create_async_engine(
        url.difference_update_query(["options"]),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_recycle=1800,
        pool_use_lifo=True,
        hide_parameters=True,
        use_native_hstore=False,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        connect_args=connect_arguments(url, application_name, session_settings()),
    )
    event.listen(engine.sync_engine, "checkout", _refuse_dead_connection)
    return engine


def _refuse_dead_connection(dbapi: Any, _record: object, _proxy: object) -> None:
    """Notice without a round trip that the server hung up while the connection was idle.

    An idle PostgreSQL says nothing, so a readable socket is an end of file or a farewell.
    The pool answers the error by connecting anew, once.
    """
    driver = dbapi.driver_connection
    if driver.closed or driver.broken:
        raise DisconnectionError("closed while idle")
    poll = select.poll()
    poll.register(driver.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the server hung up while the connection was idle")


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


@contextmanager
def _spoken() -> Iterator[None]:
    """Turn what the driver raises into ``fleet.errors``; let everything else through."""
    try:
        yield
    except FleetError:
        raise
    except Exception as error:
        ours = translated(error)
        if ours is None:
            raise
        raise ours from error


def _jitter_seconds(attempt: int) -> float:
    """Full jitter below 20, 40, 80, 160 ms, so that two that collided part."""
    return secrets.randbelow(20 * 2 ** (attempt - 1) * 1000) / 1_000_000


_SERVER_FACTS = text(
    "select current_setting('server_version_num')::int as version,"
    " current_setting('server_version') as version_text,"
    " pg_is_in_recovery() as standby,"
    " current_setting('default_transaction_read_only')::bool as read_only,"
    + ",".join(f" current_setting('{name}') as {name}" for name in _DURABILITY)
)


def _check_server(facts: dict[str, Any], *, allow_unsafe: bool) -> None:
    if facts["version"] < OLDEST_SERVER:
        raise Refused(
            f"PostgreSQL {facts['version_text']} is too old",
            hint="Fleet needs PostgreSQL 14 or newer.",
        )
    if facts["standby"] or facts["read_only"]:
        raise Refused(
            "PostgreSQL accepts no writes here",
            hint="This is a standby or read-only: give Fleet the URL of the primary.",
        )
    off = [name for name in _DURABILITY if facts[name] == "off"]
    if off and not allow_unsafe:
        raise Refused(
            f"PostgreSQL runs with {', '.join(f'{name}=off' for name in off)}: "
            "a crash would lose what it acknowledged",
            hint="Switch it on; or, for a test only, set allow_unsafe_database.",
        )
