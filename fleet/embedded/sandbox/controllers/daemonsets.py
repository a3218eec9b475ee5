"""DaemonSet: one Pod on every node that its template fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleet.embedded.sandbox.controllers.making import pod_from, with_status
from fleet.embedded.sandbox.controllers.pods import pinned_node
from fleet.embedded.sandbox.controllers.reading import (
    available_in,
    generation_of,
    has_ended,
    is_ending,
    share,
    spec_of,
)
from fleet.embedded.sandbox.controllers.revisions import (
    REVISION_HASH,
    forget,
    hash_of,
    record,
    revision_of,
)
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, labels_of, name_of

ALWAYS_SHOWN = (
    "currentNumberScheduled",
    "desiredNumberScheduled",
    "numberMisscheduled",
    "numberReady",
)


def daemon_set(obj: Object, seen: Seen) -> Iterator[Step]:
    """Fill the nodes, leave those that no longer fit, renew as ``maxUnavailable`` lets."""
    if is_ending(obj):
        return
    known = seen.owned("ControllerRevision", obj)
    yield from record(obj, known)
    nodes = {name_of(it) for it in seen.list("Node") if _fits(obj, it)}
    pods = [it for it in seen.owned("Pod", obj) if not is_ending(it)]
    placed: dict[str, Object] = {}
    for pod in pods:
        node = pinned_node(pod)
        if has_ended(pod):
            yield Delete(pod, at_once=True)
        elif node not in nodes or node in placed:
            yield Delete(pod)
        else:
            placed[node] = pod
    hash = hash_of(revision_of(obj))
    for node in sorted(nodes - placed.keys()):
        yield Write(_pod(obj, node, hash, seen))
    waits = {at: available_in(it, obj, seen.now) for at, it in placed.items()}
    stale = [at for at in sorted(placed) if labels_of(placed[at]).get(REVISION_HASH) != hash]
    yield from (Delete(placed[at]) for at in _renewed(obj, stale, waits, len(nodes)))
    used = {f"{name_of(obj)}-{labels_of(it).get(REVISION_HASH)}" for it in pods}
    yield from forget(obj, known, used)
    current = len(placed) - len(stale)
    yield Write(_with_status(obj, current, waits, len(nodes)), subresource="status")
    if pending := [it for it in waits.values() if it]:
        yield Later(min(pending))


def _fits(obj: Object, node: Object) -> bool:
    wanted = (spec_of(obj)["template"].get("spec") or {}).get("nodeSelector") or {}
    return wanted.items() <= labels_of(node).items()


def _pod(obj: Object, node: str, hash: str, seen: Seen) -> Object:
    template = spec_of(obj)["template"]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    term = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {
        **((template.get("spec") or {}).get("affinity") or {}),
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term},
    }
    prefix = f"{name_of(obj)}-"
    labels = {
        REVISION_HASH: hash,
        "pod-template-generation": str(generation_of(obj)),
    }
    name = prefix + seen.suffix()
    return pod_from(template, obj, name, labels=labels, generate_name=prefix, affinity=affinity)


def _renewed(
    obj: Object, stale: Sequence[str], waits: Mapping[str, float | None], wanted: int
) -> list[str]:
    """Nodes whose Pod of an older template goes now: those that do not work are no loss."""
    strategy = spec_of(obj).get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return []
    allowed = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    broken = [at for at in stale if waits[at] != 0]
    missing = wanted - sum(it == 0 for it in waits.values())
    room = max(0, (share(allowed, wanted, up=True) or 1) - missing)
    return [*broken, *[it for it in stale if it not in broken][:room]]


def _with_status(
    obj: Object, current: int, waits: Mapping[str, float | None], wanted: int
) -> Object:
    available = sum(it == 0 for it in waits.values())
    status = {
        "observedGeneration": generation_of(obj),
        "desiredNumberScheduled": wanted,
        "currentNumberScheduled": len(waits),
        "updatedNumberScheduled": current,
        "numberMisscheduled": 0,
        "numberReady": sum(it is not None for it in waits.values()),
        "numberAvailable": available,
        "numberUnavailable": wanted - available,
    }
    return with_status(obj, status, zeros=ALWAYS_SHOWN)
