"""Where applications and clusters stand after a pass: written only where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from fleet.errors import LeaseLost
from fleet.model.clusters import ClusterFacts
from fleet.model.health import Health, SyncStatus
from fleet.model.ids import ApplicationId, ClusterId, OperationId
from fleet.registry.database import Tx
from fleet.registry.locking import lock_applications
from fleet.registry.statements import text
from fleet.registry.together import Writes


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an application stands after a pass looked at it.

    ``taken_dirty_at`` is the mark the pass started from: a newer mark is left alone, and so
    is an operation that somebody requested meanwhile (``taken_operation_id``).
    ``changed`` False writes only the mark. ``more`` keeps the application dirty, or due.
    """

    id: ApplicationId
    taken_dirty_at: datetime | None
    more: bool
    due_at: datetime | None
    changed: bool
    sync: SyncStatus
    health: Health
    conditions: tuple[dict[str, Any], ...]
    images: tuple[str, ...]
    taken_operation_id: OperationId | None
    operation_id: OperationId | None
    operation_created_at: datetime | None
    attempted_key: str
    attempts: int
    attempt_phase: str
    attempted_at: datetime | None
    heals: int
    healed_at: datetime | None
    synced_revision: str
    judged_key: str


# What stands in every row is looked up by ``:ids``: a join with the rows alone would read all
# applications as long as there are few thousands.
_MARK = """due_at = case when a.next_operation_id is not null then now()
        when s.more then least(s.due_at, a.due_at) else s.due_at end,
      urgency = case when s.more then a.urgency
        when a.dirty_at is not distinct from s.taken then 100 else a.urgency end"""
_MARK_TYPES = "id uuid, taken timestamptz, more boolean, due_at timestamptz"

_RECORD_MARK = f"""
    update applications a set {_MARK}
    from jsonb_to_recordset(cast(:rows as jsonb)) as s({_MARK_TYPES})
    where a.id = s.id and a.id = any(:ids)
"""  # noqa: S608

_RECORD_STANDING = f"""
    update applications a set {_MARK},
      sync_status = s.sync, health_message = s.health_message,
      health_since = case when a.health_status <> s.health then :now else a.health_since end,
      health_status = s.health, conditions = s.conditions,
      images = array(select jsonb_array_elements_text(s.images)),
      operation_id = case when a.operation_id is not distinct from s.taken_operation_id
        then coalesce(s.operation_id, a.next_operation_id) else a.operation_id end,
      operation_created_at = case when a.operation_id is not distinct from s.taken_operation_id
        then coalesce(s.operation_created_at, a.next_operation_created_at)
        else a.operation_created_at end,
      next_operation_id = case when s.operation_id is null
          and a.operation_id is not distinct from s.taken_operation_id
        then null else a.next_operation_id end,
      next_operation_created_at = case when s.operation_id is null
          and a.operation_id is not distinct from s.taken_operation_id
        then null else a.next_operation_created_at end,
      attempted_key = s.attempted_key, attempts = s.attempts,
      attempt_phase = s.attempt_phase, attempted_at = s.attempted_at, heals = s.heals,
      healed_at = s.healed_at, synced_revision = s.synced_revision, judged_key = s.judged_key,
      compared_at = :now
    from jsonb_to_recordset(cast(:rows as jsonb)) as s({_MARK_TYPES}, sync text, health text,
      health_message text, conditions jsonb, images jsonb, operation_id uuid,
      taken_operation_id uuid, operation_created_at timestamptz, attempted_key text,
      attempts integer, attempt_phase text, attempted_at timestamptz,
      heals integer, healed_at timestamptz, synced_revision text, judged_key text)
    where a.id = s.id and a.id = any(:ids)
"""  # noqa: S608


async def record_standings(tx: Writes, standings: Sequence[Standing], now: datetime) -> None:
    """Clear the marks of applications, and write where those stand for which that changed."""
    if not standings:
        return
    await lock_applications(tx, [s.id for s in standings])
    same = [s for s in standings if not s.changed]
    if same:
        rows = orjson.dumps([_mark_row(s) for s in same]).decode()
        await tx.execute(text(_RECORD_MARK), {"rows": rows, "ids": [s.id for s in same]})
    changed = [s for s in standings if s.changed]
    if changed:
        rows = orjson.dumps([_mark_row(s) | _standing_row(s) for s in changed]).decode()
        values = {"rows": rows, "ids": [s.id for s in changed], "now": now}
        await tx.execute(text(_RECORD_STANDING), values)


def _mark_row(standing: Standing) -> dict[str, Any]:
    return {
        "id": standing.id,
        "taken": standing.taken_dirty_at,
        "more": standing.more,
        "due_at": standing.due_at,
    }


def _standing_row(standing: Standing) -> dict[str, Any]:
    return {
        "sync": str(standing.sync),
        "health": str(standing.health.status),
        "health_message": standing.health.message,
        "conditions": list(standing.conditions),
        "images": list(standing.images),
        "operation_id": standing.operation_id,
        "taken_operation_id": standing.taken_operation_id,
        "operation_created_at": standing.operation_created_at,
        "attempted_key": standing.attempted_key,
        "attempts": standing.attempts,
        "attempt_phase": standing.attempt_phase,
        "attempted_at": standing.attempted_at,
        "heals": standing.heals,
        "healed_at": standing.healed_at,
        "synced_revision": standing.synced_revision,
        "judged_key": standing.judged_key,
    }


async def mark_dirty(tx: Tx, applications: Sequence[UUID], urgency: int) -> frozenset[ClusterId]:
    """Ask for a pass over applications; returns the clusters to wake."""
    await lock_applications(tx, applications)
    rows = await tx.execute(
        text(
            "update applications set urgency = least(urgency, :urgency),"
            " dirty_at = clock_timestamp() where id = any(:ids)"
            " returning cluster_id"
        ),
        {"ids": list(applications), "urgency": urgency},
    )
    return frozenset(ClusterId(row[0]) for row in rows if row[0] is not None)


async def record_observed(
    tx: Tx, cluster: ClusterId, epoch: int, *, now: datetime, facts: ClusterFacts
) -> None:
    """A complete pass got its answers: the one row by which freshness is known.

    Raises:
        LeaseLost: a newer pass owns the cluster.
    """
    done = await tx.execute(
        text(
            "update clusters set pass_epoch = :epoch, observed_at = :now, attempted_at = :now,"
            " status = 'Successful', message = '', failures = 0, version = :version, uid = :uid,"
            " api_versions = :api_versions"
            " where id = :id and pass_epoch <= :epoch"
        ),
        {
            "id": cluster,
            "epoch": epoch,
            "now": now,
            "version": facts.version,
            "uid": facts.uid,
            "api_versions": list(facts.api_versions),
        },
    )
    if done.rowcount == 0:
        raise LeaseLost("a newer pass over this cluster has begun; this one stops")


async def record_unreachable(tx: Tx, cluster: ClusterId, *, now: datetime, message: str) -> int:
    """A pass got no answer; returns how many in a row that makes."""
    rows = await tx.execute(
        text(
            "update clusters set attempted_at = :now, status = 'Failed', message = :message,"
            " failures = failures + 1 where id = :id returning failures"
        ),
        {"id": cluster, "now": now, "message": message},
    )
    return int(rows.scalar_one())


async def postpone(tx: Tx, cluster: ClusterId, now: datetime, until: datetime) -> None:
    """Have the dirty and due applications of a cluster tried again at a time, unless woken
    before."""
    await tx.execute(
        text(
            "update applications set due_at = :until where cluster_id = :id"
            " and (urgency < 100 or due_at <= :now)"
        ),
        {"id": cluster, "until": until, "now": now},
    )


async def set_aside(tx: Tx, application: ApplicationId, until: datetime) -> None:
    """Its pass failed in a way it should not: show that, and leave it alone for a while."""
    condition = {"type": "UnknownError", "message": "Fleet failed on it; its log says how"}
    await tx.execute(
        text(
            "update applications set urgency = 100, due_at = :until,"
            " conditions = cast(:conditions as jsonb) where id = :id"
        ),
        {"id": application, "until": until, "conditions": orjson.dumps([condition]).decode()},
    )
