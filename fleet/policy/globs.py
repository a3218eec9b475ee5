"""Globs as Argo CD's projects use them.

``*`` any text, ``?`` one character, ``[abc]``, ``[a-z]``, ``[!a-z]`` one of or none of,
``{eu,us}`` alternatives, ``\\`` takes the next character literally. With a separator,
``*`` and ``?`` stop at it and ``**`` does not: so ``https://git.example/*`` is one level
of a repository's URL, while ``*`` in a kind, a name or a server is any text. Matching is
of the whole text and of case. Source: gobwas/glob, and how ``AppProject`` calls it.

The pattern comes from users, so it is matched without backtracking: the work is at most
length of pattern × length of text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

_MAX_LENGTH = 2048  # characters of a pattern
_MAX_NESTING = 8  # braces within braces


@dataclass(frozen=True, slots=True)
class _Star:
    crosses: bool


@dataclass(frozen=True, slots=True)
class _One:
    """One character, not the separator."""


@dataclass(frozen=True, slots=True)
class _Class:
    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def has(self, letter: str) -> bool:
        return any(low <= letter <= high for low, high in self.ranges) is not self.negated


@dataclass(frozen=True, slots=True)
class _Either:
    choices: tuple[_Sequence, ...]


_Item: TypeAlias = "str | _Star | _One | _Class | _Either"  # str: one literal character
_Sequence: TypeAlias = "tuple[_Item, ...]"


class _Malformed(Exception):
    """The pattern is no glob; never leaves this module."""


def is_glob(pattern: str) -> bool:
    """False for an unclosed bracket or brace, an empty class, a trailing backslash, or excess."""
    return _parse(pattern) is not None


def glob_regex(pattern: str) -> str | None:
    """The glob, without a separator, as a regular expression of the whole text that RE2 and
    PostgreSQL read alike; None for a malformed pattern."""
    sequence = _parse(pattern)
    return None if sequence is None else f"^{_regex(sequence)}$"


def matches_glob(pattern: str, text: str, *, separator: str = "") -> bool:
    """Whether the whole of ``text`` matches; never for a malformed pattern."""
    sequence = _parse(pattern)
    if sequence is None:
        return False
    return len(text) in _advance(sequence, {0}, text, separator)


def _advance(sequence: _Sequence, starts: set[int], text: str, separator: str) -> set[int]:
    """Every position at which ``sequence`` may end when it begins at one of ``starts``."""
    positions = starts
    for item in sequence:
        if not positions:
            return positions
        if isinstance(item, _Star):
            positions = _spread(positions, text, "" if item.crosses else separator)
        elif isinstance(item, _Either):
            positions = set().union(
                *(_advance(choice, positions, text, separator) for choice in item.choices)
            )
        else:
            positions = {
                at + 1 for at in positions if at < len(text) and _is_one(item, text[at], separator)
            }
    return positions


def _spread(positions: set[int], text: str, separator: str) -> set[int]:
    """Every position from one of ``positions`` up to the next separator or the end."""
    reached: set[int] = set()
    for start in sorted(positions):
        at = start
        while at not in reached:
            reached.add(at)
            if at == len(text) or text[at] == separator:
                break
            at += 1
    return reached


def _is_one(item: str | _One | _Class, letter: str, separator: str) -> bool:
    if isinstance(item, str):
        return item == letter
    if isinstance(item, _One):
        return letter != separator
    return item.has(letter)


def _regex(sequence: _Sequence) -> str:
    return "".join(map(_regex_of, sequence))


def _regex_of(item: _Item) -> str:
    match item:
        case _Star():
            return ".*"
        case _One():
            return "."
        case _Class(ranges, negated):
            parts = (f"{regex_literal(low)}-{regex_literal(high)}" for low, high in ranges)
            return f"[{'^' if negated else ''}{''.join(parts)}]"
        case _Either(choices):
            return f"(?:{'|'.join(map(_regex, choices))})"
        case letter:
            return regex_literal(letter)


def regex_literal(text: str) -> str:
    """A regular expression of just this text: both dialects take any ASCII character that
    is no letter, digit or ``_`` literally behind a backslash."""
    return "".join(
        f"\\{letter}" if letter.isascii() and not (letter.isalnum() or letter == "_") else letter
        for letter in text
    )


@lru_cache(maxsize=4096)
def _parse(pattern: str) -> _Sequence | None:
    if len(pattern) > _MAX_LENGTH:
        return None
    try:
        choices, end = _choices(pattern, 0, 0)
    except _Malformed:
        return None
    assert end == len(pattern)
    return choices[0]


def _choices(pattern: str, at: int, nesting: int) -> tuple[tuple[_Sequence, ...], int]:
    """The sequences up to the closing brace, or the one up to the end of the pattern, and
    the position behind it."""
    choices: list[_Sequence] = []
    items: list[_Item] = []
    while at < len(pattern):
        letter = pattern[at]
        if nesting and letter in ",}":
            choices.append(tuple(items))
            items = []
            at += 1
            if letter == "}":
                return tuple(choices), at
            continue
        item, at = _item(pattern, at, nesting)
        items.append(item)
    if nesting:
        raise _Malformed
    return (tuple(items),), at


def _item(pattern: str, at: int, nesting: int) -> tuple[_Item, int]:
    match pattern[at]:
        case "*":
            end = at
            while end < len(pattern) and pattern[end] == "*":
                end += 1
            return _Star(crosses=end - at > 1), end
        case "?":
            return _One(), at + 1
        case "[":
            return _class(pattern, at + 1)
        case "{":
            if nesting == _MAX_NESTING:
                raise _Malformed
            choices, end = _choices(pattern, at + 1, nesting + 1)
            return _Either(choices), end
        case "\\":
            if at + 1 == len(pattern):
                raise _Malformed
            return pattern[at + 1], at + 2
        case letter:
            return letter, at + 1


def _class(pattern: str, at: int) -> tuple[_Class, int]:
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    end = pattern.find("]", at)
    if end <= at:
        raise _Malformed
    ranges = []
    while at < end:
        is_range = at + 2 < end and pattern[at + 1] == "-"
        low, high = pattern[at], pattern[at + 2] if is_range else pattern[at]
        if low > high:
            raise _Malformed
        ranges.append((low, high))
        at += 3 if is_range else 1
    return _Class(tuple(ranges), negated), end + 1
