"""When sync windows next open, for the leader to schedule, and what is done then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.errors import SpecInvalid
from fleet.model.ids import ProjectId
from fleet.model.objects import Manifest
from fleet.operations.runtime import Runtime
from fleet.operations.specs import project_spec
from fleet.policy import next_opening
from fleet.registry import projects, queue
from fleet.registry.database import Tx


@dataclass(frozen=True, slots=True)
class Opening:
    """A moment at which applications of a project may begin to sync that may not now."""

    project: ProjectId
    name: str
    at: datetime


class Openings:
    """The next opening of each project with sync windows, worked out once for each document.

    Nothing that another process would miss: from the rows it is worked out again.
    """

    def __init__(self) -> None:
        # version of the document, the opening, and whether it was told after it had come
        self._known: dict[ProjectId, tuple[int, datetime | None, bool]] = {}

    async def next(self, tx: Tx, now: datetime) -> Sequence[Opening]:
        """Of every project that has one, by name. One that has come is told once more, so that
        whoever schedules sees it pass."""
        found, known = [], {}
        for row in await projects.with_windows(tx):
            generation, at, is_over = self._known.get(row.id, (0, None, False))
            if generation != row.generation or is_over:
                at = _opening(await projects.document_of(tx, row.id), now)
            known[row.id] = (row.generation, at, at is not None and at <= now)
            if at is not None:
                found.append(Opening(row.id, row.name, at))
        self._known = known
        return found


def _opening(document: Manifest, now: datetime) -> datetime | None:
    try:
        return next_opening(project_spec(document).windows, now)
    except SpecInvalid:
        return None  # its applications say so, and nothing of it is synced


async def open_windows(runtime: Runtime, project: ProjectId) -> None:
    """Have every application that waits for a window of the project looked at now.

    Each has a moment of its own at which it is due, too: should this be lost, nothing is.
    """
    async with runtime.db.transaction() as tx:
        clusters = await projects.mark_held(tx, project)
        await queue.wake(tx, "reconcile", map(str, clusters))
