"""Health of an object and of an application, in Argo CD's six words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class HealthStatus(StrEnum):
    """Best to worst. Source: Argo CD, gitops-engine ``pkg/health``."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"

    @property
    def rank(self) -> int:
        """0 is best."""
        return _RANK[self]


_RANK = {status: rank for rank, status in enumerate(HealthStatus)}


class SyncStatus(StrEnum):
    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    status: HealthStatus
    message: str = ""


def worst(healths: Iterable[Health]) -> Health:
    """The worst of them with its message; Healthy when there are none."""
    return max(healths, key=lambda h: h.status.rank, default=Health(HealthStatus.HEALTHY))
