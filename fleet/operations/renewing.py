"""ServiceAccount tokens that Fleet made are renewed before they end."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from fleet.cluster import rotate
from fleet.errors import NotFound
from fleet.logs import fields
from fleet.model.clusters import Cluster
from fleet.model.ids import ClusterId
from fleet.model.scope import EVERYTHING, FLEET, Actor
from fleet.operations.crashpoints import committing, writing
from fleet.operations.recognizing import recognize
from fleet.operations.runtime import Runtime
from fleet.registry import clusters, queue

log = logging.getLogger(__name__)

TOKEN_LIFE = timedelta(hours=24)
#: A cluster may be away for most of a day before its token can no longer renew itself.
RENEW_BEFORE = timedelta(hours=16)


async def renew_tokens(runtime: Runtime) -> None:
    """Have every token renewed that ends within ``RENEW_BEFORE``, each by a worker that
    reaches its cluster. One that is away is tried again at the next round."""
    async with runtime.db.transaction() as tx:
        due = await clusters.tokens_expiring(tx, EVERYTHING, runtime.now() + RENEW_BEFORE)
        await queue.wake(tx, "token", [str(cluster.id) for cluster in due])


async def renew_token_of(runtime: Runtime, id: ClusterId) -> None:
    """Renew a cluster's token if it is time.

    One that is paused, or whose identity waits for a person, is left alone.

    Raises:
        IdentityChanged: another cluster answers; it was asked for no token.
        ClusterError: the cluster would not give one; the old token stays.
    """
    try:
        async with runtime.db.reading() as tx:
            cluster = await clusters.get_cluster_by_id(tx, EVERYTHING, id)
    except NotFound:
        return
    managed = cluster.managed_auth
    if managed is None or managed.expires_at is None:
        return
    is_due = managed.expires_at < runtime.now() + RENEW_BEFORE
    if is_due and not (cluster.is_paused(runtime.now()) or cluster.identity_changed):
        await renew_token(runtime, cluster)


async def renew_token(runtime: Runtime, cluster: Cluster, actor: Actor = FLEET) -> None:
    """A new token for a cluster whose ServiceAccount Fleet made.

    Credentials that somebody gave it meanwhile are newer, and stay.

    Raises:
        IdentityChanged: another cluster answers; it was asked for no token.
        ClusterError: the cluster would not give one; the old token stays.
    """
    managed = cluster.managed_auth
    assert managed is not None
    async with runtime.db.reading() as tx:
        connection = await clusters.connection_of(tx, runtime.ring, cluster.id)
    client = runtime.connections.open(cluster.name, connection)
    try:
        await recognize(runtime, cluster, client)
        with writing("rotate"):
            token, expires_at = await rotate(
                client, managed, ttl_seconds=int(TOKEN_LIFE.total_seconds())
            )
    finally:
        await client.close()
    renewed = replace(managed, expires_at=expires_at)
    async with committing(runtime.db, "renew") as tx:
        is_kept = await clusters.replace_token(
            tx, actor, runtime.ring, cluster.id, connection, token, renewed
        )
    said = "token renewed" if is_kept else "token not kept: there are newer credentials"
    log.info(said, extra=fields(cluster=cluster.name, until=expires_at))
