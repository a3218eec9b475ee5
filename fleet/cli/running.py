"""The Fleet that runs on a home: one at a time, found by its address.

The address lies in a file that its process keeps locked: a file that a crash left behind
is not locked, so the administrator's token never goes to whoever took the port since.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from fleet.errors import Refused

ADDRESS_FILE = "api.address"


@contextlib.contextmanager
def sole_fleet(home: Path) -> Iterator[Callable[[str], None]]:
    """Hold ``home`` as its one ``fleet up``; the function that is given makes the address known.

    Raises:
        Refused: another process has it.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / ADDRESS_FILE
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid, _, address = file.read().strip().partition(" ")
            raise Refused(
                f"{home}: a `fleet up` runs here already (process {pid}, {address or 'starting'})",
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


def running_address(home: Path) -> str:
    """Where the ``fleet up`` of ``home`` listens; "" when none runs or it is not ready."""
    try:
        with (home / ADDRESS_FILE).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip().partition(" ")[2]
    except OSError:
        return ""
    return ""
