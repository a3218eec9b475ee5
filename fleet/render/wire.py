"""Requests and answers as JSON: what passes between this process and the child.

An answer comes from a process that worked on hostile input, so nothing in it is trusted: it is
read with a size limit, and an error can only be one of a few classes.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from fleet.errors import (
    FleetError,
    InputsMissing,
    Place,
    RenderError,
    RenderTimeout,
    SpecInvalid,
    ToolMissing,
)

T = TypeVar("T")

_ERRORS: Mapping[str, type[FleetError]] = {
    kind.__name__: kind for kind in (RenderError, RenderTimeout, ToolMissing)
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Needs:
    """The part of an InputsMissing that other errors lack."""

    charts: tuple[tuple[str, str, str], ...]
    bases: tuple[str, ...]
    files: tuple[str, ...]


def to_json(value: Any) -> dict[str, Any]:
    """A dataclass as JSON; ``from_json`` is its inverse."""
    return dataclasses.asdict(value)


def from_json(kind: type[T], value: Any) -> T:
    """``value`` as the (nested) dataclass ``kind``.

    Raises:
        RenderError: it has another shape.
    """
    try:
        made: T = _built(kind, value)
    except (TypeError, ValueError, KeyError, AttributeError) as exc:
        raise RenderError(f"an answer of the render process is malformed: {exc}") from None
    return made


@lru_cache(maxsize=64)
def _fields(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _built(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        hints = _fields(kind)
        return kind(**{name: _built(hints[name], part) for name, part in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _built_tuple(arguments, value)
    if origin in (typing.Union, types.UnionType):
        present = next(part for part in arguments if part is not type(None))
        return None if value is None else _built(present, value)
    expected = origin or kind  # dict of dict[str, Any]
    if not isinstance(value, expected):
        raise TypeError(f"expected {expected.__name__}")
    return value


def _built_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("expected a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_built(arguments[0], item) for item in value)
    return tuple(_built(kind, item) for kind, item in zip(arguments, value, strict=True))


def error_to_json(error: FleetError) -> dict[str, Any]:
    shape = {"type": error.type, "message": error.message, "hint": error.hint}
    shape["object"] = error.object
    if isinstance(error, SpecInvalid):
        place = error.place
        shape["message"] = error.bare_message
        return {**shape, "file": place.file, "line": place.line, "field": place.field}
    if isinstance(error, InputsMissing):
        needs = {"charts": error.charts, "bases": error.bases, "files": error.files}
        return {**shape, **needs, "keys": error.keys}
    return shape


def error_from_json(shape: Mapping[str, Any]) -> FleetError:
    """The error that the child told, as one of the classes that a render may raise."""
    message, hint, concerned = (str(shape.get(key, "")) for key in ("message", "hint", "object"))
    if shape.get("type") == "SpecInvalid":
        line = shape.get("line")
        place = Place(
            str(shape.get("file", "")),
            line if isinstance(line, int) else 0,
            str(shape.get("field", "")),
        )
        return SpecInvalid(message, place=place, hint=hint, object=concerned)
    if shape.get("type") == "InputsMissing":
        kinds = ("charts", "bases", "files")
        needs = from_json(_Needs, {key: shape.get(key, ()) for key in kinds})
        return InputsMissing(
            message,
            charts=needs.charts,
            bases=needs.bases,
            files=needs.files,
            keys=shape.get("keys") is True,
            hint=hint,
            object=concerned,
        )
    kind = _ERRORS.get(str(shape.get("type")), RenderError)
    return kind(message, hint=hint, object=concerned)
