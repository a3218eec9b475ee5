"""Argo CD's marks on live objects."""

from __future__ import annotations

from fleet.model.argo_tracking import ArgoTracking, Claim
from fleet.model.live import LiveMeta


def claim_on(tracking: ArgoTracking, meta: LiveMeta) -> Claim | None:
    """The application of Argo CD that a live object is marked with."""
    managers = frozenset(str(entry.get("manager", "")) for entry in meta.managed_fields)
    return tracking.claim_on(meta.ref, meta.labels, meta.annotations, managers)
