"""Networks of their own for processes: a namespace, and one cable to this machine.

Inside, this machine's end of the cable answers and nothing else does: no other network, no
name server, no loopback of ours. What is to be reached from inside has to listen on
``gateway``, or on an address to which ``reach`` adds a way. Needs root and iproute2.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.needs import require

#: Subnets of four addresses in a range that nobody else uses: 10.251.x.0/30.
COUNT = 256


@dataclass(frozen=True)
class Network:
    """A namespace, the address that a process inside has, and that of this machine there."""

    name: str
    inside: str
    gateway: str

    def within(self, *command: str) -> list[str]:
        """The command line that runs another inside; it becomes that process."""
        return ["ip", "netns", "exec", self.name, *command]

    def reach(self, other: Network) -> None:
        """Make what listens on the other's gateway answer here, too."""
        _ip("-n", self.name, "route", "add", f"{other.gateway}/32", "via", self.gateway)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network with nothing in it; processes inside have to end before it does."""
    if os.geteuid():
        pytest.skip("network namespaces need root")
    require(shutil.which("ip"), "no ip: install iproute2")
    mark = secrets.token_hex(4)
    made = None
    try:
        made = _made(mark)
        yield made
    except subprocess.CalledProcessError as failed:
        if made is not None:
            raise
        require(False, f"no network namespaces here: {failed.stderr.strip()}")
    finally:
        # the cable goes with the namespace
        subprocess.run(["ip", "netns", "del", f"ft-{mark}"], capture_output=True, check=False)


def _made(mark: str) -> Network:
    name, here, there = f"ft-{mark}", f"fh-{mark}", f"fn-{mark}"
    subnet = _free_subnet()
    found = Network(name, f"{subnet}.2", f"{subnet}.1")
    _ip("netns", "add", name)
    _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
    _ip("addr", "add", f"{found.gateway}/30", "dev", here)
    _ip("link", "set", here, "up")
    for change in (
        ("addr", "add", f"{found.inside}/30", "dev", there),
        ("link", "set", there, "up"),
        ("link", "set", "lo", "up"),
    ):
        _ip("-n", name, *change)
    return found


def _free_subnet() -> str:
    taken = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    while f"{(found := f'10.251.{secrets.randbelow(COUNT)}')}." in taken:
        continue
    return found


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)
