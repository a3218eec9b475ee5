"""Metadata of objects, and definitions of kinds."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.objects import Object
from tests.unit.embedded.sandbox.making import (
    CORE,
    INVALID,
    RBAC,
    REQUIRED,
    UNSUPPORTED,
    made,
    wrong,
)


@pytest.mark.parametrize(
    ("kind", "metadata", "expected"),
    [
        ("ConfigMap", {"name": ""}, {(REQUIRED, "metadata.name")}),
        ("ConfigMap", {"name": "", "generateName": "x-"}, set()),
        ("ConfigMap", {"name": "a.b-c"}, set()),
        ("ConfigMap", {"name": "A_b"}, {(INVALID, "metadata.name")}),
        ("ConfigMap", {"name": "a" * 254}, {(INVALID, "metadata.name")}),
        ("Namespace", {"name": "a.b"}, {(INVALID, "metadata.name")}),
        (
            "Namespace",
            {"name": "a" * 64},
            {(INVALID, "metadata.name"), (INVALID, "metadata.labels")},
        ),
        ("ConfigMap", {"labels": {"a/b": "c", "k8s.io/x": ""}}, set()),
        ("ConfigMap", {"labels": {"a/b/c": "x"}}, {(INVALID, "metadata.labels")}),
        ("ConfigMap", {"labels": {"/b": "x"}}, {(INVALID, "metadata.labels")}),
        ("ConfigMap", {"labels": {"A_/b": "x"}}, {(INVALID, "metadata.labels")}),
        ("ConfigMap", {"labels": {"a" * 64: "x"}}, {(INVALID, "metadata.labels")}),
        ("ConfigMap", {"labels": {"a": "v v"}}, {(INVALID, "metadata.labels")}),
        ("ConfigMap", {"labels": {"a": "v" * 64}}, {(INVALID, "metadata.labels")}),
        ("ConfigMap", {"annotations": {"": "x"}}, {(INVALID, "metadata.annotations")}),
        (
            "ConfigMap",
            {"annotations": {"a": "x" * 300_000}},
            {("FieldValueTooLong", "metadata.annotations")},
        ),
        ("ConfigMap", {"finalizers": ["x"]}, {(INVALID, "metadata.finalizers[0]")}),
        (
            "ConfigMap",
            {"finalizers": ["no name"]},
            {(INVALID, "metadata.finalizers"), (INVALID, "metadata.finalizers[0]")},
        ),
        ("ConfigMap", {"finalizers": ["a.b/c", "foregroundDeletion"]}, set()),
        (
            "ConfigMap",
            {"ownerReferences": [{}]},
            {
                (REQUIRED, f"metadata.ownerReferences[0].{name}")
                for name in ("apiVersion", "kind", "name", "uid")
            },
        ),
        (
            "ConfigMap",
            {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "K", "name": "n", "uid": uid, "controller": True}
                    for uid in "ab"
                ]
            },
            {(INVALID, "metadata.ownerReferences")},
        ),
    ],
)
def test_metadata(kind: str, metadata: Any, expected: set[tuple[str, str]]) -> None:
    assert wrong(made(CORE, kind, metadata=metadata)) == expected


def test_names_of_roles_may_be_anything_that_fits_a_path() -> None:
    assert wrong(made(RBAC, "Role", name="system:Admin")) == set()
    assert wrong(made(RBAC, "Role", name="a/b")) == {(INVALID, "metadata.name")}
    assert wrong(made(RBAC, "Role", name="..")) == {(INVALID, "metadata.name")}


def definition(name: str = "ws.a.b", **spec: Any) -> Object:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    given = {
        "group": "a.b",
        "scope": "Cluster",
        "names": {"plural": "ws", "kind": "W"},
        "versions": [version],
        **spec,
    }
    stored = [it["name"] for it in given["versions"] if it["storage"]]
    return made(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        name=name,
        spec=given,
        status={"storedVersions": stored},
    )


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (definition(), set()),
        (definition("x"), {(INVALID, "metadata.name")}),
        (definition(scope="X"), {(UNSUPPORTED, "spec.scope")}),
        (
            definition(versions=[{"name": "v1", "served": True, "storage": False}]),
            {
                (INVALID, "spec.versions"),
                (INVALID, "status.storedVersions"),
                (REQUIRED, "spec.versions[0].schema.openAPIV3Schema"),
            },
        ),
        (
            definition(
                versions=[
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"properties": {}}},
                    }
                ]
            ),
            {(REQUIRED, "spec.validation.openAPIV3Schema.type")},
        ),
    ],
)
def test_definitions(obj: Object, expected: set[tuple[str, str]]) -> None:
    assert wrong(obj) == expected


def schemas(*found: Any) -> Object:
    versions = [
        {
            "name": f"v{number}",
            "served": True,
            "storage": number == 1,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": it}},
        }
        for number, it in enumerate(found, 1)
    ]
    return definition(versions=versions)


STRING = {"type": "string"}
ROOT = "spec.validation.openAPIV3Schema.properties"


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (schemas({"a": STRING, "b": {"x-kubernetes-int-or-string": True}}), set()),
        (schemas({"a": {}}), {(REQUIRED, f"{ROOT}[a].type")}),
        (schemas({"a": {"type": "x"}}), {(UNSUPPORTED, f"{ROOT}[a].type")}),
        (schemas({"a": {"type": "array"}}), {(REQUIRED, f"{ROOT}[a].items")}),
        (
            schemas({"a": {"type": "object", "additionalProperties": {}}}),
            {(REQUIRED, f"{ROOT}[a].additionalProperties.type")},
        ),
        (
            schemas({"a": {"type": "array", "items": {}, "x-kubernetes-list-type": "x"}}),
            {
                (REQUIRED, f"{ROOT}[a].items.type"),
                (UNSUPPORTED, f"{ROOT}[a].x-kubernetes-list-type"),
            },
        ),
        (
            schemas(
                {
                    "a": {"type": "array", "items": STRING, "x-kubernetes-list-type": "map"},
                    "b": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["k"],
                        "items": {"type": "object", "properties": {"k": STRING}},
                    },
                }
            ),
            {
                (REQUIRED, f"{ROOT}[a].x-kubernetes-list-map-keys"),
                (REQUIRED, f"{ROOT}[b].items.properties[k].default"),
            },
        ),
        (
            schemas({}, {"a": {}}),
            {(REQUIRED, "spec.versions[1].schema.openAPIV3Schema.properties[a].type")},
        ),
    ],
)
def test_schemas_are_structural(obj: Object, expected: set[tuple[str, str]]) -> None:
    assert wrong(obj) == expected
