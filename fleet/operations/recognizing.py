"""Whether the cluster that answers is the one that we know.

A cluster is known by the UID of its namespace ``kube-system``, whatever its URL. Behind a
known URL another one may come to answer: rebuilt, restored elsewhere, or an address that
was given away. Nothing that such a stranger says may be believed, and nothing may be
written to it, until a person confirms it. So its UID is known

- before the answers of a pass are used and before its first write: from the reading of the
  whole cluster where one is due; else from an object that was read and has the UID that we
  recorded, which no cluster has that was not confirmed; else by one metadata-only GET a pass;
- before what a watch listed is marked, if it differs from what is recorded: a stranger
  cannot list our objects in the versions that we know. Events need no question of their
  own: they wake a pass, which asks;
- before a token is renewed.

So a pass with nothing to do asks nothing, a heal of an edit and a restart of the watches
cost nothing more, and a pass that only writes costs one request more. Asking once a
connection would cost less, but not be safe: a proxy keeps the connection and changes what
is behind it.
"""

from __future__ import annotations

from fleet.cluster import ClusterClient, cluster_uid
from fleet.errors import ClusterAuthFailed, ClusterError, ClusterUnreachable, IdentityChanged
from fleet.model.clusters import Cluster, ClusterFacts
from fleet.operations.crashpoints import committing
from fleet.operations.runtime import Runtime
from fleet.registry import clusters


async def recognize(runtime: Runtime, cluster: Cluster, client: ClusterClient) -> None:
    """Ask who answers; a stranger is written down.

    One whose identity was never seen is taken for what it is: there is nothing to compare.

    Raises:
        IdentityChanged: another cluster answers.
        ClusterError: it cannot be told.
    """
    if cluster.confirmed_uid:
        uid = await uid_of(client)
        await accept(runtime, cluster, ClusterFacts(uid, cluster.version, cluster.api_versions))


async def accept(runtime: Runtime, cluster: Cluster, said: ClusterFacts) -> None:
    """Take what a cluster said as said by ``cluster``; the first identity seen is kept.

    Raises:
        IdentityChanged: another one said it, or one that has another name already; that is
            written down.
        ClusterAuthFailed: who it is was known, and is not told any more.
    """
    if said.uid == cluster.confirmed_uid:
        return
    if said.uid:
        async with committing(runtime.db, "probe") as tx:
            cluster = await clusters.record_probe(tx, cluster.id, said, runtime.now())
        if not cluster.confirmed_uid:
            about = f"Cluster/{cluster.name}"
            raise IdentityChanged(f"{about}: {cluster.message}", object=about)
    refuse_stranger(cluster, said.uid)


async def uid_of(client: ClusterClient) -> str:
    """Who answers; "" when the credentials may not know.

    Raises:
        ClusterAuthFailed: the credentials were refused.
        ClusterUnreachable: anything else: from it follows nothing about any object.
    """
    try:
        return await cluster_uid(client)
    except (ClusterUnreachable, ClusterAuthFailed):
        raise
    except ClusterError as error:
        raise ClusterUnreachable(
            f"Cluster/{client.name}: cannot be told from another: {error.message}",
            object=f"Cluster/{client.name}",
        ) from error


def refuse_stranger(known: Cluster, uid: str) -> None:
    """Let nobody pass for ``known`` who does not have its identity.

    Raises:
        IdentityChanged: ``uid`` is that of another cluster.
        ClusterAuthFailed: ``known`` has an identity, and whoever answered does not tell his.
    """
    about = f"Cluster/{known.name}"
    if not uid and known.confirmed_uid:
        raise ClusterAuthFailed(
            f"{about}: the credentials may not read the namespace kube-system any more, so"
            " Fleet cannot tell whether this is the same cluster",
            hint="Let them get that one namespace.",
            object=about,
        )
    if known.confirmed_uid not in ("", uid):
        raise IdentityChanged(
            f"{about}: another cluster answers there (its kube-system UID is {uid}, not"
            f" {known.confirmed_uid})",
            hint=f"If it was rebuilt on purpose, run `fleet cluster test {known.name}` and then"
            f" `fleet cluster confirm-identity {known.name}`.",
            object=about,
        )
