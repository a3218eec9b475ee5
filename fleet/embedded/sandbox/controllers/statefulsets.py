"""StatefulSet: numbered Pods, one after the other, each with claims of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.claiming import volumes_with_claims
from fleet.embedded.sandbox.controllers.making import made, pod_from, with_status
from fleet.embedded.sandbox.controllers.reading import (
    available_in,
    generation_of,
    has_ended,
    is_ending,
    spec_of,
    status_of,
    wanted_replicas,
)
from fleet.embedded.sandbox.controllers.revisions import (
    REVISION_HASH,
    forget,
    record,
    revision_of,
    template_of,
)
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, labels_of, name_of, namespace_of


def stateful_set(obj: Object, seen: Seen) -> Iterator[Step]:
    """Bring up from the lowest number, take down and renew from the highest."""
    if is_ending(obj):
        return
    known = seen.owned("ControllerRevision", obj)
    yield from record(obj, known)
    pods = {ordinal_of(it): it for it in seen.owned("Pod", obj)}
    update = revision_of(obj)
    current = status_of(obj).get("currentRevision") or update
    waits = {at: available_in(it, obj, seen.now) for at, it in pods.items()}
    yield from _move(obj, pods, waits, known, current, seen)
    yield from forget(obj, known, {current, *(_revision(it) for it in pods.values())})
    shown = _with_status(obj, pods, waits, current, update)
    yield Write(shown, subresource="status")
    if pending := [it for it in waits.values() if it]:
        yield Later(min(pending))


def ordinal_of(pod: Object) -> int:
    """The number at the end of its name; -1 without one."""
    tail = name_of(pod).rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1


def _revision(pod: Object) -> str:
    return labels_of(pod).get(REVISION_HASH, "")


def _ordinals(obj: Object) -> range:
    start = int((spec_of(obj).get("ordinals") or {}).get("start") or 0)
    return range(start, start + wanted_replicas(obj))


def _partition(obj: Object) -> int:
    rolling = (spec_of(obj).get("updateStrategy") or {}).get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def _move(
    obj: Object,
    pods: Mapping[int, Object],
    waits: Mapping[int, float | None],
    known: Sequence[Object],
    current: str,
    seen: Seen,
) -> Iterator[Step]:
    """The next steps: all at once with ``Parallel``, else the first that has to be waited for."""
    parallel = spec_of(obj).get("podManagementPolicy") == "Parallel"
    for at in _ordinals(obj):
        pod = pods.get(at)
        if pod is not None and has_ended(pod):
            yield Delete(pod, at_once=True)
        elif pod is None:
            yield from _claims(obj, at, seen)
            yield Write(_pod(obj, at, known, current))
        if (pod is None or waits[at] != 0) and not parallel:
            # the next one waits for it; but one that will never come may still be renewed
            yield from _renew(obj, pods, waits, only_broken=True)
            return
    surplus = sorted((at for at in pods if at not in _ordinals(obj)), reverse=True)
    for at in surplus if parallel else surplus[:1]:
        if not is_ending(pods[at]):
            yield Delete(pods[at])
    if not surplus:
        yield from _renew(obj, pods, waits, only_broken=False)


def _renew(
    obj: Object,
    pods: Mapping[int, Object],
    waits: Mapping[int, float | None],
    *,
    only_broken: bool,
) -> Iterator[Step]:
    """Delete the highest Pod of an older template; it comes back from the new one."""
    if (spec_of(obj).get("updateStrategy") or {}).get("type") == "OnDelete":
        return
    update = revision_of(obj)
    for at in sorted(pods, reverse=True):
        if at < _partition(obj):
            return
        if is_ending(pods[at]):
            return
        if _revision(pods[at]) != update and not (only_broken and waits[at] is not None):
            yield Delete(pods[at])
            return
        if waits[at] != 0 and not only_broken:
            return


def _pod(obj: Object, at: int, known: Sequence[Object], current: str) -> Object:
    """Below the partition a Pod is made from the template that was current before."""
    revision = current if at < _partition(obj) else revision_of(obj)
    template = template_of(obj, known, revision)
    name = f"{name_of(obj)}-{at}"
    labels = {
        "apps.kubernetes.io/pod-index": str(at),
        REVISION_HASH: revision,
        "statefulset.kubernetes.io/pod-name": name,
    }
    own = (template.get("spec") or {}).get("volumes") or ()
    volumes = volumes_with_claims(own, spec_of(obj).get("volumeClaimTemplates") or (), f"-{name}")
    naming = {"hostname": name, "subdomain": spec_of(obj).get("serviceName")}
    spec: dict[str, Any] = {key: it for key, it in {**naming, "volumes": volumes}.items() if it}
    return pod_from(template, obj, name, labels=labels, **spec)


def _claims(obj: Object, at: int, seen: Seen) -> Iterator[Step]:
    """They outlive the Pod, and the StatefulSet."""
    labels = (spec_of(obj).get("selector") or {}).get("matchLabels") or {}
    for template in spec_of(obj).get("volumeClaimTemplates") or ():
        metadata = template["metadata"]
        name = f"{metadata['name']}-{name_of(obj)}-{at}"
        if seen.get("PersistentVolumeClaim", namespace_of(obj), name) is None:
            yield Write(
                made(
                    "v1",
                    "PersistentVolumeClaim",
                    name,
                    namespace=namespace_of(obj),
                    labels={**(metadata.get("labels") or {}), **labels},
                    annotations=metadata.get("annotations"),
                    spec=template.get("spec") or {},
                )
            )


def _with_status(
    obj: Object,
    pods: Mapping[int, Object],
    waits: Mapping[int, float | None],
    current: str,
    update: str,
) -> Object:
    alive = {at: it for at, it in pods.items() if not is_ending(it)}
    updated = sum(_revision(it) == update for it in alive.values())
    ready = sum(waits[at] is not None for at in alive)
    wanted = wanted_replicas(obj)
    if updated == ready == len(alive) == wanted and not _partition(obj):
        current = update
    status = {
        "observedGeneration": generation_of(obj),
        "replicas": len(alive),
        "readyReplicas": ready,
        "availableReplicas": sum(waits[at] == 0 for at in alive),
        "currentReplicas": sum(_revision(it) == current for it in alive.values()),
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }
    return with_status(obj, status, zeros=("replicas", "availableReplicas", "collisionCount"))
