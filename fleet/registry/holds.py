"""What people hold back of applications, as it is stored with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from fleet.errors import NotFound
from fleet.model.applications import Urgency
from fleet.model.holds import Holds, holds_from_json, holds_to_json
from fleet.model.ids import ApplicationId
from fleet.model.scope import Actor
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.tables import TABLES

APPLICATIONS = TABLES["applications"]


@dataclass(frozen=True, slots=True)
class Held:
    """An application with what is held back of it, its row locked until the commit."""

    id: ApplicationId
    name: str
    document: dict[str, Any]
    holds: Holds


async def hold_application(tx: Tx, id: ApplicationId) -> Held:
    """Raises NotFound: it was deleted meanwhile."""
    a = APPLICATIONS.c
    query = select(a.id, a.name, a.document, a.holds).where(a.id == id).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"the application {id} does not exist", object=f"Application/{id}")
    return Held(ApplicationId(row.id), row.name, row.document, holds_from_json(row.holds))


async def put_holds(tx: Tx, actor: Actor, held: Held, holds: Holds, *, action: str) -> None:
    """Hold this back from now on, and have a pass look at what follows from it.

    Args:
        action: what the audit log calls it.
    """
    stored = holds_to_json(holds)
    await tx.execute(
        update(APPLICATIONS)
        .where(APPLICATIONS.c.id == held.id)
        .values(
            holds=stored,
            urgency=func.least(APPLICATIONS.c.urgency, Urgency.PERSON),
            dirty_at=func.clock_timestamp(),
        )
    )
    before, after = holds_to_json(held.holds), stored
    await record_change(tx, actor, action, "Application", held.name, before=before, after=after)
