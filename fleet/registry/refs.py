"""Refs that applications follow: what the remote says of them; written only when it moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import orjson

from fleet.errors import FleetError
from fleet.model.ids import RepositoryId
from fleet.registry.database import Tx
from fleet.registry.statements import text

#: A chart ("" for git) and the target revision as the application spells it ("" is HEAD).
RefKey: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Ref:
    """``revision`` and ``evaluated`` as in ``tables.RepositoryRef``; "" before the first."""

    chart: str
    target_revision: str
    revision: str
    evaluated: str
    hydrates: bool = False  # whether a hydrator renders from it


_FOLLOWED = """
    select s.chart, s.target_revision, coalesce(r.revision, ''), coalesce(r.evaluated, ''),
      s.hydrates
    from (select chart, target_revision, bool_or(position < 0) as hydrates
        from application_sources where repository_id = :repository group by 1, 2) s
      left join repository_refs r on r.repository_id = :repository
        and r.chart = s.chart and r.target_revision = s.target_revision
    order by 1, 2
"""


async def refs_followed(tx: Tx, repository: RepositoryId) -> tuple[Ref, ...]:
    """Each ref of the repository that an application follows, once."""
    rows = await tx.execute(text(_FOLLOWED), {"repository": repository})
    return tuple(Ref(*row) for row in rows)


_RECORD = """
    insert into repository_refs as r (repository_id, chart, target_revision, revision,
      resolved_at, message, failing_since)
    select :repository, n.chart, n.target, n.revision,
      case when n.message = '' then cast(:now as timestamptz) end, n.message,
      case when n.message <> '' then cast(:now as timestamptz) end
    from jsonb_to_recordset(cast(:rows as jsonb))
      as n(chart text, target text, revision text, message text)
    on conflict (repository_id, chart, target_revision) do update set
      revision = case when excluded.message = '' then excluded.revision else r.revision end,
      resolved_at = coalesce(excluded.resolved_at, r.resolved_at),
      message = excluded.message,
      failing_since = case when excluded.message <> ''
        then coalesce(r.failing_since, excluded.failing_since) end
    where r.message <> excluded.message
      or (excluded.message = '' and r.revision <> excluded.revision)
    returning r.chart, r.target_revision, r.revision <> r.evaluated
"""

_FORGET = """
    delete from repository_refs r where r.repository_id = :repository and not exists (
      select from application_sources s where s.repository_id = r.repository_id
        and s.chart = r.chart and s.target_revision = r.target_revision)
"""


async def record_refs(
    tx: Tx, repository: RepositoryId, found: Mapping[RefKey, str | FleetError], now: datetime
) -> tuple[RefKey, ...]:
    """Write what the remote says; returns the refs that were written and have work left.

    An error keeps the last good revision. Refs that nobody follows any more are forgotten.
    """
    rows = [
        {
            "chart": chart,
            "target": target,
            "revision": "" if isinstance(answer, FleetError) else answer,
            "message": answer.message if isinstance(answer, FleetError) else "",
        }
        for (chart, target), answer in found.items()
    ]
    written = await tx.execute(
        text(_RECORD),
        {"repository": repository, "rows": orjson.dumps(rows).decode(), "now": now},
    )
    moved = tuple((chart, target) for chart, target, waits in written if waits)
    await tx.execute(text(_FORGET), {"repository": repository})
    return moved
