"""Shapes: what a value may be, and how it is merged. One node for each place of an object.

Built-in shapes are made of the models that the ``kubernetes`` package documents and of tables of
facts; they are read at first use and shared by all clusters. A custom kind's shape is made of its
CRD's structural schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any, Final

import orjson

from fleet.embedded.sandbox import mergefacts, models, valuefacts, zerofacts

#: The default of a shape that has none: None is a value in JSON.
NOTHING: Final = object()


@dataclass(frozen=True)
class Parts:
    """The named fields of an object, and those it cannot be without.

    Attributes:
        written: what a built-in type writes for a field that is absent.
        zeros: fields of a built-in type whose zero is a value of its own and is kept.
    """

    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    written: Mapping[str, Any] = field(default_factory=dict)
    zeros: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Shape:
    """What a value may be: a node of a structural schema.

    Attributes:
        type: ``object`` (named fields), ``map``, ``list``, ``string``, ``integer``, ``number``,
            ``boolean``, ``int-or-string`` or ``any``.
        items: of a list, and the values of a map.
        list_type: ``atomic``, ``set`` or ``map``.
        list_keys: the fields that tell the items of a list of type ``map`` apart.
        atomic: an object, map or any value that is owned as a whole.
        open: undeclared fields are accepted and owned one by one; else they are an error.
        preserve_unknown: undeclared fields are kept, not pruned.
        patch_key: by which field a strategic merge patch merges a list of objects; "" where it
            replaces, unless ``patch_set``.
        patch_replace: a strategic merge patch replaces this object.
        patch_set: a strategic merge patch adds to this list of scalars.
        enum: the values that a built-in type names; empty where any is good.
    """

    type: str
    items: Shape | None = None
    list_type: str = "atomic"
    list_keys: tuple[str, ...] = ()
    atomic: bool = False
    open: bool = False
    preserve_unknown: bool = False
    nullable: bool = False
    format: str = ""
    default: Any = NOTHING
    model: str = ""
    patch_key: str = ""
    patch_replace: bool = False
    patch_set: bool = False
    enum: tuple[str, ...] = ()
    load: Callable[[], Parts] = Parts

    @cached_property
    def parts(self) -> Parts:
        """What an ``object`` is made of; read at first use, for models refer to themselves."""
        return self.load()

    @cached_property
    def fields(self) -> Mapping[str, Shape]:
        """The named fields of an ``object``."""
        return self.parts.fields

    @cached_property
    def required(self) -> frozenset[str]:
        """The fields that an ``object`` cannot be without."""
        return self.parts.required

    @cached_property
    def scalars(self) -> frozenset[Any]:
        """The Python types that a value of a scalar type may have; empty for other types.

        A string with a format (a time, a quantity) may also be written as another scalar.
        """
        if self.type == "string" and self.format in {"", "byte"}:
            return frozenset({str})
        return _SCALAR_TYPES.get(self.type, frozenset())

    @cached_property
    def key_defaults(self) -> Mapping[str, Any]:
        """What an absent key field of a list item counts as."""
        fields = self.items.fields if self.items else {}
        found = {key: fields[key].default for key in self.list_keys if key in fields}
        return {key: value for key, value in found.items() if value is not NOTHING}

    @cached_property
    def extra(self) -> Shape | None:
        """The shape of a key that is no named field; None where there may be none."""
        if self.type == "map":
            return self.items
        if self.type == "any":
            return self
        return ANY if self.open or (self.type == "object" and not self.fields) else None


_SCALAR_TYPES: Final[Mapping[str, frozenset[Any]]] = {
    "string": frozenset({str, int, float, bool}),
    "integer": frozenset({int, float}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "int-or-string": frozenset({str, int, float, bool}),
}

#: Anything at all; objects in it are owned field by field, lists as a whole.
ANY: Final = Shape("any", preserve_unknown=True)
#: Anything at all, owned as a whole.
RAW: Final = Shape("any", atomic=True, preserve_unknown=True)

_SCALARS: Final[Mapping[str, Shape]] = {
    "StrictStr": Shape("string"),
    "StrictInt": Shape("integer", format="int32"),
    "StrictBool": Shape("boolean"),
    "Union[StrictFloat, StrictInt]": Shape("number", format="double"),
    "StrictInt | StrictStr": Shape("int-or-string"),
    "datetime": Shape("string", format="date-time"),
    "Any": ANY,
}
_LIST = re.compile(r"List\[(.+)\]")
_MAP = re.compile(r"Dict\[str, (.+)\]")
_MODEL = re.compile(r"\w*V\d\w*")


@cache
def builtin(model: str) -> Shape:
    """The shape of a model by its class name, e.g. ``V1Deployment``.

    Raises:
        FileNotFoundError: the package has no such model; raised when its fields are asked for.
    """
    atomic = model in mergefacts.ATOMIC_MODELS
    return Shape("object", model=model, atomic=atomic, load=partial(_model_parts, model))


def _model_parts(model: str) -> Parts:
    found = list(models.read_fields(model))
    fields = {it.name: _field_shape(model, it) for it in found}
    required = frozenset(it.name for it in found if it.required)
    written = {
        name: zero
        for name, shape in fields.items()
        if (zero := _written(model, name, shape, fields, required)) is not NOTHING
    }
    return Parts(fields, required, written, frozenset(zerofacts.POINTERS.get(model, ())))


def _written(
    model: str, name: str, shape: Shape, fields: Mapping[str, Shape], required: frozenset[str]
) -> Any:
    """What stands for an absent field in what the API server answers; mostly nothing."""
    if shape.type == "object":
        is_value = name in zerofacts.VALUES.get(model, ())
        of_kind = name in {"metadata", "spec", "status"} and "apiVersion" in fields
        return {} if is_value or of_kind else None if name in required else NOTHING
    always = name in zerofacts.ALWAYS.get(model, ())
    if not always and (name not in required or name in zerofacts.NEVER.get(model, ())):
        return NOTHING
    return zero_of(shape)


def zero_of(shape: Shape) -> Any:
    """What a built-in type writes for a value that nobody gave, or null."""
    if shape.type == "string":
        return {"quantity": "0", "date-time": None, "date-time-micro": None}.get(shape.format, "")
    return {"integer": 0, "number": 0, "boolean": False, "int-or-string": 0}.get(shape.type)


def _annotated(annotation: str) -> Shape:
    """The shape that a type annotation of a model tells."""
    if known := _SCALARS.get(annotation):
        return known
    if annotation.startswith("Union[Annotated[bytes"):
        return Shape("string", format="byte")
    if match := _LIST.fullmatch(annotation):
        return Shape("list", items=_annotated(match.group(1)))
    if match := _MAP.fullmatch(annotation):
        return Shape("map", items=_annotated(match.group(1)))
    return builtin(annotation) if _MODEL.fullmatch(annotation) else ANY


def _field_shape(model: str, it: models.ModelField) -> Shape:
    """The shape of one field: its annotation, and what the tables say about this place."""
    shape = _annotated(it.annotation)

    def said(table: Mapping[str, Mapping[str, str]]) -> bool:
        return it.name in table.get(model, {})

    if said(mergefacts.RAW):
        return RAW
    for table, scalar in _FORMATS:
        if said(table):
            shape = _with_scalar(shape, scalar)
    enum = valuefacts.ENUMS.get(model, {}).get(it.name)
    if enum is not None:
        shape = _with_scalar(shape, Shape("string", enum=tuple(enum.split("|"))))
    if shape.type == "list":
        return replace(shape, **_list_facts(model, it.name))
    if said(mergefacts.ATOMIC_FIELDS) or said(mergefacts.GRANULAR_FIELDS):
        shape = replace(shape, atomic=said(mergefacts.ATOMIC_FIELDS))
    if said(mergefacts.REPLACED_BY_PATCH):
        shape = replace(shape, patch_replace=True)
    default = valuefacts.DEFAULTS.get(model, {}).get(it.name)
    if default is not None:
        return replace(shape, default=orjson.loads(default))
    if it.required and not shape.format.startswith(_WITHOUT_ZERO) and shape.type in _HAVE_ZERO:
        zero = zero_of(shape)
        never = it.name in zerofacts.NEVER.get(model, ())
        return shape if zero is None or never else replace(shape, default=zero)
    return shape


_FORMATS: Final = (
    (valuefacts.QUANTITIES, Shape("string", format="quantity")),
    (valuefacts.MICRO_TIMES, Shape("string", format="date-time-micro")),
    (valuefacts.INT64, Shape("integer", format="int64")),
)


_HAVE_ZERO: Final = frozenset({"string", "integer", "number", "boolean"})
#: Formats of strings that have no empty value.
_WITHOUT_ZERO: Final = ("byte", "date-time", "quantity")


def _with_scalar(shape: Shape, scalar: Shape) -> Shape:
    """The same lists and maps, around another scalar."""
    if shape.items:
        return replace(shape, items=_with_scalar(shape.items, scalar))
    return scalar


def _list_facts(model: str, name: str) -> dict[str, Any]:
    keys = mergefacts.LIST_KEYS.get(model, {}).get(name, "")
    is_set = name in mergefacts.SETS.get(model, {})
    replaced = name in mergefacts.REPLACED_BY_PATCH.get(model, {})
    merged_by = mergefacts.MERGED_BY_PATCH.get(model, {}).get(name, "")
    list_keys = tuple(keys.split(",")) if keys else ()
    return {
        "list_type": "map" if keys else "set" if is_set else "atomic",
        "list_keys": list_keys,
        "patch_key": merged_by or ("" if replaced or not list_keys else list_keys[0]),
        "patch_set": is_set and not replaced,
    }


_STRING: Final = Shape("string")


def of_schema(schema: Mapping[str, Any]) -> Shape:
    """The shape of a custom kind, of its version's ``openAPIV3Schema``."""
    return _resource(_of_schema(schema, open_=False))


def _resource(shape: Shape) -> Shape:
    """The same, with the fields that every object has."""
    fields = {
        **shape.fields,
        "apiVersion": _STRING,
        "kind": _STRING,
        "metadata": builtin("V1ObjectMeta"),
    }
    parts = Parts(fields, shape.required)
    return replace(shape, type="object", load=lambda: parts)


def _of_schema(schema: Mapping[str, Any], *, open_: bool) -> Shape:
    """Read one node. ``open_``: a node above accepts undeclared fields, so this one does."""
    preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    open_ = open_ or preserve
    common: dict[str, Any] = {
        "nullable": bool(schema.get("nullable")),
        "preserve_unknown": preserve,
        "format": str(schema.get("format") or ""),
        "default": schema.get("default", NOTHING),
        "atomic": schema.get("x-kubernetes-map-type") == "atomic",
    }
    if schema.get("x-kubernetes-int-or-string"):
        return Shape("int-or-string", **common)
    type_ = schema.get("type") or "any"
    if type_ == "array":
        return Shape(
            "list",
            items=_of_schema(schema.get("items") or {}, open_=open_),
            list_type=schema.get("x-kubernetes-list-type") or "atomic",
            list_keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
            **common,
        )
    if type_ != "object":
        return Shape(type_, **{**common, "preserve_unknown": preserve or type_ == "any"})
    shape = _of_object(schema, open_=open_, common=common)
    return _resource(shape) if schema.get("x-kubernetes-embedded-resource") else shape


def _of_object(schema: Mapping[str, Any], *, open_: bool, common: dict[str, Any]) -> Shape:
    properties = schema.get("properties") or {}
    values = schema.get("additionalProperties")
    if values and not properties:
        of = _of_schema(values, open_=open_) if isinstance(values, Mapping) else ANY
        return Shape("map", items=of, **common)
    parts = Parts(
        {name: _of_schema(it, open_=open_) for name, it in properties.items()},
        frozenset(schema.get("required") or ()),
    )
    return Shape("object", load=lambda: parts, open=open_, **common)
