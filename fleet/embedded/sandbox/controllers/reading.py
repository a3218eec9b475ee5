"""Parts of objects that every rule reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fleet.embedded.sandbox.objects import Object

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uid_of(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def annotations_of(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("annotations") or {}


def is_ending(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def spec_of(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def status_of(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def generation_of(obj: Object) -> int:
    return int(obj["metadata"].get("generation", 1))


def wanted_replicas(obj: Object) -> int:
    """``spec.replicas``, which the API server defaults to 1; 0 is an answer."""
    found = spec_of(obj).get("replicas")
    return 1 if found is None else int(found)


def moment(text: str | None) -> datetime:
    """An RFC 3339 time; the epoch for none."""
    return datetime.fromisoformat(text) if text else EPOCH


def condition(obj: Object, type: str) -> Mapping[str, Any]:
    """The condition of that type; empty when there is none."""
    return next((it for it in status_of(obj).get("conditions") or () if it["type"] == type), {})


def is_true(obj: Object, type: str) -> bool:
    return condition(obj, type).get("status") == "True"


def is_pod_ready(pod: Object) -> bool:
    return is_true(pod, "Ready") and not is_ending(pod)


def available_in(pod: Object, owner: Object, now: datetime) -> float | None:
    """Seconds until a Pod has been ready for its owner's ``minReadySeconds``: 0 when it counts
    as available, None when it is not ready."""
    if not is_pod_ready(pod):
        return None
    least = int(spec_of(owner).get("minReadySeconds") or 0)
    since = moment(condition(pod, "Ready").get("lastTransitionTime"))
    return max(0.0, least - (now - since).total_seconds()) if least else 0.0


def has_ended(pod: Object) -> bool:
    return status_of(pod).get("phase") in ("Succeeded", "Failed")


def share(value: Any, of: int, *, up: bool) -> int:
    """An int-or-percent such as ``maxSurge``, of ``of`` replicas."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * of
        return -(-exact // 100) if up else exact // 100
    return int(value or 0)
