"""Custom objects against their schema. The expectations are answers of a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.validating import validate
from tests.unit.embedded.sandbox.making import (
    custom_kind,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": {"type": "string", "minLength": 2, "maxLength": 4},
                "p": {"type": "string", "pattern": "^[a-z]+$"},
                "i": {"type": "integer", "minimum": 1, "maximum": 5},
                "j": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "multipleOf": 0.5},
                "k": {"type": "integer", "format": "int32"},
                "e": {"type": "string", "enum": ["x", "y"], "nullable": True},
                "l": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}},
                "m": {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 2,
                    "additionalProperties": {"type": "integer"},
                },
                "b": {"type": "boolean"},
                "s": {"x-kubernetes-int-or-string": True},
                "d": {"type": "string", "format": "date-time"},
                "lm": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object",
                        "required": ["k"],
                        "properties": {"k": {"type": "string"}},
                    },
                },
                "st": {
                    "type": "array",
                    "x-kubernetes-list-type": "set",
                    "items": {"type": "string"},
                },
                "one": {"type": "object", "oneOf": [{"required": ["p"]}, {"required": ["q"]}]},
                "no": {"type": "object", "not": {"required": ["p"]}},
            },
        }
    },
}


def wrong_type(path: str, found: str, wanted: str) -> str:
    return f'{path}: Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"a": "ab"}, []),
        ({"a": "ab", "e": None, "s": "x", "d": "2026-01-01T00:00:00Z"}, []),
        (None, ["spec: Required value"]),
        ({}, ["spec.a: Required value"]),
        (
            {"a": 5},
            [wrong_type("spec.a", "integer", "string")],
        ),
        (
            {"a": "a"},
            ['spec.a: Invalid value: "a": spec.a in body should be at least 2 chars long'],
        ),
        ({"a": "abcde"}, ["spec.a: Too long: may not be more than 4 bytes"]),
        ({"p": "A"}, ["spec.p: Invalid value: \"A\": spec.p in body should match '^[a-z]+$'"]),
        (
            {"i": 0},
            ["spec.i: Invalid value: 0: spec.i in body should be greater than or equal to 1"],
        ),
        ({"i": 9}, ["spec.i: Invalid value: 9: spec.i in body should be less than or equal to 5"]),
        ({"j": 0}, ["spec.j: Invalid value: 0: spec.j in body should be greater than 0"]),
        ({"j": 0.3}, ["spec.j: Invalid value: 0.3: spec.j in body should be a multiple of 0.5"]),
        (
            {"k": 2**40},
            [wrong_type("spec.k", str(2**40), "int32")],
        ),
        ({"e": "z"}, ['spec.e: Unsupported value: "z": supported values: "x", "y"']),
        ({"l": []}, ["spec.l: Invalid value: 0: spec.l in body should have at least 1 items"]),
        ({"l": ["a", "b", "c"]}, ["spec.l: Too many: 3: must have at most 2 items"]),
        (
            {"l": [1]},
            [wrong_type("spec.l[0]", "integer", "string")],
        ),
        ({"m": {}}, ["spec.m: Invalid value: 0: spec.m in body should have at least 1 properties"]),
        (
            {"m": {"a": 1, "b": 1, "c": 1}},
            ["spec.m: Too many: 3: must have at most 2 items"],
        ),
        (
            {"b": "x"},
            [wrong_type("spec.b", "string", "boolean")],
        ),
        (
            {"s": True},
            [wrong_type("spec.s", "boolean", "integer,string")],
        ),
        ({"d": "x"}, [wrong_type("spec.d", "x", "date-time")]),
        ({"lm": [{"k": "a"}, {"k": "a"}]}, ['spec.lm[1]: Duplicate value: {"k":"a"}']),
        ({"lm": [{}]}, ["spec.lm[0].k: Required value"]),
        ({"st": ["a", "a"]}, ['spec.st[1]: Duplicate value: "a"']),
        (
            {"one": {}},
            ['<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf)'],
        ),
        (
            {"no": {"p": "x"}},
            ['<nil>: Invalid value: "": "spec.no" must not validate the schema (not)'],
        ),
    ],
)
def test_custom_objects(spec: Any, expected: list[str]) -> None:
    obj: Object = {"apiVersion": "a.b/v1", "kind": "Widget", "metadata": {"name": "w"}}
    if spec is not None:
        obj["spec"] = spec if spec == {} else {"a": "ab", **spec}
    assert [str(cause) for cause in validate(obj, custom_kind(SCHEMA), None)] == expected
