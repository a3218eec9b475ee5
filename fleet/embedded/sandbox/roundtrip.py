"""A built-in object as the API server gives it back: decoded into its types, and encoded again.

Unknown fields are gone, and so are nulls, empty lists and maps, and zeros of optional fields; what
the types always write is there; quantities and times are in their canonical form. The result is a
new object all the way down, so that rules may fill in defaults in place.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from fleet.embedded.sandbox.objects import go_word
from fleet.embedded.sandbox.quantities import MILLI, NANO, canonical
from fleet.embedded.sandbox.shapes import ANY, Shape, zero_of

#: What is done to each object of a model once its own fields are there.
Rules = Mapping[str, tuple[Callable[[dict[str, Any]], None], ...]]

_GO_TYPES: Final = {
    "string": "string",
    "boolean": "bool",
    "number": "float64",
    "int-or-string": "intstr.IntOrString",
}


class Undecodable(ValueError):
    """A value that does not fit its type; the message is the API server's."""


class _Mismatch(Exception):
    """A value of the wrong type, on its way up to the root: gathers where it is."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self.found = found
        self.wanted = wanted
        self.path: list[str] = []
        self.model = ""


def decoded(obj: Mapping[str, Any], shape: Shape, rules: Rules) -> dict[str, Any]:
    """The object as its types hold it, with ``rules`` applied.

    Raises:
        Undecodable: a value of the wrong type.
    """
    try:
        return _object(obj, shape, rules)
    except _Mismatch as it:
        place = ".".join([_go_name(it.model), *reversed(it.path)])
        raise Undecodable(
            f"json: cannot unmarshal {it.found} into Go struct field {place} of type {it.wanted}"
        ) from None
    except ValueError as error:
        raise Undecodable(str(error)) from None


@cache
def blank(shape: Shape) -> Mapping[str, Any]:
    """What there is before the first field is set: the zero of a built-in kind, else nothing."""
    return _object({}, shape, {}) if shape.model else {}


def _go_name(model: str) -> str:
    """The name of a type without group and version: ``CoreV1Event`` → ``Event``."""
    _, found, rest = model.partition("V")
    return rest.lstrip("0123456789") if found else model


def _object(value: Mapping[str, Any], shape: Shape, rules: Rules) -> dict[str, Any]:
    parts = shape.parts
    fields, zeros = parts.fields, parts.zeros
    found: dict[str, Any] = {}
    for name, it in value.items():
        of = fields.get(name)
        if of is None or it is None:
            continue
        try:
            made = _value(it, of, rules)
        except _Mismatch as mismatch:
            mismatch.path.append(name)
            mismatch.model = mismatch.model or shape.model
            raise
        if made or _is_value(of) or name in zeros or name == "managedFields":
            found[name] = made
    for name, zero in parts.written.items():
        if name not in found:
            found[name] = _object({}, fields[name], rules) if zero == {} else zero
    for rule in rules.get(shape.model, ()):
        rule(found)
    return found


#: Types whose empty values are values.
_KEPT: Final = frozenset({"object", "any", "int-or-string"})


def _is_value(shape: Shape) -> bool:
    """Whether an empty one is a value: an object, and a pointer to a type without fields."""
    return shape.type in _KEPT or (
        shape.type == "map" and shape.items is not None and shape.items.type == "any"
    )


def _value(value: Any, shape: Shape, rules: Rules) -> Any:
    kind = shape.type
    if kind == "object":
        return _object(_expect(value, dict, shape), shape, rules)
    if kind == "list":
        if shape.items and shape.items.model == "V1ManagedFieldsEntry":
            return _expect(value, list, shape)
        return [_item(it, shape, rules) for it in _expect(value, list, shape)]
    if kind == "map":
        return {name: _item(it, shape, rules) for name, it in _expect(value, dict, shape).items()}
    return value if kind == "any" else _scalar(value, shape)


def _item(value: Any, shape: Shape, rules: Rules) -> Any:
    """An item or a value of a map; null stands for the type's zero."""
    of = shape.items or ANY
    if value is None:
        return _object({}, of, rules) if of.type == "object" else zero_of(of)
    if of.format == "quantity" and not isinstance(value, (bool, dict, list)):
        return canonical(str(value), MILLI if shape.type == "map" else NANO)
    return _value(value, of, rules)


def _expect(value: Any, type_: type, shape: Shape) -> Any:
    if not isinstance(value, type_):
        raise _Mismatch(go_word(value), _wanted(shape))
    return value


def _wanted(shape: Shape) -> str:
    """A type as Go names it."""
    if shape.model:
        return f"v1.{_go_name(shape.model)}"
    if shape.type == "list":
        return f"[]{_wanted(shape.items or ANY)}"
    if shape.type == "map":
        return f"map[string]{_wanted(shape.items or ANY)}"
    return _GO_TYPES.get(shape.type) or shape.format or "interface {}"


def _scalar(value: Any, shape: Shape) -> Any:
    if shape.format in _WRITTEN:
        if isinstance(value, (bool, dict, list)):
            raise _Mismatch(go_word(value), _wanted(shape))
        return _WRITTEN[shape.format](value)
    if value.__class__ not in _SCALARS[shape.type]:
        found = go_word(value)
        if found == "number" and shape.type == "integer":
            found = f"number {value}"
        raise _Mismatch(found, _wanted(shape))
    if isinstance(value, int) and shape.format == "int32" and not -(2**31) <= value < 2**31:
        raise _Mismatch(f"number {value}", "int32")
    return value


_SCALARS: Final[Mapping[str, frozenset[type]]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "int-or-string": frozenset({int, str}),
}


def _quantity(value: Any) -> str:
    return canonical(str(value))


def _time(value: Any) -> str:
    return _moment(value).strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: Any) -> str:
    if not _MICROS.search(str(value)):
        raise ValueError(
            f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse'
        )
    return _moment(value).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse')
    return moment.astimezone(UTC)


def _bytes(value: Any) -> str:
    if not isinstance(value, str):
        raise _Mismatch(go_word(value), "[]uint8")
    text = value.replace("\n", "").replace("\r", "")
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except binascii.Error:
        odd = next((n for n, sign in enumerate(text) if sign not in _BASE64), len(text))
        raise ValueError(f"illegal base64 data at input byte {odd}") from None


_MICROS: Final = re.compile(r"\.\d{6}(?=[Zz+-])")
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_WRITTEN: Final[Mapping[str, Callable[[Any], str]]] = {
    "quantity": _quantity,
    "date-time": _time,
    "date-time-micro": _micro_time,
    "byte": _bytes,
}
