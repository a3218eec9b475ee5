"""Reading what ``git cat-file`` prints. Pure."""

from __future__ import annotations

import re
from collections.abc import Set

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


def parse_tree_ids(output: bytes, paths: Set[str]) -> tuple[dict[str, str], bool]:
    """Path → object id out of ``git ls-tree -r -t -z``, for those of ``paths`` that are there
    and no symlinks, and whether the tree has any symlink at all."""
    wanted = {path.encode(): path for path in paths}
    found: dict[str, str] = {}
    has_links = False
    for record in output.split(b"\0"):
        meta, _, path = record.partition(b"\t")
        if meta.startswith(b"120000"):
            has_links = True
        elif path in wanted and path:
            found[wanted[path]] = meta.rpartition(b" ")[2].decode()
    return found, has_links


def parse_objects(output: bytes, kind: str) -> list[bytes]:
    """The contents out of the answer of ``cat-file --batch`` to several questions, as far as
    they are objects of that kind."""
    found = []
    at = 0
    while at < len(output):
        header, _, _ = output[at : at + 200].partition(b"\n")
        fields = header.split()
        if len(fields) != 3 or fields[1] != kind.encode():
            break
        begin = at + len(header) + 1
        at = begin + int(fields[2]) + 1
        found.append(output[begin : at - 1])
    return found


def parse_commit(raw: bytes) -> tuple[str, int, str]:
    """Who wrote a commit, when it was committed (seconds since 1970), and the first line of its
    message; the texts in one printable line each, "" and 0 for what is not as git writes it."""
    head, _, message = raw.partition(b"\n\n")
    lines = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line)
    author = lines.get(b"author", b"").rpartition(b">")[0]
    when = lines.get(b"committer", b"").rpartition(b">")[2].split()
    seconds = int(when[0]) if when and when[0].isdigit() and len(when[0]) <= 10 else 0
    first = message.strip().partition(b"\n")[0]
    return _printable(author + b">") if author else "", seconds, _printable(first)


def _printable(text: bytes) -> str:
    letters = text.decode(errors="replace")
    return " ".join("".join(it if it.isprintable() else " " for it in letters).split())
