"""The sandbox of the bench: a process that serves clusters and notes when values arrive.

It is told what to do on stdin, a JSON document a line, and answers each with one on stdout:

- ``{"do": "add", "names": [...]}`` → ``{name: {"server", "ca", "token"}}``
- ``{"do": "arrivals", "value": V}`` → ``{name: time}``: when the last of the cluster's ConfigMaps
  that the bench counts came to hold ``V``; of those clusters where all do
- ``{"do": "break", "names": [...], "how": "unreachable"}`` → ``{}``
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import orjson

from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.objects import now
from fleet.embedded.sandbox.serving import SandboxServer
from fleet.embedded.sandbox.store import Event, Store

#: ConfigMaps with a key ``value`` that each cluster holds once all its applications are live.
COUNTED = 2


class Arrivals:
    """value → cluster → when each counted object held it first."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))

    def listener(self, cluster: str) -> Callable[[Store, Event], None]:
        def note(_: Store, event: Event) -> None:
            if (
                event.kind.kind == "ConfigMap"
                and not event.deleted
                and b'"value"' in event.entry.rest
            ):
                value = event.object["data"]["value"]
                self._seen[value][cluster].setdefault(event.key, time.monotonic())

        return note

    def complete(self, value: str) -> dict[str, float]:
        found = self._seen[value].items()
        return {cluster: max(at.values()) for cluster, at in found if len(at) == COUNTED}


async def main() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    server = SandboxServer(controllers=Controllers(loop.call_later, now))
    place = await server.start()
    arrivals = Arrivals()

    def add(names: list[str]) -> dict[str, Any]:
        found = {}
        for name in names:
            cluster = server.clusters.add(name)
            cluster.store.listeners.append(arrivals.listener(name))
            url = f"{place.url}/clusters/{name}"
            found[name] = {"server": url, "ca": place.ca_pem, "token": cluster.admin_token}
        return found

    def obey(wish: dict[str, Any]) -> dict[str, Any]:
        match wish["do"]:
            case "add":
                return add(wish["names"])
            case "arrivals":
                return arrivals.complete(wish["value"])
            case "break":
                for name in wish["names"]:
                    server.clusters.break_(name, wish["how"])
                return {}
            case other:
                raise ValueError(other)

    lines = asyncio.StreamReader(limit=64 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        sys.stdout.buffer.write(orjson.dumps(obey(orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
