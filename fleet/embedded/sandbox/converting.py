"""Kinds that are served in several versions: an object in the version that was asked for.

Custom kinds are converted by strategy ``None``: only ``apiVersion`` differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleet.embedded.sandbox.kinds import Kind, Kinds
from fleet.embedded.sandbox.objects import Object, at
from fleet.embedded.sandbox.store import Entry, head_of, packed

_CPU_PERCENT = "targetCPUUtilizationPercentage"

#: events.k8s.io/v1 → v1
_EVENT_FIELDS = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_EVENT_FIELDS_BACK = {new: old for old, new in _EVENT_FIELDS.items()}


def _renamed(obj: Mapping[str, Any], names: Mapping[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


def _scaler_to_v1(obj: Mapping[str, Any]) -> Object:
    spec = dict(obj.get("spec") or {})
    status = dict(obj.get("status") or {})
    for metric in spec.pop("metrics", None) or ():
        percent = at(metric, "resource", "target", "averageUtilization")
        if at(metric, "resource", "name") == "cpu" and percent is not None:
            spec[_CPU_PERCENT] = percent
    spec.pop("behavior", None)
    for metric in status.pop("currentMetrics", None) or ():
        percent = at(metric, "resource", "current", "averageUtilization")
        if at(metric, "resource", "name") == "cpu" and percent is not None:
            status["currentCPUUtilizationPercentage"] = percent
    status.pop("conditions", None)
    return {**obj, "spec": spec, "status": status}


def _scaler_to_v2(obj: Mapping[str, Any]) -> Object:
    spec = dict(obj.get("spec") or {})
    percent = spec.pop(_CPU_PERCENT, None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**obj, "spec": spec}


_Convert = Callable[[Mapping[str, Any]], Object]
_TO_STORED: dict[tuple[str, str], _Convert] = {
    ("autoscaling/v1", "HorizontalPodAutoscaler"): _scaler_to_v2,
    ("events.k8s.io/v1", "Event"): lambda obj: _renamed(obj, _EVENT_FIELDS),
}
_FROM_STORED: dict[tuple[str, str], _Convert] = {
    ("autoscaling/v1", "HorizontalPodAutoscaler"): _scaler_to_v1,
    ("events.k8s.io/v1", "Event"): lambda obj: _renamed(obj, _EVENT_FIELDS_BACK),
}


def to_stored(kinds: Kinds, kind: Kind, obj: Object) -> Object:
    """An object that was sent as ``kind``, in the version that is stored."""
    convert = _TO_STORED.get((kind.api_version, kind.kind))
    stored = kinds.kept_as(kind)
    if stored is kind:
        return obj
    return {**(convert(obj) if convert else obj), **_words(stored)}


def from_stored(kind: Kind, obj: Object) -> Object:
    """A stored object in the version of ``kind``."""
    if obj.get("apiVersion") == kind.api_version:
        return obj
    convert = _FROM_STORED.get((kind.api_version, kind.kind))
    return {**(convert(obj) if convert else obj), **_words(kind)}


def _words(kind: Kind) -> dict[str, str]:
    return {"apiVersion": kind.api_version, "kind": kind.kind}


def is_converted(kind: Kind) -> bool:
    """Whether an entry may have to be presented otherwise than it is kept."""
    return kind.custom is not None or (kind.api_version, kind.kind) in _FROM_STORED


def presented(kind: Kind, entry: Entry) -> Entry:
    """The entry in the version of ``kind``; most often it is that already."""
    if not is_converted(kind):
        return entry
    head = head_of(kind)
    if entry.head == head:
        return entry
    if kind.custom is not None:
        return Entry(entry.version, head, entry.meta, entry.rest)
    rest = packed(kind, from_stored(kind, entry.object()), entry.version).rest
    return Entry(entry.version, head, entry.meta, rest)
