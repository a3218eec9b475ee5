"""One open client a cluster, for as long as its credentials stay the same.

What a cluster serves (discovery) is kept beside the client and asked for again when a
kind turns out unknown, when the version changed, and every ten minutes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from time import monotonic

from fleet import metrics
from fleet.cluster import (
    ClusterClient,
    Limits,
    OverlaidClient,
    OwnKinds,
    acting_as,
    discover,
    open_client,
)
from fleet.model.clusters import Connection, Discovery, is_itself
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import GroupKind
from fleet.registry.connections import auth_of

#: Kinds appear and vanish rarely, and an unknown kind asks at once.
DISCOVERY_SECONDS = 600.0
#: Namespaces as well; a write that fails asks again.
NAMESPACE_SECONDS = 600.0


class Namespaces:
    """Which namespaces were there when they were asked for last, and which were not.

    What is there stays for a while: asking again is not worth a request a pass. What is not
    may be made by anybody, and is known within one pass only.
    """

    def __init__(self) -> None:
        self._there: dict[str, float] = {}
        self._missing: set[str] = set()

    def known(self, name: str) -> bool | None:
        """Whether it is there; None when that has to be asked."""
        if monotonic() - self._there.get(name, float("-inf")) < NAMESPACE_SECONDS:
            return True
        return False if name in self._missing else None

    def note(self, name: str, *, is_there: bool) -> None:
        if is_there:
            self._there[name] = monotonic()
            self._missing.discard(name)
        else:
            self._missing.add(name)

    def forget_missing(self) -> None:
        """A pass begins."""
        self._missing.clear()

    def forget(self) -> None:
        """A write failed, perhaps for want of one of them; or it is another cluster."""
        self._there.clear()
        self._missing.clear()


@dataclass
class Link:
    """A client, the credentials that it was opened with, and what the cluster serves.

    Attributes:
        namespaces: what is known of them.
    """

    client: ClusterClient
    connection: Connection
    found: Discovery | None = None
    found_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    namespaces: Namespaces = field(default_factory=Namespaces)

    def acting_as(self, user: str) -> Link:
        """This link, with a client that writes in the name of ``user``; "" is this one."""
        return replace(self, client=acting_as(self.client, user)) if user else self

    async def discovery(self, *, fresh: bool = False) -> Discovery:
        """What the cluster serves; ``fresh`` asks again.

        Raises:
            ClusterError: it could not be asked.
        """
        async with self.lock:
            old = monotonic() - self.found_at > DISCOVERY_SECONDS
            if self.found is None or old or fresh:
                self.found = await discover(self.client)
                self.found_at = monotonic()
            return self.found

    def on_behalf(self, application: ApplicationId) -> Link:
        """The link as one application uses it: whose children are whose is asked there."""
        client = self.client.bound(str(application))
        return self if client is self.client else replace(self, client=client)

    async def has_dropped(self, kind: GroupKind) -> bool:
        """Whether a kind is gone for certain, and every object of it with it; asks again.

        A group that does not answer right now is unknown, which is not the same.

        Raises:
            ClusterError: it could not be asked.
        """
        served = await self.discovery(fresh=True)
        return served.find(kind) is None and kind.group not in served.failed_groups


class Connections:
    """Links by cluster.

    Args:
        call_seconds: longest that one call may take.
        allowed_exec: basenames of the credential plugins that may run.
        own: answers for what Fleet itself holds, on the cluster that is called so.
    """

    def __init__(self, *, call_seconds: float, allowed_exec: frozenset[str], own: OwnKinds) -> None:
        self._own = own
        self._limits = Limits(call_seconds=call_seconds)
        self._allowed_exec = allowed_exec
        self._links: dict[ClusterId, Link] = {}

    async def link(self, cluster: ClusterId, name: str, connection: Connection) -> Link:
        """The cluster's link; a new one when its credentials changed since."""
        found = self._links.get(cluster)
        if found is not None and found.connection == connection:
            found.client.name = name  # what messages call it from now on
            return found
        link = self._links[cluster] = Link(self.open(name, connection), connection)
        if found is not None:
            await found.client.close()
        return link

    def open(self, name: str, connection: Connection) -> ClusterClient:
        """A client of its own, for one use; the caller closes it."""
        if is_itself(name, connection.server):
            return OverlaidClient(
                connection,
                self._own,
                alone=not auth_of(connection),
                name=name,
                allowed_exec=self._allowed_exec,
                limits=self._limits,
                on_request=_count,
            )
        return open_client(
            connection,
            name=name,
            allowed_exec=self._allowed_exec,
            limits=self._limits,
            on_request=_count,
        )

    async def forget(self, cluster: ClusterId) -> None:
        """Close the cluster's client, as when it was removed."""
        link = self._links.pop(cluster, None)
        if link is not None:
            await link.client.close()

    async def close(self) -> None:
        for cluster in tuple(self._links):
            await self.forget(cluster)


def _count(verb: str, kind: str) -> None:
    metrics.CLUSTER_REQUESTS.labels(verb, kind).inc()
