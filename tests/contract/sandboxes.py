"""Two sandbox clusters for a whole run, each in a server of its own: one where nothing happens by
itself, one with controllers. Runs as a keeper (``tests.keeper``)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

from fleet.embedded.sandbox.collecting import Collector
from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.emptying import Emptier
from fleet.embedded.sandbox.objects import now
from fleet.embedded.sandbox.serving import SandboxServer
from tests.contract.shared import prepare
from tests.contract.targets import Target
from tests.keeper import State, keep

NAME = "contract"
ALONE = "alone"


@contextlib.contextmanager
def sandboxes() -> Iterator[State]:
    """Both, by name: ``alone`` and ``controlled``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers = {
        ALONE: SandboxServer(),
        "controlled": SandboxServer(controllers=Controllers(loop.call_later, now)),
    }
    try:
        yield {name: _start(server, loop, alone=name == ALONE) for name, server in servers.items()}
    finally:
        for server in servers.values():
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _object(listener: Callable[..., None]) -> object:
    return getattr(listener, "__self__", None)


def _start(server: SandboxServer, loop: asyncio.AbstractEventLoop, *, alone: bool) -> State:
    """Start one; ``alone``: without what a controller manager does in every cluster."""

    async def start() -> Target:
        await server.start()
        made = server.clusters.add(NAME)
        if alone:
            listeners = made.store.listeners
            listeners[:] = [
                it for it in listeners if not isinstance(_object(it), Collector | Emptier)
            ]
        url = server.clusters.server_url(made)
        return Target(url, server.clusters.ca_pem, made.admin_token, real=False)

    target = asyncio.run_coroutine_threadsafe(start(), loop).result()
    prepare(target)
    return {"url": target.url, "ca_pem": target.ca_pem, "token": target.token}


if __name__ == "__main__":
    keep(sandboxes())
