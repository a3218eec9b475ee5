"""Forgetting an application while something is at work on it, as for a cluster that is gone."""

from __future__ import annotations

from datetime import datetime

from fleet.model.ids import ApplicationId
from fleet.model.scope import Actor
from fleet.registry.applications import remove_application
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.holds import hold_application
from fleet.registry.syncs import end_operations
from fleet.registry.work import resources_of

#: Objects that one entry of the audit log names.
MOST_NAMED = 1000


async def forget_application(tx: Tx, actor: Actor, id: ApplicationId, now: datetime) -> int:
    """End what is at work on an application, and forget it; returns how many objects of its
    inventory are left where they are. The audit log names them."""
    held = await hold_application(tx, id)
    rows = (await resources_of(tx, [id]))[id]
    left = [str(row.live.ref) for row in rows if row.live.in_inventory]
    await end_operations(tx, id, f"forgotten by {actor.name}", now)
    after = {"left": left[:MOST_NAMED], "count": len(left)}
    await record_change(tx, actor, "force-forget", "Application", held.name, after=after)
    await remove_application(tx, actor, id, now)
    return len(left)
