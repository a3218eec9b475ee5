"""ServiceAccount tokens that Fleet made are renewed before they end."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from fleet.cluster import rotate
from fleet.errors import FleetError
from fleet.logs import fields
from fleet.model.clusters import Cluster, ManagedAuth
from fleet.model.scope import EVERYTHING, FLEET, Actor
from fleet.operations.crashpoints import committing, writing
from fleet.operations.runtime import Runtime
from fleet.registry import clusters

log = logging.getLogger(__name__)

TOKEN_LIFE = timedelta(hours=24)
#: A cluster may be away for most of a day before its token can no longer renew itself.
RENEW_BEFORE = timedelta(hours=16)


async def renew_tokens(runtime: Runtime) -> None:
    """Renew every token that ends within ``RENEW_BEFORE``; a cluster that is away is tried
    again at the next round."""
    async with runtime.db.reading() as tx:
        due = await clusters.tokens_expiring(tx, EVERYTHING, runtime.now() + RENEW_BEFORE)
    for cluster in due:
        try:
            await renew_token(runtime, cluster)
        except FleetError as error:
            log.warning("%s", error.message, extra=fields(cluster=cluster.name, error=error.type))


async def renew_token(runtime: Runtime, cluster: Cluster, actor: Actor = FLEET) -> ManagedAuth:
    """A new token for a cluster whose ServiceAccount Fleet made.

    Raises:
        ClusterError: the cluster would not give one; the old token stays.
    """
    managed = cluster.managed_auth
    assert managed is not None
    async with runtime.db.reading() as tx:
        connection = await clusters.connection_of(tx, runtime.ring, cluster.id)
    client = runtime.connections.open(cluster.name, connection)
    try:
        with writing("rotate"):
            token, expires_at = await rotate(
                client, managed, ttl_seconds=int(TOKEN_LIFE.total_seconds())
            )
    finally:
        await client.close()
    renewed = replace(managed, expires_at=expires_at)
    async with committing(runtime.db, "renew") as tx:
        await clusters.set_connection(
            tx,
            actor,
            runtime.ring,
            cluster.id,
            replace(connection, token=token),
            managed_auth=renewed,
        )
    log.info("token renewed", extra=fields(cluster=cluster.name, until=expires_at))
    return renewed
