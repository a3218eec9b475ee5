"""An object restricted to a field set of ``managedFields``.

A field set (``fieldsV1``) is a tree: ``f:<name>`` a field, ``k:{…}`` the list item with
these keys, ``v:<value>`` the item of a set with this value, ``i:<n>`` an item by position,
``.`` the node itself; an empty node is owned with everything in it. Source: Kubernetes,
structured-merge-diff ``fieldpath/serialize.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from fleet.diff.digest import canonical, sha256_of
from fleet.diff.values import MAX_DEPTH
from fleet.model.objects import Manifest, metadata_of

Fields = Mapping[str, Any]

#: In a field set that a manifest names, not the cluster: who owns what does not matter to it.
NAMED = "named"


def projection(obj: Manifest, owned_fields: Fields) -> Manifest:
    """The part of ``obj`` that the set owns; fields that are not in ``obj`` are left out.

    The set does not list apiVersion, kind, name and namespace: they are not in the result.
    ``resources: {}`` in a manifest is owned like an atomic mapping, yet what another
    manager puts into it is not ours: the ``managedFields`` of ``obj`` tell the two apart.
    """
    found = _owned(obj, _counted(obj, owned_fields), 0) if owned_fields else {}
    return found if isinstance(found, dict) else {}


def projection_sha256(obj: Manifest, owned_fields: Fields) -> str:
    """Hash of the values of our fields: what ownership alone cannot show has changed when
    it differs (a mutating webhook, a restored backup). Fields that are empty do not count:
    some kinds keep ``{}`` and some leave it out, until others put something into it."""
    found = _owned(obj, _counted(obj, owned_fields), 0, empty=False) if owned_fields else {}
    return sha256_of(found if isinstance(found, dict) else {})


def _counted(obj: Manifest, owned_fields: Fields) -> Any:
    others = [] if NAMED in owned_fields else _sets_of_managers(obj)
    return _shared(owned_fields, others, 0)


def _sets_of_managers(obj: Manifest) -> list[Fields]:
    entries = metadata_of(obj).get("managedFields")
    found = entries if isinstance(entries, list) else []
    return _mappings(entry.get("fieldsV1") for entry in _mappings(found))


def _mappings(values: Iterable[Any]) -> list[Fields]:
    return [value for value in values if isinstance(value, Mapping)]


def _shared(fields: Any, others: list[Fields], depth: int) -> Any:
    """``fields`` where a leaf of ours that others own a part of is only the node itself."""
    if not others or depth >= MAX_DEPTH or not isinstance(fields, Mapping):
        return fields
    if not fields:
        return {".": {}} if any(other.keys() - {"."} for other in others) else fields
    return {
        key: _shared(inner, _mappings(other.get(key) for other in others), depth + 1)
        for key, inner in fields.items()
    }


def _owned(value: Any, fields: Any, depth: int, *, empty: bool = True) -> Any:
    """The part of a value that a set owns; without its empty leaves unless ``empty``."""
    if not isinstance(fields, Mapping) or not fields or depth >= MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        pairs = fields_of(value, fields)
        found = {n: _owned(value[n], inner, depth + 1, empty=empty) for n, inner in pairs}
        if empty:
            return found
        return {name: part for name, part in found.items() if part not in ({}, [])}
    if isinstance(value, list):
        places = items_of(value, fields)
        return [_owned(value[index], inner, depth + 1, empty=empty) for index, inner in places]
    return value


def fields_of(value: Mapping[str, Any], fields: Fields) -> Iterator[tuple[str, Any]]:
    """``(name, subset)`` of each field of the set that ``value`` has."""
    for key, inner in fields.items():
        name = str(key).removeprefix("f:")
        if str(key).startswith("f:") and name in value:
            yield name, inner


def items_of(items: list[Any], fields: Fields) -> Iterator[tuple[int, Any]]:
    """``(index, subset)`` of each item of the list that the set has, in the list's order."""
    for index, entry in entries_of(items, fields):
        inner = fields[entry]
        yield index, {} if inner is None else inner


def entries_of(items: list[Any], fields: Fields) -> Iterator[tuple[int, str]]:
    """``(index, entry)`` of each item of the list that the set has: how the set calls it."""
    wanted = _Wanted(fields)
    for index, item in enumerate(items):
        entry = wanted.entry_of(index, item)
        if entry is not None:
            yield index, entry


class _Wanted:
    """The entries of a list's set, arranged so that an item finds its own at once."""

    def __init__(self, fields: Fields) -> None:
        self._by_value: dict[bytes, str] = {}
        self._by_keys: dict[tuple[str, ...], dict[bytes, str]] = {}
        for entry in fields:
            kind, _, text = str(entry).partition(":")
            parsed = _parsed(text) if kind in ("k", "v", "i") else None
            if kind == "k" and isinstance(parsed, dict):
                names = tuple(sorted(parsed))
                self._by_keys.setdefault(names, {})[canonical(parsed)] = entry
            elif kind == "v" and parsed is not None:
                self._by_value[canonical(parsed)] = entry
            elif kind == "i" and isinstance(parsed, int):
                self._by_value[b"i:%d" % parsed] = entry

    def entry_of(self, index: int, item: Any) -> str | None:
        """None when the set does not have the item."""
        if isinstance(item, Mapping):
            for names, entries in self._by_keys.items():
                own = canonical({name: item.get(name) for name in names})
                if own in entries:
                    return entries[own]
        by_index = self._by_value.get(b"i:%d" % index)
        return by_index if by_index is not None else self._by_value.get(canonical(item))


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
