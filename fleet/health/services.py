"""What gives access to workloads or room to grow: Service, Ingress, PVC, autoscaler.

Source of rules and messages: Argo CD, gitops-engine ``pkg/health``.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from fleet.health.reading import Condition, at, condition_of, conditions, text
from fleet.health.verdicts import degraded, healthy, progressing, unknown
from fleet.model.health import Health
from fleet.model.objects import Manifest, annotations_of, group_version_of

_PROVISIONERS = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
)
_V1_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_WAITING = "Waiting to Autoscale"
_HEALTHY_TYPES = frozenset({"AbleToScale", "ScalingLimited"})
#: (type, reason) of a condition that says that the autoscaler cannot do its work.
_DEGRADED = frozenset(
    {
        ("AbleToScale", "FailedGetScale"),
        ("AbleToScale", "FailedUpdateScale"),
        ("ScalingActive", "FailedGetContainerResourceMetric"),
        ("ScalingActive", "FailedGetExternalMetric"),
        ("ScalingActive", "FailedGetObjectMetric"),
        ("ScalingActive", "FailedGetPodsMetric"),
        ("ScalingActive", "FailedGetResourceMetric"),
        ("ScalingActive", "InvalidSelector"),
    }
)


def _has_address(obj: Manifest) -> bool:
    found = at(obj, "status", "loadBalancer", "ingress")
    return isinstance(found, list) and bool(found)


def service(obj: Manifest) -> Health:
    if text(obj, "spec", "type") == "LoadBalancer" and not _has_address(obj):
        return progressing()
    return healthy()


def ingress(obj: Manifest) -> Health:
    return healthy() if _has_address(obj) else progressing()


def persistent_volume_claim(obj: Manifest) -> Health:
    phase = text(obj, "status", "phase")
    if phase == "Bound":
        return healthy()
    if phase == "Lost":
        return degraded()
    if phase != "Pending":
        return unknown()
    annotations = annotations_of(obj)
    if any(name in annotations for name in _PROVISIONERS):
        return progressing("Provisioning volume")
    # Nothing provisions it: it waits for the first Pod that uses it, which may never come.
    return healthy("Waiting for consumer")


def horizontal_pod_autoscaler(obj: Manifest) -> Health:
    if group_version_of(obj)[1] != "v1":
        return _autoscaling(conditions(obj))
    written = annotations_of(obj).get(_V1_CONDITIONS)
    if written is None:
        return progressing(_WAITING)
    try:
        entries = orjson.loads(written)
    except orjson.JSONDecodeError:
        return unknown(f"The annotation {_V1_CONDITIONS} is not JSON")
    if not isinstance(entries, list):
        return unknown(f"The annotation {_V1_CONDITIONS} is not a list")
    return _autoscaling(condition_of(entry) for entry in entries if isinstance(entry, dict))


def _autoscaling(entries: Iterable[Condition]) -> Health:
    """One failing part outweighs every part that works, in whichever order they come."""
    found = list(entries)
    for entry in found:
        if (entry.type, entry.reason) in _DEGRADED:
            return degraded(entry.message)
    for entry in found:
        if entry.type in _HEALTHY_TYPES and entry.is_true:
            return healthy(entry.message)
    return progressing(_WAITING)
