"""Who reaches a cluster: whether a worker does at all, and what to say where this process
does not.

Passes, watches and renewals of tokens run where a cluster's workers are. What answers a
person at once (registering, testing, comparing) runs in the process that was asked: the API,
or the command itself where it works on the database directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fleet.errors import ClusterUnreachable, NoWorker
from fleet.model.clusters import ANYONES_QUEUE, RESERVED
from fleet.model.ids import ClusterId
from fleet.model.scope import EVERYTHING
from fleet.registry import clusters, routing
from fleet.registry.database import Tx

_ELSEWHERE = (
    "It is reserved for workers that select it, and may not be reached from here: run the same"
    " command beside such a worker, with FLEET_DATABASE_URL and the key ring of this Fleet."
)
_RESERVED = (
    "Start one that selects it, `fleet worker --select LABELS`, where it can be reached; or take"
    f" its annotation {RESERVED} away."
)
_OTHERS = "Start one with `fleet worker`, or with labels of this cluster in its --select."


async def require_worker(tx: Tx, cluster: ClusterId | None) -> None:
    """Refuse what nobody would do.

    Args:
        cluster: where it is to be done; None where an application has none.

    Raises:
        NoWorker: no worker is alive, or none that serves this cluster.
    """
    crews = await _crews(tx)
    if cluster is None:
        return
    there = await clusters.get_cluster_by_id(tx, EVERYTHING, cluster)
    if there.queue not in crews:
        raise NoWorker(
            f"Cluster/{there.name}: no worker that runs serves it, so nothing would be done",
            hint=_RESERVED if there.is_reserved else _OTHERS,
            object=f"Cluster/{there.name}",
        )


async def require_reader(tx: Tx) -> None:
    """Refuse to have repositories asked when nobody would.

    Raises:
        NoWorker: no worker is alive, or all select clusters.
    """
    if ANYONES_QUEUE not in await _crews(tx):
        raise NoWorker(
            "all workers that run select clusters, and those do not ask repositories",
            hint="Start one without --select: `fleet up` or `fleet worker`.",
        )


async def _crews(tx: Tx) -> Mapping[str, routing.Crew]:
    """``routing.crews``; raises NoWorker when there are none."""
    found = await routing.crews(tx)
    if not found:
        raise NoWorker(
            "no worker is running, so nothing would be done",
            hint="Start one with `fleet up` or `fleet worker`.",
        )
    return found


@contextmanager
def told_where(*, reserved: bool) -> Iterator[None]:
    """Say of a reserved cluster that does not answer from where it would.

    Raises:
        ClusterUnreachable: with that as its hint.
    """
    try:
        yield
    except ClusterUnreachable as error:
        if reserved:
            error.hint = _ELSEWHERE
        raise
