"""What a pass begins with: its cluster, and what is to be done there.

After a commit to many clusters their passes begin side by side, so they ask together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic

from fleet.errors import LeaseLost
from fleet.model.clusters import Cluster, Connection
from fleet.model.ids import ClusterId
from fleet.operations.runtime import Runtime
from fleet.registry import clusters, taking
from fleet.registry.database import Tx
from fleet.registry.taking import Taken

#: A pass that was woken a little early counts as the due one.
DUE = 0.9
#: Applications of one cluster that are read with those of others; of which there are more, it
#: is asked by itself, so that nobody waits for the many of another.
FEW = 16


@dataclass(frozen=True, slots=True)
class Dirty:
    """What was taken, and when it was asked for, of the monotonic clock."""

    taken: Taken
    asked_at: float


@dataclass(frozen=True, slots=True)
class Beginning:
    """A cluster as a pass finds it.

    Attributes:
        generation: of ``argocd-cm``.
        is_due: it has to be read as a whole.
        dirty: what is to be done first; None: that has to be asked.
    """

    cluster: Cluster
    connection: Connection
    generation: int
    is_due: bool
    dirty: Dirty | None


async def begin(runtime: Runtime, id: ClusterId, epoch: int) -> Beginning | None:
    """What the pass of this epoch has before it; None where there is no such cluster.

    Raises:
        SealBroken: its credentials cannot be opened.
    """
    begun: Beginning | None
    begun = await runtime.beginnings.ask((id, epoch), partial(_read, runtime))
    return begun


async def take(runtime: Runtime, id: ClusterId, epoch: int) -> Dirty:
    """What is to be done next, for a pass that has begun."""
    async with runtime.db.asking() as tx:
        return (await _take(runtime, tx, {id: epoch}, runtime.settings.pass_batch))[id]


async def _read(
    runtime: Runtime, asked: Sequence[tuple[ClusterId, int]]
) -> Sequence[Beginning | None]:
    epochs = dict(asked)
    if len(epochs) < len(asked):
        raise LeaseLost("two passes over one cluster do not begin together")
    most = runtime.settings.pass_batch if len(asked) == 1 else FEW
    async with runtime.db.asking() as tx:
        known = await clusters.find_with_settings(tx, runtime.ring, list(epochs))
        acting = {
            id: epochs[id] for id, (cluster, *_) in known.items() if does_anything(runtime, cluster)
        }
        # a LIST makes more of them dirty, so it comes first where one is due
        due = {id for id in acting if _is_due(runtime, known[id][0])}
        there = {id: epoch for id, epoch in acting.items() if id not in due}
        taken = await _take(runtime, tx, there, most) if there else {}
    dirty = {id: it for id, it in taken.items() if len(asked) == 1 or len(it.taken.apps) < FEW}
    return [
        Beginning(*known[id], is_due=id in due, dirty=dirty.get(id)) if id in known else None
        for id in epochs
    ]


async def _take(
    runtime: Runtime, tx: Tx, epochs: Mapping[ClusterId, int], most: int
) -> dict[ClusterId, Dirty]:
    asked_at = monotonic()
    found = await taking.take_all_dirty(tx, epochs, limit=most, now=runtime.now())
    return {id: Dirty(taken, asked_at) for id, taken in found.items()}


def does_anything(runtime: Runtime, cluster: Cluster) -> bool:
    """Whether passes over it do anything."""
    return not (cluster.is_paused(runtime.now()) or cluster.identity_changed)


def _is_due(runtime: Runtime, cluster: Cluster) -> bool:
    if cluster.observed_at is None:
        return True
    interval = cluster.interval_seconds or runtime.settings.reconcile_interval_seconds
    return runtime.now() - cluster.observed_at >= timedelta(seconds=interval * DUE)
