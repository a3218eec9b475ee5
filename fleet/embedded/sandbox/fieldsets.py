"""Sets of field paths, kept as ``metadata.managedFields[].fieldsV1`` writes them.

A set is a tree of dicts. A key is a step: ``f:name`` a field, ``k:{…}`` an item of a list by its
key fields, ``v:…`` a scalar of a set. A path is in the set when its node is empty, or holds ``.``.
The root is no path: an empty root is the empty set. Sets are never changed in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from fleet.embedded.sandbox.shapes import ANY, Shape

FieldSet = dict[str, Any]

#: A node that is a member and has nothing below it.
LEAF: Final[FieldSet] = {}
SELF: Final = "."


class FieldsInvalid(ValueError):
    """An object does not have the shape of its kind; the message names every place."""


class NoStep(FieldsInvalid):
    """A list item that cannot be told apart from others; the message is the API server's."""


def path_set(*paths: tuple[str, ...]) -> FieldSet:
    """The set of these paths of field names."""
    found: FieldSet = {}
    for path in paths:
        node: FieldSet = LEAF
        for name in reversed(path):
            node = {f"f:{name}": node}
        found = union(found, node)
    return found


def as_member(node: FieldSet) -> FieldSet:
    """The node of a path that is in the set, with all that is below it."""
    return node if not node or SELF in node else {SELF: LEAF, **node}


def _is_member(node: FieldSet) -> bool:
    return not node or SELF in node


def _normal(node: FieldSet) -> FieldSet | None:
    """A node as it is written: None for one without paths, empty for one that is a leaf."""
    if not node:
        return None
    return LEAF if len(node) == 1 and SELF in node else node


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Paths in either."""
    if not left or not right:
        return left or right
    return _union(left, right)


def _union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return as_member(left or right)
    if left == right:
        return left
    found = dict(left)
    for step, node in right.items():
        mine = found.get(step)
        found[step] = node if mine is None else _union(mine, node)
    return found


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Paths of ``left`` that are not in ``right``; what is below those may be left."""
    if not left or not right:
        return left
    return _difference(left, right) or {}


def _difference(left: FieldSet, right: FieldSet) -> FieldSet | None:
    if not left:
        return None if _is_member(right) else left
    if not right:
        return _normal({step: node for step, node in left.items() if step != SELF})
    found: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if other is None:
            found[step] = node
        elif (rest := _difference(node, other)) is not None:
            found[step] = rest
    return _normal(found)


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Paths in both."""
    if not left or not right:
        return {}
    return _intersection(left, right) or {}


def _intersection(left: FieldSet, right: FieldSet) -> FieldSet | None:
    if not left or not right:
        return LEAF if _is_member(left) and _is_member(right) else None
    if len(left) > len(right):
        left, right = right, left
    found: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if other is not None and (shared := _intersection(node, other)) is not None:
            found[step] = shared
    return _normal(found)


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """Paths of ``left`` that are neither in ``right`` nor below one of it."""
    if not left or not right:
        return left
    return _without(left, right) or {}


def _without(left: FieldSet, right: FieldSet) -> FieldSet | None:
    if not left:
        return left
    found: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if other is None:
            found[step] = node
        elif not _is_member(other) and (rest := _without(node, other)) is not None:
            found[step] = rest
    return _normal(found)


def with_named(fields: FieldSet, shape: Shape) -> FieldSet:
    """The set, and with each path the named fields above it: ``a.b.c`` brings ``a``.

    Keys of maps and items of lists above a path are not brought: they exist in their own right.
    """
    found: FieldSet = {}
    for step, node in fields.items():
        if not node:
            found[step] = node
            continue
        named = shape.fields.get(step[2:]) if step[0] == "f" else None
        of = named or (shape.extra if step[0] == "f" else shape.items) or ANY
        below = with_named(node, of)
        found[step] = as_member(below) if named else below
    return found


def step_of(item: Any, shape: Shape) -> str:
    """The step from a list of type ``map`` or ``set`` to an item.

    Raises:
        NoStep: nothing tells the item apart.
    """
    if not shape.list_keys:
        if isinstance(item, dict):
            raise NoStep("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise NoStep("not supported: associative list with lists as elements")
        if item is None:
            raise NoStep("associative list without keys has an element that's an explicit null")
        return "v:" + orjson.dumps(item).decode()
    if item is None:
        raise NoStep("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise NoStep("associative list with keys may not have non-map elements")
    keys = {name: item[name] for name in shape.list_keys if name in item}
    if len(keys) < len(shape.list_keys):
        keys = {**shape.key_defaults, **keys}
        if not keys:
            names = " ".join(f'"{name}"' for name in shape.list_keys)
            raise NoStep(
                f"associative list with keys has an element that omits all key fields [{names}]"
                " (and doesn't have default values for any key fields)"
            )
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def printed(step: str) -> str:
    """A step as messages write it: ``.name``, ``[key="value"]``, ``[="value"]``."""
    kind, _, rest = step.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys: Mapping[str, Any] = orjson.loads(rest)
    return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in keys.items()) + "]"


def paths(fields: FieldSet, above: str = "") -> Iterator[str]:
    """All paths, as messages write them; those of a node before those below it."""
    steps = sorted(step for step in fields if step != SELF)
    for step in steps:
        if _is_member(fields[step]):
            yield above + printed(step)
    for step in steps:
        if fields[step]:
            yield from paths(fields[step], above + printed(step))
