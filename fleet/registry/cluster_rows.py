"""Rows of ``clusters`` as values, and the errors that name what is in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.exc import IntegrityError

from fleet.errors import AlreadyExists, NotFound, Refused
from fleet.model.clusters import Cluster, ConnectionStatus, ManagedAuth
from fleet.model.ids import ClusterId
from fleet.model.scope import Scope
from fleet.registry.database import Tx, constraint_of
from fleet.registry.selection import in_scope, key_of, sees
from fleet.registry.tables import TABLES

CLUSTERS = TABLES["clusters"]
APPLICATIONS = TABLES["applications"]
PROJECTS = TABLES["projects"]

_SHOWN_APPLICATIONS = 5


def visible(scope: Scope) -> Select[Any]:
    """Clusters that may be seen, each with the number of its applications that may be."""
    count = (
        select(func.count())
        .select_from(APPLICATIONS.join(PROJECTS, PROJECTS.c.id == APPLICATIONS.c.project_id))
        .where(
            APPLICATIONS.c.cluster_id == CLUSTERS.c.id,
            in_scope(scope, PROJECTS.c.name, APPLICATIONS.c.name),
        )
        .scalar_subquery()
    )
    return select(CLUSTERS, count.label("application_count")).where(cluster_in_scope(scope))


def cluster_in_scope(scope: Scope) -> ColumnElement[bool]:
    """The cluster may be seen; a rule may mean it by its name or by its URL."""
    c = CLUSTERS.c
    keys = (key_of(c.project, c.name), key_of(c.project, c.server))
    return sees(scope.seen("clusters"), c.project, *keys)


def gone(id: ClusterId) -> NotFound:
    return NotFound(f"the cluster {id} does not exist", object=f"Cluster/{id}")


def cluster_of(row: Row[Any]) -> Cluster:
    managed = None
    if row.managed_service_account:
        managed = ManagedAuth(
            row.managed_namespace, row.managed_service_account, row.token_expires_at
        )
    return Cluster(
        id=ClusterId(row.id),
        name=row.name,
        server=row.server,
        labels=row.labels,
        annotations=row.annotations,
        project=row.project,
        namespaces=tuple(row.namespaces),
        cluster_resources=row.cluster_resources,
        auth=row.auth,
        managed_auth=managed,
        uid=row.uid,
        confirmed_uid=row.confirmed_uid,
        version=row.version,
        api_versions=tuple(row.api_versions),
        status=ConnectionStatus(row.status),
        message=row.message,
        observed_at=row.observed_at,
        attempted_at=row.attempted_at,
        interval_seconds=row.interval_seconds,
        paused_reason=row.paused_reason,
        paused_until=row.paused_until,
        paused_by=row.paused_by,
        created_at=row.created_at,
        application_count=row.application_count,
        insecure=row.connection.get("insecure", False),
        queue=row.queue,
    )


def shown(cluster: Cluster) -> dict[str, Any]:
    """What the audit log keeps of a cluster: what people decide, no secret, no weather."""
    return {
        "name": cluster.name,
        "server": cluster.server,
        "labels": cluster.labels,
        "annotations": cluster.annotations,
        "project": cluster.project,
        "namespaces": list(cluster.namespaces),
        "clusterResources": cluster.cluster_resources,
        "auth": cluster.auth,
        "insecure": cluster.insecure,
        "confirmedUid": cluster.confirmed_uid,
        "intervalSeconds": cluster.interval_seconds,
        "pausedReason": cluster.paused_reason,
        "pausedUntil": cluster.paused_until.isoformat() if cluster.paused_until else None,
    }


async def taken(tx: Tx, error: IntegrityError, name: str, server: str, uid: str) -> AlreadyExists:
    """Which cluster is in the way, and by what."""
    constraint = constraint_of(error)
    if constraint == "uq_clusters_name":
        return AlreadyExists(
            f"a cluster named {name!r} exists already",
            hint="Choose another name, or change that one with `fleet cluster set`.",
            object=f"Cluster/{name}",
        )
    column, value = (
        (CLUSTERS.c.server, server)
        if constraint == "uq_clusters_server"
        else (CLUSTERS.c.confirmed_uid, uid)
    )
    other = (await tx.execute(select(CLUSTERS.c.name).where(column == value))).scalar() or "?"
    what = (
        f"the server {server} is"
        if column is CLUSTERS.c.server
        else "the cluster behind this address (same kube-system UID) is"
    )
    return AlreadyExists(
        f"{what} registered already, as {other!r}",
        hint=f"Use {other!r}, or rename it with `fleet cluster set {other} --name NEW`.",
        object=f"Cluster/{other}",
    )


def targeted(name: str, applications: Sequence[str]) -> Refused:
    shown = ", ".join(applications[:_SHOWN_APPLICATIONS])
    rest = len(applications) - _SHOWN_APPLICATIONS
    more = f" and {rest} more" if rest > 0 else ""
    return Refused(
        f"cluster {name!r} is the destination of {len(applications)} application(s): {shown}{more}",
        hint="Delete them with `fleet app delete` (with or without what they deployed), "
        "or give them another destination with `fleet app set`.",
        object=f"Cluster/{name}",
    )
