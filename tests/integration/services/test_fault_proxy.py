"""The fault proxy breaks connections in the ways that tests ask for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.faults.proxy import FaultProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(1024):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo) as proxy:
        yield proxy


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def said_back(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return connection.recv(1024)


def test_passes_and_counts(proxy: FaultProxy) -> None:
    for _ in range(2):
        with connect(proxy) as connection:
            assert said_back(connection, b"hello") == b"hello"
    assert proxy.connections == 2


def test_refuses_until_healed(proxy: FaultProxy) -> None:
    with connect(proxy) as open_before:
        said_back(open_before, b"x")
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        with pytest.raises(ConnectionResetError):
            open_before.recv(1)
    proxy.heal()
    with connect(proxy) as connection:
        assert said_back(connection, b"again") == b"again"


def test_blackhole_says_nothing_then_delivers(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        said_back(connection, b"x")
        proxy.blackhole()
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            said_back(connection, b"held")
        proxy.heal()
        connection.settimeout(10)
        assert connection.recv(1024) == b"held"


def test_reset(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        said_back(connection, b"x")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as connection:
        connection.recv(1)


def test_drops_after_so_many_bytes(proxy: FaultProxy) -> None:
    proxy.drop_after(3)
    with connect(proxy) as connection:
        assert said_back(connection, b"hello") == b"hel"
        assert connection.recv(1024) == b""


def test_delays(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.2)
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            said_back(connection, b"late")
        connection.settimeout(10)
        assert connection.recv(1024) == b"late"
