"""A sync of all applications of a project, planned for a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet.model.ids import OperationId, PlannedSyncId
from fleet.model.operations import SyncOptions


@dataclass(frozen=True, slots=True)
class PlannedResult:
    """What became of one application: the sync that began, or why none did."""

    application: str
    operation: OperationId | None = None
    error: str = ""  # the error's type
    message: str = ""


@dataclass(frozen=True, slots=True)
class PlannedSync:
    """``role``: of whoever planned it, at that time. Open while ``ended_at`` is None."""

    id: PlannedSyncId
    project: str
    at: datetime
    options: SyncOptions
    created_by: str
    role: str
    created_at: datetime
    results: tuple[PlannedResult, ...] = ()
    ended_at: datetime | None = None
    cancelled_by: str = ""
