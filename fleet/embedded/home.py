"""The directory of the embedded PostgreSQL in Fleet's home, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from fleet.embedded.address import new_passwords, read_passwords, write_passwords
from fleet.errors import Refused
from fleet.model.secret import Secret

PATIENCE_SECONDS = 0.5


class PostgresHome:
    """Our directory in Fleet's home, held by one process at a time."""

    def __init__(self, home: Path) -> None:
        self.path = home.absolute() / "postgres"
        self.roles = self.path / "roles.json"
        self.server = self.path / "server.json"
        self.log = self.path / "postgres.log"
        self._lock: IO[str] | None = None

    def take(self) -> None:
        """Make the directory and hold it.

        Raises:
            Refused: another process holds it; names that process.
        """
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.path.chmod(0o711)  # whatever the umask: the server's account passes through
        lock = (self.path / "lock").open("a+")
        if not _locked_soon(lock):
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise Refused(
                f"{self.path.parent} is in use: process {holder} runs its PostgreSQL",
                hint="Stop that process, or choose another FLEET_HOME.",
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def held(self) -> bool:
        """Whether some process holds it now."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def release(self) -> None:
        """Let another process have it; does nothing when we do not hold it."""
        if self._lock:
            self.server.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def passwords(self) -> dict[str, Secret]:
        """The passwords of this home, made at first use."""
        if not self.roles.exists():
            write_passwords(self.roles, new_passwords())
        return read_passwords(self.roles)


def _locked_soon(lock: IO[str]) -> bool:
    """Try for a moment: ``held`` takes the lock to look, and a killed process takes time to go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(PATIENCE_SECONDS / 20)
        else:
            return True
