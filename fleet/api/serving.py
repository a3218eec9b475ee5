"""The API on a socket, until it is asked to stop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from fleet.errors import SettingsInvalid

BACKLOG = 512
#: Requests at work at once; more are told to come back (503).
CONCURRENCY = 512
KEEP_ALIVE_SECONDS = 15
#: Of a request's line and headers; a bearer token and cookies fit many times.
HEADER_BYTES = 32 << 10
#: How long requests at work may take to end once the server stops.
GRACE_SECONDS = 10


async def serve(
    app: FastAPI, host: str, port: int, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Listen until ``stop`` is set, then finish the requests at work.

    Args:
        ready: called once connections are accepted.

    Raises:
        SettingsInvalid: the address cannot be listened on; says why.
    """
    listening = _listen(host, port)
    server = _Server(_config(app))
    server.ready = ready
    try:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping.cancel()
        await serving
    finally:
        listening.close()


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the process has them."""

    ready: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.ready()


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=CONCURRENCY,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )


def refuse_taken(host: str, port: int) -> None:
    """Find out before anything else is started whether ``serve`` could listen there.

    Raises:
        SettingsInvalid: it could not; says why.
    """
    _listen(host, port).close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; bound here, so that what goes wrong can be told by its name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _refused(host, port, error) from None
    listening.setblocking(False)
    return listening


def _refused(host: str, port: int, error: OSError) -> SettingsInvalid:
    if error.errno == errno.EADDRINUSE:
        return SettingsInvalid(
            f"port {port} on {host} is taken",
            hint="Another Fleet may run here. Choose another port with --port or FLEET_PORT.",
        )
    if error.errno == errno.EACCES:
        return SettingsInvalid(
            f"port {port} may not be listened on by this user", hint="Choose one above 1023."
        )
    return SettingsInvalid(
        f"{host}:{port} cannot be listened on: {error.strerror or error}",
        hint="host is the name or address of one of this machine's interfaces.",
    )
