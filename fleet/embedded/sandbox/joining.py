"""Two objects made one, and fields taken out of one, by the rules of structured merge."""

from __future__ import annotations

from typing import Any

from fleet.embedded.sandbox.comparing import MISSING, child, is_granular_list
from fleet.embedded.sandbox.fieldsets import SELF, FieldSet, step_of
from fleet.embedded.sandbox.shapes import ANY, Shape


def merge(live: Any, applied: Any, shape: Shape) -> Any:
    """``live`` with what ``applied`` says; nothing is removed.

    Parts that do not change are the very objects of ``live``.
    """
    if live is applied or live == applied:
        return live
    if shape.atomic:
        return applied
    if isinstance(live, dict) and (isinstance(applied, dict) or applied is None):
        return _merge_maps(live, applied or {}, shape) if live or applied else applied
    if is_granular_list(shape) and isinstance(live, list) and (live or applied):
        return _merge_lists(live, applied or [], shape)
    return applied


def _merge_maps(live: dict[str, Any], applied: dict[str, Any], shape: Shape) -> dict[str, Any]:
    merged = dict(live)
    for name, new in applied.items():
        old = live.get(name, MISSING)
        merged[name] = new if old is MISSING else merge(old, new, child(shape, name) or ANY)
    return merged


def _merge_lists(live: list[Any], applied: list[Any], shape: Shape) -> list[Any]:
    """Items in the order of ``applied``; those only in ``live`` keep their place between them."""
    of = shape.items or ANY
    live_steps = [step_of(item, shape) for item in live]
    new = {step_of(item, shape): item for item in applied}
    new_steps = list(new)
    # What an update left twice is not merged into what is applied: it is replaced.
    old = {
        step: None if live_steps.count(step) > 1 else item
        for step, item in zip(live_steps, live, strict=True)
    }

    def joined(step: str) -> Any:
        return merge(old[step], new[step], of) if old.get(step) is not None else new[step]

    shared = iter([step for step in new_steps if step in old])
    next_shared = next(shared, None)
    merged: list[Any] = []
    done: set[str] = set()
    left = right = 0
    while left < len(live) or right < len(new_steps):
        step = live_steps[left] if left < len(live) else None
        if step is not None and right < len(new_steps):
            if step == new_steps[right]:
                done.add(step)
                merged.append(joined(step))
                left, right, next_shared = left + 1, right + 1, next(shared, None)
                continue
            if step in new and next_shared is not None and next_shared != step:
                left += 1
                continue
        if step is not None and step not in new:
            merged.append(live[left])
            left += 1
            continue
        if step is not None and step in done:
            left += 1
        if right < len(new_steps):
            step = new_steps[right]
            done.add(step)
            merged.append(joined(step))
            right += 1
            if step == next_shared:
                next_shared = next(shared, None)
    return merged


def remove(value: Any, fields: FieldSet, shape: Shape) -> Any:
    """The value without these fields; None for a container that nothing is left of."""
    if isinstance(value, dict):
        return _remove_from_map(value, fields, shape) if value and not shape.atomic else None
    if isinstance(value, list):
        if not value or not is_granular_list(shape):
            return None
        left = []
        for item in value:
            node = fields.get(step_of(item, shape))
            if node is None:
                left.append(item)
            elif node and SELF not in node:
                left.append(remove(item, node, shape.items or ANY))
        return left or None
    return value


def _remove_from_map(
    value: dict[str, Any], fields: FieldSet, shape: Shape
) -> dict[str, Any] | None:
    left = {}
    for name, it in value.items():
        node = fields.get("f:" + name)
        if node is None:
            left[name] = it
        elif node and SELF not in node:
            left[name] = remove(it, node, child(shape, name) or ANY)
    return left or None
