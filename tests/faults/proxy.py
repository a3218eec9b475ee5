"""A TCP proxy that a test can break, to stand between a client and a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

CHUNK = 65536
# Close by RST instead of FIN.
RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Forwards to ``(host, port)`` and passes everything until told otherwise.

    Each method takes effect on open and on new connections before it returns; ``heal`` ends
    every fault. Runs in a thread of its own. As a context manager it closes at the end.

    Attributes:
        connections: how many connections clients have made.
        clients: the addresses that they came from.
    """

    def __init__(self, host: str, port: int, *, listen: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._listen_on = listen
        self.connections = 0
        self.clients: set[str] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._delay = 0.0
        self._bytes_left: int | None = None
        self._resetting = False
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def heal(self) -> None:
        """Pass everything, at once, and listen."""
        self._do(self._heal())

    def refuse(self) -> None:
        """As if the server had died: open connections are reset, new ones refused."""
        self._do(self._refuse())

    def reset(self) -> None:
        """Reset open connections, and every new one as soon as it is made."""
        self._do(self._reset())

    def blackhole(self) -> None:
        """Accept everything, forward nothing, say nothing: a lost route."""
        self._do(self._blackhole())

    def delay(self, seconds: float) -> None:
        """Forward each piece, in either direction, this much later."""
        self._do(self._set(seconds, self._bytes_left))

    def drop_after(self, size: int) -> None:
        """End a connection once the server has sent this many bytes, counted from now."""
        self._do(self._set(self._delay, size))

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self._listen_on, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _heal(self) -> None:
        self._delay, self._bytes_left, self._resetting = 0.0, None, False
        self._flowing.set()
        await self._listen()

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        self._abort_all()

    async def _reset(self) -> None:
        self._resetting = True
        self._abort_all()

    async def _blackhole(self) -> None:
        self._flowing.clear()

    async def _set(self, delay: float, bytes_left: int | None) -> None:
        self._delay, self._bytes_left = delay, bytes_left

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.clients.add(writer.get_extra_info("peername")[0])
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if self._resetting:
                _abort(writer)
                return
            await self._flowing.wait()
            await self._connect(reader, writer)
        except OSError:
            pass  # either side is gone, which is what this is for
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection(*self._target)
        self._writers.add(to_upstream)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, to_upstream, counted=False))
                group.create_task(self._pump(upstream, writer, counted=True))
        except* OSError:
            pass
        finally:
            self._writers.discard(to_upstream)
            to_upstream.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        while data := await reader.read(CHUNK):
            await self._flowing.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if counted:
                data = self._within_limit(data)
            writer.write(data)
            await writer.drain()
            if counted and self._bytes_left == 0:
                raise ConnectionAbortedError
        with contextlib.suppress(OSError):
            writer.write_eof()

    def _within_limit(self, data: bytes) -> bytes:
        if self._bytes_left is not None:
            data = data[: self._bytes_left]
            self._bytes_left -= len(data)
        return data

    async def _end(self) -> None:
        await self._refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """End it and every connection through it."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        raw = writer.get_extra_info("socket")
        if raw and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
