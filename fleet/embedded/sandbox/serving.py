"""The server: HTTPS on loopback, one path a cluster, as a raw ASGI application.

No framework stands between: the path is read once, and answers are bytes.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
from asyncio import sslproto
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from fleet.embedded.sandbox.authenticating import TokenKey, User, authenticate
from fleet.embedded.sandbox.certificates import Identity, new_identity, read_key
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.clusters import Attached, Clusters
from fleet.embedded.sandbox.control import control
from fleet.embedded.sandbox.handling import handle
from fleet.embedded.sandbox.persisting import Disk
from fleet.embedded.sandbox.requests import (
    Answer,
    Receive,
    Request,
    Send,
    as_answer,
    query_of,
    until_left,
)
from fleet.embedded.sandbox.statuses import ApiError, bad_request, unauthorized

log = logging.getLogger(__name__)

LARGEST_BODY = 3 << 20  # what the real server takes
READ_BUFFER_BYTES = 16 << 10
SLOW_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 90
BACKLOG = 4096
_NOBODY = User("system:anonymous", "", ("system:unauthenticated",))
_NO_CACHE = (b"cache-control", b"no-cache, private")
_CLUSTERS = b"/clusters/"
_CONTROL = "/sandbox/"


class App:
    """The ASGI application over some clusters."""

    def __init__(self, clusters: Clusters, admin_token: str) -> None:
        self._clusters = clusters
        self._admin_token = admin_token

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        raw: bytes = scope["raw_path"]
        if not raw.startswith(_CLUSTERS):
            await self._elsewhere(scope, receive, send)
            return
        name, _, rest = raw[len(_CLUSTERS) :].decode("latin-1").partition("/")
        cluster = self._clusters.find(name)
        if cluster is None:
            await _answer(send, Answer(b"404 page not found\n", 404, b"text/plain"))
            return
        request = Request(
            scope["method"],
            f"/{rest}",
            query_of(scope["query_string"]),
            dict(scope["headers"]),
            b"",
            _NOBODY,
        )
        if request.method not in {"GET", "HEAD"}:
            try:
                request.body = await _body(receive)
            except ApiError as error:
                await _answer(send, as_answer(error))
                return
        if cluster.broken and not await self._endure(cluster, receive, send):
            return
        await _respond(cluster, request, receive, send)

    async def _endure(self, cluster: Cluster, receive: Receive, send: Send) -> bool:
        """What a broken cluster does to a request; whether it is answered after that."""
        if cluster.broken == "unreachable":
            await until_left(receive)
            return False
        if cluster.broken == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        elif cluster.broken == "500":
            await _answer(send, as_answer(_internal("an error on the server")))
            return False
        elif cluster.broken == "401":
            await _answer(send, as_answer(unauthorized()))
            return False
        return True

    async def _elsewhere(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in {"/healthz", "/readyz", "/livez"}:
            await _answer(send, Answer(b"ok", content_type=b"text/plain"))
            return
        if not path.startswith(_CONTROL):
            await _answer(send, Answer(b"404 page not found\n", 404, b"text/plain"))
            return
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"").decode("latin-1")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._admin_token}".encode()):
            await _answer(send, as_answer(unauthorized()))
            return
        body = await _body(receive)
        await _answer(send, control(self._clusters, scope["method"], path, body))


async def _respond(cluster: Cluster, request: Request, receive: Receive, send: Send) -> None:
    try:
        user = authenticate(cluster, request.header(b"authorization"))
        if user is None:
            raise unauthorized()
        request.user = user
        found = handle(cluster, request)
    except ApiError as error:
        found = as_answer(error)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        found = as_answer(_internal("the sandbox failed; its log says how"))
    if isinstance(found, Answer):
        await _answer(send, found, head=request.method == "HEAD")
    else:
        await found(receive, send)


def _internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")


async def _body(receive: Receive) -> bytes:
    """The whole body.

    Raises:
        ApiError: it is too large, and the rest of it is read and dropped; the client left before
            its end, and a part of what was asked is not to be done.
    """
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise bad_request("the body ends too early")
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size <= LARGEST_BODY:
            chunks.append(chunk)
    if size > LARGEST_BODY:
        message = f"Request entity too large: limit is {LARGEST_BODY}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    return b"".join(chunks)


async def _answer(send: Send, answer: Answer, *, head: bool = False) -> None:
    headers = [
        (b"content-length", str(len(answer.body)).encode()),
        _NO_CACHE,
        *answer.headers,
    ]
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    for warning in answer.warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        headers.append((b"warning", f'299 - "{quoted}"'.encode()))
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


@dataclass(frozen=True)
class Place:
    """Where a running server is, and how its control endpoint is reached."""

    url: str
    ca_pem: str
    admin_token: str


class SandboxServer:
    """A server in this process, in the running event loop.

    Args:
        folder: where state is kept; None: it ends with the process.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        controllers: Attached | None = None,
    ) -> None:
        self._disk = Disk(folder) if folder is not None else None
        self._host = host
        self._port = port
        self._controllers = controllers
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.clusters: Clusters
        self.place: Place

    async def start(self) -> Place:
        """Load what was kept and serve; returns when requests are taken.

        Raises:
            Refused: another process holds the folder.
            OSError: the port is taken.
        """
        # A connection holds this much instead of asyncio's 256 KiB: most are idle watches.
        sslproto.SSLProtocol.max_size = READ_BUFFER_BYTES
        listener = _listen(self._host, self._port)
        port = listener.getsockname()[1]
        identity, token = self._identity()
        loop = asyncio.get_running_loop()
        self.clusters = Clusters(
            key=TokenKey(read_key(identity.key_pem)),
            ca_pem=identity.ca_pem,
            port=port,
            schedule=lambda seconds, act: _later(loop, seconds, act),
            controllers=self._controllers,
            keeper=self._disk,
        )
        self.clusters.load()
        self.place = Place(f"https://{self._host}:{port}", identity.ca_pem, token)
        self._server = _Server(_config(App(self.clusters, token), identity))
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
        ready = asyncio.ensure_future(self._server.ready.wait())
        await asyncio.wait({ready, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            ready.cancel()
            await self._serving
        return self.place

    async def stop(self) -> None:
        """End; open watches are cut, and requests that a broken cluster let hang."""
        if self._server is not None and self._serving is not None:
            for cluster in self.clusters:
                cluster.set_broken("401")
            told = logging.getLogger("uvicorn.error")
            told.addFilter(_nothing)  # that answers are cut is meant
            self._server.should_exit = True
            for task in tuple(self._server.server_state.tasks):
                task.cancel()
            await self._serving
            told.removeFilter(_nothing)
        if self._disk is not None:
            self._disk.close()

    def _identity(self) -> tuple[Identity, str]:
        if self._disk is None:
            return new_identity(), secrets.token_urlsafe(32)
        return self._disk.identity()


def _nothing(_: logging.LogRecord) -> bool:
    return False


class _Server(uvicorn.Server):
    """Tells when it takes requests; has no signal handlers of its own: the process has them."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: ``stop`` must come first, for it cuts open watches."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the original, and then ``ready``."""
        await super().startup(sockets)
        self.ready.set()


def _later(loop: asyncio.AbstractEventLoop, seconds: float, act: Any) -> None:
    if seconds > 0:
        loop.call_later(seconds, act)
    else:
        loop.call_soon(act)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, accepted connections do not wait to fill packets.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _config(app: App, identity: Identity) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        ssl_context_factory=lambda *_: identity.server_context(),
    )
