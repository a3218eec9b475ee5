"""The edge of a tree: every path is walked link by link, stays inside, and is remembered.

The sandbox is what keeps a render from reading anything else; this gives the clear error, and
the list of what was read. It runs in the child.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from fleet.errors import RenderError

_MAX_LINKS = 40
_MAX_FILES = 50_000


class TreeFiles:
    """Files of one tree, named relative to its root with ``/``; the root itself is ``""``."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.reads: set[str] = set()

    def real(self, relative: str) -> str:
        """``relative`` without links and dots, still relative; may be absent. Remembers every
        link on the way, because a link that moves changes what is read.

        Raises:
            RenderError: it leads out of the tree, or links go in circles.
        """
        waiting = deque(_parts(relative, relative))
        done: list[str] = []
        links = 0
        while waiting:
            part = waiting.popleft()
            if part == "..":
                if not done:
                    raise _outside(relative)
                done.pop()
                continue
            here = "/".join([*done, part])
            target = _link_target(self.path(here))
            if target is None:
                done.append(part)
                continue
            self.reads.add(here)
            links += 1
            if links > _MAX_LINKS:
                raise RenderError(f"{relative}: the symlinks go in circles")
            waiting.extendleft(reversed(_parts(target, relative)))
        return "/".join(done)

    def path(self, real: str) -> str:
        """The path on this file system of what ``real`` returned."""
        return os.path.join(self.root, real) if real else self.root  # noqa: PTH118 - hot

    def read(self, relative: str, max_bytes: int) -> bytes:
        """The content of a file, which counts as read.

        Raises:
            RenderError: absent, no regular file, outside, or larger than ``max_bytes``.
        """
        real = self.note(relative)
        path = Path(self.path(real))
        if not path.is_file():
            raise RenderError(f"{relative}: no such file in the repository")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise RenderError(f"{relative}: the file is larger than {max_bytes >> 20} MiB")
        return content

    def note(self, relative: str) -> str:
        """Remember one file or absent path as read; returns its real path."""
        real = self.real(relative)
        self.reads.add(real)
        return real

    def note_folder(self, relative: str) -> str:
        """Remember a whole directory as read; returns its real path."""
        real = self.real(relative)
        self.reads.add(real + "/" if real else "")
        return real

    def compact_reads(self) -> tuple[str, ...]:
        """What was read, sorted, without what lies in a directory that was read as a whole."""
        if "" in self.reads:
            return ("",)
        wholes = {path for path in self.reads if path.endswith("/")}

        def is_covered(path: str) -> bool:
            parts = path.rstrip("/").split("/")
            return any("/".join(parts[:n]) + "/" in wholes for n in range(1, len(parts)))

        return tuple(sorted(path for path in self.reads if not is_covered(path)))

    def is_file(self, relative: str) -> bool:
        return Path(self.path(self.real(relative))).is_file()

    def is_folder(self, relative: str) -> bool:
        return Path(self.path(self.real(relative))).is_dir()

    def names(self, real: str, relative: str = "") -> list[str]:
        try:
            return sorted(os.listdir(self.path(real)))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            raise RenderError(
                f"{relative}: no such directory at this revision", object=relative
            ) from None
        except NotADirectoryError:
            raise RenderError(f"{relative}: not a directory", object=relative) from None

    def walk(
        self, relative: str, *, enter: Callable[[str], bool] = lambda _: True
    ) -> Iterator[str]:
        """Files below a directory in the order of their names, links followed, each once.

        Args:
            enter: whether to go into a directory below.

        Raises:
            RenderError: a link below leads out of the tree, or there are too many files.
        """
        seen: set[str] = set()
        count = 0
        folders = [relative]
        while folders:
            folder = folders.pop()
            real = self.real(folder)
            if real in seen:  # a link back to a directory above
                continue
            seen.add(real)
            if folder != real or folder == relative:
                self.note_folder(folder)
            below: list[str] = []
            for name in self.names(real, relative):
                child = f"{folder}/{name}" if folder else name
                target = self.real(child)
                if target != f"{real}/{name}".lstrip("/"):
                    self.reads.add(target)  # what a link points at
                if Path(self.path(target)).is_dir():
                    below.append(child)
                    continue
                count += 1
                if count > _MAX_FILES:
                    raise RenderError(f"{relative}: more than {_MAX_FILES} files")
                yield child
            folders.extend(path for path in reversed(below) if enter(path))


def _parts(path: str, shown: str) -> list[str]:
    if path.startswith("/") or "\0" in path:
        raise _outside(shown)
    return [part for part in path.split("/") if part not in {"", "."}]


def _link_target(path: str) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - half the time of Path, and called a lot
    except OSError:
        return None


def _outside(relative: str) -> RenderError:
    return RenderError(
        f"{relative}: leads out of the repository",
        hint="A path or symlink of a source has to stay inside its repository.",
    )
