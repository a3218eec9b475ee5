"""Objects that others made of an application's: the ReplicaSets of its Deployments, their Pods.

Nothing about them is recorded. Owner references are followed by uid, from an object up, until
one of the application's own is met: a name alone claims nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from fleet.cluster import list_metadata
from fleet.model.applications import LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.live import LiveMeta
from fleet.model.objects import GroupKind, ObjectRef
from fleet.operations.diffing import Site
from fleet.operations.views import policy_for

#: How far up is looked: a Pod of a CronJob is two below it.
_DEPTH = 4


async def owned_objects(
    site: Site, *, group: str | None, kind: str, namespace: str
) -> tuple[ObjectRef, ...]:
    """The live objects of a kind that were made of objects of the application.

    Args:
        group: None means any.
        namespace: "" means all in which the application has objects.

    Raises:
        ClusterError: the cluster did not answer, or does not let them be listed.
    """
    own = [row for row in site.app.resources if row.uid and row.in_inventory]
    spaces = {row.ref.namespace for row in own if row.ref.namespace}
    wanted = sorted(spaces & {namespace} if namespace else spaces)
    policy = policy_for(site.runtime, site.cluster)
    served = {it.group_kind for it in site.discovery.kinds if it.kind == kind and it.namespaced}
    kinds = [it for it in sorted(served) if group in (None, it.group) and not policy.excludes(it)]
    places = [(it, space) for it in kinds for space in wanted]
    found = await asyncio.gather(*(_owned(site, own, *it) for it in places))
    return tuple(ref for refs in found for ref in refs)


async def _owned(
    site: Site, own: Iterable[LiveResource], kind: GroupKind, namespace: str
) -> tuple[ObjectRef, ...]:
    """Of one kind and namespace, sorted. Each kind on the way is listed once."""
    listed: dict[GroupKind, Mapping[str, LiveMeta]] = {}

    async def of(wanted: GroupKind) -> Mapping[str, LiveMeta]:
        if wanted not in listed:
            listed[wanted] = await _by_uid(site, wanted, namespace)
        return listed[wanted]

    uids = {row.uid for row in own}
    found = []
    for meta in (await of(kind)).values():
        owners, depth = meta.owner_references, 0
        while owners and depth < _DEPTH and not any(it.get("uid") in uids for it in owners):
            above = [(await of(_kind_of(it))).get(str(it.get("uid"))) for it in owners]
            owners = [it for one in above if one is not None for it in one.owner_references]
            depth += 1
        if meta.uid not in uids and any(it.get("uid") in uids for it in owners):
            found.append(meta.ref)
    return tuple(sorted(found))


def _kind_of(owner: Mapping[str, Any]) -> GroupKind:
    group, slash, _ = str(owner.get("apiVersion", "")).rpartition("/")
    return GroupKind(group if slash else "", str(owner.get("kind", "")))


async def _by_uid(site: Site, wanted: GroupKind, namespace: str) -> Mapping[str, LiveMeta]:
    """What lives there of the kind; nothing of one that is not served, or has no namespaces."""
    kind: ApiKind | None = site.discovery.find(wanted)
    if kind is None or not kind.namespaced:
        return {}
    listed = await list_metadata(site.link.client, kind, namespace=namespace)
    return {meta.uid: meta for meta in listed.items}
