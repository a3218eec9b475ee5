"""Version ranges in the syntax of Argo CD and Helm. Pure.

The rules are those of the Go library Masterminds/semver, version 3, which both use: ``,``
or a space means and, ``||`` means or; ``= != > < >= <= ~ ^``; hyphen ranges; ``x``, ``X``
and ``*`` as wildcards; missing parts count as wildcards. A pre-release satisfies a range
only if a bound of the same and-group names a pre-release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering

_VERSION = re.compile(
    r"v?(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*))?(?:\.(0|[1-9][0-9]*))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_PART = r"(?:0|[1-9][0-9]*|[xX*])"
_BOUND = (
    rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
_CLAUSE = re.compile(rf"\s*(?P<op>!=|>=|=>|<=|=<|~>|[=><~^])?\s*{_BOUND}\s*(?:,|(?=\s)|$)")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
MAX_RANGE_LENGTH = 256


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version; ordered by its rules, so build metadata does not count."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    def _key(self) -> tuple[int, int, int, bool, list[tuple[bool, int, str]]]:
        identifiers = [
            (False, int(part), "") if part.isdigit() else (True, 0, part)
            for part in self.prerelease
        ]
        return (self.major, self.minor, self.patch, not self.prerelease, identifiers)

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()


@dataclass(frozen=True, slots=True)
class _Clause:
    """One comparison. ``given`` counts the parts that were numbers, from the left (0 to 3)."""

    operator: str
    bound: Version
    given: int

    def allows(self, version: Version) -> bool:
        parts = (version.major, version.minor, version.patch)[: self.given]
        bound = (self.bound.major, self.bound.minor, self.bound.patch)[: self.given]
        match self.operator:
            case "=":
                return parts == bound if self.given < 3 else version == self.bound
            case "!=":
                return parts != bound if self.given < 3 else version != self.bound
            case ">":
                return parts > bound if self.given < 3 else version > self.bound
            case "<=":
                return parts <= bound if self.given < 3 else version <= self.bound
            case ">=":
                return version >= self.bound
            case "<":
                return version < self.bound
            case "~":
                fixed = min(self.given, 2)
                return version >= self.bound and parts[:fixed] == bound[:fixed]
            case _:  # caret: the leftmost number that is not zero stays
                fixed = next((at for at, part in enumerate(bound) if part), self.given - 1) + 1
                return version >= self.bound and parts[:fixed] == bound[:fixed]


@dataclass(frozen=True, slots=True)
class Range:
    """Any of the groups; within a group all clauses."""

    groups: tuple[tuple[_Clause, ...], ...]

    def allows(self, version: Version) -> bool:
        return any(_group_allows(group, version) for group in self.groups)


def parse_version(text: str) -> Version | None:
    """``text`` as a version; a leading ``v`` and missing parts are accepted. None if it is
    no version."""
    match = _VERSION.fullmatch(text)
    if not match or len(text) > MAX_RANGE_LENGTH:
        return None
    prerelease = tuple(match[4].split(".")) if match[4] else ()
    if any(part.isdigit() and part != "0" and part[0] == "0" for part in prerelease):
        return None
    return Version(int(match[1]), int(match[2] or 0), int(match[3] or 0), prerelease)


def parse_range(text: str) -> Range | None:
    """``text`` as a range; ``*`` and the empty text allow every release. None if it is
    neither a range nor a version (a version is a range of one)."""
    if len(text) > MAX_RANGE_LENGTH:
        return None
    groups = [_parse_group(part) for part in text.split("||")]
    if any(group is None for group in groups):
        return None
    return Range(tuple(group for group in groups if group is not None))


def newest(range_: Range, names: Iterable[str]) -> str | None:
    """The name of the highest version that the range allows; names that are no versions are
    passed over. Two spellings of one version: the first in the alphabet."""
    best: tuple[Version, str] | None = None
    for name in sorted(names):
        version = parse_version(name)
        if version and range_.allows(version) and (best is None or version > best[0]):
            best = (version, name)
    return best[1] if best else None


def _group_allows(group: tuple[_Clause, ...], version: Version) -> bool:
    if version.prerelease and not any(clause.bound.prerelease for clause in group):
        return False
    return all(clause.allows(version) for clause in group)


def _parse_group(text: str) -> tuple[_Clause, ...] | None:
    text = _HYPHEN.sub(r">=\1 <=\2", text.strip())
    if not text:
        return (_Clause("=", Version(0, 0, 0), 0),)
    clauses: list[_Clause] = []
    at = 0
    while at < len(text):
        match = _CLAUSE.match(text, at)
        if not match or match.end() == at:
            return None
        clauses.append(_clause(match))
        at = match.end()
    return tuple(clauses)


def _clause(match: re.Match[str]) -> _Clause:
    operator = {"=>": ">=", "=<": "<=", "~>": "~", None: "="}.get(match["op"], match["op"])
    numbers: list[int] = []
    for name in ("major", "minor", "patch"):
        if match[name] is None or match[name] in "xX*":
            break
        numbers.append(int(match[name]))
    prerelease = tuple(match["pre"].split(".")) if match["pre"] else ()
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return _Clause(operator, Version(major, minor, patch, prerelease), len(numbers))
