"""An API server some of whose kinds somebody else answers for.

Fleet keeps Applications and projects itself, and people write them as objects of the cluster
``in-cluster``. So requests about those kinds never leave: they are answered in this process,
with the same values and the same refusals as an API server's, and whoever reads and writes
objects needs to know nothing of it. Without a cluster behind it nothing else is served.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import orjson

from fleet.cluster.calls import Answer, Call
from fleet.cluster.reading import IDENTITY_KIND
from fleet.cluster.transport import ClusterClient
from fleet.errors import KindUnknown, ObjectRejected
from fleet.model.clusters import ApiKind, Connection, Discovery

#: What charts are told of Kubernetes where there is none behind an application.
STANDS_FOR = "v1.34.0"


class OwnKinds(Protocol):
    """Who answers, and for which kinds."""

    @property
    def kinds(self) -> tuple[ApiKind, ...]: ...

    async def answer(self, call: Call, on_behalf: str) -> Answer:
        """Do what ``call`` says.

        Args:
            on_behalf: id of the application that asks; "" for nobody in particular.

        Raises:
            ClusterError: as an API server's refusal would be raised.
        """
        ...


class OverlaidClient(ClusterClient):
    """A client whose calls about ``own`` kinds stay here.

    Args:
        alone: there is no API server behind it.
        rest: as ``ClusterClient``.
    """

    def __init__(self, connection: Connection, own: OwnKinds, *, alone: bool, **rest: Any) -> None:
        super().__init__(connection, **rest)
        self._own = own
        self._names = frozenset(str(kind.group_kind) for kind in own.kinds)
        self._alone = alone

    async def send(self, call: Call) -> Answer:
        return await self.send_for(call, "")

    async def send_for(self, call: Call, on_behalf: str) -> Answer:
        """``send`` in the name of an application."""
        if call.kind in self._names:
            return await self._own.answer(call, on_behalf)
        if self._alone:
            return self._nothing_behind(call)
        return await super().send(call)

    def served(self, found: Discovery) -> Discovery:
        own = self._own.kinds
        names = {kind.group_kind for kind in own}
        kinds = tuple(kind for kind in found.kinds if kind.group_kind not in names)
        preferred = {kind.group: kind.version for kind in own} | found.preferred
        if self._alone:
            own = (*own, IDENTITY_KIND)
        return replace(found, kinds=kinds + own, preferred=preferred)

    @property
    def own_kinds(self) -> frozenset[str]:
        return self._names

    def bound(self, on_behalf: str) -> ClusterClient:
        return _BoundClient(self, on_behalf)

    def _nothing_behind(self, call: Call) -> Answer:
        path = call.path.partition("?")[0]
        if path == "/version":
            return _answer({"gitVersion": STANDS_FOR})
        if path in ("/api", "/apis"):
            return _answer({"kind": "APIGroupDiscoveryList", "items": []})
        if call.kind == IDENTITY_KIND.kind and call.verb == "get":
            return self._namespace(call, path.rpartition("/")[2])
        hint = "Register the cluster that Fleet runs in: `fleet cluster add in-cluster …`."
        raise KindUnknown(
            f"{call.subject}: {self.name} is Fleet itself, which holds Applications and projects"
            " and nothing else",
            hint=hint,
            object=call.subject,
        )

    def _namespace(self, call: Call, name: str) -> Answer:
        """Every namespace is there, as none is needed; but that by which clusters are told
        apart: Fleet is none."""
        if name == "kube-system":
            raise ObjectRejected(f"{call.subject}: not found", reason="NotFound")
        return _answer({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}})


class _BoundClient(ClusterClient):
    """``OverlaidClient`` in the name of one application."""

    def __init__(self, whole: OverlaidClient, on_behalf: str) -> None:
        # nothing of its own: connections are those of the whole
        self._whole = whole
        self._on_behalf = on_behalf
        self.connection = whole.connection
        self.server, self.name = whole.server, whole.name
        self.limits, self.pacer, self.requests = whole.limits, whole.pacer, whole.requests

    async def send(self, call: Call) -> Answer:
        return await self._whole.send_for(call, self._on_behalf)

    def stream(self, call: Call, *, seconds: float | None) -> Any:
        return self._whole.stream(call, seconds=seconds)

    def served(self, found: Discovery) -> Discovery:
        return self._whole.served(found)

    async def close(self) -> None:
        await self._whole.close()


def _answer(body: object) -> Answer:
    return Answer(200, orjson.dumps(body), {})
