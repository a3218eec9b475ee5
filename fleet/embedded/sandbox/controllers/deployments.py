"""Deployment: ReplicaSets, one a template, and the way from the old ones to the new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.controllers.making import (
    annotated,
    conditions_of,
    digest,
    made,
    with_spec,
    with_status,
)
from fleet.embedded.sandbox.controllers.reading import (
    annotations_of,
    condition,
    generation_of,
    is_ending,
    moment,
    share,
    spec_of,
    status_of,
    wanted_replicas,
)
from fleet.embedded.sandbox.controllers.replicasets import FAILURE
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Tell, Write
from fleet.embedded.sandbox.objects import Object, labels_of, name_of, timestamp

REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
PROGRESS_SECONDS = 600
HISTORY = 10
#: Counters that are progress when they grow.
FORWARD = ("updatedReplicas", "readyReplicas", "availableReplicas")


def deployment(obj: Object, seen: Seen) -> Iterator[Step]:
    """Make the ReplicaSet of the template, move replicas to it, say how far that is."""
    if is_ending(obj):
        return
    sets = seen.owned("ReplicaSet", obj)
    hash = digest(spec_of(obj)["template"])
    new = next((it for it in sets if labels_of(it).get(HASH) == hash), None)
    old = [it for it in sets if it is not new]
    paused = bool(spec_of(obj).get("paused"))
    if new is None and not paused and not _must_wait(obj, old, seen):
        made_now = _new_set(obj, hash, old)
        yield Write(made_now)
        yield _scaled(obj, with_spec(made_now, replicas=0), wanted_replicas(made_now))
        obj = annotated(obj, {REVISION: annotations_of(made_now)[REVISION]})
        shown = _with_status(obj, None, old, seen, created=name_of(made_now))
        yield Write(shown, subresource="status")
        return
    if new is not None:
        new = _renumbered(new, old)
        obj = annotated(obj, {REVISION: annotations_of(new)[REVISION]})
        yield Write(new)
    yield from _scale(obj, new, old, moves=not paused)
    yield from _forget(obj, new, old)
    shown = _with_status(obj, new, old, seen)
    yield Write(shown, subresource="status")
    yield from _deadline(shown, seen)


# ReplicaSets


def _must_wait(obj: Object, old: Sequence[Object], seen: Seen) -> bool:
    """``Recreate`` begins when the last Pod of the old is gone."""
    if (spec_of(obj).get("strategy") or {}).get("type") != "Recreate":
        return False
    return any(wanted_replicas(it) or seen.owned("Pod", it) for it in old)


def _new_set(obj: Object, hash: str, old: Sequence[Object]) -> Object:
    spec = spec_of(obj)
    template = spec["template"]
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH: hash}
    selector = spec.get("selector") or {}
    matched = {**(selector.get("matchLabels") or {}), HASH: hash}
    wanted = wanted_replicas(obj)
    room = wanted + _surge(obj) - sum(wanted_replicas(it) for it in old)
    return made(
        "apps/v1",
        "ReplicaSet",
        f"{name_of(obj)}-{hash}",
        owner=obj,
        labels=labels,
        annotations=_noted(obj, 1 + max((_revision(it) for it in old), default=0)),
        spec={
            "replicas": max(0, min(wanted, room)),
            "selector": {**selector, "matchLabels": matched},
            "template": {**template, "metadata": {**metadata, "labels": labels}},
            **({"minReadySeconds": it} if (it := spec.get("minReadySeconds")) else {}),
        },
    )


def _noted(obj: Object, revision: int) -> dict[str, str]:
    wanted = wanted_replicas(obj)
    return {
        REVISION: str(revision),
        DESIRED: str(wanted),
        MAXIMUM: str(wanted + _surge(obj)),
    }


def _revision(replica_set: Object) -> int:
    return int(annotations_of(replica_set).get(REVISION, 0))


def _renumbered(new: Object, old: Sequence[Object]) -> Object:
    """A template that came back gets a number of its own: it is the newest again."""
    newest = max((_revision(it) for it in old), default=0)
    if _revision(new) > newest:
        return new
    return annotated(new, {REVISION: str(newest + 1)})


# replicas


def _surge(obj: Object) -> int:
    strategy = spec_of(obj).get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    rolling = strategy.get("rollingUpdate") or {}
    return share(rolling.get("maxSurge", "25%"), wanted_replicas(obj), up=True)


def _unavailable(obj: Object) -> int:
    strategy = spec_of(obj).get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return wanted_replicas(obj)
    rolling = strategy.get("rollingUpdate") or {}
    found = share(rolling.get("maxUnavailable", "25%"), wanted_replicas(obj), up=False)
    return found or (0 if _surge(obj) else 1)


def _scale(
    obj: Object, new: Object | None, old: Sequence[Object], *, moves: bool
) -> Iterator[Step]:
    """One step of the way: up as far as ``maxSurge`` lets, down as far as ``maxUnavailable``.

    A paused Deployment moves nothing; the one set that has replicas still follows a change of
    ``spec.replicas``.
    """
    active = [it for it in old if wanted_replicas(it)]
    if not moves:
        one = new if new is not None and not active else None
        if new is None and len(active) == 1:
            one = active[0]
        yield from _resize(obj, one, wanted_replicas(obj))
        return
    if new is not None:
        used = sum(wanted_replicas(it) for it in active) + wanted_replicas(new)
        room = max(0, wanted_replicas(obj) + _surge(obj) - used)
        target = min(wanted_replicas(obj), wanted_replicas(new) + room)
        yield from _resize(obj, new, target if active else wanted_replicas(obj))
    for each, replicas in _fewer(obj, new, active):
        yield from _resize(obj, each, replicas)


def _fewer(
    obj: Object, new: Object | None, active: Sequence[Object]
) -> Iterator[tuple[Object, int]]:
    """The old sets that shrink now: Pods that do not work go first, they are no loss."""
    every = [*active, *([new] if new is not None else [])]
    least = wanted_replicas(obj) - _unavailable(obj)
    total = sum(wanted_replicas(it) for it in every)
    starting = wanted_replicas(new) - _available(new) if new is not None else 0
    broken = max(0, total - least - starting)
    spare = max(0, sum(_available(it) for it in every) - least)
    for each in active:
        replicas = wanted_replicas(each)
        lost = min(broken, max(0, replicas - _available(each)))
        gone = min(spare, broken - lost, replicas - lost)
        broken, spare = broken - lost - gone, spare - gone
        if lost + gone:
            yield each, replicas - lost - gone


def _available(replica_set: Object) -> int:
    return int(status_of(replica_set).get("availableReplicas", 0))


def _resize(obj: Object, replica_set: Object | None, replicas: int) -> Iterator[Step]:
    if replica_set is None:
        return
    noted = _noted(obj, _revision(replica_set))
    resized = annotated(replica_set, {key: noted[key] for key in (DESIRED, MAXIMUM)})
    if wanted_replicas(replica_set) != replicas:
        resized = with_spec(resized, replicas=replicas)
        yield _scaled(obj, replica_set, replicas)
    yield Write(resized)


def _scaled(obj: Object, replica_set: Object, replicas: int) -> Step:
    before = wanted_replicas(replica_set)
    way = "up" if replicas > before else "down"
    told = f"Scaled {way} replica set {name_of(replica_set)} from {before} to {replicas}"
    return Tell(obj, "ScalingReplicaSet", told, "deployment-controller")


def _forget(obj: Object, new: Object | None, old: Sequence[Object]) -> Iterator[Step]:
    """Keep ``revisionHistoryLimit`` old sets once the rollout is through."""
    limit = spec_of(obj).get("revisionHistoryLimit")
    idle = [it for it in old if not wanted_replicas(it) and not status_of(it).get("replicas")]
    if new is None or len(idle) < len(old):
        return
    idle.sort(key=_revision)
    for each in idle[: max(0, len(idle) - (HISTORY if limit is None else limit))]:
        yield Delete(each)


# status


def _with_status(
    obj: Object, new: Object | None, old: Sequence[Object], seen: Seen, *, created: str = ""
) -> Object:
    every = [*old, *([new] if new is not None else [])]
    counts = {
        "replicas": sum(_count(it, "replicas") for it in every),
        "updatedReplicas": _count(new, "replicas"),
        "readyReplicas": sum(_count(it, "readyReplicas") for it in every),
        "availableReplicas": sum(_count(it, "availableReplicas") for it in every),
    }
    total = sum(wanted_replicas(it) for it in every)
    conditions = [
        *_told_failures(new),
        _availability(obj, counts["availableReplicas"]),
        *_progress(obj, new, counts, created, seen),
    ]
    shown = conditions_of(obj, conditions, seen.now, updated=True, only_if_wanted=FAILURE)
    status = {
        "observedGeneration": generation_of(obj),
        **counts,
        "terminatingReplicas": sum(_count(it, "terminatingReplicas") for it in every),
        "unavailableReplicas": max(0, total - counts["availableReplicas"]),
        "collisionCount": status_of(obj).get("collisionCount"),
        "conditions": _touched(shown, seen) if _moved(obj, counts) else shown,
    }
    return with_status(obj, status, zeros=("terminatingReplicas",))


def _count(replica_set: Object | None, field: str) -> int:
    return int(status_of(replica_set).get(field, 0)) if replica_set is not None else 0


def _told_failures(new: Object | None) -> list[dict[str, Any]]:
    found = condition(new, FAILURE) if new is not None else {}
    keys = ("type", "status", "reason", "message")
    return [{key: found[key] for key in keys}] if found else []


def _availability(obj: Object, available: int) -> dict[str, Any]:
    enough = available >= wanted_replicas(obj) - _unavailable(obj)
    return {
        "type": "Available",
        "status": str(enough),
        "reason": f"MinimumReplicas{'A' if enough else 'Una'}vailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }


def _progress(
    obj: Object, new: Object | None, counts: Mapping[str, int], created: str, seen: Seen
) -> list[dict[str, Any]]:
    """What the condition Progressing says; nothing where the last word still holds."""
    before = condition(obj, "Progressing")
    if spec_of(obj).get("paused"):
        return [_progressing("Unknown", "DeploymentPaused", "Deployment is paused")]
    if created:
        told = f'Created new replica set "{created}"'
        return [_progressing("True", "NewReplicaSetCreated", told)]
    if new is None:
        return []
    name = f'ReplicaSet "{name_of(new)}"'
    wanted = wanted_replicas(obj)
    complete = (
        counts["replicas"] == counts["updatedReplicas"] == wanted == counts["availableReplicas"]
    )
    if complete:
        told = f"{name} has successfully progressed."
        return [_progressing("True", "NewReplicaSetAvailable", told)]
    if before.get("reason") == "DeploymentPaused":
        return [_progressing("Unknown", "DeploymentResumed", "Deployment is resumed")]
    going = _progressing("True", "ReplicaSetUpdated", f"{name} is progressing.")
    if _moved(obj, counts):
        return [going]
    if before.get("reason") == "NewReplicaSetAvailable" and name in before.get("message", ""):
        return []  # it was complete once: a Pod that fails later is no rollout
    if _is_late(obj, before, seen):
        late = f"{name} has timed out progressing."
        return [_progressing("False", "ProgressDeadlineExceeded", late)]
    return [] if before.get("reason") in KEPT else [going]


#: Reasons that hold until something moves, or the deadline passes.
KEPT = ("NewReplicaSetCreated", "ReplicaSetUpdated", "ProgressDeadlineExceeded")


def _progressing(status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}


def _moved(obj: Object, counts: Mapping[str, int]) -> bool:
    """Whether the rollout came forward since the status was last written."""
    before = status_of(obj)
    old = counts["replicas"] - counts["updatedReplicas"]
    was_old = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return old < was_old or any(counts[it] > before.get(it, 0) for it in FORWARD)


def _touched(entries: Sequence[Mapping[str, Any]], seen: Seen) -> list[dict[str, Any]]:
    """With the progress deadline begun anew."""
    now = {"lastUpdateTime": timestamp(seen.now)}
    return [{**it, **(now if it["type"] == "Progressing" else {})} for it in entries]


def _seconds_left(obj: Object, entry: Mapping[str, Any], seen: Seen) -> float:
    allowed = spec_of(obj).get("progressDeadlineSeconds") or PROGRESS_SECONDS
    since = moment(entry.get("lastUpdateTime"))
    return float(allowed) - (seen.now - since).total_seconds()


def _is_late(obj: Object, entry: Mapping[str, Any], seen: Seen) -> bool:
    return entry.get("reason") in KEPT and _seconds_left(obj, entry, seen) <= 0


def _deadline(obj: Object, seen: Seen) -> Iterator[Step]:
    entry = condition(obj, "Progressing")
    if entry.get("status") == "True" and entry.get("reason") in KEPT:
        yield Later(max(1.0, _seconds_left(obj, entry, seen)))
