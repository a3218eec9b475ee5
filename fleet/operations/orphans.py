"""Orphans: objects in the namespace of an application that belong to no application and to no
other object. Looked for where a project says ``orphanedResources``, whenever its cluster is
read as a whole; nothing is ever done to them.

A kind that cannot be listed says nothing: what was known of it stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from fleet.cluster import ClusterClient, list_metadata
from fleet.errors import ClusterAuthFailed, ClusterError, ClusterUnreachable
from fleet.model.clusters import ApiKind, Cluster, Discovery
from fleet.model.ids import ApplicationId
from fleet.model.objects import GroupKind, ObjectRef
from fleet.operations.runtime import Runtime
from fleet.operations.specs import project_spec
from fleet.operations.views import policy_for
from fleet.registry import orphans
from fleet.registry.orphans import MOST, Monitored


async def look_for_orphans(
    runtime: Runtime, cluster: Cluster, client: ClusterClient, discovery: Discovery
) -> None:
    """Find the orphans of every application on the cluster whose project asks.

    Raises:
        ClusterUnreachable, ClusterAuthFailed: nothing was recorded.
    """
    async with runtime.db.reading() as tx:
        apps = await orphans.monitored(tx, cluster.id)
    asking = [app for app in apps if project_spec(app.project_document).orphans is not None]
    spaces = frozenset(app.namespace for app in asking if app.namespace)
    objects, read = await _listed(runtime, cluster, client, discovery, spaces)
    async with runtime.db.reading() as tx:
        wanted = await orphans.wanted_in(tx, cluster.id, spaces)
    found = _found(apps, objects - wanted, read)
    news = {app.id: found[app.id] for app in apps if found[app.id] != app.orphans}
    if news:
        async with runtime.db.transaction() as tx:
            await orphans.record(tx, news)


def _found(
    apps: Iterable[Monitored], alone: Collection[ObjectRef], read: Collection[GroupKind]
) -> dict[ApplicationId, tuple[ObjectRef, ...]]:
    found = {}
    for app in apps:
        rules = project_spec(app.project_document).orphans
        here = {ref for ref in alone if ref.namespace == app.namespace}
        here |= {ref for ref in app.orphans if ref.group_kind not in read}
        found[app.id] = () if rules is None else rules.kept(here)[:MOST]
    return found


async def _listed(
    runtime: Runtime,
    cluster: Cluster,
    client: ClusterClient,
    discovery: Discovery,
    spaces: frozenset[str],
) -> tuple[frozenset[ObjectRef], frozenset[GroupKind]]:
    """What lives in the namespaces and has no owner, and of which kinds that is all."""
    policy = policy_for(runtime, cluster)
    kinds = {kind.group_kind for kind in discovery.kinds if kind.namespaced}
    served = [
        found
        for kind in sorted(kinds)
        if spaces and not policy.excludes(kind) and (found := discovery.find(kind)) is not None
    ]
    # all at once costs less than many namespaces one by one, where it is allowed
    places = tuple(spaces) if cluster.namespaces or len(spaces) == 1 else ("",)
    answers = await asyncio.gather(*(_list(client, kind, places) for kind in served))
    objects = {ref for answer in answers for ref in answer or () if ref.namespace in spaces}
    read = {k.group_kind for k, answer in zip(served, answers, strict=True) if answer is not None}
    return frozenset(objects), frozenset(read)


async def _list(
    client: ClusterClient, kind: ApiKind, places: Sequence[str]
) -> frozenset[ObjectRef] | None:
    """None when it cannot be listed: not allowed, or a kind that only can be created."""
    try:
        lists = await asyncio.gather(
            *(list_metadata(client, kind, namespace=place) for place in places)
        )
    except (ClusterUnreachable, ClusterAuthFailed):
        raise
    except ClusterError:
        return None
    return frozenset(
        item.ref
        for found in lists
        for item in found.items
        if not item.owner_references and not item.deletion_timestamp
    )
