"""The tables of facts about built-in types, against what a real API server publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from fleet.embedded.sandbox import models
from fleet.embedded.sandbox.kinds import BUILTIN
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.openapi import document, schema_name
from tests.cluster.kube import TestCluster

from .real import RealServer

#: What a schema or a field may say otherwise, and why.
_OTHERWISE: Final = {
    "description": "the models have them reworded or not at all",
    "x-kubernetes-unions": "nobody reads them",
}
#: Fields that hold any JSON or nothing: the real server has named types for them, the models none.
_ANY_JSON: Final = {
    ("V1CustomResourceSubresources", "status"),
    ("V1ManagedFieldsEntry", "fieldsV1"),
    ("V1alpha3WorkloadPodGroupDisruptionMode", "all"),
    ("V1alpha3WorkloadPodGroupDisruptionMode", "single"),
    ("V1alpha3WorkloadPodGroupSchedulingPolicy", "basic"),
}
_SCHEMA_PROPS: Final = "V1JSONSchemaProps"
#: (model, field) → the keyword that differs there.
_KNOWN: Final = {
    ("V1APIServiceSpec", "caBundle"): "x-kubernetes-list-type",  # of a string: it has no meaning
    ("V1CertificateSigningRequestSpec", "usages"): "items",  # values with spaces
    ("V1ContainerStatus", "stopSignal"): "enum",  # sixty signals
    ("V1DeploymentSpec", "strategy"): "x-kubernetes-patch-strategy",  # retainKeys
    ("V1Lifecycle", "stopSignal"): "enum",
    ("V1PersistentVolumeClaimStatus", "allocatedResourceStatuses"): "x-kubernetes-map-type",
    ("V1PodSpec", "resourceClaims"): "x-kubernetes-patch-strategy",
    ("V1PodSpec", "volumes"): "x-kubernetes-patch-strategy",
    ("V1PodStatus", "resourceClaimStatuses"): "x-kubernetes-patch-strategy",
}


def model_of(name: str) -> str:
    """The model of a schema of the real server; "" where there is none."""
    group, version, kind = name.split(".")[-3:]
    stem = version[0].upper() + version[1:] + kind
    found = [it for it in (group.capitalize() + stem, stem) if models.has_model(it)]
    return found[0] if found else ""


@pytest.fixture(scope="module")
def published(bare_clusters: list[TestCluster]) -> dict[str, Object]:
    """The schemas of all groups and versions that both serve, by model."""
    server = RealServer(bare_clusters[0])
    found: dict[str, Object] = {}
    for group, version in sorted({(kind.group, kind.version) for kind in BUILTIN}):
        place = f"/openapi/v3/apis/{group}/{version}" if group else f"/openapi/v3/api/{version}"
        status, answer = server.ask("GET", place)
        assert status == 200, place
        for name, schema in answer["components"]["schemas"].items():
            if model := model_of(name):
                found[model] = _renamed(schema)
    server.close()
    return found


def _renamed(schema: Object) -> Object:
    """References by the sandbox's names."""
    text = json.dumps(schema)
    start = "#/components/schemas/"
    for part in text.split(start)[1:]:
        name = part.partition('"')[0]
        if model := model_of(name):
            text = text.replace(f'{start}{name}"', f'{start}{schema_name(model)}"')
    renamed: Object = json.loads(text)
    return renamed


@pytest.fixture(scope="module")
def ours() -> dict[str, Object]:
    """The sandbox's schemas, by name."""
    found: dict[str, Object] = {}
    for group, version in {(kind.group, kind.version) for kind in BUILTIN}:
        kinds = [kind for kind in BUILTIN if (kind.group, kind.version) == (group, version)]
        schemas = json.loads(document(group, version, kinds))["components"]["schemas"]
        # a document names the kinds of its own group alone: apps/v1 has PersistentVolumeClaims,
        # too, in StatefulSets, and must not take the place of those of v1
        for name, schema in schemas.items():
            if name not in found or "x-kubernetes-group-version-kind" in schema:
                found[name] = schema
    return found


def _differences(model: str, theirs: Object, ours: Object) -> Iterator[tuple[Any, ...]]:
    for key in ("type", "required", "x-kubernetes-map-type"):
        a, b = theirs.get(key), ours.get(key)
        if (sorted(a) if isinstance(a, list) else a) != b:
            yield model, key, a, b
    a, b = theirs.get("properties", {}), ours.get("properties", {})
    for field in sorted({*a, *b}):
        if (model, field) in _ANY_JSON or model == _SCHEMA_PROPS:
            continue
        for key in sorted({*a.get(field, {}), *b.get(field, {})} - _OTHERWISE.keys()):
            one, other = a.get(field, {}).get(key), b.get(field, {}).get(key)
            if one != other and _KNOWN.get((model, field)) != key:
                yield model, field, key, one, other


def _plain(value: Any) -> Any:
    """Lists in maps have no list type of their own at the real server: they are values."""
    if isinstance(value, dict):
        inner = value.get("additionalProperties")
        if isinstance(inner, dict) and "x-kubernetes-list-type" in inner:
            inner = {key: it for key, it in inner.items() if key != "x-kubernetes-list-type"}
            value = {**value, "additionalProperties": inner}
        return {key: _plain(it) for key, it in value.items()}
    return value


def test_shapes_are_those_of_the_real_server(
    published: dict[str, Object], ours: dict[str, Object]
) -> None:
    """Types, required fields, defaults, known values, formats, and how everything is merged."""
    shared = [model for model in sorted(published) if schema_name(model) in ours]
    assert len(shared) > 550
    found = [
        difference
        for model in shared
        for difference in _differences(model, published[model], _plain(ours[schema_name(model)]))
    ]
    assert found == [], "\n".join(map(str, found))


def test_every_kind_that_is_served_is_described(
    published: dict[str, Object], ours: dict[str, Object]
) -> None:
    for kind in BUILTIN:
        named = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        assert named in ours[schema_name(kind.model)]["x-kubernetes-group-version-kind"]
        assert kind.model in published


def test_what_is_known_to_differ_still_does(
    published: dict[str, Object], ours: dict[str, Object]
) -> None:
    for (model, field), key in _KNOWN.items():
        theirs, mine = published[model], ours[schema_name(model)]
        assert theirs["properties"][field].get(key) != mine["properties"][field].get(key)
