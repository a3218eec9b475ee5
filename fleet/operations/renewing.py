"""ServiceAccount tokens that Fleet made are renewed before they end."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from fleet.cluster import rotate
from fleet.errors import FleetError
from fleet.logs import fields
from fleet.model.clusters import Cluster
from fleet.model.scope import EVERYTHING, FLEET, Actor
from fleet.operations.crashpoints import committing, writing
from fleet.operations.recognizing import recognize
from fleet.operations.runtime import Runtime
from fleet.registry import clusters

log = logging.getLogger(__name__)

TOKEN_LIFE = timedelta(hours=24)
#: A cluster may be away for most of a day before its token can no longer renew itself.
RENEW_BEFORE = timedelta(hours=16)


async def renew_tokens(runtime: Runtime) -> None:
    """Renew every token that ends within ``RENEW_BEFORE``; a cluster that is away is tried
    again at the next round.

    One that is paused, or whose identity waits for a person, is left alone.
    """
    async with runtime.db.reading() as tx:
        due = await clusters.tokens_expiring(tx, EVERYTHING, runtime.now() + RENEW_BEFORE)
    for cluster in due:
        try:
            await _renew_unless_stopped(runtime, cluster)
        except FleetError as error:
            log.warning("%s", error.message, extra=fields(cluster=cluster.name, error=error.type))


async def _renew_unless_stopped(runtime: Runtime, cluster: Cluster) -> None:
    # others may have taken a while to answer: ask again how this one stands
    async with runtime.db.reading() as tx:
        cluster = await clusters.get_cluster_by_id(tx, EVERYTHING, cluster.id)
    if cluster.managed_auth and not (cluster.is_paused(runtime.now()) or cluster.identity_changed):
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
