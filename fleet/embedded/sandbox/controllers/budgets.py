"""PodDisruptionBudget: how many Pods may be missed right now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet.embedded.sandbox.controllers.making import conditions_of, with_status
from fleet.embedded.sandbox.controllers.reading import (
    generation_of,
    has_ended,
    is_ending,
    is_pod_ready,
    share,
    spec_of,
    uid_of,
    wanted_replicas,
)
from fleet.embedded.sandbox.controllers.steps import Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, controller_of, labels_of, namespace_of
from fleet.embedded.sandbox.selectors import matches

COUNTS = ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods")


def budget(obj: Object, seen: Seen) -> Iterator[Step]:
    """Count the Pods that it selects."""
    if is_ending(obj):
        return
    spec = spec_of(obj)
    pods = [
        it
        for it in seen.list("Pod", namespace_of(obj))
        if matches(spec.get("selector"), labels_of(it)) and not has_ended(it)
    ]
    healthy = sum(is_pod_ready(it) for it in pods)
    expected = _expected(pods, seen)
    if (most := spec.get("maxUnavailable")) is not None:
        desired = max(0, expected - share(most, expected, up=True))
    else:
        desired = share(spec.get("minAvailable", 1), expected, up=True)
    allowed = max(0, healthy - desired) if expected else 0
    told = {
        "type": "DisruptionAllowed",
        "status": str(allowed > 0),
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": generation_of(obj),
    }
    status = {
        "observedGeneration": generation_of(obj),
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "conditions": conditions_of(obj, [told], seen.now),
    }
    yield Write(with_status(obj, status, zeros=COUNTS), subresource="status")


def _expected(pods: Sequence[Object], seen: Seen) -> int:
    """What the owners want; a Pod without one counts for itself."""
    owners: dict[str, int] = {}
    for pod in pods:
        owner = controller_of(pod)
        if owner is None:
            owners[uid_of(pod)] = 1
            continue
        found = None
        if owner["kind"] in ("ReplicaSet", "StatefulSet"):
            found = seen.get(owner["kind"], namespace_of(pod), owner["name"])
        alone = 1 + owners.get(owner["uid"], 0)
        owners[owner["uid"]] = wanted_replicas(found) if found else alone
    return sum(owners.values())
