"""The process that serves the clusters, from its first cluster to its last signal."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Collection
from pathlib import Path

from fleet.cli.sandbox.endpoint import Endpoint
from fleet.cli.sandbox.place import Place
from fleet.cli.signals import stopped_by_signals
from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.objects import now
from fleet.embedded.sandbox.serving import SandboxServer
from fleet.errors import Refused

New = tuple[str, dict[str, str]]
PORTION = 20  # clusters made between two looks at whether somebody waits or interrupts


async def serve(
    place: Place,
    port: int,
    choose: Callable[[Collection[str]], list[New]],
    *,
    progress: Callable[[int, int], None],
    ready: Callable[[str, int], None],
) -> None:
    """Serve until a signal asks to stop.

    Args:
        choose: names and labels of the clusters to add to those that were kept.
        progress: told how many of them there are, of how many.
        ready: called with the address and the number of clusters.

    Raises:
        Refused: the port is taken.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    server = SandboxServer(
        folder=_state(place), port=port, controllers=Controllers(loop.call_later, now)
    )
    with stopped_by_signals(stop):
        try:
            started = await server.start()
        except OSError as error:
            raise _refused(port, error) from None
        try:
            new = choose([it.name for it in server.clusters])
            for number, (name, labels) in enumerate(new):
                if number % PORTION == 0:
                    progress(number, len(new))
                    await asyncio.sleep(0)
                if stop.is_set():
                    return
                server.clusters.add(name, labels=labels)
            Endpoint(started.url, started.ca_pem, started.admin_token).write(place)
            ready(started.url, len(server.clusters))
            await stop.wait()
        finally:
            await server.stop()


def _state(place: Place) -> Path:
    return place.folder / "clusters"


def _refused(port: int, error: OSError) -> BaseException:
    if error.errno == errno.EADDRINUSE:
        return Refused(
            f"port {port} on 127.0.0.1 is taken",
            hint="Choose another with --port. Clusters that Fleet knows at the old one have to be"
            " added again: `fleet sandbox seed` does.",
        )
    if error.errno == errno.EACCES and port < 1024:
        return Refused(
            f"port {port} may not be listened on by this user", hint="Choose one above 1023."
        )
    return error
