"""OpenAPI v3 documents: what kubectl reads to explain kinds, and to ask what a request may say.

Schemas say what the shapes say: types, descriptions, defaults, known values, how lists are merged.
They are named after the models (``io.k8s.v1.PodSpec``), not after the Go packages that only the
real server knows; readers find a kind by ``x-kubernetes-group-version-kind``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from fleet.embedded.sandbox import models
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.shapes import ANY, NOTHING, Shape, builtin

Schema = dict[str, Any]

_META: Final = "io.k8s.apimachinery.pkg"
_QUANTITY: Final = f"{_META}.api.resource.Quantity"
_INT_OR_STRING: Final = f"{_META}.util.intstr.IntOrString"
_TIME: Final = f"{_META}.apis.meta.v1.Time"
_MICRO_TIME: Final = f"{_META}.apis.meta.v1.MicroTime"
_RAW: Final = f"{_META}.runtime.RawExtension"

#: Schemas of scalars that have a name of their own, by the format that refers to them.
_NAMED: Final[Mapping[str, tuple[str, Schema]]] = {
    "quantity": (
        _QUANTITY,
        {
            "description": "An amount of a resource: a number with an SI or binary suffix.",
            "oneOf": [{"type": "string"}, {"type": "number"}],
        },
    ),
    "date-time": (
        _TIME,
        {"description": "A moment as RFC 3339 writes it.", "type": "string", "format": "date-time"},
    ),
    "date-time-micro": (
        _MICRO_TIME,
        {
            "description": "A moment as RFC 3339 writes it, with microseconds.",
            "type": "string",
            "format": "date-time",
        },
    ),
    "int-or-string": (
        _INT_OR_STRING,
        {
            "description": "A number or a string.",
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
        },
    ),
    "raw": (_RAW, {"description": "Any object.", "type": "object"}),
}

#: Query parameters by verb: kubectl looks here for what the server understands.
_WRITES: Final = ("dryRun", "fieldManager", "fieldValidation")
_OPERATIONS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "list": ("get", "list", ("continue", "fieldSelector", "labelSelector", "limit", "watch")),
    "create": ("post", "post", _WRITES),
    "get": ("get", "get", ()),
    "update": ("put", "put", _WRITES),
    "patch": ("patch", "patch", (*_WRITES, "force")),
    "delete": ("delete", "delete", ("dryRun", "gracePeriodSeconds", "propagationPolicy")),
}
_OF_COLLECTION: Final = frozenset({"list", "create"})


def document(group: str, version: str, kinds: Sequence[Kind]) -> bytes:
    """The document of one group and version, as JSON."""
    schemas = _Schemas()
    paths: dict[str, Any] = {}
    for kind in kinds:
        schemas.add_kind(kind)
        paths.update(_paths(group, version, kind))
    found = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37.0"},
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.found.items()))},
    }
    return orjson.dumps(found)


def _paths(group: str, version: str, kind: Kind) -> dict[str, Any]:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    place = f"{root}/namespaces/{{namespace}}" if kind.namespaced else root
    collection = f"{place}/{kind.plural}"
    item = f"{collection}/{{name}}"
    found: dict[str, Any] = {}
    for verb, (method, action, parameters) in _OPERATIONS.items():
        if verb in kind.verbs:
            path = collection if verb in _OF_COLLECTION else item
            found.setdefault(path, {})[method] = {
                "parameters": [_parameter(name) for name in parameters],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": action,
                "x-kubernetes-group-version-kind": _named(kind),
            }
    return found


def _parameter(name: str) -> dict[str, Any]:
    types = {"force": "boolean", "watch": "boolean", "limit": "integer"}
    type_ = types.get(name, "integer" if name.endswith("Seconds") else "string")
    return {"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": True}}


def _named(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def schema_name(model: str) -> str:
    """The name of a model's schema: ``V1PodSpec`` → ``io.k8s.v1.PodSpec``."""
    before, _, rest = model.partition("V")
    kind = rest.lstrip("0123456789")
    version = f"v{rest[: len(rest) - len(kind)]}"
    for stage in ("alpha", "beta"):
        if kind.startswith(stage):
            number = kind.removeprefix(stage)
            kind = number.lstrip("0123456789")
            version += stage + number[: len(number) - len(kind)]
    return ".".join(["io.k8s", *([before.lower()] if before else []), version, kind])


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


class _Schemas:
    """The schemas of one document, gathered from the kinds down."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def add_kind(self, kind: Kind) -> None:
        """Add a kind, its list, and all they refer to."""
        if kind.custom is not None:
            name = f"{'.'.join(reversed(kind.group.split('.')))}.{kind.version}.{kind.kind}"
            self.found[name] = self._custom(kind.custom.schema)
        else:
            name = schema_name(kind.model)
            self._add_model(kind.model)
        about = self.found[name]
        # An other version of a kind may have the same model: both are named then.
        about.setdefault("x-kubernetes-group-version-kind", []).append(_named(kind))
        if "list" in kind.verbs:
            self._add_list(kind, name)

    def _add_list(self, kind: Kind, name: str) -> None:
        self._add_model("V1ListMeta")
        strings = {field: {"type": "string"} for field in ("apiVersion", "kind")}
        self.found[f"{name}List"] = {
            "description": f"{kind.list_kind} is a list of {kind.kind}",
            "type": "object",
            "required": ["items"],
            "properties": {
                **strings,
                "items": {"type": "array", "items": _reference(name)},
                "metadata": {"allOf": [_reference(schema_name("V1ListMeta"))], "default": {}},
            },
            "x-kubernetes-group-version-kind": [{**_named(kind), "kind": kind.list_kind}],
        }

    def _custom(self, schema: Mapping[str, Any]) -> Schema:
        metadata = self._schema(builtin("V1ObjectMeta"))
        properties = {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            **schema.get("properties", {}),
            "metadata": metadata,
        }
        return {**schema, "type": "object", "properties": properties}

    def _add_model(self, model: str) -> None:
        name = schema_name(model)
        if name in self.found:
            return
        shape = builtin(model)
        made: Schema = {"description": models.describe(model), "type": "object"}
        self.found[name] = made
        # The models have no words for a field that is an object; what the object is must do.
        texts = {it.name: it.description for it in models.read_fields(model)}
        for field, of in shape.fields.items():
            texts[field] = texts[field] or (models.describe(of.model) if of.model else "")
        if shape.required:
            made["required"] = sorted(shape.required)
        if shape.fields:
            made["properties"] = {
                field: self._field(texts[field], of, value=shape.parts.written.get(field) == {})
                for field, of in sorted(shape.fields.items())
            }
        if shape.atomic:
            made["x-kubernetes-map-type"] = "atomic"

    def _field(self, description: str, shape: Shape, *, value: bool) -> Schema:
        """A field: what it is, and what is said about it in this place.

        Args:
            value: an object that is there even when it is empty.
        """
        found = self._schema(shape)
        if "$ref" in found:
            found = {"allOf": [found]}
        if description:
            found["description"] = description
        if value:
            found["default"] = {}
        elif shape.default is not NOTHING:
            found["default"] = shape.default
        if shape.type == "object" and shape.atomic != builtin(shape.model).atomic:
            found["x-kubernetes-map-type"] = "atomic" if shape.atomic else "granular"
        elif shape.type == "map" and shape.atomic:
            found["x-kubernetes-map-type"] = "atomic"
        if shape.patch_replace:
            found["x-kubernetes-patch-strategy"] = "replace"
        return found

    def _schema(self, shape: Shape) -> Schema:
        """What a value is; a reference where the schema has a name."""
        if shape.model:
            self._add_model(shape.model)
            return _reference(schema_name(shape.model))
        name = "raw" if shape.type == "any" and shape.atomic else shape.format or shape.type
        if name in _NAMED:
            place, schema = _NAMED[name]
            self.found[place] = schema
            return _reference(place)
        if shape.type == "list":
            return {**_list_words(shape), "items": self._schema(shape.items or ANY)}
        if shape.type == "map":
            return {"type": "object", "additionalProperties": self._schema(shape.items or ANY)}
        found: Schema = {} if shape.type == "any" else {"type": shape.type}
        if shape.format:
            found["format"] = shape.format
        if shape.enum:
            found["enum"] = list(shape.enum)
        return found


def _list_words(shape: Shape) -> Schema:
    """How a list is merged."""
    found: Schema = {"type": "array", "x-kubernetes-list-type": shape.list_type}
    if shape.list_keys:
        found["x-kubernetes-list-map-keys"] = list(shape.list_keys)
    if shape.patch_key or shape.patch_set:
        found["x-kubernetes-patch-strategy"] = "merge"
    if shape.patch_key:
        found["x-kubernetes-patch-merge-key"] = shape.patch_key
    return found
