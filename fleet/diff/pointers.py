"""Places in an object: JSON pointers (RFC 6901), and jq's paths turned into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

#: Pointers that one path may stand for: slices in slices multiply.
_MOST = 10_000


def pointers_of(paths: Iterable[Sequence[Any]], obj: Any) -> tuple[str, ...]:
    """The paths as pointers into ``obj``, each once, in order.

    A slice stands for each of its items, a negative position counts from the end. A path
    that leads nowhere in ``obj`` is left out.
    """
    found: dict[str, None] = {}
    for path in paths:
        for pointer in _expanded(path, obj):
            found[pointer] = None
            if len(found) >= _MOST:
                return tuple(found)
    return tuple(found)


def pointer(tokens: Iterable[str]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def _expanded(path: Sequence[Any], obj: Any) -> Iterator[str]:
    places: list[tuple[tuple[str, ...], Any]] = [((), obj)]
    for step in path:
        places = [
            ((*tokens, str(token)), value)
            for tokens, here in places
            for token, value in _members(here, step)
        ][:_MOST]
    return (pointer(tokens) for tokens, _ in places if tokens)


def _members(value: Any, step: Any) -> Sequence[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return [(step, value[step])] if isinstance(step, str) and step in value else []
    if not isinstance(value, list):
        return []
    if isinstance(step, Mapping):
        start, end = (_bound(step.get(name)) for name in ("start", "end"))
        return list(enumerate(value))[start:end]
    if isinstance(step, bool) or not isinstance(step, int | float):
        return []
    index = int(step) + (len(value) if step < 0 else 0)
    return [(index, value[index])] if 0 <= index < len(value) else []


def _bound(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < 2**53 else None
