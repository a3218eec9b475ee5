"""A cluster without a server: what happens later is in a queue, which a test works off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from fleet.embedded.sandbox.authenticating import ADMIN, TokenKey, User
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.clusters import Clusters
from fleet.embedded.sandbox.handling import handle
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.requests import Answer, Request, as_answer
from fleet.embedded.sandbox.statuses import ApiError

KEY = TokenKey(ec.generate_private_key(ec.SECP256R1()))
JSON = b"application/json"
MERGE = b"application/merge-patch+json"


class Nothing:
    """Controllers of workloads that do nothing; those of the API server's own objects act."""

    def attach(self, cluster: Cluster) -> None:
        """Nothing."""

    def detach(self, cluster: Cluster) -> None:
        """Nothing."""


class World:
    """One cluster, and requests to it."""

    def __init__(self) -> None:
        self.later: deque[Callable[[], None]] = deque()
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.clusters = Clusters(
            key=KEY,
            ca_pem="pem",
            port=1,
            schedule=lambda _, act: self.later.append(act),
            controllers=Nothing(),
            now=lambda: self.time,
        )
        self.cluster: Cluster = self.clusters.add("one")
        self.run()

    def run(self) -> None:
        """Do everything that is due."""
        while self.later:
            self.later.popleft()()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: User = ADMIN,
        kind: bytes = JSON,
        **query: str,
    ) -> tuple[int, Object]:
        """The status and the body of an answer."""
        raw = b"" if body is None else orjson.dumps(body)
        headers = {b"content-type": kind, b"user-agent": b"tests/1"}
        request = Request(method, path, query, headers, raw, user)
        try:
            answer = handle(self.cluster, request)
        except ApiError as error:
            answer = as_answer(error)
        assert isinstance(answer, Answer)
        found = orjson.loads(answer.body) if answer.body.startswith(b"{") else {}
        return answer.code, found

    def have(self, path: str, body: Object) -> Object:
        """Make an object that a test needs."""
        code, found = self.ask("POST", path, body)
        assert code == 201, found
        self.run()
        return found

    def names(self, path: str) -> list[str]:
        """The names of what is there."""
        return [it["metadata"]["name"] for it in self.ask("GET", path)[1]["items"]]
