"""HorizontalPodAutoscaler: keeps its target between ``minReplicas`` and ``maxReplicas``.

Nothing is measured here, so every metric is exactly where it should be: what it does to the
target is what its bounds alone make it do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.controllers.making import conditions_of, with_spec, with_status
from fleet.embedded.sandbox.controllers.reading import (
    is_ending,
    spec_of,
    status_of,
    wanted_replicas,
)
from fleet.embedded.sandbox.controllers.steps import Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, namespace_of, timestamp

SCALABLE = ("Deployment", "ReplicaSet", "StatefulSet")


def autoscaler(obj: Object, seen: Seen) -> Iterator[Step]:
    """Say how many replicas there are, and move the target into the bounds."""
    if is_ending(obj):
        return
    spec = spec_of(obj)
    target = _target(obj, seen)
    if target is None:
        name = spec["scaleTargetRef"]["name"]
        message = f"the HPA controller was unable to get the target's current scale: {name}"
        told = [_told("AbleToScale", "False", "FailedGetScale", f"{message} not found")]
        yield Write(_with_status(obj, {}, told, seen), subresource="status")
        return
    current = wanted_replicas(target)
    low, high = int(spec.get("minReplicas") or 1), int(spec["maxReplicas"])
    wanted = min(max(current, low), high) if current else 0
    scaled = wanted != current
    if scaled:
        yield Write(with_spec(target, replicas=wanted), subresource="scale")
    counts: dict[str, Any] = {
        "currentReplicas": int(status_of(target).get("replicas", 0)),
        "desiredReplicas": wanted,
        "currentMetrics": _measured(obj),
    }
    if scaled:
        counts["lastScaleTime"] = timestamp(seen.now)
    told = _conditions(current, low, high)
    yield Write(_with_status(obj, counts, told, seen), subresource="status")


def _target(obj: Object, seen: Seen) -> Object | None:
    reference = spec_of(obj)["scaleTargetRef"]
    if reference.get("kind") not in SCALABLE:
        return None
    return seen.get(reference["kind"], namespace_of(obj), reference["name"])


def _measured(obj: Object) -> list[dict[str, Any]] | None:
    """Of resources only: each is at its target."""
    found = []
    for metric in spec_of(obj).get("metrics") or ():
        resource = metric.get("resource")
        if metric.get("type") == "Resource" and resource:
            target = resource.get("target") or {}
            value = target.get("averageUtilization")
            current = {"averageValue": target.get("averageValue", "100m")}
            if value is not None:
                current["averageUtilization"] = value
            name = resource.get("name")
            found.append({"type": "Resource", "resource": {"name": name, "current": current}})
    return found or None


#: Messages of the controller by reason.
TOLD = {
    "ReadyForNewScale": "recommended size matches current size",
    "SucceededGetScale": "the HPA controller was able to get the target's current scale",
    "ScalingDisabled": "scaling is disabled since the replica count of the target is zero",
    "ValidMetricFound": "the HPA was able to successfully calculate a replica count from its"
    " metrics",
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
}


def _conditions(current: int, low: int, high: int) -> list[dict[str, str]]:
    if not current:
        return [
            _told("AbleToScale", "True", "SucceededGetScale"),
            _told("ScalingActive", "False", "ScalingDisabled"),
        ]
    outside = "TooFewReplicas" if current < low else "TooManyReplicas" if current > high else ""
    return [
        _told("AbleToScale", "True", "ReadyForNewScale"),
        _told("ScalingActive", "True", "ValidMetricFound"),
        _told("ScalingLimited", str(bool(outside)), outside or "DesiredWithinRange"),
    ]


def _told(type: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": type, "status": status, "reason": reason, "message": message or TOLD[reason]}


def _with_status(
    obj: Object, counts: Mapping[str, Any], told: Sequence[Mapping[str, Any]], seen: Seen
) -> Object:
    status = {
        **status_of(obj),
        "observedGeneration": obj["metadata"].get("generation"),
        **counts,
        "conditions": conditions_of(obj, told, seen.now),
    }
    return with_status(obj, status, zeros=("currentReplicas", "desiredReplicas"))
