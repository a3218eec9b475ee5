"""Where the hydration of each dry source stands, and which have to be done.

One row a hydrated application: its source at the position ``DRY``. What is to be done follows
from what the row says of the revision that was last tried, so a job that is lost loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from fleet.model.applications import DRY
from fleet.model.hydration import HydrationPhase
from fleet.model.ids import ApplicationId, RepositoryId
from fleet.model.operations import Condition
from fleet.registry.database import Tx
from fleet.registry.desired import RETRY, FollowedSource
from fleet.registry.statements import text


@dataclass(frozen=True, slots=True)
class DueHydration:
    """A dry source to be rendered and committed.

    Attributes:
        target: the repository of what the application applies.
        rivals: other applications that would write the same folder of the same branch.
        hydration: as it is stored.
    """

    id: ApplicationId
    dry: FollowedSource
    target: RepositoryId
    rivals: tuple[str, ...]
    hydration: dict[str, Any]


_ASKED = '{"asked": true}'
_DUE = """
    select a.id, d.repository_id, d.path, d.target_revision, d.inputs, d.hydration,
      coalesce(r.revision, '') as revision, w.repository_id as target,
      array(select b.name from application_sources o
        join applications b on b.id = o.application_id
        join application_sources e on e.application_id = b.id and e.position = :dry
        where o.repository_id = w.repository_id and o.position = 0 and o.path = w.path
          and b.id <> a.id and coalesce(
            a.document #>> '{spec,sourceHydrator,hydrateTo,targetBranch}',
            a.document #>> '{spec,sourceHydrator,syncSource,targetBranch}') = coalesce(
            b.document #>> '{spec,sourceHydrator,hydrateTo,targetBranch}',
            b.document #>> '{spec,sourceHydrator,syncSource,targetBranch}')
        order by b.name) as rivals
    from application_sources d join applications a on a.id = d.application_id
      join application_sources w on w.application_id = a.id and w.position = 0
      left join repository_refs r on r.repository_id = d.repository_id and r.chart = d.chart
        and r.target_revision = d.target_revision
    where d.repository_id = :repository and d.position = :dry and a.deleting is null
      and (d.hydration ->> 'tried' is distinct from r.revision
        or cast(d.hydration ->> 'generation' as integer) is distinct from a.generation
        or d.hydration ->> 'asked' = 'true'
        or d.hydration #>> '{current,phase}' = 'Hydrating'
        or (d.hydration ->> 'retry' = 'true'
          and cast(d.hydration ->> 'triedAt' as timestamptz) < :retry_before))
    order by a.name
"""


async def due(tx: Tx, repository: RepositoryId, now: datetime) -> tuple[DueHydration, ...]:
    """What has to be hydrated from a repository: its ref moved, its application changed, it
    failed a while ago for a reason that may go away, it was cut short, or somebody asked; by the
    applications' names."""
    values = {"repository": repository, "retry_before": now - RETRY, "dry": DRY}
    rows = await tx.execute(text(_DUE), values)
    return tuple(
        DueHydration(
            id=ApplicationId(row.id),
            dry=FollowedSource(
                repository_id=row.repository_id,
                chart="",
                path=row.path,
                target_revision=row.target_revision,
                revision=row.revision,
                inputs=row.inputs,
            ),
            target=RepositoryId(row.target),
            rivals=tuple(row.rivals),
            hydration=row.hydration,
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class Hydration:
    """Where one stands: what is stored of it, and what its render read (None leaves that)."""

    id: ApplicationId
    state: dict[str, Any]
    inputs: dict[str, Any] | None = None


async def record(tx: Tx, found: Sequence[Hydration], *, begins: bool) -> None:
    """Write where hydrations stand; what somebody asked for meanwhile stays asked for.

    Args:
        begins: what was asked for until now is being done.
    """
    rows = [{"id": one.id, "state": one.state, "inputs": one.inputs} for one in found]
    await tx.execute(
        text(
            "update application_sources s set hydration = n.state || case"
            " when not :begins and s.hydration ->> 'asked' = 'true'"
            " then cast(:asked as jsonb) else cast('{}' as jsonb) end,"
            " inputs = case when jsonb_typeof(n.inputs) = 'object' then n.inputs"
            " else s.inputs end"
            " from jsonb_to_recordset(cast(:rows as jsonb))"
            " as n(id uuid, state jsonb, inputs jsonb)"
            " where s.application_id = n.id and s.position = :dry"
        ),
        {
            "rows": orjson.dumps(rows).decode(),
            "begins": begins,
            "asked": _ASKED,
            "dry": DRY,
        },
    )


async def ask(tx: Tx, application: ApplicationId) -> None:
    """Have the application hydrated at the next poll, whether or not anything moved."""
    await tx.execute(
        text(
            "update application_sources set hydration = hydration || cast(:asked as jsonb)"
            " where application_id = :id and position = :dry"
        ),
        {"id": application, "asked": _ASKED, "dry": DRY},
    )


async def ask_failed(tx: Tx) -> tuple[RepositoryId, ...]:
    """Have all that failed tried again; returns the repositories to poll."""
    rows = await tx.execute(
        text(
            "update application_sources set hydration = hydration || cast(:asked as jsonb)"
            " where position = :dry and hydration #>> '{current,phase}' = 'Failed'"
            " returning repository_id"
        ),
        {"asked": _ASKED, "dry": DRY},
    )
    return tuple(RepositoryId(found) for found in sorted({row[0] for row in rows}))


def hydration_conditions(sources: Sequence[Any]) -> list[Condition]:
    """What stands in the way of the sources that are hydrated."""
    found = [source.hydration.get("current") or {} for source in sources]
    return [
        Condition(
            "HydrationError",
            f"hydrating {current['drySHA'][:7]} failed: {current['message']}",
            datetime.fromisoformat(current["finishedAt"]),
        )
        for current in found
        if current.get("phase") == HydrationPhase.FAILED
    ]
