"""What a machine may be like: another user, a small disk, a port that is taken, what runs on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import keeper
from tests.needs import require

NOBODY = 65534
#: In front of a command: as an ordinary user, who may read this Python wherever it is.
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)


def require_nobody() -> None:
    """Skip where ``AS_NOBODY`` does not work."""
    require(os.geteuid() == 0, "only root can become another user")
    require(shutil.which("setpriv"), "no setpriv (util-linux)")


@contextlib.contextmanager
def small_disk(size: str, *, options: str = "mode=0711") -> Iterator[Path]:
    """A file system of that size; ``enlarge`` makes it larger.

    Args:
        options: of the mount, e.g. whose it is; by default everybody may pass.
    """
    folder = Path(tempfile.mkdtemp(prefix="fleet-small-", dir=keeper.FAST_FOLDER))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},{options}", "fleet-small", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        # a skip under CI, too: in a container root itself may be kept from mounting
        pytest.skip("file systems can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def enlarge(disk: Path, size: str) -> None:
    """Give a ``small_disk`` room."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """A port of loopback that somebody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def processes(ours: Callable[[str, str], bool]) -> list[str]:
    """Command lines of the processes that this is true of, given its command line and its
    environment, each entry of which ends with a NUL."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone, or somebody else's
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (folder / "environ").read_bytes().decode(errors="replace")
            if ours(line, environment):
                found.append(line)
    return found
