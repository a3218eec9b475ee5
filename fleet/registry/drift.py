"""Drift, remembered: what changed without Fleet, who wrote it, how it ended.

One open event an application and object. Only the pass that holds the cluster writes
them, so nobody else opens the same one meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Row, and_, select, update

from fleet.model.diffs import DriftRecord
from fleet.model.ids import ApplicationId
from fleet.model.scope import Scope
from fleet.registry.database import Tx
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    before_cursor,
    in_scope,
    page_of,
    time_cursor,
)
from fleet.registry.statements import text
from fleet.registry.tables import TABLES
from fleet.registry.together import Writes

DRIFT = TABLES["drift_events"]
APPLICATIONS = TABLES["applications"]
PROJECTS = TABLES["projects"]

#: An application and its object as ``Kind/namespace/name``.
DriftKey: TypeAlias = tuple[ApplicationId, str]


@dataclass(frozen=True)
class Drifted:
    """An object that differs. ``fields`` are FieldChange as JSON, masked."""

    application_id: ApplicationId
    application: str
    cluster: str
    object: str
    fields: tuple[dict[str, Any], ...]
    manager: str = ""


_OPEN = """
    with seen as (select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(
        application_id uuid, application text, cluster text, object text, fields jsonb,
        manager text)),
    known as (select d.id, d.first_seen, d.application_id, d.object from drift_events d
      join seen s on s.application_id = d.application_id and s.object = d.object
      where d.healed_at is null),
    changed as (update drift_events d set fields = s.fields, manager = s.manager,
        last_seen = :now
      from known k join seen s on s.application_id = k.application_id and s.object = k.object
      where d.id = k.id and d.first_seen = k.first_seen
        and (d.fields, d.manager) is distinct from (s.fields, s.manager))
    insert into drift_events (application_id, application, cluster, object, fields, manager,
      first_seen, last_seen)
    select s.application_id, s.application, s.cluster, s.object, s.fields, s.manager, :now, :now
    from seen s where not exists (select from known k
      where k.application_id = s.application_id and k.object = s.object)
"""

_TOUCH = """
    update drift_events d set last_seen = :now
    from unnest(cast(:applications as uuid[]), cast(:objects as text[])) as k(id, object)
    where d.application_id = k.id and d.object = k.object and d.healed_at is null
"""

_CLOSE = """
    update drift_events d set healed_at = :now, last_seen = greatest(d.last_seen, :now),
      healed_by = :healed_by
    from unnest(cast(:applications as uuid[]), cast(:objects as text[])) as k(id, object)
    where d.application_id = k.id and d.object = k.object and d.healed_at is null
"""


async def open_drift(tx: Writes, drifted: Sequence[Drifted], now: datetime) -> None:
    """Note what differs: opens an event, or brings the open one up to date if the fields or
    their writer changed. What is open and the same is not written."""
    rows = {
        (entry.application_id, entry.object): {
            "application_id": entry.application_id,
            "application": entry.application,
            "cluster": entry.cluster,
            "object": entry.object,
            "fields": list(entry.fields),
            "manager": entry.manager,
        }
        for entry in drifted
    }
    if rows:
        encoded = orjson.dumps(list(rows.values())).decode()
        await tx.execute(text(_OPEN), {"rows": encoded, "now": now})


async def touch(tx: Tx, objects: Sequence[DriftKey], now: datetime) -> None:
    """The same difference was seen again, after a person or a watch asked to look."""
    if objects:
        await tx.execute(text(_TOUCH), {**_arrays(objects), "now": now})


async def close(tx: Writes, objects: Sequence[DriftKey], healed_by: str, now: datetime) -> None:
    """The difference is gone; objects without an open event are left alone."""
    if objects:
        values = {**_arrays(objects), "healed_by": healed_by, "now": now}
        await tx.execute(text(_CLOSE), values)


async def close_all(tx: Tx, application: ApplicationId, healed_by: str, now: datetime) -> None:
    """The application goes away, and with it whatever was open."""
    still_open = and_(DRIFT.c.application_id == application, DRIFT.c.healed_at.is_(None))
    await tx.execute(update(DRIFT).where(still_open).values(healed_at=now, healed_by=healed_by))


def _arrays(objects: Sequence[DriftKey]) -> dict[str, list[Any]]:
    return {
        "applications": [application for application, _ in objects],
        "objects": [object for _, object in objects],
    }


async def list_drift(
    tx: Tx,
    scope: Scope,
    application: ApplicationId,
    *,
    open_only: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[DriftRecord, ...], str]:
    """Events of an application, the newest first, and the cursor for the next page.

    The events of a deleted application belong to no project any more: only who sees
    everything sees them.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    query = select(DRIFT).where(DRIFT.c.application_id == application)
    if not scope.seen("applications").is_all:
        visible = (
            select(APPLICATIONS.c.id)
            .join(PROJECTS, PROJECTS.c.id == APPLICATIONS.c.project_id)
            .where(in_scope(scope, PROJECTS.c.name, APPLICATIONS.c.name))
        )
        query = query.where(DRIFT.c.application_id.in_(visible))
    if open_only:
        query = query.where(DRIFT.c.healed_at.is_(None))
    query = query.where(before_cursor(DRIFT.c.first_seen, DRIFT.c.id, after))
    query = query.order_by(DRIFT.c.first_seen.desc(), DRIFT.c.id.desc())
    page, cursor = await page_of(tx, query, limit, lambda row: time_cursor(row.first_seen, row.id))
    return tuple(_record_of(row) for row in page), cursor


def _record_of(row: Row[Any]) -> DriftRecord:
    return DriftRecord(
        application_id=ApplicationId(row.application_id),
        application=row.application,
        cluster=row.cluster,
        object=row.object,
        fields=tuple(row.fields),
        manager=row.manager,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        healed_at=row.healed_at,
        healed_by=row.healed_by,
    )
