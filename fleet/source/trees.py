"""Directories that are complete or absent: built aside, renamed into place, never changed.

A tree is named by what it was made from, so that whoever wants the same tree gets the same
directory, at once or after waiting for the one who is making it. Other processes on the same
home may make it too; the first rename wins. The least recently used go when space is wanted,
but none that was handed out in the last minutes, because a render may be reading it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

_PARTIAL = ".partial-"
_GONE = ".gone-"
_CONTENT = "tree"
_SIZE = "size_bytes"
MIN_IDLE_SECONDS = 900.0

Build = Callable[[Path], Awaitable[int]]


class TreeStore:
    """Trees below ``root``.

    Layout: ``root/<key>/tree`` is the content, ``root/<key>/size_bytes`` what it weighs; the
    time of ``root/<key>`` says when it was last handed out.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._making: dict[str, asyncio.Task[Path]] = {}

    @property
    def root(self) -> Path:
        return self._root

    async def obtain(self, identity: str, build: Build) -> Path:
        """The tree for ``identity``, built by ``build`` if there is none yet.

        Args:
            identity: everything that the content depends on, in one text.
            build: fills the empty directory that it is given, and returns the bytes in it.
                One at a time for an identity, however many ask.
        """
        key = hashlib.sha256(identity.encode()).hexdigest()[:40]
        found = await asyncio.to_thread(self._touch, key)
        if found:
            return found
        task = self._making.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, build))
            self._making[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # The one who gives up must not take the tree away from those who wait for it.
        return await asyncio.shield(task)

    async def sweep(self, max_bytes: int, min_idle_seconds: float = MIN_IDLE_SECONDS) -> int:
        """Remove the least recently used trees until ``max_bytes`` are not exceeded, and what
        crashed builders left. Returns the bytes removed."""
        return await asyncio.to_thread(self._sweep, max_bytes, min_idle_seconds)

    def _forget(self, key: str, task: asyncio.Task[Path]) -> None:
        self._making.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen: the waiters got it, or gave up

    def _touch(self, key: str) -> Path | None:
        folder = self._root / key
        try:
            os.utime(folder)
        except FileNotFoundError:
            return None
        return folder / _CONTENT

    async def _make(self, key: str, build: Build) -> Path:
        partial = self._root / f"{_PARTIAL}{key[:16]}-{secrets.token_hex(6)}"
        content = partial / _CONTENT
        try:
            await asyncio.to_thread(content.mkdir, parents=True)
            size = await build(content)
            await asyncio.to_thread(self._publish, partial, key, size)
        finally:
            await asyncio.to_thread(remove_tree, partial)
        return self._root / key / _CONTENT

    def _publish(self, partial: Path, key: str, size: int) -> None:
        (partial / _SIZE).write_text(str(size), encoding="ascii")
        _make_read_only(partial / _CONTENT)
        try:
            partial.rename(self._root / key)
        except OSError:
            if self._touch(key) is None:  # else another process was first, with the same
                raise

    def _sweep(self, max_bytes: int, min_idle_seconds: float) -> int:
        if not self._root.is_dir():
            return 0
        now = time.time()
        trees: list[tuple[float, int, Path]] = []
        for folder in self._root.iterdir():
            idle = now - folder.lstat().st_mtime
            if folder.name.startswith((_PARTIAL, _GONE)):
                if idle > min_idle_seconds:
                    remove_tree(folder)
            else:
                trees.append((idle, _weight(folder), folder))
        total = sum(size for _, size, _ in trees)
        removed = 0
        for idle, size, folder in sorted(trees, reverse=True):
            if total - removed <= max_bytes or idle < min_idle_seconds:
                break
            self._discard(folder)
            removed += size
        return removed

    def _discard(self, folder: Path) -> None:
        # Renamed first: nobody finds half a tree.
        gone = self._root / f"{_GONE}{folder.name[:16]}-{secrets.token_hex(6)}"
        folder.rename(gone)
        remove_tree(gone)


def remove_tree(folder: Path) -> None:
    """Remove a directory, read-only parts included; absent is fine."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


def _make_read_only(folder: Path) -> None:
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(parent).chmod(0o555)


def _weight(folder: Path) -> int:
    try:
        return int((folder / _SIZE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
