"""Processes: what ``fleet up``, ``api``, ``daemon`` and ``worker`` run, and how they end.

All parts of a process share one event loop and one ``stop``: SIGTERM and SIGINT set it,
each part finishes what it has in hand, and the process exits 0. A part that fails takes
the process down with it, because a half-working Fleet is worse than a restarted one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from fleet.api import create_app, create_health_app
from fleet.api.serving import serve
from fleet.cli.signals import stopped_by_signals
from fleet.daemon.leader import Leader
from fleet.daemon.watchers import Watchers
from fleet.daemon.worker import run_worker
from fleet.embedded import EmbeddedPostgres, find_postgres, start_postgres
from fleet.identity.tokens import ENTROPY_BYTES, mint
from fleet.logs import fields
from fleet.model.ids import TokenId
from fleet.model.secret import Secret
from fleet.operations.opening import open_runtime
from fleet.operations.runtime import Runtime
from fleet.registry import accounts, schema
from fleet.registry.database import Database
from fleet.settings import Settings

log = logging.getLogger(__name__)

ADMIN_FILE = "admin.token"


@dataclass(frozen=True)
class Databases:
    """URLs by role. With a database of one's own the first two are the same, and the third,
    which sees the schema audit only, is there if a setting gives it."""

    application: Secret
    owner: Secret
    reader: Secret | None


def external_databases(settings: Settings) -> Databases | None:
    """The URLs that the settings give; None when PostgreSQL is to be our own."""
    if settings.database_url is None:
        return None
    url = settings.database_url
    return Databases(url, url, settings.audit_reader_url)


def embedded_databases(server: EmbeddedPostgres) -> Databases:
    return _addresses(server.url)


def running_databases(settings: Settings) -> Databases | None:
    """Of the embedded server that another process runs on this home, if one does."""
    found = find_postgres(settings.home)
    return None if found is None else _addresses(found.url)


def _addresses(url: Callable[[str, str], str]) -> Databases:
    return Databases(
        application=Secret(url("fleet", "fleet_app")),
        owner=Secret(url("fleet", "fleet_owner")),
        reader=Secret(url("fleet", "fleet_audit_reader")),
    )


@contextlib.contextmanager
def databases(settings: Settings) -> Iterator[Databases]:
    """Where the database is, starting our own if nobody else did; stopped at the end.

    Raises:
        Refused: another process is starting or stopping it right now.
    """
    found = external_databases(settings) or running_databases(settings)
    if found is not None:
        yield found
        return
    with start_postgres(settings.home) as server:
        yield embedded_databases(server)


def holder() -> str:
    """Names this process in leases, uniquely even after its pid was used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


Work = Coroutine[Any, Any, None]


async def _lead(runtime: Runtime, stop: asyncio.Event, url: Secret) -> None:
    own = Database(
        url,
        pool_size=1,
        application_name="fleet leader",
        allow_unsafe=runtime.settings.allow_unsafe_database,
        ring=runtime.ring,
    )
    try:
        await Leader(runtime, own, holder()).run(stop)
    finally:
        await own.close()


async def run_parts(
    settings: Settings,
    urls: Databases,
    *,
    api: bool,
    leader: bool,
    worker: bool,
    ready: Callable[[str], None],
) -> None:
    """Run parts of Fleet in this process until a signal asks to stop.

    Args:
        ready: called with the address (or "") once everything is up.
    """
    stop = asyncio.Event()
    with stopped_by_signals(stop):
        name = "fleet " + "+".join(
            part for part, on in (("api", api), ("leader", leader), ("worker", worker)) if on
        )
        async with open_runtime(settings, urls.application, name=name) as runtime:
            await first_administrator(runtime)
            async with _together(stop) as start:
                if worker:
                    me = holder()
                    start(run_worker(runtime, stop, me))
                    if settings.worker_watch:
                        start(Watchers(runtime, me).run(stop))
                if leader:
                    start(_lead(runtime, stop, urls.application))
                if api:
                    address = f"http://{settings.host}:{settings.port}"
                    app = create_app(runtime)
                    start(serve(app, settings.host, settings.port, stop, lambda: ready(address)))
                else:
                    if settings.health_port:
                        probed = create_health_app(runtime)
                        start(serve(probed, settings.host, settings.health_port, stop, _nothing))
                    ready("")


def _nothing() -> None:
    """Nobody waits for the probes' server."""


@asynccontextmanager
async def _together(stop: asyncio.Event) -> AsyncIterator[Callable[[Work], None]]:
    """Tasks that live and die together: when one ends, all are asked to."""
    tasks: list[asyncio.Task[None]] = []

    def start(work: Work) -> None:
        tasks.append(asyncio.create_task(work))

    yield start
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


async def first_administrator(runtime: Runtime) -> Path | None:
    """Make the first administrator's token, once in the life of a database.

    The text goes to a file that only its owner reads; PostgreSQL keeps a hash. Written
    before the commit: a crash leaves a token that opens nothing rather than none at all.
    """
    minted = mint(TokenId(uuid4()), secrets.token_bytes(ENTROPY_BYTES))
    path = runtime.settings.home / ADMIN_FILE
    beside = path.with_suffix(".new")
    async with runtime.db.transaction() as tx:
        if not await accounts.ensure_admin(tx, minted.proof, runtime.now()):
            return None
        runtime.settings.home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(minted.text.reveal() + "\n")
        beside.replace(path)
    log.info("the first administrator's token was written", extra=fields(file=path))
    return path


def migrate(urls: Databases) -> None:
    """Bring the schema to this version, as the role that owns it."""
    schema.upgrade(urls.owner)
