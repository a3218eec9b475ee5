"""Objects and their field sets: which fields one holds, and which changed between two.

The rules are those of the API server's structured merge: a scalar, an atomic value and an empty
container are leaves; a list of type ``map`` or ``set`` is compared item by item in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fleet.embedded.sandbox.fieldsets import (
    LEAF,
    SELF,
    FieldSet,
    FieldsInvalid,
    as_member,
    printed,
    step_of,
)
from fleet.embedded.sandbox.shapes import ANY, Shape

MISSING: Final = object()

_GO_TYPES: Final = {str: "string", bool: "bool", int: "int64", float: "float64"}


def child(shape: Shape, name: str) -> Shape | None:
    """The shape of a field or key; None where there may be none."""
    return shape.fields.get(name) or shape.extra


def is_granular_list(shape: Shape) -> bool:
    """Is this list merged item by item?"""
    return shape.type == "list" and shape.list_type != "atomic"


def fields_of(obj: dict[str, Any], shape: Shape) -> FieldSet:
    """The fields that an applied object speaks of.

    Raises:
        FieldsInvalid: a field that the shape does not know, a value of another type, two items
            with the same key.
    """
    try:
        return _fields_of(obj, shape) or {}
    except ValueError:
        problems = list(_problems(obj, shape, ""))
    message = problems[0] if len(problems) == 1 else "\n  ".join(["errors:", *problems])
    raise FieldsInvalid(message)


def _fields_of(value: Any, shape: Shape) -> FieldSet | None:
    """None: nothing here is owned. Raises ValueError without words: ``_problems`` finds them."""
    kind = shape.type
    if value is None:
        return LEAF if shape.atomic or shape.scalars else None
    if isinstance(value, dict):
        if kind not in {"object", "map", "any"}:
            raise ValueError
        return _fields_of_map(value, shape)
    if isinstance(value, list):
        if kind not in {"list", "any"}:
            raise ValueError
        if not is_granular_list(shape):
            return LEAF
        found: FieldSet = {}
        for item in value:
            step = step_of(item, shape)
            if step in found:
                raise ValueError
            below = _fields_of(item, shape.items or ANY)
            found[step] = as_member(below or LEAF)
        return found or None
    if value.__class__ not in shape.scalars and kind != "any":
        raise ValueError
    return LEAF


def _fields_of_map(value: dict[str, Any], shape: Shape) -> FieldSet | None:
    fields, extra = shape.fields, shape.extra
    found: FieldSet = {}
    for name, it in value.items():
        of = fields.get(name)
        below = _fields_of(it, of or extra or _undeclared())
        if of is None or it is None or it == {}:
            below = as_member(below or LEAF)
        if below is not None:
            found["f:" + name] = below
    if shape.atomic:
        return LEAF
    return found or None


def _undeclared() -> Shape:
    raise ValueError


def _problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """What is wrong with an object, in the API server's words."""
    if value is None:
        return
    if shape.type in {"object", "map"} or (shape.type == "any" and isinstance(value, dict)):
        if not isinstance(value, dict):
            yield f"{path}: expected map, got &{{{_go(value)}}}"
            return
        for name, it in value.items():
            of = child(shape, name)
            if of is None:
                yield f"{path}.{name}: field not declared in schema"
            else:
                yield from _problems(it, of, f"{path}.{name}")
    elif shape.type == "list":
        if not isinstance(value, list):
            yield f"{path}: expected list, got &{{{_go(value)}}}"
            return
        yield from _list_problems(value, shape, path)
    elif shape.type != "any":
        yield from _scalar_problems(value, shape, path)


def _list_problems(value: list[Any], shape: Shape, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        place = f"[{index}]"
        if is_granular_list(shape):
            try:
                step = step_of(item, shape)
            except ValueError as error:
                yield f"{path}: element {index}: {error}"
                return
            place = printed(step)
            if step in seen:
                yield f"{path}: duplicate entries for key {place}"
            seen.add(step)
        yield from _problems(item, shape.items or ANY, path + place)


def _scalar_problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if value.__class__ in shape.scalars:
        return
    match shape.type:
        case "integer" | "number":
            found = _GO_TYPES.get(type(value)) or (
                "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"
            )
            yield f"{path}: expected numeric (int or float), got {found}"
        case "string":
            yield f"{path}: expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"
        case "boolean":
            yield f"{path}: expected boolean, got &{{{_go(value)}}}"
        case _:
            yield f"{path}: expected any scalar, got &{{{_go(value)}}}"


def _go(value: Any) -> str:
    """Roughly as Go prints a value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_go(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    return "<nil>" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Changes:
    """Which fields differ between two objects. No path is in two of the sets."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet


def compare(before: dict[str, Any], after: dict[str, Any], shape: Shape) -> Changes:
    """What ``after`` adds, modifies and removes."""
    if before == after:
        return Changes({}, {}, {})
    added, modified, removed = _compare_maps(before, after, shape)
    return Changes(added or {}, modified or {}, removed or {})


_Differences = tuple[FieldSet | None, FieldSet | None, FieldSet | None]
_CHANGED: Final[_Differences] = (None, LEAF, None)


def all_paths(value: Any, shape: Shape) -> FieldSet:
    """The node of a value that came or went as a whole: every path in it, containers too."""
    if not value or shape.atomic:
        return LEAF
    if isinstance(value, dict):
        fields, extra = shape.fields, shape.extra or ANY
        found: FieldSet = {SELF: LEAF}
        for name, it in value.items():
            found["f:" + name] = all_paths(it, fields.get(name) or extra)
        return found
    if isinstance(value, list) and is_granular_list(shape):
        return {SELF: LEAF} | {
            step: LEAF if len(items) > 1 else all_paths(items[0], shape.items or ANY)
            for step, items in _by_step(value, shape).items()
        }
    return LEAF


def held(obj: dict[str, Any], shape: Shape) -> FieldSet:
    """Every path in an object, containers too."""
    return {step: node for step, node in all_paths(obj, shape).items() if step != SELF}


def _by_step(value: list[Any], shape: Shape) -> dict[str, list[Any]]:
    """The items of a list by their step; updates may have left several with the same."""
    found: dict[str, list[Any]] = {}
    for item in value:
        found.setdefault(step_of(item, shape), []).append(item)
    return found


def _compare(before: Any, after: Any, shape: Shape) -> _Differences:
    """The differences of two values that are both there and not equal."""
    if shape.atomic:
        return _CHANGED
    if isinstance(before, dict) or isinstance(after, dict):
        if not isinstance(before or {}, dict) or not isinstance(after or {}, dict):
            return _compare_unlike(before, after, shape)
        return _compare_maps(before or {}, after or {}, shape) if before or after else _CHANGED
    if is_granular_list(shape) and (before or after):
        return _compare_lists(before or [], after or [], shape)
    return _CHANGED


def _compare_unlike(before: Any, after: Any, shape: Shape) -> _Differences:
    """A map became something else, or the other way round: where anything may stand."""
    gone = all_paths(before, shape) if isinstance(before, dict) else LEAF
    come = all_paths(after, shape) if isinstance(after, dict) else LEAF
    below = [{k: v for k, v in node.items() if k != SELF} or None for node in (come, gone)]
    return below[0], LEAF, below[1]


def _compare_maps(before: dict[str, Any], after: dict[str, Any], shape: Shape) -> _Differences:
    fields, extra = shape.fields, shape.extra or ANY
    added: FieldSet = {}
    modified: FieldSet = {}
    removed: FieldSet = {}
    for name, new in after.items():
        old = before.get(name, MISSING)
        if old is MISSING:
            added["f:" + name] = all_paths(new, fields.get(name) or extra)
        elif old is not new and old != new:
            differences = _compare(old, new, fields.get(name) or extra)
            _enter("f:" + name, differences, added, modified, removed)
    for name, old in before.items():
        if name not in after:
            removed["f:" + name] = all_paths(old, fields.get(name) or extra)
    return added or None, modified or None, removed or None


def _enter(step: str, found: _Differences, *sets: FieldSet) -> None:
    for node, into in zip(found, sets, strict=True):
        if node is not None:
            into[step] = node


def _compare_lists(before: list[Any], after: list[Any], shape: Shape) -> _Differences:
    old, new = _by_step(before, shape), _by_step(after, shape)
    sets: tuple[FieldSet, FieldSet, FieldSet] = ({}, {}, {})
    for step in [*old, *(step for step in new if step not in old)]:
        found = _compare_items(old.get(step, []), new.get(step, []), shape.items or ANY)
        _enter(step, found, *sets)
    return sets[0] or None, sets[1] or None, sets[2] or None


def _compare_items(old: list[Any], new: list[Any], of: Shape) -> _Differences:
    """The items with one key: one before and one after, unless an update left duplicates."""
    if old == new:
        return None, None, None
    if len(old) > 1 and len(new) > 1:
        return _CHANGED
    if len(old) > 1:
        return (all_paths(new[0], of) if new else None), None, LEAF
    if len(new) > 1:
        return LEAF, None, (all_paths(old[0], of) if old else None)
    if not old:
        return all_paths(new[0], of), None, None
    if not new:
        return None, None, all_paths(old[0], of)
    return _compare(old[0], new[0], of)
