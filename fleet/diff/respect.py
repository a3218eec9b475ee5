"""``RespectIgnoreDifferences``: what is sent leaves ignored fields as they live.

A field that is left out of a server-side apply stays if another manager owns it, and is
removed if nobody else does. So what is ignored is left out, but for what Fleet alone owns of
it on the live object: that is sent as it lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from fleet.diff.ignore import minus, remove_ignored, remove_ignored_fields
from fleet.diff.projection import Fields, entries_of
from fleet.diff.values import MAX_DEPTH
from fleet.model.applications import IgnoreDifference
from fleet.model.objects import FIELD_MANAGER, Manifest, metadata_of, ref_of


def respecting(
    desired: Manifest,
    live: Manifest,
    *,
    desired_rules: Iterable[IgnoreDifference],
    live_rules: Iterable[IgnoreDifference],
    owned: Fields,
) -> Manifest:
    """``desired`` with what the rules ignore as it is in ``live``.

    Args:
        desired_rules, live_rules: without jq; their pointers lead into the one and the other.
        owned: the field set of Fleet on ``live``.
    """
    entries = metadata_of(live).get("managedFields")
    managed = entries if isinstance(entries, list) else []
    sent = remove_ignored(desired, desired_rules, managed_fields=managed)
    counted = remove_ignored_fields(
        owned, live_rules, ref_of(live), managed_fields=managed, obj=live
    )
    others = [
        entry["fieldsV1"]
        for entry in managed
        if isinstance(entry, Mapping)
        and isinstance(entry.get("fieldsV1"), Mapping)
        and not is_ours(entry)
    ]
    mine = alone(minus(owned, counted), others, keys=True)
    return graft(sent, live, mine) if mine else sent


def alone(
    fields: Fields, others: Sequence[Fields], *, keys: bool, depth: int = 0
) -> dict[str, Any]:
    """The part of the set that no other set has.

    A leaf beside another's parts, and the other way round, is an empty list or mapping that
    somebody applied: it keeps nothing that is in it.

    Args:
        keys: of an item that is left in part, leave the fields by which it is known, too.
    """
    left: dict[str, Any] = {}
    for key, inner in fields.items():
        theirs = [other[key] for other in others if key in other]
        if key == "." or not isinstance(inner, Mapping) or depth >= MAX_DEPTH:
            left[key] = inner
        elif not inner:
            left |= {} if theirs else {key: inner}
        else:
            parts = [their for their in theirs if isinstance(their, Mapping) and their]
            rest = alone(inner, parts, keys=keys, depth=depth + 1)
            if rest.keys() - {"."} or rest == inner:
                names = _keys_of(key) & inner.keys() if keys else ()
                left[key] = rest | {name: inner[name] for name in names}
    return left


def graft(base: Manifest, source: Manifest, fields: Fields) -> Manifest:
    """``base`` with the fields of the set as they are in ``source``; shares what stays.

    What ``source`` lacks is left as it is. An item that ``base`` lacks is added where the set
    has its keys, which is to say the whole of it, and passed over otherwise.
    """
    found = _grafted(base, source, fields, 0)
    return found if isinstance(found, dict) else base


def _grafted(base: Any, source: Any, fields: Any, depth: int) -> Any:
    parts = fields.keys() - {"."} if isinstance(fields, Mapping) else ()
    if not parts or depth >= MAX_DEPTH:
        return base if isinstance(fields, Mapping) and fields and base is not None else source
    if isinstance(source, Mapping):
        result = dict(base) if isinstance(base, Mapping) else {}
        for key in parts:
            name = str(key).removeprefix("f:")
            if str(key).startswith("f:") and name in source:
                result[name] = _grafted(result.get(name), source[name], fields[key], depth + 1)
        return result
    if isinstance(source, list):
        return _items(base if isinstance(base, list) else [], source, fields, depth)
    return source


def _items(base: list[Any], source: list[Any], fields: Fields, depth: int) -> list[Any]:
    result = list(base)
    there = {entry: index for index, entry in entries_of(base, fields)}
    for index, entry in entries_of(source, fields):
        inner = fields[entry]
        if entry in there:
            at = there[entry]
            result[at] = _grafted(result[at], source[index], inner, depth + 1)
        elif _has_keys(entry, inner):
            result.append(_grafted(None, source[index], inner, depth + 1))
    return result


def _has_keys(entry: str, inner: Any) -> bool:
    """Whether a part of an item by the set ``inner`` would still be found by its keys; one
    that the server fills in may be missing."""
    if not isinstance(inner, Mapping) or not inner or entry.startswith("v:"):
        return True
    return bool(_keys_of(entry) & inner.keys())


def _keys_of(entry: str) -> set[str]:
    """The fields by which an item of a list is known; none of what is no such item."""
    kind, _, text = str(entry).partition(":")
    try:
        found = orjson.loads(text) if kind == "k" else None
    except orjson.JSONDecodeError:
        return set()
    return {f"f:{name}" for name in found} if isinstance(found, dict) else set()


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of ``managedFields`` is that of what Fleet applies."""
    return (
        entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )
