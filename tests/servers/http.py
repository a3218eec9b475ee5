"""A web server on loopback that a test can tell to ask for credentials, or to misbehave."""

from __future__ import annotations

import base64
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.servers.tls import Pair


class Fault(StrEnum):
    """What a server can do wrong, on every request until told otherwise."""

    NONE = "none"
    UNAUTHORIZED = "unauthorized"  # 401 whatever is sent
    FORBIDDEN = "forbidden"  # 403
    ERROR = "error"  # 500
    BUSY = "busy"  # 429 with Retry-After: 1
    PAGE = "page"  # 200 and an HTML page, as a login portal sends
    REDIRECT = "redirect"  # 302 to `redirect_to`, same path
    TRUNCATE = "truncate"  # half of the promised body, then the connection closes
    DRIP = "drip"  # one byte of a large body every 50 ms
    ENDLESS = "endless"  # a body that never ends, as fast as the client reads
    SILENT = "silent"  # reads the request and never answers


@dataclass(frozen=True)
class Request:
    """One request as it came in. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Response:
    """One answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Response]


class HttpServer:
    """Serves ``answer`` in threads. As a context manager it closes at the end.

    Attributes:
        requests: everything that was asked, in order, refused or not.
        fault: how to misbehave.
        redirect_to: scheme, host and port for ``Fault.REDIRECT``.
    """

    def __init__(self, answer: Answer, *, tls: Pair | None = None) -> None:
        self.requests: list[Request] = []
        self.fault = Fault.NONE
        self.redirect_to = ""
        self.username = ""
        self._accepted: set[str] = set()
        self._closed = threading.Event()
        self._answer = answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = _context(tls).wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def require_basic(self, username: str, password: str) -> None:
        """Answer 401 from now on unless this name and password come along."""
        self.username = username
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._accepted.add(f"Basic {pair}")

    def require_bearer(self, token: str) -> None:
        """Answer 401 from now on unless this token comes along."""
        self._accepted.add(f"Bearer {token}")

    def answer(self, request: Request) -> Response:
        """What a well-behaved server says."""
        if self._accepted and request.headers.get("authorization") not in self._accepted:
            return Response(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="test"'})
        return self._answer(request)

    def wait_closed(self, seconds: float | None = None) -> bool:
        """Whether the server closed within ``seconds``."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """Stop listening and let go of everyone who still waits."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _context(tls: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "crt"), Path(folder, "key")
        certificate.write_text(tls.certificate)
        key.write_text(tls.key)
        context.load_cert_chain(certificate, key)
    return context


def _handler_for(server: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Tests read ``server.requests`` instead."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError, ssl.SSLError):
                self.close_connection = True  # the client went away, as tests make it do

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, path, query, headers, _body(self))
            server.requests.append(request)
            if server.fault is Fault.NONE:
                _send(self, server.answer(request))
            else:
                _misbehave(self, server, request)

        do_POST = do_PUT = do_HEAD = do_GET

    return Handler


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    parts = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts)


def _send(handler: BaseHTTPRequestHandler, response: Response) -> None:
    handler.send_response(response.status)
    for name, value in response.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(response.body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(response.body)


def _misbehave(handler: BaseHTTPRequestHandler, server: HttpServer, request: Request) -> None:
    match server.fault:
        case Fault.UNAUTHORIZED:
            _send(handler, Response(401, b"", {"WWW-Authenticate": 'Basic realm="test"'}))
        case Fault.FORBIDDEN:
            _send(handler, Response(403, b"not you"))
        case Fault.ERROR:
            _send(handler, Response(500, b"something broke"))
        case Fault.BUSY:
            _send(handler, Response(429, b"later", {"Retry-After": "1"}))
        case Fault.PAGE:
            page = Response(200, b"<html>Please sign in</html>", {"Content-Type": "text/html"})
            _send(handler, page)
        case Fault.REDIRECT:
            query = f"?{request.query}" if request.query else ""
            where = f"{server.redirect_to}{request.path}{query}"
            _send(handler, Response(302, b"", {"Location": where}))
        case Fault.TRUNCATE:
            _truncate(handler, server.answer(request))
        case _:
            _waste_time(handler, server)


def _truncate(handler: BaseHTTPRequestHandler, response: Response) -> None:
    half = len(response.body) // 2
    handler.send_response(response.status)
    for name, value in {**response.headers, "Content-Length": str(len(response.body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(response.body[:half])
    handler.close_connection = True


def _waste_time(handler: BaseHTTPRequestHandler, server: HttpServer) -> None:
    handler.close_connection = True
    if server.fault is Fault.SILENT:
        server.wait_closed()
        return
    handler.send_response(200)
    handler.end_headers()
    drip = server.fault is Fault.DRIP
    while not server.wait_closed(0.05 if drip else 0):
        handler.wfile.write(b"x" if drip else b"x" * 65536)
        handler.wfile.flush()
