"""Content addresses: equal JSON, equal bytes, equal SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from fleet.diff.values import number_text
from fleet.model.objects import Manifest, ref_of


def canonical(value: Any) -> bytes:
    """JSON in UTF-8, keys sorted, no white space. Never raises.

    What the encoder refuses (nested too deeply, integers beyond 64 bits, half a surrogate
    pair) is written by a slower one of ours, so that it has an address too.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        return b"".join(_pieces(value))


class _Text:
    """Finished output, told apart from values that are still to be written."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


def _pieces(value: Any) -> Iterable[bytes]:
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Text):
            yield item.text
        elif isinstance(item, Mapping):
            waiting.extend(reversed(_mapping(item)))
        elif isinstance(item, list | tuple):
            waiting.extend(reversed(_sequence(item)))
        else:
            yield _leaf(item)


def _mapping(value: Mapping[Any, Any]) -> list[Any]:
    parts: list[Any] = [_Text(b"{")]
    for key in sorted(value, key=str):
        comma = b"," if len(parts) > 1 else b""
        parts += [_Text(comma + _leaf(str(key)) + b":"), value[key]]
    return [*parts, _Text(b"}")]


def _sequence(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    parts: list[Any] = [_Text(b"[")]
    for item in value:
        parts += [_Text(b","), item] if len(parts) > 1 else [item]
    return [*parts, _Text(b"]")]


def _leaf(value: Any) -> bytes:
    if isinstance(value, int) and not isinstance(value, bool):
        return number_text(value).encode()
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # half a surrogate pair, which only an escape can hold
        return json.dumps(value, default=str).encode()


def sha256_of(value: Any) -> str:
    """In hex, of the canonical JSON of a manifest or any other JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def sorted_manifests(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """In the order in which a set of manifests is stored: by ``ObjectRef.key``, so that the
    order in which a tool wrote them does not matter. Of an object that is there twice it
    does, as the last one counts: these stay in the order given."""
    return tuple(sorted(manifests, key=lambda found: ref_of(found).key))
