"""Clusters found: by a question, by name, by address, by identity.

What may not be seen does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from fleet.model.clusters import Cluster, ConnectionStatus
from fleet.model.ids import ClusterId
from fleet.model.scope import Scope
from fleet.model.selectors import Selector
from fleet.registry.cluster_rows import CLUSTERS, cluster_in_scope, cluster_of, gone, visible
from fleet.registry.database import Tx
from fleet.registry.selection import DEFAULT_LIMIT, missing, named_like, page_of, selects


@dataclass(frozen=True, slots=True)
class ClusterFilter:
    selector: Selector = Selector()
    name: str = ""  # part of the name
    project: str | None = None
    status: ConnectionStatus | None = None


async def list_clusters(
    tx: Tx,
    scope: Scope,
    wanted: ClusterFilter | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[Cluster, ...], str]:
    """A page by name, and the cursor for the next ("" after the last)."""
    wanted = wanted or ClusterFilter()
    query = visible(scope).where(
        CLUSTERS.c.name > after,
        selects(wanted.selector, CLUSTERS.c.labels),
        named_like(CLUSTERS.c.name, wanted.name),
    )
    if wanted.project is not None:
        query = query.where(CLUSTERS.c.project == wanted.project)
    if wanted.status is not None:
        query = query.where(CLUSTERS.c.status == str(wanted.status))
    page, cursor = await page_of(tx, query.order_by(CLUSTERS.c.name), limit, lambda row: row.name)
    return tuple(cluster_of(row) for row in page), cursor


async def get_cluster(tx: Tx, scope: Scope, name: str) -> Cluster:
    """Raises NotFound with the nearest names, as if what may not be seen did not exist."""
    row = (await tx.execute(visible(scope).where(CLUSTERS.c.name == name))).one_or_none()
    if row is None:
        names = select(CLUSTERS.c.name).where(cluster_in_scope(scope))
        raise await missing(tx, "Cluster", name, names)
    return cluster_of(row)


async def get_cluster_by_id(tx: Tx, scope: Scope, id: ClusterId) -> Cluster:
    row = (await tx.execute(visible(scope).where(CLUSTERS.c.id == id))).one_or_none()
    if row is None:
        raise gone(id)
    return cluster_of(row)


async def find_by_name(tx: Tx, scope: Scope, name: str) -> Cluster | None:
    """The cluster of exactly this name, if there is one to be seen."""
    row = (await tx.execute(visible(scope).where(CLUSTERS.c.name == name))).one_or_none()
    return None if row is None else cluster_of(row)


async def find_by_server(tx: Tx, scope: Scope, server: str) -> Cluster | None:
    """The cluster at this URL (without a trailing slash), if there is one to be seen."""
    row = (await tx.execute(visible(scope).where(CLUSTERS.c.server == server))).one_or_none()
    return None if row is None else cluster_of(row)


async def find_by_uid(tx: Tx, scope: Scope, uid: str) -> Cluster | None:
    """The cluster with this kube-system UID, if there is one to be seen."""
    query = visible(scope).where(CLUSTERS.c.confirmed_uid == uid)
    row = (await tx.execute(query)).one_or_none() if uid else None
    return None if row is None else cluster_of(row)


async def tokens_expiring(tx: Tx, scope: Scope, before: datetime) -> tuple[Cluster, ...]:
    """Clusters whose managed token ends before ``before``, the soonest first."""
    expires = CLUSTERS.c.token_expires_at
    rows = await tx.execute(visible(scope).where(expires < before).order_by(expires))
    return tuple(cluster_of(row) for row in rows)
