"""An HTTPS server that answers exactly the bytes it is told to: what no API server would."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from fleet.model.clusters import Connection
from fleet.model.secret import Secret
from tests.servers.tls import CertificateAuthority

#: Writes the answer to one request, whose head it is given; the connection closes after.
Behaviour = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def answer(
    status: int, body: bytes | object = b"", length: int | None = None, **headers: str
) -> Behaviour:
    """The same answer to everything. ``length``: the Content-Length claimed, if not true."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", "Connection: close"]
    lines.append(f"Content-Length: {len(content) if length is None else length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines) + "\r\n\r\n"

    async def behave(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + content)

    return behave


async def never(_: str, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing until the client gives up."""
    await writer.wait_closed()


async def drip(_: str, writer: asyncio.StreamWriter) -> None:
    """Promise a body and send a byte of it now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.01)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour a request; the last stays."""
    left = list(behaviours)

    async def behave(head: str, writer: asyncio.StreamWriter) -> None:
        chosen = left.pop(0) if len(left) > 1 else left[0]
        await chosen(head, writer)

    return behave


@dataclass
class FaultyServer:
    """``heads`` are the requests seen, as text."""

    port: int
    ca_pem: str
    heads: list[str] = field(default_factory=list)

    def connection(self, **changes: object) -> Connection:
        fields: dict[str, object] = {
            "server": f"https://127.0.0.1:{self.port}",
            "ca_pem": self.ca_pem,
            "token": Secret("hunter2"),
        }
        return Connection(**{**fields, **changes})  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def faulty(
    behave: Behaviour, *, tls: bool = True, hosts: tuple[str, ...] = ("127.0.0.1",)
) -> AsyncIterator[FaultyServer]:
    """Serve ``behave`` on loopback for as long as the block lasts."""
    authority = CertificateAuthority("faulty-ca")
    found = FaultyServer(0, authority.pem)

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            # Without TLS what comes is a handshake, and has no end that could be waited for.
            head = await (reader.readuntil(b"\r\n\r\n") if tls else reader.read(1 << 10))
            found.heads.append(head.decode(errors="replace"))
            await behave(found.heads[-1], writer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client gave up, or the test is over
        finally:
            writer.transport.abort()

    context = _context(authority, hosts) if tls else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


def _context(authority: CertificateAuthority, hosts: tuple[str, ...]) -> ssl.SSLContext:
    pair = authority.issue("faulty", hosts=hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.write_text(pair.certificate + pair.key)
        context.load_cert_chain(file)
    return context
