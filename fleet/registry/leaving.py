"""What an application leaves behind in a cluster: an application of its own that is being
deleted, and that waits for the one that left."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from fleet.errors import Refused
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.operations import OperationPhase
from fleet.model.scope import Actor
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.applications import remove_application
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.statements import text
from fleet.registry.syncs import end_operations

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


async def take_back(
    tx: Tx, actor: Actor, app: ApplicationRef, cluster: ClusterId, now: datetime
) -> int:
    """An application that comes back has again what it left in a cluster; returns how many
    objects that are.

    Raises:
        Refused: they are being pruned by now.
    """
    query = text(
        "select a.id, a.name, o.phase from applications a left join operations o"
        " on o.id = a.operation_id and o.created_at = a.operation_created_at"
        " where a.cluster_id = :cluster and a.deleting ->> 'tracks' = cast(:id as text)"
        " for update of a"
    )
    count = 0
    for row in (await tx.execute(query, {"cluster": cluster, "id": str(app.id)})).all():
        if row.phase not in (None, str(OperationPhase.PENDING)):
            raise Refused(
                f"Application/{app.name}: what it left there is being pruned by {row.name}",
                hint=f"Wait until that is gone: fleet app wait {row.name} --delete",
                object=f"Application/{app.name}",
            )
        moved = await tx.execute(
            text("update resources set application_id = :new where application_id = :old"),
            {"new": app.id, "old": row.id},
        )
        count += moved.rowcount
        await end_operations(tx, ApplicationId(row.id), f"{app.name} came back", now)
        await remove_application(tx, actor, ApplicationId(row.id), now)
    return count


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
