"""ReplicaSet: as many Pods of a template as are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fleet.embedded.sandbox.controllers.making import (
    conditions_of,
    pod_from,
    reference,
    with_status,
)
from fleet.embedded.sandbox.controllers.reading import (
    available_in,
    condition,
    generation_of,
    has_ended,
    is_ending,
    is_pod_ready,
    spec_of,
    wanted_replicas,
)
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Tell, Write
from fleet.embedded.sandbox.objects import (
    Object,
    controller_of,
    labels_of,
    name_of,
    namespace_of,
    with_meta,
)
from fleet.embedded.sandbox.selectors import matches

RETRY_SECONDS = 5.0
FAILURE = "ReplicaFailure"
SOURCE = "replicaset-controller"


def replica_set(obj: Object, seen: Seen) -> Iterator[Step]:
    """Adopt, create or delete Pods until there are ``spec.replicas``."""
    if is_ending(obj):
        return
    adopted = [it for it in seen.list("Pod", namespace_of(obj)) if _is_orphan_of(obj, it)]
    for each in adopted:
        yield Write(with_meta(each, ownerReferences=[reference(obj)]))
    pods = [it for it in (*seen.owned("Pod", obj), *adopted) if not has_ended(it)]
    alive = [it for it in pods if not is_ending(it)]
    missing = wanted_replicas(obj) - len(alive)
    refused = _refused(obj, seen) if missing > 0 else ""
    if refused:
        yield Later(RETRY_SECONDS)
        if condition(obj, FAILURE).get("message") != refused:
            yield Tell(obj, "FailedCreate", f"Error creating: {refused}", SOURCE, warning=True)
    else:
        template = spec_of(obj)["template"]
        for _ in range(missing):
            prefix = f"{name_of(obj)}-"
            yield Write(pod_from(template, obj, prefix + seen.suffix(), generate_name=prefix))
    for each in sorted(alive, key=_first_to_go)[: max(0, -missing)]:
        yield Delete(each)
    waits = [available_in(it, obj, seen.now) for it in alive]
    shown = _with_status(obj, alive, waits, refused, seen, terminating=len(pods) - len(alive))
    yield Write(shown, subresource="status")
    if pending := [it for it in waits if it]:
        yield Later(min(pending))


def _is_orphan_of(obj: Object, pod: Object) -> bool:
    return (
        controller_of(pod) is None
        and not is_ending(pod)
        and not has_ended(pod)
        and matches(spec_of(obj).get("selector"), labels_of(pod))
    )


def _refused(obj: Object, seen: Seen) -> str:
    """Why the API server would not take a Pod of the template."""
    account = (spec_of(obj)["template"].get("spec") or {}).get("serviceAccountName", "default")
    namespace = namespace_of(obj)
    if account == "default" or seen.get("ServiceAccount", namespace, account):
        return ""
    return (
        f'pods "{name_of(obj)}-" is forbidden: error looking up service account'
        f' {namespace}/{account}: serviceaccount "{account}" not found'
    )


def _first_to_go(pod: Object) -> tuple[bool, str, str]:
    """Those that are not ready, then the youngest, go first."""
    created = pod["metadata"].get("creationTimestamp") or ""
    return is_pod_ready(pod), "".join(chr(255 - ord(it)) for it in created), name_of(pod)


def _with_status(
    obj: Object,
    pods: Sequence[Object],
    waits: Sequence[float | None],
    refused: str,
    seen: Seen,
    *,
    terminating: int,
) -> Object:
    labels = (spec_of(obj)["template"].get("metadata") or {}).get("labels") or {}
    told = {"type": FAILURE, "status": "True", "reason": "FailedCreate", "message": refused}
    conditions = conditions_of(obj, [told] if refused else [], seen.now, only_if_wanted=FAILURE)
    status: dict[str, Any] = {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(labels.items() <= labels_of(it).items() for it in pods),
        "readyReplicas": sum(it is not None for it in waits),
        "availableReplicas": sum(it == 0 for it in waits),
        "terminatingReplicas": terminating,
        "observedGeneration": generation_of(obj),
        "conditions": conditions or None,
    }
    return with_status(obj, status, zeros=("replicas", "terminatingReplicas"))
