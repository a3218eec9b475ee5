"""Custom objects against the structural schema of their CRD."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from fleet.embedded.sandbox.comparing import is_granular_list
from fleet.embedded.sandbox.fieldsets import NoStep, step_of
from fleet.embedded.sandbox.kinds import Custom
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.shapes import ANY, Shape
from fleet.embedded.sandbox.statuses import (
    Cause,
    duplicate_value,
    invalid_value,
    required_field,
    too_long,
    unsupported_value,
)

_FORMATS: Final = FormatChecker(("date", "email", "ipv4", "ipv6", "uuid"))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


#: Keywords that mean the same in JSON schema (draft 4) and in a CRD.
_SAME: Final = (
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "uniqueItems",
)


def schema_causes(obj: Object, custom: Custom) -> Iterator[Cause]:
    """What is wrong with a custom object."""
    validator = _validator(orjson.dumps(custom.schema))
    parts = {name: it for name, it in obj.items() if name != "metadata"}
    for error in validator.iter_errors(parts):
        yield from _causes(error)
    yield from _duplicates(parts, custom.shape, "")


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft4Validator:
    """Shared by the clusters that have the same definition."""
    return Draft4Validator(_draft4(orjson.loads(schema)), format_checker=_FORMATS)


def _draft4(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A structural schema as JSON schema."""
    made: dict[str, Any] = {name: schema[name] for name in _SAME if name in schema}
    type_ = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    elif type_:
        made["type"] = [type_]
    if "type" in made and schema.get("nullable"):
        made["type"] = [*made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    for name in ("allOf", "anyOf", "oneOf"):
        if name in schema:
            made[name] = [_draft4(it) for it in schema[name]]
    for name in ("not", "items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            made[name] = _draft4(schema[name])
    if "properties" in schema:
        made["properties"] = {name: _draft4(it) for name, it in schema["properties"].items()}
    return made


def _path(error: ValidationError) -> str:
    parts = (f"[{it}]" if isinstance(it, int) else f".{it}" for it in error.absolute_path)
    return "".join(parts).removeprefix(".")


def _causes(error: ValidationError) -> Iterator[Cause]:
    """An error of the library as the API server tells it."""
    path, value = _path(error), error.instance
    told = _TOLD.get(str(error.validator))
    if told is not None:
        yield invalid_value(path, told[0](value), f"{path} in body {told[1]}".format(error=error))
    elif error.validator in _SPECIAL:
        yield from _SPECIAL[str(error.validator)](error, path, value)
    else:
        yield invalid_value(path, value, error.message)


def _itself(value: Any) -> Any:
    return value


#: Keyword → the value that is shown, and what is said about it.
_TOLD: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "minLength": (_itself, "should be at least {error.validator_value} chars long"),
    "minItems": (len, "should have at least {error.validator_value} items"),
    "minProperties": (len, "should have at least {error.validator_value} properties"),
    "multipleOf": (_itself, "should be a multiple of {error.validator_value}"),
    "pattern": (_itself, "should match '{error.validator_value}'"),
}


def _type(error: ValidationError, path: str, value: Any) -> Iterator[Cause]:
    wanted = ",".join(it for it in _values(error) if it != "null")
    yield _wrong_type(path, _type_name(value), wanted)
    if wanted == "integer" and isinstance(value, float):
        why = f"Checked value must be of type integer (default format) in {path}"
        yield invalid_value("<nil>", "", why)


def _wrong_type(path: str, found: str, wanted: str) -> Cause:
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    return Cause("FieldValueTypeInvalid", message, path)


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _format(error: ValidationError, path: str, value: Any) -> Iterator[Cause]:
    yield _wrong_type(path, str(value), str(error.validator_value))


def _required(error: ValidationError, path: str, value: Any) -> Iterator[Cause]:
    found = re.match(r"'(.*)' is a required property", error.message)
    name = found.group(1) if found else ""
    if name not in value:
        yield required_field(f"{path}.{name}" if path else name)


def _enum(error: ValidationError, path: str, value: Any) -> Iterator[Cause]:
    words = [
        it if isinstance(it, str) else orjson.dumps(it).decode()
        for it in _values(error)
        if it is not None
    ]
    yield unsupported_value(path, value, words)


def _values(error: ValidationError) -> list[Any]:
    """What the keyword of an error lists."""
    listed: Any = error.validator_value
    return list(listed)


def _too_long(error: ValidationError, path: str, _: Any) -> Iterator[Cause]:
    limit: Any = error.validator_value
    yield too_long(path, limit)


def _too_many(error: ValidationError, path: str, value: Any) -> Iterator[Cause]:
    message = f"Too many: {len(value)}: must have at most {error.validator_value} items"
    yield Cause("FieldValueTooMany", message, path)


def _bound(error: ValidationError, path: str, value: Any) -> Iterator[Cause]:
    upper = error.validator == "maximum"
    schema: Any = error.schema
    exclusive = schema.get("exclusiveMaximum" if upper else "exclusiveMinimum")
    words = ("less" if upper else "greater") + " than" + ("" if exclusive else " or equal to")
    yield invalid_value(path, value, f"{path} in body should be {words} {error.validator_value}")


def _choice(error: ValidationError, path: str, _: Any) -> Iterator[Cause]:
    rule = {
        "oneOf": "must validate one and only one schema (oneOf)",
        "anyOf": "must validate at least one schema (anyOf)",
        "not": "must not validate the schema (not)",
    }[str(error.validator)]
    yield invalid_value("<nil>", "", f'"{path}" {rule}')


_SPECIAL: Final[Mapping[str, Callable[[ValidationError, str, Any], Iterator[Cause]]]] = {
    "type": _type,
    "format": _format,
    "required": _required,
    "enum": _enum,
    "maxLength": _too_long,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "minimum": _bound,
    "maximum": _bound,
    "oneOf": _choice,
    "anyOf": _choice,
    "not": _choice,
}


def _duplicates(value: Any, shape: Shape, path: str) -> Iterator[Cause]:
    """Items of a list-map or set that stand there twice."""
    if isinstance(value, dict):
        for name, it in value.items():
            of = shape.fields.get(name) or shape.items or ANY
            yield from _duplicates(it, of, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        seen: set[str] = set()
        for index, it in enumerate(value):
            place = f"{path}[{index}]"
            yield from _duplicates(it, shape.items or ANY, place)
            if is_granular_list(shape):
                try:
                    step = step_of(it, shape)
                except NoStep:
                    continue
                if step in seen:
                    yield duplicate_value(place, _key(it, shape))
                seen.add(step)


def _key(item: Any, shape: Shape) -> Any:
    if not shape.list_keys:
        return item
    return {name: item[name] for name in shape.list_keys if name in item}
