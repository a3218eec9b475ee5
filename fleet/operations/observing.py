"""A cluster read as a whole: one metadata-only LIST a managed kind, compared with what
was recorded. What differs is marked; looking into it is the pass's business.

A LIST that fails says nothing about its kind: nothing of it is marked, and least of all
as deleted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from fleet.cluster import ClusterClient, facts, list_metadata
from fleet.errors import ClusterAuthFailed, ClusterError, ClusterUnreachable, WatchExpired
from fleet.logs import fields
from fleet.model.clusters import ApiKind, Cluster, Discovery
from fleet.model.live import LiveMeta
from fleet.model.objects import INSTANCE_LABEL, GroupKind, ObjectRef
from fleet.operations.cluster_values import look_at_values
from fleet.operations.connections import Link
from fleet.operations.crashpoints import committing
from fleet.operations.orphans import look_for_orphans
from fleet.operations.recognizing import accept
from fleet.operations.runtime import Runtime
from fleet.operations.views import policy_for
from fleet.registry import desired, queue, sightings, standings, work

log = logging.getLogger(__name__)


def changes(
    inventory: Mapping[ObjectRef, sightings.InventoryRow], listed: Mapping[ObjectRef, LiveMeta]
) -> tuple[tuple[ObjectRef, str], ...]:
    """Inventory objects that are not as recorded: each with the version now, or ``GONE``.
    One whose kind could not be listed before is looked into, whatever its version."""
    found = []
    for ref, row in inventory.items():
        meta = listed.get(ref)
        version = sightings.GONE if meta is None else meta.resource_version
        if row.seen_version == sightings.UNLISTED and meta is not None:
            version = sightings.any_version()
        if meta is None and row.seen_version.startswith(sightings.GONE):
            continue  # a watch saw it
        if version not in (row.resource_version, row.seen_version):
            found.append((ref, version))
    return tuple(found)


async def observe(runtime: Runtime, cluster: Cluster, link: Link, epoch: int) -> None:
    """Read the whole cluster and mark what differs.

    Raises:
        IdentityChanged: it is not the cluster that we know; nothing it says counts.
        ClusterError: it did not answer, or refused us; nothing was marked.
        LeaseLost: a newer pass owns the cluster.
    """
    discovery = await link.discovery()
    said = await facts(link.client, discovery)
    await accept(runtime, cluster, said)
    if said.version != cluster.version:
        discovery = await link.discovery(fresh=True)
    async with runtime.db.reading() as tx:
        managed, wants_orphans, holds_values = await work.to_observe(tx, cluster.id)
    policy = policy_for(runtime, cluster)
    kinds = [(kind, version) for kind, version in managed if not policy.excludes(kind)]
    answers = await asyncio.gather(
        *(_list(runtime, cluster, link.client, discovery, *kind) for kind in kinds)
    )
    listed = {kind: answer for kind, answer in answers if isinstance(answer, dict)}
    async with committing(runtime.db, "observe") as tx:
        await standings.record_observed(
            tx,
            cluster.id,
            epoch,
            now=runtime.now(),
            facts=said,
        )
        if (said.version, said.api_versions) != (cluster.version, cluster.api_versions):
            # charts may render differently for another version of Kubernetes
            polled = await desired.check_facts(tx, cluster.id)
            await queue.wake(tx, "poll", [str(id) for id in polled])
        for kind, objects in listed.items():
            recorded = await sightings.inventory(tx, cluster.id, kind)
            await sightings.mark_seen(tx, cluster.id, changes(recorded, objects))
        for kind, answer in answers:
            if isinstance(answer, str):
                await sightings.mark_unlisted(tx, cluster.id, kind, f"is not known: {answer}")
    if holds_values:
        await look_at_values(runtime, cluster, link)
    if wants_orphans:
        await look_for_orphans(runtime, cluster, link.client, discovery)
    for kind, answer in answers:
        if isinstance(answer, str):
            log.warning("%s", answer, extra=fields(cluster=cluster.name, kind=kind))


async def _list(
    runtime: Runtime,
    cluster: Cluster,
    client: ClusterClient,
    discovery: Discovery,
    kind: GroupKind,
    version: str,
) -> tuple[GroupKind, dict[ObjectRef, LiveMeta] | str]:
    """The complete list of our objects of one kind, or why there is none."""
    served = discovery.find(kind, version)
    if served is None:
        return kind, f"the cluster does not serve {kind} any more"
    selector = f"{INSTANCE_LABEL}={runtime.instance}"
    spaces = cluster.namespaces if cluster.namespaces and served.namespaced else ("",)
    try:
        lists = await asyncio.gather(*(_listed(client, served, at, selector) for at in spaces))
    except (ClusterUnreachable, ClusterAuthFailed):
        raise
    except ClusterError as error:
        # one broken conversion webhook must not hide every other kind
        return kind, error.message
    return kind, {item.ref: item for items in lists for item in items}


async def _listed(
    client: ClusterClient, kind: ApiKind, namespace: str, selector: str
) -> tuple[LiveMeta, ...]:
    """A snapshot may be compacted away between two pages: that is worth a second try."""
    try:
        found = await list_metadata(client, kind, namespace=namespace, label_selector=selector)
    except WatchExpired as expired:
        log.info("listed again: %s", expired.message, extra=fields(cluster=client.name))
        found = await list_metadata(client, kind, namespace=namespace, label_selector=selector)
    return found.items
