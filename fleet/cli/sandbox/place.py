"""Where a sandbox is kept, and what goes wrong with places."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.cli.running import Holder, holder
from fleet.errors import FleetError, Refused

COMMAND = "fleet sandbox up"
FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of the sandbox below Fleet's home."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "sandbox"

    @property
    def address_file(self) -> Path:
        """Locked by the process that serves."""
        return self.folder / "server.address"

    @property
    def endpoint(self) -> Path:
        """How the control endpoint is reached."""
        return self.folder / "server.json"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def kubeconfig(self) -> Path:
        """Of every cluster, for ``seed``."""
        return self.folder / "kubeconfig"

    @property
    def checkout(self) -> Path:
        """Of the sample repository; the repository itself is beside it, ``shop.git``."""
        return self.folder / "shop"

    @property
    def applications(self) -> Path:
        """The documents of the sample applications."""
        return self.folder / "applications.yaml"

    def make(self) -> None:
        """Have the folder, closed to others.

        Raises:
            Refused: it cannot be made or written to, or the disk is full.
        """
        with told(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.folder / f".writable-{os.getpid()}"
            try:
                probe.write_bytes(b"\0" * 4096)
            finally:
                probe.unlink(missing_ok=True)

    def holder(self) -> Holder | None:
        """The process that serves, or starts to; None when there is none."""
        return holder(self.address_file)


@contextlib.contextmanager
def told(where: Path) -> Iterator[None]:
    """What the operating system refuses, in the words of the person who has to act on it.

    Raises:
        Refused: the place is not ours to write, or is full.
    """
    try:
        yield
    except OSError as error:
        found = explained(error, where)
        if found is None:
            raise
        raise found from None


def explained(error: OSError, where: Path) -> FleetError | None:
    """The error for a refusal that a person can do something about; None for others."""
    if error.errno in FULL:
        return Refused(
            f"the disk that holds {where} is full",
            hint="Free some space and start again; what was kept is still there.",
        )
    if isinstance(error, FileNotFoundError):
        return Refused(f"there is no directory {where}", hint="Make it first: mkdir -p")
    if error.errno in CLOSED or isinstance(error, NotADirectoryError):
        return Refused(
            f"{where} cannot be written: {error.strerror}",
            hint="Choose a directory of your own with FLEET_HOME.",
        )
    return None


def write_private(path: Path, text: str) -> None:
    """Replace a file whole or not at all; nobody else reads it at any moment.

    Raises:
        Refused: the place is not ours to write, or full.
    """
    unfinished = path.with_name(f".{path.name}.new")
    with told(path.parent):
        try:
            unfinished.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(unfinished, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
