"""Whose a live object is: Argo CD's marks on it, and ours."""

from __future__ import annotations

from fleet.model.argo_tracking import ArgoTracking, Claim
from fleet.model.live import LiveMeta
from fleet.model.objects import TRACKING_ANNOTATION, Tracking


def claim_on(tracking: ArgoTracking, meta: LiveMeta) -> Claim | None:
    """The application of Argo CD that a live object is marked with."""
    managers = frozenset(str(entry.get("manager", "")) for entry in meta.managed_fields)
    return tracking.claim_on(meta.ref, meta.labels, meta.annotations, managers)


def mark_on(meta: LiveMeta) -> Tracking | None:
    """The application of Fleet that a live object is marked with; a mark that is about another
    object was copied from there, and says nothing."""
    mark = Tracking.parse(meta.annotations.get(TRACKING_ANNOTATION, ""))
    return mark if mark is not None and mark.ref == meta.ref else None
