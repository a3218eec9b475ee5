"""Globs as Argo CD reads them.

``?`` matches one character, ``[a-z]`` and ``[!a]`` one of a set, ``{a,b/*}`` one of several,
nested or not; a backslash takes the next character as it is. In ``directory.include`` and
``exclude`` ``*`` matches anything, slashes too; in Helm's value files only ``**`` crosses them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fleet.errors import Place, SpecInvalid

_MAX_LENGTH = 4096


def matches(pattern: str, path: str, *, by_segment: bool = False) -> bool:
    """Whether the whole of ``path`` matches.

    Args:
        by_segment: ``*`` and ``?`` stop at slashes.

    Raises:
        SpecInvalid: ``pattern`` has an open bracket or brace.
    """
    return _compiled(pattern, by_segment).fullmatch(path) is not None


def is_glob(text: str) -> bool:
    return any(char in text for char in "*?[{")


def fixed_folder(pattern: str) -> str:
    """The directory that everything which matches is below, as far as it has no wildcard."""
    plain = re.split(r"[*?\[{\\]", pattern, maxsplit=1)[0]
    return plain.rpartition("/")[0]


@lru_cache(maxsize=256)
def _compiled(pattern: str, by_segment: bool) -> re.Pattern[str]:
    if len(pattern) > _MAX_LENGTH:
        raise SpecInvalid(f"a glob of more than {_MAX_LENGTH} characters")
    parts: list[str] = []
    depth = position = 0
    while position < len(pattern):
        part, position, depth = _next_part(pattern, position, depth, by_segment)
        parts.append(part)
    if depth:
        raise _invalid(pattern, "a brace is not closed")
    return re.compile("".join(parts), re.DOTALL)


def _next_part(pattern: str, position: int, depth: int, by_segment: bool) -> tuple[str, int, int]:
    """The regular expression for what stands at ``position``, where it ends, and how many
    braces are open then."""
    char = pattern[position]
    if char == "*":
        end = position
        while end < len(pattern) and pattern[end] == "*":
            end += 1
        if not by_segment or end - position > 1:
            whole = by_segment and pattern[end : end + 1] == "/"  # `**/` may be nothing at all
            return ("(?:.*/)?", end + 1, depth) if whole else (".*", end, depth)
        return "[^/]*", end, depth
    if char == "?":
        return "[^/]" if by_segment else ".", position + 1, depth
    if char == "[":
        found, end = _character_set(pattern, position)
        return found, end, depth
    if char == "{":
        return "(?:", position + 1, depth + 1
    if char == "}" and depth:
        return ")", position + 1, depth - 1
    if char == "," and depth:
        return "|", position + 1, depth
    if char == "\\" and position + 1 < len(pattern):
        return re.escape(pattern[position + 1]), position + 2, depth
    return re.escape(char), position + 1, depth


def _character_set(pattern: str, start: int) -> tuple[str, int]:
    end = pattern.find("]", start + 2)
    inside = pattern[start + 1 : end]
    negated = inside.startswith("!")
    body = inside[1:] if negated else inside
    if end < 0 or not body:
        raise _invalid(pattern, "a bracket is not closed")
    first, dash, last = body[:1], body[1:2], body[2:]
    if len(body) == 3 and dash == "-":
        if first > last:
            raise _invalid(pattern, f"the range {body} is empty")
        body = f"{re.escape(first)}-{re.escape(last)}"
    else:
        body = re.escape(body)
    return f"[{'^' if negated else ''}{body}]", end + 1


def _invalid(pattern: str, why: str) -> SpecInvalid:
    return SpecInvalid(f"{pattern!r} is no glob: {why}", place=Place(field="directory"))
