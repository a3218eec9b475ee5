"""Writing a commit's files from one stream of ``git cat-file --batch``.

No checkout, no index, no attributes: the bytes in the repository are the bytes on disk, and
nothing in the repository (filters, hooks, ``.gitattributes``) has a say. Symlinks are made
when everything else is written, so that no write can pass through one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from fleet.errors import SourceError
from fleet.source.listing import MODE_EXECUTABLE, Entry, judge_links


class Damaged(Exception):
    """The mirror did not hold what its own listing promised; it has to be cloned again."""


class TreeWriter:
    """Takes the output of ``cat-file --batch`` chunk by chunk.

    Use: ask for the blobs of ``order`` in that order, ``feed`` every chunk, then ``finish``.
    """

    def __init__(self, root: Path, entries: Sequence[Entry]) -> None:
        self._root = root
        self.order = [entry for entry in entries if not entry.is_submodule]
        self._next = 0
        self._header = bytearray()
        self._remaining = -1  # bytes of content to come, and one line feed; -1: in a header
        self._file: IO[bytes] | None = None
        self._link = bytearray()
        self._links: dict[str, str] = {}
        self._folders: set[Path] = {root}
        for entry in entries:
            if entry.is_submodule:  # git leaves an empty directory too
                self._folder(root / entry.path)

    @property
    def stdin(self) -> bytes:
        """What to ask ``cat-file --batch`` for."""
        return b"".join(entry.sha.encode() + b"\n" for entry in self.order)

    @property
    def output_bytes(self) -> int:
        """An upper bound of what comes back."""
        return sum(entry.size + len(entry.sha) + 40 for entry in self.order)

    def feed(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = self._read_header(view) if self._remaining < 0 else self._read_content(view)

    def finish(self) -> None:
        """Check that everything came, then make the symlinks.

        Raises:
            Damaged: the stream ended early.
            SourceError: a symlink leads out of the tree.
        """
        if self._remaining >= 0 or self._next != len(self.order):
            raise Damaged("the mirror lacks objects of the commit")
        judge_links(self._links)
        for path, target in self._links.items():
            place = self._root / path
            self._folder(place.parent)
            try:
                place.symlink_to(target)
            except FileExistsError:
                raise SourceError(f"{path}: twice in the same tree") from None

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _read_header(self, view: memoryview) -> memoryview:
        data = bytes(view[:200])
        end = data.find(b"\n")
        self._header += data if end < 0 else data[:end]
        if len(self._header) > 200:
            raise Damaged("git cat-file sent no header")
        if end >= 0:
            self._begin(bytes(self._header).decode(errors="replace"))
            self._header.clear()
        return view[len(data) if end < 0 else end + 1 :]

    def _begin(self, header: str) -> None:
        entry = self.order[self._next] if self._next < len(self.order) else None
        if entry is None or header != f"{entry.sha} blob {entry.size}":
            raise Damaged("the mirror lacks objects of the commit")
        self._remaining = entry.size + 1
        if entry.is_link:
            self._link.clear()
        else:
            self._file = self._create(entry)

    def _create(self, entry: Entry) -> IO[bytes]:
        path = self._root / entry.path
        self._folder(path.parent)
        try:
            file = path.open("xb")
        except FileExistsError:
            raise SourceError(f"{entry.path}: twice in the same tree") from None
        if entry.mode == MODE_EXECUTABLE:
            path.chmod(0o755)
        return file

    def _folder(self, path: Path) -> None:
        if path not in self._folders:
            path.mkdir(parents=True, exist_ok=True)
            self._folders.add(path)

    def _read_content(self, view: memoryview) -> memoryview:
        part = view[: self._remaining]
        self._remaining -= len(part)
        content = part if self._remaining else part[:-1]
        if self._file:
            self._file.write(content)
        else:
            self._link += content
        if not self._remaining:
            self._end()
        return view[len(part) :]

    def _end(self) -> None:
        entry = self.order[self._next]
        if self._file:
            self._file.close()
            self._file = None
        else:
            self._links[entry.path] = self._link.decode(errors="surrogateescape")
        self._next += 1
        self._remaining = -1
