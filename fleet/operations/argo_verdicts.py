"""What an Argo CD that still runs says of its applications: read from its cluster, once asked."""

from __future__ import annotations

from fleet.cluster import list_objects
from fleet.errors import KindUnknown
from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest, metadata_of
from fleet.model.scope import Scope
from fleet.operations.reaching import told_where
from fleet.operations.runtime import Runtime
from fleet.registry import clusters

APPLICATION = ApiKind("argoproj.io", "v1alpha1", "Application", "applications", namespaced=True)
#: What verdicts are compared by. The rest stays there: parameters may hold secrets.
_TOLD = ("sync", "health", "resources")


async def argo_verdicts(
    runtime: Runtime, scope: Scope, cluster: str, namespace: str
) -> list[Manifest]:
    """Argo CD's Applications on a registered cluster: their names, and of ``status`` what is
    compared. Nothing is written there.

    Args:
        namespace: that Argo CD runs in; "" means all.

    Raises:
        NotFound: no such cluster.
        KindUnknown: the cluster has no Applications.
        ClusterError: no answer, or its credentials may not read them.
    """
    async with runtime.db.reading() as tx:
        known = await clusters.get_cluster(tx, scope, cluster)
        connection = await clusters.connection_of(tx, runtime.ring, known.id)
    client = runtime.connections.open(cluster, connection)
    try:
        with told_where(reserved=known.is_reserved):
            found = await list_objects(client, APPLICATION, namespace=namespace)
    except KindUnknown:
        raise KindUnknown(
            f"Cluster/{cluster}: it knows no Applications of Argo CD ({APPLICATION.group})",
            hint="Name the cluster that Argo CD itself runs in; `fleet cluster list` shows all.",
            object=f"Cluster/{cluster}",
        ) from None
    finally:
        await client.close()
    return [_told(it) for it in found]


def _told(document: Manifest) -> Manifest:
    metadata, status = metadata_of(document), document.get("status")
    said = status if isinstance(status, dict) else {}
    return {
        "kind": APPLICATION.kind,
        "metadata": {key: metadata.get(key) for key in ("name", "namespace")},
        "status": {key: said[key] for key in _TOLD if key in said},
    }
