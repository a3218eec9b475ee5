"""The columns of a kind: those of our table, or those that a custom kind's definition prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fleet.embedded.sandbox import cells
from fleet.embedded.sandbox.columns import AGE, COLUMNS, NAME, Column
from fleet.embedded.sandbox.kinds import Kind

#: A part of a simple JSON path: a name, in which a dot may follow a backslash, or brackets.
_PART = re.compile(r"\[[^\]]*\]|(?:[^.\[\\]|\\.)+")
_DEFAULT = (NAME, AGE)
_CUSTOM_DEFAULT = (NAME, AGE._replace(type="date"))


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """The columns of a kind; those of a custom kind are in its definition."""
    if kind.custom is None:
        return COLUMNS.get(kind.storage, _DEFAULT)
    if not kind.custom.columns:
        return _CUSTOM_DEFAULT
    return (NAME, *(_printed(column) for column in kind.custom.columns))


def _printed(column: Mapping[str, Any]) -> Column:
    path = [part.replace("\\.", ".") for part in _PART.findall(column["jsonPath"])]

    def found(obj: Mapping[str, Any], now: datetime) -> Any:
        value = _follow(obj, path)
        if column["type"] == "date" and isinstance(value, str):
            return cells.since(value, now)
        if column["type"] == "string" and value is not None and not isinstance(value, str):
            return str(value)
        return value

    return Column(
        column["name"],
        found,
        column["type"],
        column.get("format", ""),
        column.get("priority", 0),
        column.get("description", ""),
    )


def _follow(obj: Any, path: list[str]) -> Any:
    for part in path:
        if part.startswith("["):
            obj = _item(obj, part[1:-1])
        elif isinstance(obj, Mapping):
            obj = obj.get(part)
        else:
            return None
    return obj


def _item(value: Any, which: str) -> Any:
    """``0``, ``*`` or ``?(@.type=="Ready")`` of a list, the first that fits; ``'key'`` of a map."""
    if isinstance(value, Mapping):
        return value.get(which.strip("\"'"))
    if not isinstance(value, list):
        return None
    if which.startswith("?(@."):
        key, _, wanted = which[4:].rstrip(")").partition("==")
        return next((it for it in value if str(it.get(key)) == wanted.strip("\"' ")), None)
    number = int(which) if which.lstrip("-").isdigit() else 0
    return value[number] if -len(value) <= number < len(value) else None
