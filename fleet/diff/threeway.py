"""Client-side apply: what was applied last, what is wanted and what is live → what to write.

As ``kubectl apply`` does it, with one difference: lists that are maps in disguise are merged
by their key in custom resources, too. Nothing here looks at who owns a field.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from fleet.diff.digest import canonical
from fleet.diff.lists import keyed, list_keys
from fleet.diff.projection import NAMED
from fleet.diff.values import MAX_DEPTH
from fleet.model.objects import GroupKind, Manifest, group_kind_of

_SECRET = GroupKind("", "Secret")
_IDENTITY = frozenset({"apiVersion", "kind", "status"})


def three_way(last: Manifest, desired: Manifest, live: Manifest) -> Manifest:
    """``live`` with everything in ``desired``, and without what ``last`` had and ``desired``
    has not. A null in ``desired`` removes the field. Shares what was not touched."""
    found = _merged(_folded(last), _folded(desired), live, "", 0)
    return found if isinstance(found, dict) else {}


def _merged(last: Any, desired: Any, live: Any, field: str, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return desired
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        before = last if isinstance(last, Mapping) else {}
        kept = {key: value for key, value in live.items() if key in desired or key not in before}
        for key, value in desired.items():
            if value is None:
                kept.pop(key, None)
            else:
                held = kept.get(key)
                kept[key] = _merged(before.get(key), value, held, str(key), depth + 1)
        return kept
    if isinstance(desired, list) and isinstance(live, list):
        return _list(last if isinstance(last, list) else [], desired, live, field, depth)
    return _without_nulls(desired, depth)


def _list(last: list[Any], desired: list[Any], live: list[Any], field: str, depth: int) -> Any:
    found = keyed(field, last, desired, live)
    if found is None:
        return desired
    before, wanted, there = found
    made = {
        label: _merged(before.get(label), item, there.get(label), field, depth + 1)
        for label, item in wanted.items()
    }
    others = {k: v for k, v in there.items() if k not in wanted and k not in before}
    if [label for label in there if label in wanted] == list(wanted):
        # the order is as wanted: what others put in between stays where it is
        return [made.get(label, item) for label, item in there.items() if label in made | others]
    return [*made.values(), *others.values()]


def _without_nulls(value: Any, depth: int) -> Any:
    if depth >= MAX_DEPTH or not isinstance(value, Mapping):
        return value
    return {k: _without_nulls(v, depth + 1) for k, v in value.items() if v is not None}


def named_fields(manifest: Manifest) -> dict[str, Any]:
    """The fields that a manifest holds, as a field set: what is ours of an object that was not
    applied server-side. It says so itself (``NAMED``): no ownership on the cluster equals it."""
    top = {key: value for key, value in _folded(manifest).items() if key not in _IDENTITY}
    metadata = top.get("metadata")
    if isinstance(metadata, Mapping):
        rest = {k: v for k, v in metadata.items() if k not in {"name", "namespace"}}
        top["metadata"] = rest
    return {NAMED: {}, **_fields(top, "", 0)}


def _fields(value: Any, field: str, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        return {}
    if isinstance(value, Mapping):
        return {
            f"f:{key}": _fields(inner, str(key), depth + 1)
            for key, inner in value.items()
            if inner is not None
        }
    return dict(_items(value, field, depth)) if isinstance(value, list) else {}


def _items(items: list[Any], field: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Nothing, so that the list is taken as a whole, where its items have no keys."""
    for item, key in zip(items, list_keys(field, items) or (), strict=False):
        sort = "k" if isinstance(key, dict) else "v"
        yield f"{sort}:{canonical(key).decode()}", _fields(item, field, depth + 1)


def _folded(manifest: Manifest) -> Manifest:
    """``stringData`` of a Secret, which no live object has, as the ``data`` that it becomes."""
    texts = manifest.get("stringData")
    if group_kind_of(manifest) != _SECRET or not isinstance(texts, Mapping):
        return manifest
    data = manifest.get("data")
    encoded = {
        key: base64.b64encode(text.encode(errors="surrogatepass")).decode()
        for key, text in texts.items()
        if isinstance(text, str)
    }
    rest = {key: value for key, value in manifest.items() if key != "stringData"}
    return {**rest, "data": {**(data if isinstance(data, Mapping) else {}), **encoded}}
