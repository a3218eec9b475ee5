"""What the API server fills in: the defaults of built-in types, and those of a CRD's schema.

``set_defaults`` is what decoding does: its result is what ``merging.track`` compares, so that the
writer owns the defaults. What a kind gets only when it is created, after that, nobody owns: see
``admitting``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Protocol

import orjson

from fleet.embedded.sandbox import valuefacts
from fleet.embedded.sandbox.defaults import FIXED, RULES
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.roundtrip import Rules, Undecodable, decoded
from fleet.embedded.sandbox.shapes import ANY, NOTHING, Shape, builtin


class Defaulted(Protocol):
    """What is asked of a ``Kind``."""

    @property
    def kind(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def custom(self) -> object: ...


def set_defaults(obj: Object, kind: Defaulted, *, applied: bool = False) -> Object:
    """The object as its kind's decoder makes it: typed, without what it does not know, defaulted.

    Args:
        applied: it comes out of ``merging.apply``, not out of a request: a custom object is not
            pruned then, and its nulls stay for validation to refuse.

    Raises:
        Undecodable: a value of the wrong type; the message is that of the 400 answer.
    """
    try:
        if kind.custom is None:
            return decoded(obj, kind.shape, _rules())
        metadata = decoded(obj.get("metadata") or {}, builtin("V1ObjectMeta"), {})
    except Undecodable as error:
        raise Undecodable(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
        ) from None
    obj = {**obj, "metadata": metadata}
    if not applied:
        obj = prune(obj, kind.shape)
    filled: Object = _filled(obj, kind.shape)
    return filled


@cache
def _rules() -> Rules:
    """The rules by model: published defaults and fixed values, then functions."""
    rules: dict[str, tuple[Callable[[dict[str, Any]], None], ...]] = {}
    for model in {*valuefacts.DEFAULTS, *FIXED, *RULES}:
        fixed = {**_published(model), **FIXED.get(model, {})}
        first = (partial(_fill, fixed),) if fixed else ()
        rules[model] = (*first, *RULES.get(model, ()))
    return rules


def _published(model: str) -> dict[str, Any]:
    """The defaults of the published types that are more than the zero of an optional field."""
    zeros = builtin(model).parts.zeros
    found = {name: orjson.loads(it) for name, it in valuefacts.DEFAULTS.get(model, {}).items()}
    return {name: value for name, value in found.items() if value or name in zeros}


def _fill(values: Mapping[str, Any], obj: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in obj:
            obj[name] = _copy(value)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value)) if isinstance(value, (dict, list)) else value


def prune(value: Any, shape: Shape) -> Any:
    """A custom object without unknown fields, and without nulls that no default replaces.

    A whole number is written as one, however it came.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [prune(it, shape.items or ANY) for it in value]
    if not isinstance(value, dict) or shape.model:
        return value
    if shape.type == "map":
        return {name: prune(it, shape.items or ANY) for name, it in value.items()}
    kept: Object = {}
    for name, it in value.items():
        of = shape.fields.get(name)
        if of is None:
            if shape.preserve_unknown:
                kept[name] = it
        elif it is not None or of.nullable or of.default is not NOTHING:
            kept[name] = prune(it, of)
    return kept


def _filled(value: Any, shape: Shape) -> Any:
    """A value with the defaults of its CRD's schema; the same one where nothing is missing."""
    if isinstance(value, list) and shape.items:
        return [_filled(_or_default(it, shape.items), shape.items) for it in value]
    if not isinstance(value, dict) or shape.model:
        return value
    if shape.type == "map" and shape.items:
        of = shape.items
        return {name: _filled(_or_default(it, of), of) for name, it in value.items()}
    filled = dict(value)
    for name, of in shape.fields.items():
        if of.default is not NOTHING and filled.get(name) is None:
            filled[name] = _or_default(None, of) if name in filled else _copy(of.default)
        if name in filled:
            filled[name] = _filled(filled[name], of)
    return filled


def _or_default(value: Any, shape: Shape) -> Any:
    if value is not None or shape.nullable or shape.default is NOTHING:
        return value
    return _copy(shape.default)
