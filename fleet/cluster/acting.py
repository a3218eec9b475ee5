"""A client that writes in somebody else's name, which the API server has to permit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fleet.cluster.calls import Answer, Call
from fleet.cluster.transport import ClusterClient
from fleet.model.clusters import Discovery


def acting_as(client: ClusterClient, user: str) -> ClusterClient:
    """``client``, but every write is done as ``user`` (``Impersonate-User``); what is read is
    read as before, and connections are those of ``client``."""
    return _ActingClient(client, user)


class _ActingClient(ClusterClient):
    def __init__(self, whole: ClusterClient, user: str) -> None:
        # nothing of its own: connections are those of the whole
        self._whole = whole
        self._user = user
        self.connection = whole.connection
        self.server, self.name = whole.server, whole.name
        self.limits, self.pacer, self.requests = whole.limits, whole.pacer, whole.requests

    async def send(self, call: Call) -> Answer:
        is_read = call.method == "GET"
        return await self._whole.send(call if is_read else replace(call, as_user=self._user))

    def stream(self, call: Call, *, seconds: float | None) -> Any:
        return self._whole.stream(call, seconds=seconds)

    def served(self, found: Discovery) -> Discovery:
        return self._whole.served(found)

    @property
    def own_kinds(self) -> frozenset[str]:
        return self._whole.own_kinds

    def bound(self, on_behalf: str) -> ClusterClient:
        return _ActingClient(self._whole.bound(on_behalf), self._user)

    async def close(self) -> None:
        await self._whole.close()
