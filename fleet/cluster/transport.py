"""The wire: raw HTTP and JSON to one API server.

The official client's typed calls cost five times the CPU of this and ten times that of a
partial decode, so the hot path does without; see ``docs/performance.md``. What a hostile or
broken server may do is bounded here, once, for every caller: total deadlines, answers of
limited size, no redirects, no proxies from the environment, no retries.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from fleet.cluster.answers import refusal
from fleet.cluster.calls import Answer, Call, Limits
from fleet.cluster.credentials import (
    SERVICE_ACCOUNT,
    Identity,
    credentials_for,
    in_cluster_address,
)
from fleet.cluster.exec_plugin import WELL_KNOWN_EXEC
from fleet.cluster.failures import mapped
from fleet.cluster.pacing import Pacer
from fleet.cluster.tls import context_for, context_with_certificate, shrink_read_buffers
from fleet.errors import ClusterAuthFailed, ClusterError
from fleet.model.clusters import Connection, Discovery

log = logging.getLogger(__name__)

USER_AGENT = "fleet"


class ClusterClient:
    """One API server. Made once a cluster, shared by everything that talks to it.

    Connects at the first call. ``async with`` closes it, or ``await close()``.

    Args:
        name: what messages call the cluster; the server's address where empty.
        allowed_exec: basenames of the credential plugins that may run.
        on_request: called with verb and kind of each request, before it is sent.

    Attributes:
        requests: requests sent, by (verb, ``group/Kind`` or path).

    Raises:
        SpecInvalid: certificates that cannot be read.
        Forbidden: a credential plugin that may not run.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        name: str = "",
        allowed_exec: frozenset[str] = WELL_KNOWN_EXEC,
        limits: Limits | None = None,
        service_account: Path = SERVICE_ACCOUNT,
        on_request: Callable[[str, str], None] | None = None,
    ) -> None:
        if connection.in_cluster:
            server, ca_pem = in_cluster_address(service_account)
            connection = replace(connection, server=server, ca_pem=ca_pem)
        self.connection = connection
        self.server = connection.server.rstrip("/")
        self.name = name or self.server.removeprefix("https://")
        self.limits = limits or Limits()
        self.requests: Counter[tuple[str, str]] = Counter()
        self._on_request = on_request
        self.pacer = Pacer()
        self._credentials = credentials_for(
            connection,
            allowed_exec=allowed_exec,
            service_account=service_account,
            cluster=self.name,
        )
        shrink_read_buffers()
        self._tls = context_for(connection, connection.ca_pem)
        self._proven = Identity()  # whose certificate self._tls shows
        if connection.client_key_pem is not None:
            self._show(Identity(None, connection.client_cert_pem, connection.client_key_pem))
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"ClusterClient({self.name!r})"

    def served(self, found: Discovery) -> Discovery:
        """What is served, from what the server says."""
        return found

    @property
    def own_kinds(self) -> frozenset[str]:
        """``group/Kind`` of calls that stay in this process: nothing to be watched."""
        return frozenset()

    def bound(self, _on_behalf: str) -> ClusterClient:
        """The client in the name of one application, for whoever asks who that is."""
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, watches too; a later call opens new ones."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def send(self, call: Call) -> Answer:
        """Send ``call`` once, in its turn, and return its 2xx answer whole.

        Raises:
            ClusterError: in the class that says why; see ``answers`` and ``failures``.
        """
        async with self.pacer.slot(short=not call.page):
            # Deadlines run from here: the queue is of our making, not of the server's.
            identity = await self._credentials.identity()
            try:
                return await self._once(call, identity)
            except ClusterAuthFailed as refused:
                if not self._credentials.renewable:
                    raise
                log.info("asked again with fresh credentials: %s", refused.message)
            # Refused before anything was done, so this is safe for writes too.
            return await self._once(call, await self._credentials.identity(refused=identity))

    @asynccontextmanager
    async def stream(
        self, call: Call, *, seconds: float | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open ``call`` and give the chunks of its answer as they come.

        Takes no turn: it lasts. Silence of ``limits.idle_seconds``, or going on for longer
        than ``seconds``, ends it with ``ClusterUnreachable``; None is for a person who looks
        on and leaves when it is enough. Leaving the block closes the connection.

        Raises:
            ClusterError: as ``send``.
        """
        with mapped(call, self.name, self.server):
            async with asyncio.timeout(self.limits.call_seconds):
                identity = await self._credentials.identity()
                response = await self._open(call, identity)
                if response.status == 401 and self._credentials.renewable:
                    _hang_up(response)
                    identity = await self._credentials.identity(refused=identity)
                    response = await self._open(call, identity)
                if response.status != 200:
                    body = await self._read(response, call)
                    raise refusal(call, self.name, response.status, body, _headers_of(response))
        try:
            yield self._chunks(response, call, seconds)
        finally:
            _hang_up(response)

    async def _chunks(
        self, response: aiohttp.ClientResponse, call: Call, seconds: float | None
    ) -> AsyncIterator[bytes]:
        chunks = response.content.iter_any()
        ends = time.monotonic() + (seconds or 0)
        while True:
            with mapped(call, self.name, self.server):
                try:
                    left = min(self.limits.idle_seconds, ends - time.monotonic())
                    async with asyncio.timeout(None if seconds is None else left):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                except RuntimeError as exc:  # how aiohttp says that close() was called
                    raise aiohttp.ServerDisconnectedError from exc
            yield chunk

    async def _once(self, call: Call, identity: Identity) -> Answer:
        seconds = self.limits.page_seconds if call.page else self.limits.call_seconds
        with mapped(call, self.name, self.server):
            async with asyncio.timeout(seconds):
                response = await self._open(call, identity)
                body = await self._read(response, call)
        headers = _headers_of(response)
        if not 200 <= response.status < 300:
            raise refusal(call, self.name, response.status, body, headers)
        return Answer(response.status, body, headers)

    async def _open(self, call: Call, identity: Identity) -> aiohttp.ClientResponse:
        self._show(identity)
        headers = {"Accept": call.accept}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        if call.as_user:
            headers["Impersonate-User"] = call.as_user
        if identity.authorization is not None:
            headers["Authorization"] = identity.authorization.reveal()
        self.requests[call.verb, call.kind] += 1
        if self._on_request is not None:
            self._on_request(call.verb, call.kind)
        return await self._open_session().request(
            call.method,
            URL(self.server + call.path, encoded=True),
            data=call.body,
            headers=headers,
            ssl=self._tls,
            server_hostname=self.connection.tls_server_name or None,
            proxy=self.connection.proxy_url or None,
            allow_redirects=False,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # The pacer bounds calls; watches must not wait for one another.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect_seconds),
                headers={"User-Agent": USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=True,
            )
        return self._session

    def _show(self, identity: Identity) -> None:
        """From now on connections show the certificate of ``identity``, if it has one."""
        key = identity.client_key_pem
        if key is None or identity is self._proven:
            return
        self._tls = context_with_certificate(
            self.connection, self.connection.ca_pem, identity.client_cert_pem, key
        )
        self._proven = identity

    async def _read(self, response: aiohttp.ClientResponse, call: Call) -> bytes:
        """The whole body, counted after decompression; then the connection is free again."""
        largest = self.limits.page_bytes if call.page else self.limits.object_bytes
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > largest:
                    raise ClusterError(
                        f"{call.subject}: {call.verb} on {self.name} broken off: the answer "
                        f"is larger than {largest >> 20} MiB"
                    )
                chunks.append(chunk)
        except BaseException:
            _hang_up(response)
            raise
        return b"".join(chunks)


def open_client(
    connection: Connection,
    *,
    name: str = "",
    allowed_exec: frozenset[str] = WELL_KNOWN_EXEC,
    limits: Limits | None = None,
    on_request: Callable[[str, str], None] | None = None,
) -> ClusterClient:
    """A client for ``connection``; see ``ClusterClient``."""
    return ClusterClient(
        connection, name=name, allowed_exec=allowed_exec, limits=limits, on_request=on_request
    )


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Drop the connection now: a TLS goodbye waits for the other side, up to 30 seconds."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _headers_of(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
