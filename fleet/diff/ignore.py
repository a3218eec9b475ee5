"""``ignoreDifferences``: fields that somebody else may change without it being drift.

JSON pointers (RFC 6901) and ``managedFieldsManagers`` are honoured. A rule's jq expressions
are not: what they name in an object has become pointers before. The same removal has to be
done on both sides of a diff.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from fleet.diff.digest import sha256_of
from fleet.diff.projection import Fields, entries_of, fields_of, items_of
from fleet.diff.values import MAX_DEPTH
from fleet.model.applications import IgnoreDifference
from fleet.model.objects import Manifest, ObjectRef, ref_of

#: Pointers as a tree by token; an empty branch is what goes.
_Branch: TypeAlias = dict[str, Any]

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_BAD_ESCAPE = re.compile(r"~(?![01])")
_GONE: Any = object()


def matches(rule: IgnoreDifference, ref: ObjectRef) -> bool:
    """All four are globs (``*``, ``?``); an empty name or namespace matches all, an empty
    group is the core group."""
    return (
        fnmatchcase(ref.group, rule.group)
        and fnmatchcase(ref.kind, rule.kind)
        and (not rule.name or fnmatchcase(ref.name, rule.name))
        and (not rule.namespace or fnmatchcase(ref.namespace, rule.namespace))
    )


def remove_ignored(
    obj: Manifest, rules: Iterable[IgnoreDifference], *, managed_fields: Iterable[Any] = ()
) -> Manifest:
    """``obj`` without what the rules that match it name; shares what was not touched.

    A pointer that is malformed or leads nowhere removes nothing, and positions in a list
    are those before any removal. A mapping or list that loses its last field goes too, so
    that a side that had nothing there looks the same.

    Args:
        managed_fields: of the live object, also when ``obj`` is the desired one.
    """
    ref = ref_of(obj)
    applying = [rule for rule in rules if matches(rule, ref)]
    if not applying:
        return obj
    found = _without(obj, _branches(applying))
    for fields in _fields_of_managers(applying, managed_fields):
        found = _without_fields(found, fields, 0)
    return found if isinstance(found, dict) else {}


def remove_ignored_fields(
    fields: Fields,
    rules: Iterable[IgnoreDifference],
    ref: ObjectRef,
    *,
    managed_fields: Iterable[Any] = (),
    obj: Manifest | None = None,
) -> dict[str, Any]:
    """A field set (``fieldsV1``) without what the rules let others own: when our set then
    and now are equal after this, nobody took a field that matters.

    Args:
        obj: the live object. A set names items of a list by their keys, a pointer by their
            position: the object tells which is which. Without it, pointers through
            positions are passed over.
    """
    applying = [rule for rule in rules if matches(rule, ref)]
    ignored = [
        _as_fields(_branches(applying), fields, obj),
        *_fields_of_managers(applying, managed_fields),
    ]
    left = dict(fields)
    for other in ignored:
        left = minus(left, other) if other else left
    return left


def without_husks(fields: Fields, whole: Fields, counted: Fields) -> dict[str, Any]:
    """A field set without nodes that are owned by themselves only since what was in them is
    somebody else's, where all of that is ignored.

    Args:
        whole: what was owned before.
        counted: of that, what is not ignored.
    """
    left: dict[str, Any] = {}
    for key, inner in fields.items():
        was = whole.get(key)
        if not (isinstance(inner, Mapping) and isinstance(was, Mapping) and was.keys() - {"."}):
            left[key] = inner
        elif inner.keys() - {"."}:
            kept = counted.get(key)
            left[key] = without_husks(inner, was, kept if isinstance(kept, Mapping) else {})
        elif key in counted:
            left[key] = inner
    return left


def applied_sha256(manifest: Manifest, rules: Iterable[IgnoreDifference]) -> str:
    """The address of what an apply of the manifest makes true and the rules hold it to."""
    return sha256_of(remove_ignored(manifest, rules))


def is_as_applied(
    recorded_sha256: str, manifest: Manifest, rules: Iterable[IgnoreDifference]
) -> bool:
    """Whether the manifest is what was applied last, but for what the rules ignore.

    What was recorded before there were rules counts too: a new rule brings no difference.
    """
    rules = tuple(rules)
    whole = sha256_of(manifest)
    return recorded_sha256 == whole or (
        bool(rules) and recorded_sha256 == applied_sha256(manifest, rules)
    )


def _branches(rules: Iterable[IgnoreDifference]) -> _Branch:
    root: _Branch = {}
    for rule in rules:
        for pointer in rule.json_pointers:
            tokens = _tokens(pointer)
            if tokens:
                _plant(root, tokens)
    return root


def _tokens(pointer: str) -> list[str]:
    """Empty for what is no pointer, for the whole document, and for absurdly long ones."""
    if not pointer.startswith("/") or _BAD_ESCAPE.search(pointer):
        return []
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]
    return tokens if len(tokens) < MAX_DEPTH else []


def _plant(root: _Branch, tokens: list[str]) -> None:
    branch = root
    for token in tokens[:-1]:
        if token in branch and not branch[token]:
            return  # what is around it goes already
        branch = branch.setdefault(token, {})
    branch[tokens[-1]] = {}


def _without(value: Any, branch: _Branch) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _kept(found, branch.get(key)) for key, found in value.items()}
        return {key: found for key, found in kept.items() if found is not _GONE}
    if isinstance(value, list):
        by_index = {int(token): inner for token, inner in branch.items() if _INDEX.fullmatch(token)}
        items = [_kept(found, by_index.get(index)) for index, found in enumerate(value)]
        return [found for found in items if found is not _GONE]
    return value


def _kept(value: Any, branch: _Branch | None) -> Any:
    if branch is None:
        return value
    if not branch:
        return _GONE
    left = _without(value, branch)
    return _GONE if value and not left and isinstance(left, dict | list) else left


def _fields_of_managers(
    rules: Iterable[IgnoreDifference], managed_fields: Iterable[Any]
) -> list[Fields]:
    names = {name for rule in rules for name in rule.managed_fields_managers}
    entries = [entry for entry in managed_fields if isinstance(entry, Mapping)] if names else []
    found = [entry.get("fieldsV1") for entry in entries if entry.get("manager") in names]
    return [fields for fields in found if isinstance(fields, Mapping) and fields]


def without_field_set(obj: Manifest, fields: Fields) -> Manifest:
    """``obj`` without the fields of the set."""
    found = _without_fields(obj, fields, 0)
    return found if isinstance(found, dict) else {}


def _without_fields(value: Any, fields: Any, depth: int) -> Any:
    """``value`` without the fields of the set; ``_GONE`` when nothing of it is left."""
    if not isinstance(fields, Mapping) or not fields or depth >= MAX_DEPTH:
        return _GONE
    if isinstance(value, Mapping):
        taken = dict(fields_of(value, fields))
        left = {
            key: _without_fields(found, taken[key], depth + 1) if key in taken else found
            for key, found in value.items()
        }
        kept: Any = {key: found for key, found in left.items() if found is not _GONE}
    elif isinstance(value, list):
        places = dict(items_of(value, fields))
        items = [
            _without_fields(found, places[index], depth + 1) if index in places else found
            for index, found in enumerate(value)
        ]
        kept = [found for found in items if found is not _GONE]
    else:
        return value
    return kept if kept or not value or depth == 0 else _GONE


def _as_fields(branch: _Branch, fields: Any, value: Any) -> Fields:
    """The pointers as a field set. What leads nowhere is left out, for an empty node would
    stand for everything in it."""
    found: dict[str, Any] = {}
    for entry, inner, item in _entries(branch, fields, value):
        below = fields.get(entry) if isinstance(fields, Mapping) else None
        node = _as_fields(inner, below, item)
        if node or not inner:
            found[entry] = node
    return found


def _entries(branch: _Branch, fields: Any, value: Any) -> Iterator[tuple[str, _Branch, Any]]:
    """``(entry of the set, what is pointed to in it, the value there)`` of each token."""
    if not isinstance(value, list):
        members = value if isinstance(value, Mapping) else {}
        for token, inner in branch.items():
            yield f"f:{token}", inner, members.get(token)
        return
    entries = dict(entries_of(value, fields)) if isinstance(fields, Mapping) else {}
    for token, inner in branch.items():
        index = int(token) if _INDEX.fullmatch(token) else -1
        if index in entries:
            yield entries[index], inner, value[index]


def minus(fields: Fields, other: Fields, depth: int = 0) -> dict[str, Any]:
    """One field set without another: what is left of it, without nodes that only held that."""
    left: dict[str, Any] = {}
    for key, inner in fields.items():
        if key not in other or key == ".":
            left[key] = inner
        elif isinstance(other[key], Mapping) and other[key] and depth < MAX_DEPTH:
            left |= _minus_below(key, inner, other[key], depth)
    return left


def _minus_below(key: str, inner: Any, other: Fields, depth: int) -> dict[str, Any]:
    if not isinstance(inner, Mapping) or not inner:
        return {key: inner}  # owned whole, while only a part of it is ignored
    rest = minus(inner, other, depth + 1)
    return {key: rest} if rest.keys() - {"."} or rest == inner else {}
