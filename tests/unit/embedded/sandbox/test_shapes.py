"""Shapes: of the models' text and the tables, and of a CRD's schema."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox import mergefacts, models, valuefacts, zerofacts
from fleet.embedded.sandbox.shapes import NOTHING, Shape, builtin, of_schema


def at(shape: Shape, *path: str) -> Shape:
    """The shape at a path of fields; ``*`` is an item or a value of a map."""
    for name in path:
        found = shape.items if name == "*" else shape.fields.get(name)
        assert found, path
        shape = found
    return shape


POD = ("spec", "template", "spec")


@pytest.mark.parametrize(
    ("model", "path", "expected"),
    [
        ("V1Deployment", ("spec",), {"type": "object", "atomic": False}),
        ("V1Deployment", ("spec", "selector"), {"type": "object", "atomic": True}),
        ("V1Deployment", ("spec", "replicas"), {"type": "integer", "format": "int32"}),
        ("V1Deployment", (*POD, "nodeSelector"), {"type": "map", "atomic": True}),
        (
            "V1Deployment",
            (*POD, "containers"),
            {"type": "list", "list_type": "map", "list_keys": ("name",), "patch_key": "name"},
        ),
        (
            "V1Deployment",
            (*POD, "containers", "*", "ports"),
            {"list_keys": ("containerPort", "protocol"), "patch_key": "containerPort"},
        ),
        ("V1Deployment", (*POD, "containers", "*", "command"), {"list_type": "atomic"}),
        (
            "V1Deployment",
            (*POD, "containers", "*", "resources", "limits", "*"),
            {"type": "string", "format": "quantity"},
        ),
        (
            "V1Deployment",
            (*POD, "containers", "*", "resources", "claims"),
            {"list_type": "map", "patch_key": ""},
        ),
        (
            "V1Deployment",
            ("metadata", "finalizers"),
            {"type": "list", "list_type": "set", "patch_set": True},
        ),
        ("V1Service", ("spec", "ports", "*", "targetPort"), {"type": "int-or-string"}),
        ("V1ConfigMap", ("binaryData", "*"), {"type": "string", "format": "byte"}),
        ("V1ConfigMap", ("metadata", "generation"), {"type": "integer", "format": "int64"}),
        ("V1ConfigMap", ("metadata", "creationTimestamp"), {"format": "date-time"}),
        ("V1Lease", ("spec", "renewTime"), {"format": "date-time-micro"}),
        ("V1ControllerRevision", ("data",), {"type": "any", "atomic": True}),
        ("V1PersistentVolume", ("spec", "claimRef"), {"type": "object", "atomic": False}),
        ("V1PodDisruptionBudget", ("spec", "selector"), {"patch_replace": True}),
        ("V1JobStatus", ("conditions",), {"list_type": "atomic", "patch_key": "type"}),
        ("V1NetworkPolicyPeer", ("ipBlock", "except"), {"type": "list"}),
        ("V1Probe", ("exec", "command", "*"), {"type": "string"}),
    ],
)
def test_built_in_places(model: str, path: tuple[str, ...], expected: dict[str, Any]) -> None:
    shape = at(builtin(model), *path)
    assert {name: getattr(shape, name) for name in expected} == expected


def test_required_fields_and_defaults_of_keys() -> None:
    ports = at(builtin("V1Container"), "ports")
    assert builtin("V1Container").required == {"name"}
    assert ports.key_defaults == {"containerPort": 0, "protocol": "TCP"}
    assert at(builtin("V1Container"), "name").default == ""
    assert at(builtin("V1Container"), "image").default is NOTHING


def test_models_may_refer_to_themselves() -> None:
    schema = builtin("V1JSONSchemaProps")
    assert at(schema, "properties", "*", "not").fields is schema.fields


def test_every_name_of_the_tables_is_a_field_of_a_model() -> None:
    tables = [
        (name, table)
        for module in (mergefacts, valuefacts, zerofacts)
        for name, table in vars(module).items()
        if name.isupper()
    ]
    assert len(tables) == 17
    unknown = [
        (name, model, field)
        for name, table in tables
        for model, fields in table.items()
        for field in fields
        if field not in {it.name for it in models.read_fields(model)}
    ]
    assert unknown == []
    assert [model for model in mergefacts.ATOMIC_MODELS if not models.has_model(model)] == []


def test_a_description_is_read_to_its_end() -> None:
    fields = {it.name: it for it in models.read_fields("V1IPBlock")}
    assert '"192.168.1.0/24"' in fields["except"].description
    assert fields["except"].description.endswith("cidr range")
    assert models.describe("V1IPBlock").startswith("IPBlock describes a particular CIDR")


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "default": 1},
                "port": {"x-kubernetes-int-or-string": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                },
                "rules": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["host", "path"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "host": {"type": "string"},
                            "path": {"type": "string", "default": "/"},
                        },
                    },
                },
                "free": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"known": {"type": "object", "properties": {"a": {}}}},
                },
                "pair": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {"a": {"type": "string"}},
                },
                "object": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "x-kubernetes-preserve-unknown-fields": True,
                },
            },
        }
    },
}


def test_a_custom_kind_has_its_schema_and_what_every_object_has() -> None:
    shape = of_schema(SCHEMA)
    assert shape.required == {"spec"}
    assert at(shape, "metadata").model == "V1ObjectMeta"
    assert at(shape, "spec", "size").default == 1
    assert at(shape, "spec", "port").type == "int-or-string"
    assert at(shape, "spec", "labels", "*").type == "string"
    assert at(shape, "spec", "tags").list_type == "set"
    rules = at(shape, "spec", "rules")
    assert rules.list_keys == ("host", "path")
    assert rules.key_defaults == {"path": "/"}
    assert at(shape, "spec", "pair").atomic
    assert at(shape, "spec", "object", "metadata").model == "V1ObjectMeta"


def test_undeclared_fields_are_accepted_below_a_node_that_preserves_them() -> None:
    shape = of_schema(SCHEMA)
    assert at(shape, "spec").extra is None
    assert at(shape, "spec", "free").extra
    assert at(shape, "spec", "free", "known").extra
    assert not at(shape, "spec", "free", "known").preserve_unknown
