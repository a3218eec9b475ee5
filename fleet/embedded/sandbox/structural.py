"""Whether the schema of a CRD is structural: every place says of which type it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fleet.embedded.sandbox.statuses import Cause, required_field, unsupported_value

Schema = Mapping[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_LIST_TYPES: Final = ("atomic", "set", "map")


def structural_causes(schema: Schema, path: str) -> Iterator[Cause]:
    """What keeps a schema from being structural."""
    yield from _below(schema, path)
    if schema.get("type") != "object":
        yield required_field(f"{path}.type", "must not be empty at the root")


def _typed(schema: Schema, path: str, place: str) -> Iterator[Cause]:
    """One place below the root."""
    free = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not any(schema.get(word) for word in free):
        yield required_field(f"{path}.type", f"must not be empty for specified {place}")
    yield from _below(schema, path)


def _below(schema: Schema, path: str) -> Iterator[Cause]:
    type_, list_type = schema.get("type"), schema.get("x-kubernetes-list-type")
    if type_ and type_ not in _TYPES:
        yield unsupported_value(f"{path}.type", type_, _TYPES)
    if list_type and list_type not in _LIST_TYPES:
        yield unsupported_value(f"{path}.x-kubernetes-list-type", list_type, _LIST_TYPES)
    if type_ == "array" and not isinstance(schema.get("items"), Mapping):
        yield required_field(f"{path}.items", "must be specified")
    if list_type == "map":
        yield from _keys(schema, path)
    for name, of in (schema.get("properties") or {}).items():
        yield from _typed(of, f"{path}.properties[{name}]", "object fields")
    for name, place in (("items", "array items"), ("additionalProperties", "object fields")):
        if isinstance(schema.get(name), Mapping):
            yield from _typed(schema[name], f"{path}.{name}", place)


def _keys(schema: Schema, path: str) -> Iterator[Cause]:
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if not keys:
        why = "must not be empty if x-kubernetes-list-type is map"
        yield required_field(f"{path}.x-kubernetes-list-map-keys", why)
    items = schema.get("items") or {}
    for key in keys:
        of = (items.get("properties") or {}).get(key) or {}
        if "default" not in of and key not in (items.get("required") or ()):
            why = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a"
                " required property"
            )
            yield required_field(f"{path}.items.properties[{key}].default", why)
