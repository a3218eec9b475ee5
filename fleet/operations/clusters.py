"""What people do with a registered cluster: describe it, pause it, vouch for it, let it go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fleet.cluster import remove_service_account
from fleet.errors import FleetError, Place, SealBroken, SpecInvalid
from fleet.model.clusters import Cluster, Connection
from fleet.model.scope import Actor, Scope
from fleet.operations.onboarding import check_annotations, check_labels, check_name
from fleet.operations.recognizing import refuse_stranger, uid_of
from fleet.operations.runtime import Runtime
from fleet.policy import may_deploy_to
from fleet.registry import applications, clusters, destinations, projects, queue
from fleet.registry.clusters import ClusterChanges
from fleet.registry.database import Tx
from fleet.registry.destinations import Follower

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
class Described:
    """A cluster as it is now, and what whoever changed it has to know."""

    cluster: Cluster
    warnings: tuple[str, ...] = ()


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
) -> Described:
    """Change what people decide about a cluster.

    Applications that name it as their destination name it anew after a rename.

    Raises:
        SpecInvalid: a name, label or annotation that cannot be.
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
            check_annotations(wanted["annotations"])
        changed = await clusters.update_cluster(tx, actor, cluster.id, wanted)
        followers = await destinations.follow(tx, actor, cluster, changed)
        warnings = [
            *_about_rights(cluster, changed),
            *await _about_rename(tx, cluster, changed, followers),
        ]
        _, polled = await destinations.adopt(tx, actor, changed)
        await queue.wake(tx, "poll", [str(id) for id in polled])
        await queue.wake(tx, "reconcile", [str(cluster.id)])
    return Described(changed, tuple(warnings))


def _about_rights(before: Cluster, after: Cluster) -> tuple[str, ...]:
    """Fleet may not change its own rights in a cluster: a person has to."""
    managed = after.managed_auth
    scopes = [(one.namespaces, one.cluster_resources) for one in (before, after)]
    if managed is None or scopes[0] == scopes[1]:
        return ()
    account = f"ServiceAccount {managed.namespace}/{managed.service_account}"
    renew = f"`fleet cluster rotate-auth {after.name} --context CONTEXT`"
    found = [f"{account} keeps the rights that it has: {renew} gives it those for what is managed"]
    left = sorted(set(before.namespaces) - set(after.namespaces)) if after.namespaces else []
    if left:
        found.append(
            f"{account} keeps its rights in {', '.join(left)} also then, until the RoleBinding"
            f" {managed.service_account} there is removed"
        )
    return tuple(found)


async def _about_rename(
    tx: Tx, before: Cluster, after: Cluster, followers: Sequence[Follower]
) -> tuple[str, ...]:
    if before.name == after.name:
        return ()
    found = []
    if followers:
        found.append(
            f"{len(followers)} application(s) name {after.name} as their destination now; files"
            f" that say {before.name} have to be changed before they are applied again"
        )
    targets = {(app.project, app.namespace) for app in followers}
    for name in sorted({project for project, _ in targets}):
        spec = await projects.rules_of(tx, name)
        decisions = [
            may_deploy_to(spec, server=after.server, cluster_name=after.name, namespace=namespace)
            for project, namespace in sorted(targets)
            if project == name
        ]
        found += [f"project {name}: {one.reason}" for one in decisions if not one][:1]
    return tuple(found)


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
        connection = await _opened(tx, runtime, cluster) if remove_account else None
        there = await applications.applications_of_cluster(tx, scope, cluster.id)
        for app in there if fate else ():
            await destinations.detach(tx, actor, app, name, now)
            if fate == "delete":
                await applications.remove_application(tx, actor, app.id, now)
        await clusters.remove_cluster(tx, actor, cluster.id)
    await runtime.connections.forget(cluster.id)
    warnings = await _take_back(runtime, cluster, connection) if connection is not None else ()
    return Removed(name, tuple(app.name for app in there), warnings)


async def _opened(tx: Tx, runtime: Runtime, cluster: Cluster) -> Connection | SealBroken:
    """Credentials that cannot be opened must not keep a cluster from being forgotten."""
    try:
        return await clusters.connection_of(tx, runtime.ring, cluster.id)
    except SealBroken as error:
        return error


async def _take_back(
    runtime: Runtime, cluster: Cluster, connection: Connection | SealBroken
) -> tuple[str, ...]:
    """Remove the ServiceAccount with what credentials there are.

    By its own token this comes as far as its rights, which go first: what is left then may
    do nothing any more.
    """
    managed = cluster.managed_auth
    if managed is None:
        return ("Fleet made no ServiceAccount there: nothing was removed from the cluster",)
    left = f"ServiceAccount {managed.namespace}/{managed.service_account}"
    if isinstance(connection, SealBroken):
        return (f"{left} and its roles are left in the cluster: {connection.message}",)
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
        return (f"{left} or its roles may be left in the cluster: {error.message}",)
    finally:
        await client.close()
    return ()
