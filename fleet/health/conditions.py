"""Kinds that nobody taught us, judged by the conditions that the field agreed on.

Source: kstatus (``Reconciling``, ``Stalled``, ``Ready``, observed generation) and the API
conventions (``Available``, ``Progressing``, ``Degraded``). A kind that speaks of none of
them has no health.
"""

from __future__ import annotations

from fleet.health.reading import Condition, conditions, maybe_integer, text
from fleet.health.verdicts import degraded, healthy, progressing
from fleet.model.health import Health
from fleet.model.objects import Manifest

_STANDARD = frozenset({"Ready", "Available", "Reconciling", "Stalled", "Progressing", "Degraded"})


def by_conditions(obj: Manifest) -> Health | None:
    found: dict[str, Condition] = {}
    for entry in conditions(obj):
        if entry.type in _STANDARD:
            found.setdefault(entry.type, entry)
    if not found:
        return None
    generation = maybe_integer(obj, "metadata", "generation")
    observed = maybe_integer(obj, "status", "observedGeneration")
    if generation is not None and observed is not None and observed < generation:
        return progressing(
            f"{text(obj, 'kind')} generation is {generation},"
            f" but latest observed generation is {observed}"
        )
    fresh = {type: entry for type, entry in found.items() if not _is_stale(entry, generation)}
    return _verdict(fresh) if fresh else progressing("Waiting for conditions to be updated")


def _is_stale(entry: Condition, generation: int | None) -> bool:
    """A condition about an earlier version of the object says nothing about this one."""
    observed = entry.observed_generation
    return observed is not None and generation is not None and observed < generation


def _verdict(found: dict[str, Condition]) -> Health:
    for failing in ("Stalled", "Degraded"):
        if failing in found and found[failing].is_true:
            return degraded(found[failing].message)
    if "Reconciling" in found and found["Reconciling"].is_true:
        return progressing(found["Reconciling"].message)
    if "Ready" in found:
        return _as_far_as(found["Ready"])
    rollout = found.get("Progressing")
    # Deployments (and what imitates them) leave Progressing true when they are through.
    if rollout and rollout.is_true and rollout.reason != "NewReplicaSetAvailable":
        return progressing(rollout.message)
    if "Available" in found:
        return _as_far_as(found["Available"])
    return healthy()


def _as_far_as(wanted: Condition) -> Health:
    return healthy(wanted.message) if wanted.is_true else progressing(wanted.message)
