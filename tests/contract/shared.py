"""Custom kinds that cases share: defined once a server, before the first case.

A real server holds back what is created within two seconds of a kind's beginning; a kind for
each case would cost that each time.
"""

from __future__ import annotations

import time

import httpx

from tests.contract.targets import READ_SECONDS, Object, Target

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMES = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SIZED: Object = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
}
DETAILED: Object = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "name": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
        "mood": {"type": "string", "enum": ["good", "bad"]},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "unique": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
            },
        },
        "port": {"x-kubernetes-int-or-string": True},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "words": {"type": "object", "additionalProperties": {"type": "string"}},
        "whole": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        },
        "maybe": {"type": "string", "nullable": True},
        "when": {"type": "string", "format": "date-time"},
        "colour": {"type": "string", "default": "blue"},
    },
}
RULES: Object = {
    "type": "object",
    "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}},
    "x-kubernetes-validations": [
        {"rule": "self.low <= self.high", "message": "low is above high"},
    ],
}
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}
COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Mood", "type": "string", "jsonPath": ".spec.mood", "priority": 1},
]


def version(name: str = "v1", schema: Object | None = None, **more: object) -> Object:
    """A version of a kind; it is served, and stored if it is v1."""
    return {
        "name": name,
        "served": True,
        "storage": name == "v1",
        "schema": {"openAPIV3Schema": schema or ANYTHING},
        **more,
    }


def definition(group: str, *versions: Object, **spec: object) -> Object:
    """A CustomResourceDefinition of ``widgets``; by default of one version with any fields."""
    return {
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": NAMES,
            "versions": list(versions) or [version()],
            **spec,
        },
    }


def group_of(name: str) -> str:
    """The API group of a shared kind."""
    return f"{name}.contract.example.com"


def _with_spec(spec: Object) -> Object:
    return {"type": "object", "required": ["spec"], "properties": {"spec": spec}}


SHARED: dict[str, Object] = {
    name: definition(group_of(name), *versions, scope=scope)
    for name, scope, versions in (
        ("plain", "Namespaced", [version()]),
        ("status", "Namespaced", [version(subresources={"status": {}})]),
        ("scale", "Namespaced", [version(subresources={"status": {}, "scale": SCALE})]),
        ("detailed", "Namespaced", [version(schema=_with_spec(DETAILED))]),
        ("rules", "Namespaced", [version(schema=_with_spec(RULES))]),
        ("columns", "Namespaced", [version(additionalPrinterColumns=COLUMNS)]),
        ("cluster", "Cluster", [version()]),
        ("versions", "Namespaced", [version(schema=SIZED), version("v2", SIZED)]),
    )
}


def prepare(target: Target) -> None:
    """Define every shared kind on a server, if that has not been done; they are served then."""
    with target.client() as client:
        for made in SHARED.values():
            client.post(DEFINITIONS, json=made)
        for name in SHARED:
            _wait_until_served(client, f"/apis/{group_of(name)}/v1/widgets")


def _wait_until_served(client: httpx.Client, path: str) -> None:
    deadline = time.monotonic() + READ_SECONDS
    while (answer := client.get(path)).status_code != 200:
        assert time.monotonic() < deadline, f"{path} is not served: {answer.text}"
        time.sleep(0.02)
