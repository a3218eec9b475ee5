"""The scale subresource: how many replicas something has, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from fleet.embedded.sandbox.bodies import decoded, from_yaml, media_type
from fleet.embedded.sandbox.cells import NONE, pairs, selector
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.kinds import Kind, builtin_kind
from fleet.embedded.sandbox.objects import Object, at, meta_of, with_meta
from fleet.embedded.sandbox.options import check_options
from fleet.embedded.sandbox.patches import APPLY, JSON_PATCH
from fleet.embedded.sandbox.patching import PatchFailed, json_patch, merge_patch
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.statuses import (
    ApiError,
    Cause,
    invalid,
    invalid_value,
    unsupported_media,
)
from fleet.embedded.sandbox.storing import Write, check_name, live, store_changed

SCALE = replace(
    builtin_kind("autoscaling/v1", "HorizontalPodAutoscaler"), kind="Scale", model="V1Scale"
)
_USUAL = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def scale_of(kind: Kind, obj: Object) -> Object:
    """The ``Scale`` of an object."""
    metadata = meta_of(obj)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = _at(obj, _paths(kind)["specReplicasPath"]) or 0
    status: Object = {"replicas": _at(obj, _paths(kind)["statusReplicasPath"]) or 0}
    chosen = _selector(kind, obj)
    if chosen:
        status["selector"] = chosen
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _selector(kind: Kind, obj: Object) -> str:
    if kind.custom is not None:
        path = kind.custom.scale.get("labelSelectorPath")
        return str(_at(obj, path) or "") if path else ""
    found = at(obj, "spec", "selector")
    text = selector(found) if kind.group else pairs(found)
    return "" if text == NONE else text


def _paths(kind: Kind) -> Mapping[str, Any]:
    return kind.custom.scale if kind.custom else _USUAL


def _at(obj: Object, path: str) -> Any:
    return at(obj, *path.strip(".").split("."))


def _with_replicas(kind: Kind, obj: Object, replicas: int) -> Object:
    return _set(obj, _paths(kind)["specReplicasPath"].strip(".").split("."), replicas)


def _set(obj: Mapping[str, Any], path: list[str], value: Any) -> Object:
    if len(path) == 1:
        return {**obj, path[0]: value}
    return {**obj, path[0]: _set(obj.get(path[0]) or {}, path[1:], value)}


def get(cluster: Cluster, request: Request, target: Target) -> Answer:
    """GET of a scale."""
    return _answer(target.kind, live(Write(cluster, request, target)))


def update(cluster: Cluster, request: Request, target: Target) -> Answer:
    """PUT of a scale."""
    check_options(request, "UpdateOptions")
    return _store(Write(cluster, request, target), decoded(request, SCALE))


def patch(cluster: Cluster, request: Request, target: Target) -> Answer:
    """PATCH of a scale, in any way."""
    media = media_type(request)
    check_options(request, "PatchOptions", applying=media == APPLY)
    write = Write(cluster, request, target)
    before = scale_of(target.kind, live(write))
    sent = from_yaml(request.body)
    try:
        if media == JSON_PATCH:
            after = json_patch(before, sent)
        elif media == APPLY or media.endswith("merge-patch+json"):
            after = merge_patch(before, sent)
        else:
            raise unsupported_media("415: Unsupported Media Type", {})
    except PatchFailed as failed:
        raise ApiError(failed.code, "Invalid", str(failed), {}) from None
    return _store(write, after)


def _store(write: Write, scale: Object) -> Answer:
    kind = write.kind
    check_name(write.target, scale)
    replicas = at(scale, "spec", "replicas") or 0
    if not isinstance(replicas, int) or replicas < 0:
        why = "must be greater than or equal to 0"
        causes: list[Cause] = [invalid_value("spec.replicas", replicas, why)]
        raise invalid("autoscaling", "Scale", write.target.name, causes)
    before = live(write)
    after = _with_replicas(kind, before, replicas)
    version = meta_of(scale).get("resourceVersion")
    after = with_meta(after, resourceVersion=version)
    return _answer(kind, store_changed(write, before, after, subresource="scale"))


def _answer(kind: Kind, obj: Object) -> Answer:
    return Answer(orjson.dumps(scale_of(kind, obj)))
