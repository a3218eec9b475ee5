"""Clusters: who they are, how they are reached, where they stand.

A name leads to a cluster only through a ``Scope``; what takes an id instead was found by
one that did. Credentials leave through ``connection_of`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, ColumnElement, Uuid, bindparam, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from fleet.errors import FleetError, Refused
from fleet.model.argo_settings import SETTINGS
from fleet.model.clusters import (
    IN_CLUSTER_NAME,
    IN_CLUSTER_SERVER,
    Cluster,
    ClusterFacts,
    Connection,
    ConnectionStatus,
    ManagedAuth,
)
from fleet.model.ids import ClusterId
from fleet.model.scope import EVERYTHING, FLEET, Actor
from fleet.model.secret import Secret
from fleet.registry.audit import record_change
from fleet.registry.cluster_rows import (
    APPLICATIONS,
    CLUSTERS,
    cluster_of,
    gone,
    shown,
    taken,
    targeted,
)
from fleet.registry.cluster_views import (
    ClusterFilter,
    find_by_name,
    find_by_server,
    find_by_uid,
    get_cluster,
    get_cluster_by_id,
    list_clusters,
    tokens_expiring,
)
from fleet.registry.config_maps import CONFIG_MAPS
from fleet.registry.connections import auth_of, joined, public_part, secret_part
from fleet.registry.database import Tx
from fleet.registry.envelopes import opened, sealed
from fleet.registry.keyring import KeyRing
from fleet.registry.routing import settle_one
from fleet.registry.sealing import Place
from fleet.registry.selection import (
    AnyRow,
)

__all__ = [
    "ClusterChanges",
    "ClusterFilter",
    "NewCluster",
    "add_cluster",
    "confirm_identity",
    "connection_of",
    "ensure_itself",
    "find_by_name",
    "find_by_server",
    "find_by_uid",
    "find_with_settings",
    "get_cluster",
    "get_cluster_by_id",
    "get_connected",
    "get_with_settings",
    "list_clusters",
    "pause",
    "record_probe",
    "remove_cluster",
    "replace_token",
    "resume",
    "set_connection",
    "tokens_expiring",
    "update_cluster",
]


@dataclass(frozen=True)
class NewCluster:
    """What ``cluster add`` knows. ``facts`` None: the cluster was not asked."""

    name: str
    connection: Connection
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    project: str = ""
    namespaces: tuple[str, ...] = ()
    cluster_resources: bool = False
    managed_auth: ManagedAuth | None = None
    facts: ClusterFacts | None = None
    interval_seconds: int | None = None


class ClusterChanges(TypedDict, total=False):
    """What ``update_cluster`` may change; what is left out stays."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    project: str
    namespaces: list[str]
    cluster_resources: bool
    interval_seconds: int | None


async def add_cluster(tx: Tx, actor: Actor, ring: KeyRing, new: NewCluster) -> Cluster:
    """Register a cluster.

    Raises:
        AlreadyExists: the name or server is taken, or the same cluster (by the UID of its
            kube-system namespace) is registered under another name.
    """
    id = uuid4()
    uid = new.facts.uid if new.facts else ""
    values = {
        "id": id,
        "name": new.name,
        "labels": dict(new.labels),
        "annotations": dict(new.annotations),
        "project": new.project,
        "namespaces": list(new.namespaces),
        "cluster_resources": new.cluster_resources,
        "interval_seconds": new.interval_seconds,
        "confirmed_uid": uid,
        **_connection_columns(ring, id, new.connection, new.managed_auth),
        **_fact_columns(new.facts),
    }
    try:
        async with tx.begin_nested():
            await tx.execute(CLUSTERS.insert().values(values))
    except IntegrityError as error:
        raise await taken(tx, error, new.name, new.connection.server, uid) from error
    await settle_one(tx, ClusterId(id))
    cluster = await get_cluster_by_id(tx, EVERYTHING, ClusterId(id))
    await record_change(tx, actor, "create", "Cluster", cluster.name, after=shown(cluster))
    return cluster


async def ensure_itself(tx: Tx) -> Cluster:
    """The cluster that stands for Fleet itself: nothing is behind it until somebody registers
    the one that Fleet runs in, under the same name."""
    values = {"name": IN_CLUSTER_NAME, "server": IN_CLUSTER_SERVER}
    made = await tx.execute(
        insert(CLUSTERS).values(values).on_conflict_do_nothing().returning(CLUSTERS.c.id)
    )
    id = made.scalar_one_or_none()
    if id is not None:
        await settle_one(tx, ClusterId(id))
        after = {"name": IN_CLUSTER_NAME, "server": IN_CLUSTER_SERVER}
        await record_change(tx, FLEET, "create", "Cluster", IN_CLUSTER_NAME, after=after)
    return await get_cluster(tx, EVERYTHING, IN_CLUSTER_NAME)


def _connection_columns(
    ring: KeyRing, id: UUID, connection: Connection, managed: ManagedAuth | None
) -> dict[str, Any]:
    """Everything that says how to reach the cluster; nothing of an older way survives."""
    return {
        "server": connection.server,
        "auth": auth_of(connection),
        "connection": public_part(connection),
        "sealed": sealed(ring, _place(id, connection.server), secret_part(connection)),
        "managed_namespace": managed.namespace if managed else "",
        "managed_service_account": managed.service_account if managed else "",
        "token_expires_at": managed.expires_at if managed else None,
    }


def _place(id: UUID, server: str) -> Place:
    return Place("clusters", str(id), "sealed", server)


def _fact_columns(facts: ClusterFacts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    return {
        "uid": facts.uid,
        "version": facts.version,
        "api_versions": list(facts.api_versions),
        "status": str(ConnectionStatus.SUCCESSFUL),
        "message": "",
        "failures": 0,
        "attempted_at": func.clock_timestamp(),
    }


async def connection_of(tx: Tx, ring: KeyRing, id: ClusterId) -> Connection:
    """Everything needed to talk to the cluster, opened.

    Raises:
        NotFound: it was removed meanwhile.
        SealBroken: the envelope was sealed for another row or URL, or its key is missing.
    """
    columns = (CLUSTERS.c.server, CLUSTERS.c.connection, CLUSTERS.c.sealed)
    row = (await tx.execute(select(*columns).where(CLUSTERS.c.id == id))).one_or_none()
    if row is None:
        raise gone(id)
    return _connection(ring, id, row)


async def get_connected(tx: Tx, ring: KeyRing, id: ClusterId) -> tuple[Cluster, Connection]:
    """The cluster, its applications uncounted, and ``connection_of`` it; raises as that."""
    cluster, connection, _ = await get_with_settings(tx, ring, id)
    return cluster, connection


async def get_with_settings(
    tx: Tx, ring: KeyRing, id: ClusterId
) -> tuple[Cluster, Connection, int]:
    """As ``get_connected``, and the generation of ``argocd-cm``; 0: there is none."""
    found = await find_with_settings(tx, ring, [id])
    if id not in found:
        raise gone(id)
    return found[id]


async def find_with_settings(
    tx: Tx, ring: KeyRing, ids: Sequence[ClusterId]
) -> dict[ClusterId, tuple[Cluster, Connection, int]]:
    """``get_with_settings`` of some clusters; those that are gone are left out."""
    rows = await tx.execute(_CONNECTED, {"wanted": list(ids)})
    return {
        ClusterId(row.id): (
            cluster_of(row),
            _connection(ring, ClusterId(row.id), row),
            row.settings_generation,
        )
        for row in rows
    }


#: Made once: every pass begins with it.
_CONNECTED = select(
    CLUSTERS,
    literal(0).label("application_count"),
    func.coalesce(
        select(CONFIG_MAPS.c.generation).where(CONFIG_MAPS.c.name == SETTINGS).scalar_subquery(),
        0,
    ).label("settings_generation"),
).where(CLUSTERS.c.id == func.any(bindparam("wanted", type_=ARRAY(Uuid))))


def _connection(ring: KeyRing, id: ClusterId, row: AnyRow) -> Connection:
    return joined(row.server, row.connection, opened(ring, _place(id, row.server), row.sealed))


async def record_probe(
    tx: Tx, id: ClusterId, answer: ClusterFacts | FleetError, now: datetime
) -> Cluster:
    """What came of asking the cluster who it is.

    The first identity seen is confirmed, unless another name has it; a later one waits for
    ``confirm_identity``, and everything that looks after the cluster has to notice
    (``changed_at``). Who does not say who it is changes nothing about that. A probe reads no
    application, so it does not make older observations fresh: ``observed_at`` is only set
    where there was none.
    """
    if isinstance(answer, FleetError):
        values: dict[str, Any] = {
            "status": str(ConnectionStatus.FAILED),
            "message": answer.message,
            "failures": CLUSTERS.c.failures + 1,
        }
    else:
        values = await _probed(tx, id, answer)
        values["observed_at"] = func.coalesce(CLUSTERS.c.observed_at, now)
    values["attempted_at"] = now
    await tx.execute(update(CLUSTERS).where(CLUSTERS.c.id == id).values(**values))
    return await get_cluster_by_id(tx, EVERYTHING, id)


async def _probed(tx: Tx, id: ClusterId, facts: ClusterFacts) -> dict[str, Any]:
    values = _fact_columns(facts)
    if not facts.uid:
        del values["uid"]
        return values
    is_new = CLUSTERS.c.uid != facts.uid
    values["changed_at"] = case((is_new, func.clock_timestamp()), else_=CLUSTERS.c.changed_at)
    twin = select(CLUSTERS.c.name).where(CLUSTERS.c.confirmed_uid == facts.uid, CLUSTERS.c.id != id)
    other = (await tx.execute(twin)).scalar()
    if other is not None:
        message = f"this is the cluster registered as {other!r} (same kube-system UID)"
        return values | {"status": str(ConnectionStatus.FAILED), "message": message}
    return values | {"confirmed_uid": _first_uid(facts)}


def _first_uid(facts: ClusterFacts) -> ColumnElement[str]:
    """``confirmed_uid`` after ``facts``: the first identity that was ever seen."""
    confirmed = CLUSTERS.c.confirmed_uid
    return case((confirmed == "", facts.uid), else_=confirmed)


async def update_cluster(tx: Tx, actor: Actor, id: ClusterId, changes: ClusterChanges) -> Cluster:
    """Change what people decide about a cluster; a rename is this one UPDATE.

    The server's URL is changed by ``set_connection``, which brings credentials of its own.
    """
    before = await _locked(tx, id)
    if not changes:
        return before
    try:
        async with tx.begin_nested():
            await _write(tx, id, dict(changes))
    except IntegrityError as error:
        raise await taken(tx, error, changes.get("name", ""), "", "") from error
    await settle_one(tx, id)
    return await _audited(tx, actor, "update", before)


async def set_connection(
    tx: Tx,
    actor: Actor,
    ring: KeyRing,
    id: ClusterId,
    connection: Connection,
    *,
    managed_auth: ManagedAuth | None,
    facts: ClusterFacts | None = None,
) -> Cluster:
    """Replace URL and credentials as a whole (rotation, a moved API server).

    ``facts`` of another cluster do not pass for this one: they wait for
    ``confirm_identity`` like any other change of identity.
    """
    before = await _locked(tx, id)
    values = {
        **_connection_columns(ring, id, connection, managed_auth),
        **_fact_columns(facts),
        **({"confirmed_uid": _first_uid(facts)} if facts else {}),
    }
    try:
        async with tx.begin_nested():
            await _write(tx, id, values)
    except IntegrityError as error:
        uid = facts.uid if facts else ""
        raise await taken(tx, error, before.name, connection.server, uid) from error
    return await _audited(tx, actor, "rotate-auth", before)


async def replace_token(
    tx: Tx,
    actor: Actor,
    ring: KeyRing,
    id: ClusterId,
    renewed_from: Connection,
    token: Secret,
    managed_auth: ManagedAuth,
) -> bool:
    """Put a renewed token in the place of the one by which it was asked for.

    Asking takes a while, in which somebody may have given the cluster another address or
    other credentials: those are newer. Then nothing is written, and the answer is False.
    """
    await _locked(tx, id)
    if await connection_of(tx, ring, id) != renewed_from:
        return False
    connection = replace(renewed_from, token=token)
    await set_connection(tx, actor, ring, id, connection, managed_auth=managed_auth)
    return True


async def pause(
    tx: Tx, actor: Actor, id: ClusterId, *, reason: str, until: datetime | None
) -> Cluster:
    """Stop all passes over the cluster; ``until`` None means until ``resume``."""
    before = await _locked(tx, id)
    await _write(tx, id, {"paused_by": actor.name, "paused_reason": reason, "paused_until": until})
    return await _audited(tx, actor, "pause", before)


async def resume(tx: Tx, actor: Actor, id: ClusterId) -> Cluster:
    before = await _locked(tx, id)
    await _write(tx, id, {"paused_by": "", "paused_reason": "", "paused_until": None})
    return await _audited(tx, actor, "resume", before)


async def confirm_identity(tx: Tx, actor: Actor, id: ClusterId) -> Cluster:
    """Accept that another cluster answers at this address from now on.

    Raises:
        Refused: there is nothing to confirm.
        AlreadyExists: that cluster is registered under another name.
    """
    before = await _locked(tx, id)
    if not before.identity_changed:
        raise Refused(
            f"cluster {before.name!r} is the one it always was: nothing to confirm",
            object=f"Cluster/{before.name}",
        )
    try:
        async with tx.begin_nested():
            await _write(tx, id, {"confirmed_uid": before.uid})
    except IntegrityError as error:
        raise await taken(tx, error, before.name, before.server, before.uid) from error
    return await _audited(tx, actor, "confirm-identity", before)


async def remove_cluster(tx: Tx, actor: Actor, id: ClusterId) -> None:
    """Forget a cluster that no application targets.

    Raises:
        Refused: names up to five applications that do, and what can be done.
    """
    before = await _locked(tx, id)
    query = select(APPLICATIONS.c.name).where(APPLICATIONS.c.cluster_id == id)
    names = (await tx.execute(query.order_by(APPLICATIONS.c.name))).scalars().all()
    if names:
        raise targeted(before.name, names)
    await tx.execute(CLUSTERS.delete().where(CLUSTERS.c.id == id))
    await record_change(tx, actor, "delete", "Cluster", before.name, before=shown(before))


async def _locked(tx: Tx, id: ClusterId) -> Cluster:
    """The cluster, held until the transaction ends: nobody changes, removes or targets it."""
    held = await tx.execute(select(CLUSTERS.c.id).where(CLUSTERS.c.id == id).with_for_update())
    if held.one_or_none() is None:
        raise gone(id)
    return await get_cluster_by_id(tx, EVERYTHING, id)


async def _write(tx: Tx, id: ClusterId, values: dict[str, Any]) -> None:
    """``changed_at`` is what the scheduler notices."""
    await tx.execute(
        update(CLUSTERS)
        .where(CLUSTERS.c.id == id)
        .values(**values, changed_at=func.clock_timestamp())
    )


async def _audited(tx: Tx, actor: Actor, action: str, before: Cluster) -> Cluster:
    after = await get_cluster_by_id(tx, EVERYTHING, before.id)
    await record_change(
        tx, actor, action, "Cluster", after.name, before=shown(before), after=shown(after)
    )
    return after
