"""Files on top of a branch: a commit made in a mirror without a working tree, and pushed.

Nothing of a branch is written to a disk as files: its tree is changed as git keeps it, so no
symlink and no name in it leads anywhere. The same files on the same commit with the same
message are the same commit: made twice, it is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.errors import SourceError
from fleet.source.process import Invocation

_MODE = b"100644"
_TOO_LATE = (
    "(fetch first)",
    "(non-fast-forward)",
    "(stale info)",
    "cannot lock ref",
    "failed to update ref",
    "reference already exists",
)


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit to be made.

    Attributes:
        parent: full SHA; "" for a branch that begins.
        files: path → content; everything else of the parent stays as it is.
        author: ``Name <address>``; it commits as well.
        seconds: since 1970, UTC.
    """

    parent: str
    files: Mapping[str, bytes]
    message: str
    author: str
    seconds: int


def blob_id(content: bytes, like: str) -> str:
    """The git object id of a file's content, in the format of the id ``like``."""
    algorithm = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest()


def import_of(commit: NewCommit, ref: str) -> Invocation:
    """The run of git that makes the commit and has ``ref`` point to it.

    Every part that comes from outside is counted in bytes before it is sent, or quoted.
    """
    message = commit.message.encode()
    parts = [
        b"feature done\n",
        f"commit {ref}\n".encode(),
        f"committer {commit.author} {commit.seconds} +0000\n".encode(),
        b"data %d\n" % len(message),
        message,
        b"\n",
        f"from {commit.parent}\n".encode() if commit.parent else b"",
    ]
    for path, content in sorted(commit.files.items()):
        parts += [
            b"M " + _MODE + b" inline " + _quoted(path) + b"\n",
            b"data %d\n" % len(content),
            content,
            b"\n",
        ]
    parts.append(b"done\n")
    arguments = ("fast-import", "--quiet", "--force", "--date-format=raw")
    return Invocation(arguments, stdin=b"".join(parts))


def _quoted(path: str) -> bytes:
    if any(ord(letter) < 0x20 or letter in '"\\' for letter in path):
        raise SourceError(f"{path[:80]!r}: no name for a file that is committed")
    return f'"{path}"'.encode()


def came_too_late(said: str) -> bool:
    """Whether a push was refused because its branch moved, or is being moved, says what
    ``git push --porcelain`` printed. Source of the lines: git-push(1)."""
    line = next((line for line in said.splitlines() if line.startswith("!\t")), "")
    return any(word in line for word in _TOO_LATE)
