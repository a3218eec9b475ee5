"""A cluster pass: what is dirty, in order of urgency, for a bounded time.

It reads the cluster as a whole when that is due, then takes dirty applications in
batches until none is left or its time is up, and wakes itself again if work remains. A
cluster that does not answer is noted; its applications keep their marks and are tried
again with growing pauses, while every other cluster has passes of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from fleet import metrics
from fleet.errors import (
    ClusterAuthFailed,
    ClusterBusy,
    ClusterError,
    ClusterUnreachable,
    IdentityChanged,
    LeaseLost,
    RegistryError,
)
from fleet.logs import fields
from fleet.model.clusters import Cluster
from fleet.model.ids import ApplicationId, ClusterId
from fleet.operations.batches import Pass
from fleet.operations.beginning import Beginning, Dirty, begin, does_anything, take
from fleet.operations.connections import Link
from fleet.operations.fencing import ASK_SECONDS
from fleet.operations.observing import observe
from fleet.operations.runtime import Runtime
from fleet.operations.settings_in_force import in_force
from fleet.operations.views import Resources
from fleet.registry import queue, standings
from fleet.registry.work import DirtyApplication

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
#: An application that broke its pass, by what it says or a bug of ours, is tried again then.
SET_ASIDE = timedelta(minutes=5)


async def reconcile_cluster(runtime: Runtime, id: ClusterId, epoch: int) -> None:
    """Bring one cluster's applications as far as can be done now.

    Args:
        epoch: grows with each pass over the cluster; writes of an older one are refused.
    """
    begun = await begin(runtime, id, epoch)
    if begun is None:
        await runtime.connections.forget(id)
        return
    cluster = begun.cluster
    if not does_anything(runtime, cluster):
        return
    link = await runtime.connections.link(id, cluster.name, begun.connection)
    runtime = await in_force(runtime, begun.generation)
    with metrics.PASS_SECONDS.time():
        try:
            await _run(runtime, begun, link, epoch)
            metrics.PASSES.labels("done").inc()
        except LeaseLost as lost:
            metrics.PASSES.labels("lost").inc()
            log.info("%s", lost.message, extra=fields(cluster=cluster.name, epoch=epoch))
            # if it only was slow, and there is no newer one
            async with runtime.db.transaction() as tx:
                await queue.wake(tx, "reconcile", [str(id)])
        except IdentityChanged as changed:
            link.namespaces.forget()
            metrics.PASSES.labels(changed.type).inc()
            log.warning("%s", changed.message, extra=fields(cluster=cluster.name))
        except ClusterError as error:
            metrics.PASSES.labels(error.type).inc()
            await _note_failure(runtime, cluster, error)


async def _run(runtime: Runtime, begun: Beginning, link: Link, epoch: int) -> None:
    started, cluster = monotonic(), begun.cluster
    if begun.is_due:
        await observe(runtime, cluster, link, epoch)
    is_known = begun.is_due
    this = Pass(runtime, cluster, link, await link.discovery(), epoch, recognized=is_known)
    async with this.fence.kept():
        await _work(this, started, begun.dirty)


async def _work(this: Pass, started: float, first: Dirty | None) -> None:
    """Batch after batch, until nothing is left or the time is up."""
    runtime, cluster = this.runtime, this.cluster
    done: dict[ApplicationId, object] = {}
    dirty = first if first and monotonic() - first.asked_at < ASK_SECONDS else None
    while True:
        if dirty is None:
            dirty = await take(runtime, cluster.id, this.epoch)
        taken, asked_at = dirty.taken, dirty.asked_at
        dirty = None
        fresh = [app for app in taken.apps if done.get(app.id, _NEVER) != app.dirty_at]
        if not fresh:
            return
        this.runtime = await in_force(runtime, max(app.customized for app in fresh))
        this.fence.hear(asked_at, is_newest=taken.is_newest)
        await _reconcile(this, fresh, taken.resources)
        if len(taken.apps) < runtime.settings.pass_batch:
            return  # that was all; what became dirty meanwhile has woken a pass of its own
        done |= {app.id: app.dirty_at for app in fresh}
        if monotonic() - started > runtime.settings.pass_budget_seconds:
            # let what is more urgent by now go first
            async with runtime.db.transaction() as tx:
                await queue.wake(tx, "reconcile", [str(cluster.id)])
            return


_NEVER = object()


async def _reconcile(this: Pass, apps: Sequence[DirtyApplication], known: Resources) -> None:
    """A batch; if one application breaks it, one by one, and that one is set aside."""
    try:
        await this.reconcile(apps, known)
    except (ClusterUnreachable, ClusterAuthFailed, IdentityChanged, RegistryError):
        raise
    except Exception:
        if len(apps) > 1:
            for app in apps:
                await _reconcile(this, [app], {})  # what was known may have been recorded anew
            return
        log.exception("an application broke its pass", extra=fields(application=apps[0].name))
        async with this.runtime.db.transaction() as tx:
            await standings.set_aside(tx, apps[0].id, this.runtime.now() + SET_ASIDE)


async def _note_failure(runtime: Runtime, cluster: Cluster, error: ClusterError) -> None:
    """Write down that the cluster does not answer, and when its applications are due again."""
    now = runtime.now()
    log.warning("%s", error.message, extra=fields(cluster=cluster.name, error=error.type))
    async with runtime.db.transaction() as tx:
        if isinstance(error, ClusterBusy):
            pause = timedelta(seconds=error.retry_after_seconds)
        else:
            failures = await standings.record_unreachable(
                tx, cluster.id, now=now, message=error.message
            )
            pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
        await standings.postpone(tx, cluster.id, now, now + pause)
