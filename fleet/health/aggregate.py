"""The health of an application: the worst of the objects that it consists of."""

from __future__ import annotations

from collections.abc import Container, Iterable

from fleet.model.applications import LiveResource
from fleet.model.health import Health, HealthStatus
from fleet.model.objects import Manifest, ObjectRef, annotations_of

IGNORE_HEALTHCHECK = "argocd.argoproj.io/ignore-healthcheck"


def counts_for_application(obj: Manifest) -> bool:
    """False when the object asks that its health be shown but not held against the whole."""
    return annotations_of(obj).get(IGNORE_HEALTHCHECK) != "true"


def aggregate(
    resources: Iterable[LiveResource], *, ignored: Container[ObjectRef] = frozenset()
) -> Health:
    """The worst health among the resources, and which object it comes from.

    Left out: hooks, kinds without health, the objects in ``ignored`` (see
    ``counts_for_application``), and what is gone that Git no longer wants either. A wanted
    object that is not there has to come with health Missing. Of several equally bad
    objects the first by name is told, so that the message does not wander.
    """
    counted = [
        (entry.health, entry.ref)
        for entry in resources
        if entry.health is not None and not entry.hook and entry.ref not in ignored
        if not (entry.requires_pruning and entry.health.status is HealthStatus.MISSING)
    ]
    if not counted:
        return Health(HealthStatus.HEALTHY)
    health, ref = min(counted, key=lambda found: (-found[0].status.rank, found[1]))
    if health.status is HealthStatus.HEALTHY:
        return Health(HealthStatus.HEALTHY)
    return Health(health.status, f"{ref}: {health.message}" if health.message else str(ref))
