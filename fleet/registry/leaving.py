"""What an application leaves behind in a cluster: an application of its own that is being
deleted, and that waits for the one that left."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from fleet.model.ids import ApplicationId
from fleet.model.scope import Actor
from fleet.registry.applications import ApplicationRef
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.statements import text

#: Objects that one entry of the audit log names.
MOST_NAMED = 1000
_LONGEST_NAME = 253

_COPY = """
    insert into applications (name, project_id, cluster_id, namespace, labels, document,
      generation, rendered_generation, sync_status, health_status, synced_revision, deleting)
    select :name, project_id, cluster_id, namespace, labels,
      jsonb_set(document, '{metadata,name}', to_jsonb(cast(:name as text))),
      generation, generation, sync_status, health_status, synced_revision,
      cast(:deleting as jsonb)
    from applications where id = :id returning id
"""


async def leave_behind(
    tx: Tx, actor: Actor, app: ApplicationRef, now: datetime
) -> tuple[str, ApplicationId]:
    """Give the inventory of an application, whose row is locked, to a new one that is being
    deleted; returns its name and identity. The objects go on to carry the mark of the old one
    (``tracks``)."""
    mark = f"-moved-{secrets.token_hex(4)}"
    name = app.name[: _LONGEST_NAME - len(mark)].rstrip("-.") + mark
    deleting = {
        "cascade": True,
        "propagation": "foreground",
        "by": actor.name,
        "at": now.isoformat(),
        "tracks": str(app.id),
        "successor": str(app.id),
    }
    made = await tx.execute(
        text(_COPY), {"name": name, "id": app.id, "deleting": orjson.dumps(deleting).decode()}
    )
    id = ApplicationId(made.scalar_one())
    await tx.execute(
        text(
            "update resources set application_id = :new"
            " where application_id = :old and in_inventory"
        ),
        {"new": id, "old": app.id},
    )
    after = {"application": name, "cluster": app.cluster}
    await record_change(tx, actor, "leave", "Application", app.name, after=after)
    return name, id


async def note_released(tx: Tx, actor: Actor, app: ApplicationRef, objects: Sequence[str]) -> None:
    """Tell the audit log what an application left to itself."""
    after = {"cluster": app.cluster, "left": list(objects[:MOST_NAMED]), "count": len(objects)}
    await record_change(tx, actor, "release", "Application", app.name, after=after)


@dataclass(frozen=True, slots=True)
class Successor:
    """How the application does that went elsewhere."""

    name: str
    cluster: str
    is_rendered: bool
    is_busy: bool
    sync: str
    health: str


async def successor_of(tx: Tx, id: str) -> Successor | None:
    """None when it is gone, too."""
    rows = await tx.execute(
        text(
            "select a.name, coalesce(c.name, ''), a.generation = a.rendered_generation"
            "   and a.urgency = 100 and a.render_error is null,"
            " a.operation_id is not null, a.sync_status, a.health_status"
            " from applications a left join clusters c on c.id = a.cluster_id"
            " where a.id = cast(:id as uuid)"
        ),
        {"id": id},
    )
    row = rows.one_or_none()
    return None if row is None else Successor(*row)
