"""What a commit contains, judged before a byte of it is written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.errors import SourceError

MODE_SYMLINK = "120000"
MODE_EXECUTABLE = "100755"
MODE_SUBMODULE = "160000"
_MAX_LINK_HOPS = 40
_MAX_LINK_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a checked-out tree may be."""

    files: int = 1_000_000
    size_bytes: int = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit. ``path`` is relative, with ``/``; ``size`` is 0 for submodules."""

    mode: str
    sha: str
    size: int
    path: str

    @property
    def is_link(self) -> bool:
        return self.mode == MODE_SYMLINK

    @property
    def is_submodule(self) -> bool:
        return self.mode == MODE_SUBMODULE


def parse_listing(output: bytes, limits: Limits) -> tuple[Entry, ...]:
    """Read ``git ls-tree -r -l -z``.

    Raises:
        SourceError: too many files, too many bytes, or a path that must not be written.
    """
    entries: list[Entry] = []
    total = 0
    for record in output.split(b"\0"):
        if not record:
            continue
        meta, _, raw_path = record.partition(b"\t")
        mode, _, sha, size = meta.decode().split()
        entry = Entry(mode, sha, 0 if size == "-" else int(size), _path(raw_path))
        entries.append(entry)
        total += entry.size
        if len(entries) > limits.files:
            raise SourceError(f"the tree has more than {limits.files} files")
        if total > limits.size_bytes:
            raise SourceError(f"the tree is larger than {limits.size_bytes} bytes")
    return tuple(entries)


def judge_links(links: Mapping[str, str]) -> None:
    """Refuse symlinks that lead out of the tree, or round in a circle.

    Args:
        links: path → target, as stored; one entry a symlink of the tree.

    Raises:
        SourceError: names the first such link. A link to nothing inside the tree is harmless.
    """
    for path in sorted(links):
        reason = _leads_astray(path, links)
        if reason:
            raise SourceError(
                f"{path}: the symlink {reason}",
                hint="Symlinks may only point to files of the same repository.",
            )


def _leads_astray(path: str, links: Mapping[str, str]) -> str:
    """Why the link at ``path`` is refused, or ``""``. Walks part by part, as a kernel does."""
    pending = path.split("/")[::-1]
    at: list[str] = []
    hops = 0
    while pending:
        part = pending.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not at:
                return "leaves the tree"
            at.pop()
            continue
        at.append(part)
        target = links.get("/".join(at))
        if target is None:
            continue
        hops += 1
        if hops > _MAX_LINK_HOPS:
            return "is part of a loop"
        if target.startswith("/"):
            return "leaves the tree: its target is absolute"
        if not target or len(target) > _MAX_LINK_LENGTH or "\0" in target:
            return "has no proper target"
        at.pop()
        pending += target.split("/")[::-1]
    return ""


def normalise_path(path: str) -> str:
    """``path`` inside a repository, without ``./`` and outer slashes; ``""`` is the root.

    Raises:
        SourceError: it leaves the repository, or holds control characters.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts:
        raise SourceError(f"{path[:200]!r}: outside the repository")
    if any(ord(char) < 32 or char == "\x7f" for char in path):
        raise SourceError(f"{path[:200]!r}: control characters in a path")
    return "/".join(parts)


def covers(paths: Iterable[str], path: str) -> bool:
    """True when ``path`` is one of ``paths`` or below one; ``""`` covers everything."""
    return any(not top or path == top or path.startswith(top + "/") for top in paths)


def _path(raw: bytes) -> str:
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise SourceError(f"{raw[:200]!r}: a file name that is not UTF-8") from None
    parts = path.split("/")
    if any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts):
        raise SourceError(f"{path[:200]!r}: a file name that must not be written")
    return path
