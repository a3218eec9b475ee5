"""Objects as the ``Table`` that kubectl prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from fleet.embedded.sandbox.columns import Column
from fleet.embedded.sandbox.forms import Form
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.printing import columns_of
from fleet.embedded.sandbox.store import Entry


def table(
    kind: Kind,
    entries: Sequence[Entry],
    now: datetime,
    *,
    form: Form,
    include: str = "Metadata",
    metadata: Mapping[str, Any],
    headed: bool = True,
) -> bytes:
    """The table of some objects.

    Args:
        include: ``None``, ``Metadata`` or ``Object``: what a row carries beside its cells.
        headed: whether the columns are described; a watch does that once.
    """
    columns = columns_of(kind)
    rows = []
    for entry in entries:
        obj = entry.object()
        row: dict[str, Any] = {"cells": [column.cell(obj, now) for column in columns]}
        row["object"] = _carried(entry, include, form)
        rows.append(row)
    found = {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in columns] if headed else None,
        "rows": rows,
    }
    return orjson.dumps(found)


def _carried(entry: Entry, include: str, form: Form) -> orjson.Fragment | None:
    if include == "None":
        return None
    if include == "Object":
        return orjson.Fragment(entry.json())
    return orjson.Fragment(form.partial(entry.meta))


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }
