"""Free ports on loopback that stay free."""

from __future__ import annotations

import secrets
import socket

# Below the kernel's ephemeral range (32768 on Linux): an outgoing connection can never take
# the port of a server that a test has stopped and is about to start again.
LOWEST, COUNT = 20000, 12000


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    while True:
        port = LOWEST + secrets.randbelow(COUNT)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
