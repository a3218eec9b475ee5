"""What people do with a registered cluster: describe it, pause it, vouch for it, let it go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fleet.cluster import remove_service_account
from fleet.errors import FleetError, Place, SpecInvalid
from fleet.model.clusters import Cluster, Connection
from fleet.model.scope import Actor, Scope
from fleet.operations.onboarding import check_labels, check_name
from fleet.operations.recognizing import refuse_stranger, uid_of
from fleet.operations.runtime import Runtime
from fleet.registry import applications, clusters, destinations, queue
from fleet.registry.clusters import ClusterChanges
from fleet.registry.database import Tx

#: What becomes of applications when their cluster goes: refuse, or keep or delete them.
Fate = Literal["", "keep", "delete"]


@dataclass(frozen=True)
class Marks:
    """Labels or annotations to set, and (None) to take away; the rest stays."""

    changes: Mapping[str, str | None] = field(default_factory=dict)

    def over(self, held: Mapping[str, str]) -> dict[str, str]:
        merged = {**held, **self.changes}
        return {key: value for key, value in merged.items() if value is not None}


@dataclass(frozen=True)
class Removed:
    """A cluster that is gone, and the applications that were on it."""

    name: str
    applications: tuple[str, ...]
    warnings: tuple[str, ...] = ()


async def describe_cluster(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    changes: ClusterChanges,
    *,
    labels: Marks | None = None,
    annotations: Marks | None = None,
) -> Cluster:
    """Change what people decide about a cluster.

    Raises:
        SpecInvalid: a name or label that cannot be.
        AlreadyExists: the new name is taken.
    """
    if "name" in changes:
        check_name(changes["name"])
    async with runtime.db.transaction() as tx:
        cluster = await clusters.get_cluster(tx, scope, name)
        wanted: ClusterChanges = {**changes}
        if labels is not None:
            wanted["labels"] = labels.over(cluster.labels)
            check_labels(wanted["labels"])
        if annotations is not None:
            wanted["annotations"] = annotations.over(cluster.annotations)
        changed = await clusters.update_cluster(tx, actor, cluster.id, wanted)
        _, polled = await destinations.adopt(tx, actor, changed)
        await queue.wake(tx, "poll", [str(id) for id in polled])
        await queue.wake(tx, "reconcile", [str(cluster.id)])
    return changed


async def pause_cluster(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    *,
    reason: str,
    until: datetime | None,
) -> Cluster:
    """Leave a cluster alone, until a moment or until it is resumed.

    Raises:
        SpecInvalid: ``until`` is past.
    """
    if until is not None and until <= runtime.now():
        raise SpecInvalid("lies in the past", place=Place(field="until"))

    async def act(tx: Tx, cluster: Cluster) -> Cluster:
        return await clusters.pause(tx, actor, cluster.id, reason=reason, until=until)

    return await _act(runtime, scope, name, act)


async def resume_cluster(runtime: Runtime, actor: Actor, scope: Scope, name: str) -> Cluster:
    """End a pause."""

    async def act(tx: Tx, cluster: Cluster) -> Cluster:
        return await clusters.resume(tx, actor, cluster.id)

    return await _act(runtime, scope, name, act)


async def confirm_cluster(runtime: Runtime, actor: Actor, scope: Scope, name: str) -> Cluster:
    """Accept the cluster that answers at this address by now.

    Raises:
        Refused: it is the one that it always was.
    """

    async def act(tx: Tx, cluster: Cluster) -> Cluster:
        return await clusters.confirm_identity(tx, actor, cluster.id)

    return await _act(runtime, scope, name, act)


async def _act(
    runtime: Runtime,
    scope: Scope,
    name: str,
    act: Callable[[Tx, Cluster], Awaitable[Cluster]],
) -> Cluster:
    async with runtime.db.transaction() as tx:
        changed = await act(tx, await clusters.get_cluster(tx, scope, name))
        await queue.wake(tx, "reconcile", [str(changed.id)])
    return changed


async def remove_cluster(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    *,
    fate: Fate = "",
    remove_account: bool = False,
) -> Removed:
    """Forget a cluster. What was applied there stays there, whatever becomes of applications.

    Args:
        fate: ``keep`` leaves its applications without a cluster until it is added again,
            ``delete`` forgets them, "" refuses while there are any.
        remove_account: take Fleet's ServiceAccount and its rights out of the cluster.

    Raises:
        Refused: applications target it, or one of them is at work.
    """
    now = runtime.now()
    async with runtime.db.transaction() as tx:
        cluster = await clusters.get_cluster(tx, scope, name)
        connection = await clusters.connection_of(tx, runtime.ring, cluster.id)
        there = await applications.applications_of_cluster(tx, scope, cluster.id)
        for app in there if fate else ():
            await destinations.detach(tx, actor, app, name, now)
            if fate == "delete":
                await applications.remove_application(tx, actor, app.id, now)
        await clusters.remove_cluster(tx, actor, cluster.id)
    await runtime.connections.forget(cluster.id)
    warnings = await _take_back(runtime, cluster, connection) if remove_account else ()
    return Removed(name, tuple(app.name for app in there), warnings)


async def _take_back(runtime: Runtime, cluster: Cluster, connection: Connection) -> tuple[str, ...]:
    """Remove the ServiceAccount with what credentials there are.

    By its own token this comes as far as its rights, which go first: what is left then may
    do nothing any more.
    """
    managed = cluster.managed_auth
    if managed is None:
        return ("Fleet made no ServiceAccount there: nothing was removed from the cluster",)
    client = runtime.connections.open(cluster.name, connection)
    try:
        if cluster.confirmed_uid:
            refuse_stranger(cluster, await uid_of(client))
        await remove_service_account(
            client,
            namespace=managed.namespace,
            name=managed.service_account,
            namespaces=cluster.namespaces,
        )
    except FleetError as error:
        left = f"ServiceAccount {managed.namespace}/{managed.service_account}"
        return (f"{left} or its roles may be left in the cluster: {error.message}",)
    finally:
        await client.close()
    return ()
