"""Two texts as runs of equal and unequal lines, cut down to what stands near a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

#: Lines a side beyond which unequal middles are shown whole instead of matched: matching
#: takes time that grows with the square, and whoever writes the objects could choose it.
_MAX_MATCHED_LINES = 2000


@dataclass(frozen=True, slots=True)
class Run:
    """Lines of both sides that are the same, or that replace each other."""

    equal: bool
    left: list[str]
    right: list[str]


def runs(left: list[str], right: list[str]) -> list[Run]:
    before = _common(left, right)
    shorter = min(len(left), len(right)) - before
    after = min(_common(left[::-1], right[::-1]), shorter)
    middle = _matched(left[before : len(left) - after], right[before : len(right) - after])
    head = [Run(True, left[:before], right[:before])] if before else []
    tail = [Run(True, left[-after:], right[-after:])] if after else []
    return [*head, *middle, *tail]


def _common(left: list[str], right: list[str]) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))


def _matched(left: list[str], right: list[str]) -> list[Run]:
    if not left and not right:
        return []
    if max(len(left), len(right)) > _MAX_MATCHED_LINES:
        return [Run(False, left, right)]
    found = SequenceMatcher(None, left, right).get_opcodes()
    return [Run(tag == "equal", left[a:b], right[c:d]) for tag, a, b, c, d in found]


def windows(changed: Sequence[bool], context: int) -> list[range]:
    """The rows to show: each changed one with ``context`` rows around, near ones joined."""
    found: list[range] = []
    for index, is_changed in enumerate(changed):
        if not is_changed:
            continue
        start, stop = max(0, index - context), min(len(changed), index + context + 1)
        if found and start <= found[-1].stop:
            found[-1] = range(found[-1].start, stop)
        else:
            found.append(range(start, stop))
    return found
