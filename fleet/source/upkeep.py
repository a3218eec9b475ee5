"""The files of one mirror: making it, locking it, cleaning up after a fetch that died.

Everything here but ``locked`` is called with the lock held, so whatever temporary file is
found was left by somebody who is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from fleet.errors import SourceUnreachable

_LOCK_POLL_SECONDS = 0.05
_LEFTOVERS = (
    "objects/pack/tmp_*",
    "objects/pack/.tmp-*",
    "objects/pack/*.keep",
    "objects/pack/*.lock",
    "objects/tmp_*",
    "objects/??/tmp_obj_*",
    "objects/info/*.lock",
    "refs/**/*.lock",
    "*.lock",
)


@contextlib.asynccontextmanager
async def locked(path: Path, wait_seconds: float) -> AsyncIterator[None]:
    """Hold an exclusive lock on the file ``path``, across processes.

    Raises:
        SourceUnreachable: another process kept it for ``wait_seconds``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            async with asyncio.timeout(wait_seconds):
                # Another process holds it: there is no event to wait for.
                while not _try_lock(descriptor):  # noqa: ASYNC110
                    await asyncio.sleep(_LOCK_POLL_SECONDS)
        except TimeoutError:
            raise SourceUnreachable(
                f"another process has been fetching this repository for {wait_seconds:g} s"
            ) from None
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def is_mirror(path: Path) -> bool:
    """True when git would take ``path`` for a repository."""
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def touch(path: Path) -> None:
    """Note that the mirror is in use; there may be none yet."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(path)


def is_idle(path: Path, seconds: float) -> bool:
    """Whether nobody used the mirror for so long."""
    return path.is_dir() and time.time() - path.stat().st_mtime > seconds


def idle(folder: Path, seconds: float) -> list[Path]:
    """The mirrors in a directory that nobody used for so long."""
    return [path for path in folder.iterdir() if path.suffix == "" and is_idle(path, seconds)]


def discard(path: Path) -> None:
    """Remove a mirror; renamed first, so that no reader meets half of one. What an earlier
    removal left when it was killed goes too."""
    for left in path.parent.glob(f".gone-{path.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    if path.exists():
        gone = path.with_name(f".gone-{path.name}-{secrets.token_hex(4)}")
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def replace(path: Path, fresh: Path) -> None:
    """Put the mirror ``fresh`` in the place of ``path``."""
    discard(path)
    fresh.rename(path)


def remove_leftovers(path: Path) -> None:
    """Delete temporary packs, objects and lock files."""
    for pattern in _LEFTOVERS:
        for file in path.glob(pattern):
            if file.is_dir():
                shutil.rmtree(file, ignore_errors=True)
            else:
                file.unlink(missing_ok=True)


def packs(path: Path) -> frozenset[str]:
    """The names of the packs, without their extensions."""
    return frozenset(file.stem for file in (path / "objects" / "pack").glob("pack-*"))


def remove_packs(path: Path, keep: frozenset[str]) -> None:
    """Delete the packs that a failed fetch brought: no ref leads into them."""
    for file in (path / "objects" / "pack").glob("pack-*"):
        if file.stem not in keep:
            file.unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def empty(folder: Path) -> None:
    """Remove what is in a directory, and keep the directory."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
