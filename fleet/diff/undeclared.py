"""A manifest without the fields that the API server named as unknown to the kind's schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from fleet.diff.values import MAX_DEPTH
from fleet.model.objects import Manifest

#: One step of a path as the server spells it: ``.name``, ``[0]``, ``[name="web"]``.
_STEP = re.compile(r'\.([^.\[\]]+)|\[(\d+)\]|\[((?:[^\]"]|"(?:[^"\\]|\\.)*")+)\]')
_PAIR = re.compile(r'([^=,]+)=("(?:[^"\\]|\\.)*"|[^,]*)')


def without_fields(manifest: Manifest, paths: Iterable[str]) -> Manifest:
    """A copy without these fields; a path that leads nowhere removes nothing."""
    found: Any = manifest
    for path in paths:
        steps = _steps(path)
        found = _without(found, steps) if steps else found
    return found if isinstance(found, dict) else {}


def _steps(path: str) -> list[str | int | dict[str, Any]]:
    """Empty for what is no path."""
    steps: list[str | int | dict[str, Any]] = []
    end = 0
    for match in _STEP.finditer(path):
        if match.start() != end or len(steps) >= MAX_DEPTH:
            return []
        end = match.end()
        name, index, keys = match.groups()
        steps.append(name or (int(index) if index else dict(_keys(keys))))
    return steps if end == len(path) else []


def _keys(text: str) -> Iterable[tuple[str, Any]]:
    for name, value in _PAIR.findall(text):
        try:
            yield name, orjson.loads(value)
        except orjson.JSONDecodeError:
            yield name, value


def _without(value: Any, steps: list[str | int | dict[str, Any]]) -> Any:
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if not isinstance(value, Mapping) or step not in value:
            return value
        kept = {key: inner for key, inner in value.items() if key != step}
        return {**kept, step: _without(value[step], rest)} if rest else kept
    if not isinstance(value, list):
        return value
    chosen = [_is_meant(item, step, index) for index, item in enumerate(value)]
    if not rest:
        return [item for item, meant in zip(value, chosen, strict=True) if not meant]
    return [
        _without(item, rest) if meant else item for item, meant in zip(value, chosen, strict=True)
    ]


def _is_meant(item: Any, step: int | dict[str, Any], index: int) -> bool:
    if isinstance(step, int):
        return index == step
    return isinstance(item, Mapping) and all(item.get(name) == step[name] for name in step)
