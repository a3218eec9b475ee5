"""Whoever has an application in Git learns when it stands elsewhere, was changed, or is gone.

That is a sighting like one of a watch. It is written after the change, in a transaction of
its own: were it lost, the next reading of the whole cluster would find the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from fleet.model.ids import ClusterId
from fleet.model.objects import ObjectRef
from fleet.registry import children, queue, sightings
from fleet.registry.database import Database

#: As what, and where, objects are in the inventories of those that have them in Git.
Marks: TypeAlias = Mapping[ClusterId, Sequence[ObjectRef]]


async def tell(db: Database, marks: Marks, *, gone: bool = False) -> None:
    """Have objects looked at that ``children.marks_of`` named."""
    version = sightings.GONE if gone else sightings.any_version()
    for cluster, refs in marks.items():
        async with db.transaction() as tx:
            if await sightings.mark_seen(tx, cluster, [(ref, version) for ref in refs]):
                await queue.wake(tx, "reconcile", [str(cluster)])


async def tell_of(db: Database, applications: Iterable[UUID], *, waiting: bool = False) -> None:
    """Have applications looked at by those that have them in Git; by those of them alone that
    wait for one, where it may stand as it did."""
    ids = list(applications)
    if ids:
        async with db.reading() as tx:
            marks = await children.marks_of(tx, "Application", ids, waiting=waiting)
        await tell(db, marks)
