"""Bodies in Kubernetes' protobuf encoding: read, never written.

kubectl and Helm create built-in kinds so, and take JSON as an answer.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson

from fleet.embedded.sandbox.objects import Object, timestamp
from fleet.embedded.sandbox.shapes import ANY, Shape
from fleet.embedded.sandbox.wirefacts import FIELDS

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_SIGN, _RANGE = 1 << 63, 1 << 64

#: The field of a number: its name, the fields of an inlined message, or nothing.
Field = str | tuple[Any, ...] | None


class Unreadable(ValueError):
    """A body that is not what it says it is, or holds a kind that is not known here."""


def envelope(body: bytes) -> tuple[str, str, bytes]:
    """apiVersion, kind and the encoded object of a body.

    Raises:
        Unreadable: it is no such body.
    """
    if not body.startswith(_MAGIC):
        raise Unreadable("provided data does not appear to be a protobuf message, expected prefix")
    version = kind = ""
    raw = b""
    for number, value in _fields(body[len(_MAGIC) :]):
        if number == 1:
            words = {key: _text(it) for key, it in _fields(_raw(value))}
            version, kind = words.get(1, ""), words.get(2, "")
        elif number == 2:
            raw = _raw(value)
    return version, kind, raw


def decode(raw: bytes, shape: Shape) -> Object:
    """An encoded object of a built-in model.

    Raises:
        Unreadable: the model is not known, or the bytes are no message.
    """
    try:
        return _message(raw, _known(shape.model), shape)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Unreadable(f"no {shape.model}: {error}") from None


def _message(raw: bytes, fields: Sequence[Field], shape: Shape) -> Object:
    found: Object = {}
    for number, value in _fields(raw):
        field = fields[number - 1] if number <= len(fields) else None
        if isinstance(field, tuple):
            found |= _message(_raw(value), field, shape)
        elif field is not None:
            _set(found, field, value, shape.fields[field])
    return found


def _set(found: Object, name: str, value: int | bytes, shape: Shape) -> None:
    if name == "fieldsV1":
        found[name] = _embedded(_raw(value))
    elif shape.type == "list":
        found.setdefault(name, []).append(_value(value, shape.items or ANY))
    elif shape.type == "map":
        key, item = _pair(_raw(value), shape.items or ANY)
        found.setdefault(name, {})[key] = item
    elif value != b"" or not shape.format.startswith("date-time"):  # an empty time is none
        found[name] = _value(value, shape)


def _pair(raw: bytes, shape: Shape) -> tuple[str, Any]:
    parts = dict(_fields(raw))
    if shape.type == "list":  # a message that holds nothing but a list
        items = [_value(it, shape.items or ANY) for _, it in _fields(_raw(parts.get(2, b"")))]
        return _text(parts.get(1, b"")), items
    return _text(parts.get(1, b"")), _value(parts.get(2, b""), shape)


def _value(value: int | bytes, shape: Shape) -> Any:
    if shape.type == "object":
        return decode(_raw(value), shape)
    if shape.type == "string":
        return _string(_raw(value), shape.format)
    if shape.type == "boolean":
        return bool(value)
    if shape.type == "integer":
        number = int(value) if isinstance(value, int) else 0
        return number - _RANGE if number >= _SIGN else number
    if shape.type == "number":
        return struct.unpack("<d", _raw(value))[0]
    if shape.type == "int-or-string":
        parts = dict(_fields(_raw(value)))
        return _text(parts.get(3, b"")) if parts.get(1) else parts.get(2, 0)
    return _embedded(_raw(value))


def _string(raw: bytes, format_: str) -> str:
    if format_ == "byte":
        return base64.b64encode(raw).decode()
    if format_ == "quantity":
        return _text(dict(_fields(raw)).get(1, b""))
    if format_ in {"date-time", "date-time-micro"}:
        parts = dict(_fields(raw))
        moment = datetime.fromtimestamp(int(parts.get(1, 0)), UTC)
        if format_ == "date-time":
            return timestamp(moment)
        micro = int(parts.get(2, 0)) // 1000
        return moment.replace(microsecond=micro).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return raw.decode()


def _embedded(raw: bytes) -> Any:
    """JSON inside a message, in its first field."""
    inner = _raw(dict(_fields(raw)).get(1, b""))
    return orjson.loads(inner) if inner else None


def _raw(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise Unreadable("a number where a message should be")
    return value


def _text(value: int | bytes) -> str:
    return _raw(value).decode()


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message as they come."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        kind = tag & 7
        if kind == _VARINT:
            number, place = _varint(raw, place)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            size, place = _varint(raw, place)
        elif kind in {_EIGHT, _FOUR}:
            size = 8 if kind == _EIGHT else 4
        else:
            raise Unreadable(f"wire type {kind}")
        if place + size > len(raw):
            raise Unreadable("the message ends too early")
        yield tag >> 3, raw[place : place + size]
        place += size


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = raw[place]
        place += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, place
        shift += 7


@cache
def _table() -> dict[str, str]:
    """The lines of the table by model; a line that begins with a space goes on with the last."""
    lines = FIELDS.strip().replace("\n ", " ").splitlines()
    return dict(line.partition(" ")[::2] for line in lines)


@cache
def _known(model: str) -> tuple[Field, ...]:
    line = _table().get(model)
    if line is None:
        raise Unreadable(f"{model or 'this kind'} is not read in protobuf here")
    words = line.replace("(", "( ").replace(")", " )").split()
    return _group(iter(words))


def _group(words: Iterator[str]) -> tuple[Field, ...]:
    found: list[Field] = []
    for word in words:
        if word == ")":
            break
        if word == "(":
            found.append(_group(words))
        else:
            found.append(None if word == "-" else word)
    return tuple(found)
