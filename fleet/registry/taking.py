"""What a pass begins with: the applications that are dirty, with all that it decides from.

Passes over different clusters that begin at the same moment are answered by one statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.holds import holds_from_json
from fleet.model.ids import ApplicationId, ClusterId
from fleet.registry.database import Tx
from fleet.registry.statements import text
from fleet.registry.work import DirtyApplication, ResourceRow, resource_of

_DIRTY = """
    select a.id, a.name, p.name as project,
      coalesce(p.effective, p.document) as project_document, a.namespace, a.document,
      a.generation, a.rendered_generation, a.revisions, a.manifests_sha256,
      a.render_error, a.render_warnings, a.sync_status, a.health_status, a.health_message,
      a.conditions, a.images, a.urgency, a.dirty_at, a.refresh, a.operation_id,
      a.operation_created_at, a.attempted_key, a.attempts, a.attempt_phase,
      a.attempted_at, a.heals, a.healed_at, a.due_at,
      a.synced_revision, a.deleting, a.judged_key, c.id is not null as is_child, a.orphans,
      a.holds, w.cluster,
      coalesce((select generation from config_maps where name = 'argocd-cm'), 0) as customized,
      (select pass_epoch <= w.epoch from clusters where id = w.cluster) as is_newest,
      case when a.operation_id is null then
        (select json_agg(r order by r.api_group, r.kind, r.namespace, r.name)
         from resources r where r.application_id = a.id) end as resources
    from unnest(cast(:clusters as uuid[]), cast(:epochs as bigint[])) as w(cluster, epoch)
      cross join lateral (select * from applications b
        where b.cluster_id = w.cluster and (b.urgency < 100 or b.due_at <= :now)
        order by b.urgency, b.dirty_at nulls first, b.name limit :limit) as a
      join projects p on p.id = a.project_id
      left join children c on c.application_id = a.id
    order by a.urgency, a.dirty_at nulls first, a.name
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a pass has to look at, most urgent first, as of one moment.

    Attributes:
        resources: of those that nothing runs of. What an operation did is read with it, so
            that its outcomes and its objects are of one moment, too.
        is_newest: no pass with a higher epoch has written since.
    """

    apps: tuple[DirtyApplication, ...]
    resources: Mapping[ApplicationId, tuple[ResourceRow, ...]]
    is_newest: bool


async def take_dirty(tx: Tx, cluster: ClusterId, *, epoch: int, limit: int, now: datetime) -> Taken:
    """The most urgent applications of the cluster, for the pass of this epoch."""
    return (await take_all_dirty(tx, {cluster: epoch}, limit=limit, now=now))[cluster]


async def take_all_dirty(
    tx: Tx, epochs: Mapping[ClusterId, int], *, limit: int, now: datetime
) -> dict[ClusterId, Taken]:
    """``take_dirty`` for passes over some clusters.

    Args:
        epochs: of each pass, by its cluster.
        limit: applications of one cluster.
    """
    values = {
        "clusters": list(epochs),
        "epochs": list(epochs.values()),
        "limit": limit,
        "now": now,
    }
    rows = (await tx.execute(text(_DIRTY), values)).mappings().all()
    found: dict[ClusterId, list[Any]] = {cluster: [] for cluster in epochs}
    for row in rows:
        found[ClusterId(row["cluster"])].append(row)
    return {cluster: _taken_of(mine) for cluster, mine in found.items()}


def _taken_of(rows: list[Any]) -> Taken:
    return Taken(
        tuple(_dirty_of(row) for row in rows),
        {
            ApplicationId(row["id"]): tuple(resource_of(entry) for entry in row["resources"] or ())
            for row in rows
            if row["operation_id"] is None
        },
        all(row["is_newest"] for row in rows),
    )


def _dirty_of(row: Any) -> DirtyApplication:
    return DirtyApplication(
        id=ApplicationId(row["id"]),
        name=row["name"],
        project=row["project"],
        project_document=row["project_document"],
        namespace=row["namespace"],
        document=row["document"],
        generation=row["generation"],
        rendered_generation=row["rendered_generation"],
        revisions=tuple(row["revisions"]),
        manifests_sha256=row["manifests_sha256"],
        render_error=row["render_error"],
        render_warnings=tuple(row["render_warnings"]),
        sync=SyncStatus(row["sync_status"]),
        health=Health(HealthStatus(row["health_status"]), row["health_message"]),
        conditions=tuple(row["conditions"]),
        images=tuple(row["images"]),
        urgency=row["urgency"],
        dirty_at=row["dirty_at"],
        refresh=row["refresh"],
        operation_id=row["operation_id"],
        operation_created_at=row["operation_created_at"],
        attempted_key=row["attempted_key"],
        attempts=row["attempts"],
        attempt_phase=row["attempt_phase"],
        attempted_at=row["attempted_at"],
        heals=row["heals"],
        healed_at=row["healed_at"],
        due_at=row["due_at"],
        synced_revision=row["synced_revision"],
        deleting=row["deleting"],
        customized=row["customized"],
        holds=holds_from_json(row["holds"]),
        judged_key=row["judged_key"],
        is_child=row["is_child"],
        orphans=tuple(row["orphans"]),
    )
