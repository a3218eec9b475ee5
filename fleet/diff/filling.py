"""What others put into a mapping or list that Git leaves empty is theirs.

An apply of ``annotations: {}`` owns the mapping as a leaf. Once somebody writes into it, the
API server counts the leaf as changed and takes it from us, though nothing that Git says is
otherwise (asked of Kubernetes 1.33). Whether the leaf was empty cannot be told from a field
set alone; the hash of the values tells (``projection_sha256``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.diff.projection import Fields
from fleet.diff.respect import is_ours
from fleet.diff.values import MAX_DEPTH


def with_filled(now: Fields, before: Fields, managed_fields: Iterable[Any]) -> dict[str, Any]:
    """Our field set ``now``, and the leaves of the set ``before`` that are gone from it and of
    which others own parts. One that another owns as a leaf was overwritten: it stays gone."""
    others = [
        entry["fieldsV1"]
        for entry in managed_fields
        if isinstance(entry, Mapping)
        and isinstance(entry.get("fieldsV1"), Mapping)
        and not is_ours(entry)
    ]
    return _with_filled(now, before, others, 0)


def _with_filled(now: Fields, before: Fields, others: list[Fields], depth: int) -> dict[str, Any]:
    found = dict(now)
    if depth >= MAX_DEPTH or not others:
        return found
    for key, was in before.items():
        parts = [part for other in others if isinstance(part := other.get(key), Mapping)]
        parts = [part for part in parts if part.keys() - {"."}]
        held = now.get(key, {})
        if not parts or not isinstance(was, Mapping) or not isinstance(held, Mapping):
            continue
        if not was:
            found.setdefault(key, was)
        elif inner := _with_filled(held, was, parts, depth + 1):
            found[key] = inner
    return found
