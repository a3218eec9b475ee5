"""A sandbox server in this process, in a thread of its own, and clients for its clusters."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.objects import now
from fleet.embedded.sandbox.serving import Place, SandboxServer
from fleet.model.clusters import Connection
from fleet.model.secret import Secret
from fleet.render.tools import find_tools
from tests.tools import tools_home

SECONDS = 30
T = TypeVar("T")


class Running:
    """A server in a thread; ``do`` runs a function there."""

    def __init__(self, folder: Path | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        controllers = Controllers(self._loop.call_later, now)
        self.server = SandboxServer(folder=folder, controllers=controllers)
        self.place: Place = self._wait(self.server.start())

    def do(self, act: Callable[[], T]) -> T:
        async def acted() -> T:
            return act()

        return self._wait(acted())

    def add(self, **labels: str) -> Cluster:
        name = f"c-{secrets.token_hex(4)}"
        return self.do(lambda: self.server.clusters.add(name, labels=labels))

    def stop(self) -> None:
        self._wait(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)


@dataclass
class Sandbox:
    """One cluster of it, as a test sees it."""

    running: Running
    cluster: Cluster
    kubeconfig: Path
    client: httpx.Client = field(repr=False)

    @property
    def connection(self) -> Connection:
        clusters = self.running.server.clusters
        return Connection(
            server=clusters.server_url(self.cluster),
            ca_pem=clusters.ca_pem,
            token=Secret(self.cluster.admin_token),
        )

    def kubectl(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        """What the real kubectl prints; raises CalledProcessError if it fails."""
        done = self.try_kubectl(*arguments, stdin=stdin, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_kubectl(
        self, *arguments: str, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        cache = self.kubeconfig.parent / "cache"
        argv = [
            find_tools(tools_home()).kubectl.path,
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={cache}",
            *arguments,
        ]
        return subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **environment},
        )


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    made = Running()
    yield made
    made.stop()


@pytest.fixture
def sandbox(running: Running, tmp_path: Path) -> Iterator[Sandbox]:
    """A cluster of this test's own."""
    cluster = running.add()
    with opened(running, cluster, tmp_path) as found:
        yield found
    running.do(lambda: running.server.clusters.remove(cluster.name))


@contextmanager
def opened(running: Running, cluster: Cluster, folder: Path) -> Iterator[Sandbox]:
    """A cluster with a client and a kubeconfig."""
    clusters = running.server.clusters
    kubeconfig = folder / f"{cluster.name}.kubeconfig"
    kubeconfig.write_text(clusters.kubeconfig(cluster))
    with httpx.Client(
        base_url=clusters.server_url(cluster),
        verify=ssl.create_default_context(cadata=clusters.ca_pem),
        headers={
            "Authorization": f"Bearer {cluster.admin_token}",
            "User-Agent": "tests/1",
            "Accept": "application/json",
        },
        timeout=SECONDS,
        trust_env=False,
    ) as client:
        yield Sandbox(running, cluster, kubeconfig, client)
