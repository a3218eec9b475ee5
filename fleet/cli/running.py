"""Programs that run on a home, one of each at a time, found by their address.

The address lies in a file that its process keeps locked: a file that a crash left behind
is not locked, so an administrator's token never goes to whoever took the port since.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import Refused

ADDRESS_FILE = "api.address"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a file. ``address`` is "" until it can be talked to."""

    pid: int
    address: str


@contextlib.contextmanager
def sole(path: Path, command: str) -> Iterator[Callable[[str], None]]:
    """Hold the file as its one ``command``; the function that is given makes the address known.

    Raises:
        Refused: another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid, _, address = file.read().strip().partition(" ")
            raise Refused(
                f"{path.parent}: a `{command}` runs here already"
                f" (process {pid}, {address or 'starting'})",
                hint="Use that one, stop it, or give this one a FLEET_HOME of its own.",
            ) from None

        def announce(address: str) -> None:
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()} {address}\n")
            file.flush()

        announce("")
        try:
            yield announce
        finally:
            file.truncate(0)


def holder(path: Path) -> Holder | None:
    """Who holds the file; None when nobody does."""
    try:
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, address = file.read().strip().partition(" ")
                return Holder(int(pid or 0), address)
    except OSError:
        return None
    return None


def end(pid: int, seconds: float) -> bool:
    """Ask a process to end and wait for it; whether it has, or was gone already."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            ended, _, _ = select.select([handle], [], [], seconds)
        finally:
            os.close(handle)
        return bool(ended)
    return True


def sole_fleet(home: Path) -> contextlib.AbstractContextManager[Callable[[str], None]]:
    """Hold ``home`` as its one ``fleet up``.

    Raises:
        Refused: another process has it.
    """
    return sole(home / ADDRESS_FILE, "fleet up")


def running_address(home: Path) -> str:
    """Where the ``fleet up`` of ``home`` listens; "" when none runs or it is not ready."""
    found = holder(home / ADDRESS_FILE)
    return found.address if found else ""
