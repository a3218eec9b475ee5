"""The clusters of one process: made, found, broken, healed, removed."""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from fleet.embedded.sandbox import authorizing, bootstrap, roles
from fleet.embedded.sandbox.authenticating import TokenKey
from fleet.embedded.sandbox.cluster import BREAKS, Cluster, Schedule
from fleet.embedded.sandbox.collecting import Collector
from fleet.embedded.sandbox.definitions import Definer
from fleet.embedded.sandbox.emptying import Emptier
from fleet.embedded.sandbox.objects import now as wall_clock
from fleet.errors import AlreadyExists, NotFound, UsageError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_TOKEN_BYTES = 24


class Attached(Protocol):
    """What acts in every cluster: the controllers."""

    def attach(self, cluster: Cluster) -> None:
        """Look after a cluster from now on."""

    def detach(self, cluster: Cluster) -> None:
        """Leave a cluster alone."""


class Keeper(Protocol):
    """Where clusters outlive the process."""

    def added(self, cluster: Cluster) -> None:
        """Keep a new cluster, with all that is in it, and what is written to it later."""

    def removed(self, cluster: Cluster) -> None:
        """Keep it no longer."""

    def changed(self, cluster: Cluster) -> None:
        """Keep its labels and how it is broken."""

    def load(self, make: Callable[[str, str, Mapping[str, str]], Cluster]) -> Iterable[Cluster]:
        """The clusters that were kept, made by ``make`` and filled."""


class Clusters:
    """All clusters of a process.

    Args:
        schedule: calls a function after some seconds, in the thread that serves.
        controllers: what acts in every cluster; none: each is an API server alone, where
            nothing is collected, emptied or filled in by anybody but its clients.
    """

    def __init__(
        self,
        *,
        key: TokenKey,
        ca_pem: str,
        port: int,
        schedule: Schedule,
        controllers: Attached | None = None,
        keeper: Keeper | None = None,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._key = key
        self._ca_pem = ca_pem
        self._port = port
        self._schedule = schedule
        self._controllers = controllers
        self._keeper = keeper
        self._now = now
        self._by_name: dict[str, Cluster] = {}

    def __iter__(self) -> Iterator[Cluster]:
        return iter(tuple(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def ca_pem(self) -> str:
        """The authority that the server's certificate is signed by."""
        return self._ca_pem

    def find(self, name: str) -> Cluster | None:
        """The cluster of this name."""
        return self._by_name.get(name)

    def get(self, name: str) -> Cluster:
        """The cluster of this name.

        Raises:
            NotFound: there is none.
        """
        found = self._by_name.get(name)
        if found is None:
            raise NotFound(
                f"there is no sandbox cluster {name}", hint="See `fleet sandbox list` for names."
            )
        return found

    def load(self) -> None:
        """Take up the clusters that were kept from an earlier run."""
        if self._keeper is None:
            return
        for cluster in self._keeper.load(self._make):
            self._start(cluster, kept=True)

    def add(
        self, name: str, *, labels: Mapping[str, str] | None = None, token: str = ""
    ) -> Cluster:
        """A new cluster, with what every cluster has.

        Raises:
            UsageError: the name cannot stand in a URL.
            AlreadyExists: the name is taken.
        """
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"{name!r} is no name for a cluster",
                hint="Use up to 63 lower-case letters, digits, dots and dashes.",
            )
        if name in self._by_name:
            raise AlreadyExists(f"a sandbox cluster {name} exists already")
        cluster = self._make(name, token or secrets.token_urlsafe(_TOKEN_BYTES), labels or {})
        bootstrap.begin(cluster, furnished=self._controllers is not None)
        self._start(cluster)
        cluster.store.compact()
        if self._keeper is not None:
            self._keeper.added(cluster)
        return cluster

    def remove(self, name: str) -> None:
        """End a cluster and forget it.

        Raises:
            NotFound: there is none.
        """
        cluster = self.get(name)
        del self._by_name[name]
        cluster.set_broken("401")  # whoever still holds a watch is told to go
        if self._controllers is not None:
            self._controllers.detach(cluster)
        cluster.store.listeners.clear()
        if self._keeper is not None:
            self._keeper.removed(cluster)

    def break_(self, name: str, how: str) -> None:
        """Break a cluster on purpose; heal it by an empty ``how``.

        Raises:
            NotFound: there is none.
            UsageError: it cannot be broken so.
        """
        if how and how not in BREAKS:
            raise UsageError(
                f"no cluster breaks by {how!r}", hint=f"Use one of {', '.join(BREAKS)}."
            )
        cluster = self.get(name)
        cluster.set_broken(how)
        if self._keeper is not None:
            self._keeper.changed(cluster)

    def _make(self, name: str, token: str, labels: Mapping[str, str]) -> Cluster:
        return Cluster(
            name,
            admin_token=token,
            key=self._key,
            ca_pem=self._ca_pem,
            port=self._port,
            schedule=self._schedule,
            labels=dict(labels),
            now=self._now,
        )

    def _start(self, cluster: Cluster, *, kept: bool = False) -> None:
        parts: list[Definer | Emptier | Collector] = [Definer(cluster)]
        if self._controllers is not None:
            parts += [Emptier(cluster), Collector(cluster)]
            cluster.store.listeners.append(roles.aggregate)
        cluster.store.listeners.append(authorizing.forget_rights(cluster))
        cluster.store.listeners += [part.heard for part in parts]
        if kept:
            for part in parts:
                part.resume()
        self._by_name[cluster.name] = cluster
        if self._controllers is not None:
            self._controllers.attach(cluster)

    def server_url(self, cluster: Cluster) -> str:
        """Where a cluster is reached."""
        return f"https://127.0.0.1:{self._port}/clusters/{cluster.name}"

    def kubeconfig(self, cluster: Cluster) -> str:
        """A kubeconfig for the cluster's admin. JSON is YAML."""
        return json.dumps(kubeconfig(cluster, self.server_url(cluster), self._ca_pem), indent=2)


def kubeconfig(cluster: Cluster, server: str, ca_pem: str) -> dict[str, Any]:
    """The kubeconfig of one cluster."""
    name = cluster.name
    authority = b64encode(ca_pem.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}
        ],
        "users": [{"name": name, "user": {"token": cluster.admin_token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
