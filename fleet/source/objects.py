"""Reading what ``git cat-file`` prints. Pure."""

from __future__ import annotations

import re

from fleet.source.revisions import is_sha

# With --follow-symlinks, a path that ends nowhere is answered by a kind, the length of a
# text, and the text on the next line.
_NOWHERE = re.compile(rb"(?:dangling|loop|notdir|symlink) ([0-9]+)")


def parse_batch_check(output: bytes) -> list[str | None]:
    """One entry a question, in order: the object id, or None where there is no object."""
    ids: list[str | None] = []
    at = 0
    while at < len(output):
        end = output.find(b"\n", at)
        if end < 0:
            break  # cut off in the middle of an answer
        line = output[at:end]
        at = end + 1
        nowhere = _NOWHERE.fullmatch(line)
        if nowhere:
            at += int(nowhere[1]) + 1
        text = line.decode(errors="replace")
        ids.append(text if is_sha(text) else None)
    return ids


def parse_blob(output: bytes) -> bytes | None:
    """The content out of the answer of ``cat-file --batch`` to one question."""
    header, _, rest = output.partition(b"\n")
    fields = header.split()
    if len(fields) != 3 or fields[1] != b"blob":
        return None
    return rest[: int(fields[2])]
