"""JSON values as YAML text for people: stable, and harmless on a terminal.

Every letter that does not print (control characters, terminal escapes, bidirectional
overrides) is written as an escape, so no object can drive the terminal that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fleet.diff.digest import canonical
from fleet.diff.values import MAX_DEPTH, number_text

_FIRST = ("apiVersion", "kind", "metadata")
#: Text that means itself without quotes; a colon or space inside must not end a token.
_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./@+=,-]|:(?=[A-Za-z0-9_/])| (?=[A-Za-z0-9_]))*")
_RESERVED = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def yaml_lines(value: Any) -> list[str]:
    """Keys sorted, apiVersion, kind and metadata first. What is nested too deeply stands
    as JSON on one line."""
    return _lines(value, 0)


def printable(text: str, *, keep: str = "") -> str:
    """``text`` with every letter that does not print, but those in ``keep``, escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def _lines(value: Any, depth: int) -> list[str]:
    if _is_nested(value) and depth >= MAX_DEPTH:
        return [_quoted(canonical(value).decode("utf-8", "replace"))]
    if isinstance(value, Mapping) and value:
        lines: list[str] = []
        for key in sorted(value, key=_rank if depth == 0 else str):
            lines += _entry(f"{_scalar(str(key))}:", value[key], depth + 1)
        return lines
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item, depth + 1)]
    return _text(value) if isinstance(value, str) else [_scalar(value)]


def _rank(key: object) -> tuple[int, str]:
    place = _FIRST.index(key) if key in _FIRST else len(_FIRST)
    return place, str(key)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _entry(head: str, value: Any, depth: int) -> list[str]:
    lines = _lines(value, depth)
    if not _is_nested(value) or depth >= MAX_DEPTH:
        return [f"{head} {lines[0]}", *_indented(lines[1:])]
    return [head, *(lines if isinstance(value, list) else _indented(lines))]


def _item(value: Any, depth: int) -> list[str]:
    first, *rest = _lines(value, depth)
    return [f"- {first}", *_indented(rest)]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else "" for line in lines]


def _text(text: str) -> list[str]:
    """Several lines stand as a block, so that a diff shows which of them changed."""
    if not _is_block(text):
        return [_scalar(text)]
    body = text.rstrip("\n")
    newlines = len(text) - len(body)
    head = ("|-", "|")[newlines] if newlines < 2 else "|+"
    lines = body.split("\n") + [""] * (newlines - 1)
    return [head, *lines]


def _is_block(text: str) -> bool:
    if "\n" not in text or text[0] in " \n\t":
        return False
    return text.replace("\n", "").replace("\t", "").isprintable()


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list):
        return "[]"
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED
    return text if is_plain else _quoted(text)


def _quoted(text: str) -> str:
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return f'"{printable(escaped)}"'
