"""Patterns of RBAC rules as regular expressions that cost linear time, whoever wrote them.

A policy is written in globs, or in regular expressions where ``policy.matchMode`` says so.
Both become one: matched here by RE2, and in a WHERE by PostgreSQL, which therefore has to
read it alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any

import re2

from fleet.policy.globs import glob_regex

ANY = "*"
_MAX_LENGTH = 1024  # characters of a pattern
#: Behind a backslash: what means the same to RE2 and to PostgreSQL. A ``(?`` opens a group,
#: or stands in front of everything and makes case not matter.
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES_ALIKE = re.compile(r"[dwsDWS]|[^A-Za-z0-9\x00]", re.ASCII)
_QUESTION = re.compile(r"\(\?(?!:)")
_CASELESS = "(?i)"


class MatchMode(StrEnum):
    """How the patterns of a policy are read; Argo CD's words."""

    GLOB = "glob"
    REGEX = "regex"


def regex_of(pattern: str, mode: MatchMode) -> str | None:
    """The pattern as a regular expression; None if it is none, or none that both RE2 and
    PostgreSQL read alike.

    A glob is of the whole text; a regular expression is found anywhere in it, as in Argo CD.
    ``*`` alone is any text in both: projects are written in globs, whatever the policy is.
    """
    if pattern == ANY:
        return glob_regex(ANY)
    if len(pattern) > _MAX_LENGTH or "\0" in pattern:
        return None
    if mode is MatchMode.GLOB:
        return glob_regex(pattern)
    return pattern if _is_portable(pattern) and _compiled(pattern) is not None else None


def finds(regex: str, text: str) -> bool:
    """Whether it is found in ``text``; ``regex`` comes from ``regex_of``."""
    compiled = _compiled(regex)
    return compiled is not None and compiled.search(text) is not None


def finds_any(regexes: Iterable[str], text: str) -> bool:
    return any(finds(regex, text) for regex in regexes)


def _is_portable(pattern: str) -> bool:
    rest = pattern.removeprefix(_CASELESS)
    bare = _ESCAPE.sub("", rest)
    escapes = (found[1] for found in _ESCAPE.finditer(rest))
    return (
        not pattern.startswith("***")
        and _QUESTION.search(bare) is None
        and all(_ESCAPES_ALIKE.fullmatch(letter) for letter in escapes)
    )


@lru_cache(maxsize=4096)
def _compiled(regex: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(regex, options)
    except re2.error:
        return None
