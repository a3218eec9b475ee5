"""The three kinds of patch that name their changes: JSON patch, merge patch, strategic merge patch.

None changes the object it is given. Server-side apply, the fourth, is in ``merging``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsonpatch

from fleet.embedded.sandbox.comparing import child
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.shapes import ANY, Shape

MAX_OPERATIONS: Final = 10_000
_REJECTED: Final = "the server rejected our request due to an error in our request"

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"


class PatchFailed(Exception):
    """A patch that is malformed or does not fit the object.

    Args:
        code: the HTTP status: 400 malformed, 413 too long, 422 does not fit, 500 what the API
            server does not foresee either.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def json_patch(obj: Object, operations: Any) -> Object:
    """RFC 6902.

    Raises:
        PatchFailed: no list of operations; an operation that fails.
    """
    if not isinstance(operations, list) or not all(isinstance(it, dict) for it in operations):
        raise PatchFailed(400, "error decoding patch: a JSON patch is a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise PatchFailed(
            413,
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS},"
            f" got {len(operations)}",
        )
    try:
        patched = jsonpatch.apply_patch(obj, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        raise PatchFailed(422, _REJECTED) from error
    if not isinstance(patched, dict):
        raise PatchFailed(422, _REJECTED)
    return patched


def merge_patch(obj: Object, patch: Any) -> Object:
    """RFC 7386: null removes, an object merges, anything else replaces.

    Raises:
        PatchFailed: the patch is no object.
    """
    if not isinstance(patch, dict):
        raise PatchFailed(400, "error decoding patch: a merge patch is an object")
    return _merged(obj, patch)


def _merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            old = merged.get(name)
            merged[name] = _merged(old if isinstance(old, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def strategic_patch(obj: Object, patch: Any, shape: Shape) -> Object:
    """Kubernetes' own merge patch: lists of objects are merged by key, directives say the rest.

    Directives: ``$patch`` (``replace``, ``delete``), ``$retainKeys``, ``$setElementOrder/<list>``
    and ``$deleteFromPrimitiveList/<list>``.

    Raises:
        PatchFailed: no object; a directive that is malformed; an item without its key.
    """
    if not isinstance(patch, dict):
        raise PatchFailed(400, "error decoding patch: a merge patch is an object")
    return _patch_map(obj, patch, shape)


def _patch_map(obj: Mapping[str, Any], patch: Mapping[str, Any], shape: Shape) -> Object:
    if _DIRECTIVE in patch:
        return _directed(patch)
    patched = dict(obj)
    if _RETAIN in patch:
        patched = _retained(patched, patch)
    for name, value in patch.items():
        if name.startswith(_DELETE):
            _delete_scalars(patched, name.removeprefix(_DELETE), value)
        elif not name.startswith("$"):
            _patch_field(patched, name, value, child(shape, name) or ANY)
    for name, order in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            of = child(shape, field) or ANY
            _reorder(patched, field, order, obj.get(field), patch.get(field), of)
    return patched


def _directed(patch: Mapping[str, Any]) -> Object:
    """The whole value, where ``$patch`` says how it is meant."""
    match patch[_DIRECTIVE]:
        case "replace":
            return {name: value for name, value in patch.items() if name != _DIRECTIVE}
        case "delete":
            return {}
        case other:
            raise PatchFailed(500, f"unknown patch type: {other} in map: {dict(patch)}")


def _retained(obj: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    keys = patch[_RETAIN]
    given = (k for k, v in patch.items() if v is not None and not k.startswith("$"))
    if not isinstance(keys, list) or not set(given) <= set(keys):
        raise PatchFailed(400, "invalid patch format of retainKeys")
    return {name: value for name, value in obj.items() if name in keys}


def _delete_scalars(obj: Object, name: str, gone: Any) -> None:
    if not isinstance(gone, list):
        raise PatchFailed(400, "invalid patch format of primitive list")
    if isinstance(obj.get(name), list):
        obj[name] = [value for value in obj[name] if value not in gone]


def _patch_field(obj: Object, name: str, value: Any, shape: Shape) -> None:
    """Patch one field of ``obj``, a copy of this function's caller."""
    old = obj.get(name)
    if value is None:
        obj.pop(name, None)
    elif isinstance(value, dict) and isinstance(old, dict):
        obj[name] = value if shape.patch_replace else _patch_map(old, value, shape)
    elif isinstance(value, list) and isinstance(old, list):
        if shape.patch_key or shape.patch_set:
            obj[name] = _patch_list(old, value, shape)
        else:
            obj[name] = value
    elif isinstance(value, dict) and _DIRECTIVE in value:
        obj.pop(name, None)
    else:
        obj[name] = _plain(value)


def _plain(value: Any) -> Any:
    """A value that nothing was there for: without nulls and without items that are directives."""
    if isinstance(value, dict):
        return {
            name: _plain(it)
            for name, it in value.items()
            if it is not None and not (isinstance(it, dict) and _DIRECTIVE in it)
        }
    if isinstance(value, list):
        return [_plain(it) for it in value if not (isinstance(it, dict) and _DIRECTIVE in it)]
    return value


def _patch_list(old: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    if not shape.patch_key:
        merged = list(dict.fromkeys(_key_of(item, "") for item in (*old, *patch)))
        return _in_order(merged, patch, old, "")
    key = shape.patch_key
    plain: list[Any] = []
    replaces = False
    for item in patch:
        directive = item.get(_DIRECTIVE) if isinstance(item, dict) else None
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            gone = _key_of(item, key)
            old = [it for it in old if _key_of(it, key) != gone]
        elif directive == "replace":
            replaces = True
        else:
            raise PatchFailed(500, f"unknown patch type: {directive} in map: {item}")
    if replaces:
        return plain
    merged = list(old)
    places = {_key_of(item, key): place for place, item in reversed(list(enumerate(merged)))}
    for item in plain:
        place = places.get(_key_of(item, key))
        if place is None:
            places[_key_of(item, key)] = len(merged)
            merged.append(item)  # as it is, nulls and directives too: so does the real server
        else:
            merged[place] = _patch_map(merged[place], item, shape.items or ANY)
    return _in_order(merged, plain, old, key)


def _key_of(item: Any, key: str) -> Any:
    """What tells an item apart: its key field, or the scalar itself."""
    if key and (not isinstance(item, dict) or key not in item):
        raise PatchFailed(500, f"map: {item} does not contain declared merge key: {key}")
    found = item[key] if key else item
    if isinstance(found, (dict, list)):  # the real server drops the connection
        raise PatchFailed(500, f"items of a list cannot be told apart by {found}")
    return found


def _in_order(
    merged: list[Any], wanted: Sequence[Any], before: Sequence[Any], key: str
) -> list[Any]:
    """Items of ``wanted`` in its order; the others where they stood ``before`` beside those."""
    rank = {_key_of(item, key): place for place, item in reversed(list(enumerate(wanted)))}
    stood = {_key_of(item, key): place for place, item in reversed(list(enumerate(before)))}
    named = [item for item in merged if _key_of(item, key) in rank]
    named.sort(key=lambda item: rank[_key_of(item, key)])
    others = [item for item in merged if _key_of(item, key) not in rank]
    ordered: list[Any] = []
    while named and others:
        left, right = (stood.get(_key_of(it[0], key)) for it in (others, named))
        first = others if left is not None and right is not None and left < right else named
        ordered.append(first.pop(0))
    return [*ordered, *others, *named]


def _reorder(obj: Object, name: str, order: Any, before: Any, patch: Any, shape: Shape) -> None:
    """Follow ``$setElementOrder``, which names every item that the writer knows of."""
    if not isinstance(order, list):
        raise PatchFailed(400, "invalid patch format of setElementOrder list")
    if not isinstance(obj.get(name), list):
        return
    key = shape.patch_key
    ranks = {_key_of(item, key): place for place, item in enumerate(order)}
    given = [it for it in patch or () if not (isinstance(it, dict) and _DIRECTIVE in it)]
    places = [ranks.get(_key_of(item, key)) for item in given]
    if order and (
        None in places or places != sorted(place for place in places if place is not None)
    ):
        raise PatchFailed(
            500,
            f"The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n",
        )
    obj[name] = _in_order(obj[name], order, _stood(before or [], patch or [], key), key)


def _stood(before: Sequence[Any], patch: Sequence[Any], key: str) -> list[Any]:
    """The order that items had: new ones count as having stood where deleted ones did."""
    if not key:
        return list(before)
    gone = {_key_of(it, key) for it in patch if it.get(_DIRECTIVE) == "delete"}
    kept = [it for it in before if _key_of(it, key) not in gone]
    known = {_key_of(it, key) for it in kept}
    new = [it for it in patch if _DIRECTIVE not in it and _key_of(it, key) not in known]
    return [*kept, *new][: len(before)]
