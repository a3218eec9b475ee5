"""Watches: how drift and health are seen at once, at next to no memory.

Each cluster is watched by one process, the one that holds its lease. A watch is metadata
only and selects on our label; an event becomes a mark on the object's row and a wake-up,
nothing is cached. Events are gathered for a moment and written together. A watch that
breaks is opened again after a LIST, with growing pauses; an error is never a deletion, and
neither is what another cluster says that answers at the same address.

A watch that the server ends in good order is resumed where it was. After anything else, and
after a restart, its kind is listed again though its position is known: a LIST of metadata
costs little, finds events that could not be recorded, and tells whether it is still the same
cluster, which another cluster's events after an old position would not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from fleet import metrics
from fleet.cluster import ClusterClient, list_metadata, watch
from fleet.errors import FleetError, KindUnknown, WatchExpired
from fleet.logs import fields
from fleet.model.clusters import ApiKind, Cluster
from fleet.model.ids import ClusterId
from fleet.model.live import LiveMeta
from fleet.model.objects import INSTANCE_LABEL, GroupKind, ObjectRef
from fleet.operations.connections import Link
from fleet.operations.noticing import Notice, update_rules
from fleet.operations.observing import changes
from fleet.operations.recognizing import recognize
from fleet.operations.runtime import Runtime
from fleet.operations.settings_in_force import in_force
from fleet.operations.views import policy_for
from fleet.registry import clusters, leases, queue, routing, sightings, timetable, work
from fleet.registry.database import Tx
from fleet.registry.timetable import TimetableRow

log = logging.getLogger(__name__)

#: With the turn and a LIST, another one watches within 15 seconds after a process has died.
LEASE_SECONDS = 10
TURN_SECONDS = 1.0
#: Events of this long are written together: short enough to heal within 150 ms.
GATHER_SECONDS = 0.02
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    ref: ObjectRef
    version: str


class ClusterWatch:
    """All watches on one cluster: one task a managed kind, one task that writes."""

    def __init__(self, runtime: Runtime, cluster: Cluster, link: Link) -> None:
        self._runtime = runtime
        self._cluster = cluster
        self.link = link
        self._events: asyncio.Queue[_Seen] = asyncio.Queue(maxsize=10_000)
        self._kinds: dict[GroupKind, asyncio.Task[None]] = {}
        self._notice = Notice(runtime)
        self._writer = asyncio.create_task(self._write())

    def fits(self, cluster: Cluster, link: Link) -> bool:
        """Whether its watches are those that the cluster, as it is now, should have."""
        held = self._cluster
        return self.link is link and (held.namespaces, held.confirmed_uid) == (
            cluster.namespaces,
            cluster.confirmed_uid,
        )

    def judges_as(self, runtime: Runtime) -> bool:
        """Whether what is news to it is news by the settings of ``runtime``, too."""
        held, wanted = self._runtime.resources, runtime.resources
        return (held.update_rules, held.ignores_updates) == (
            wanted.update_rules,
            wanted.ignores_updates,
        )

    async def follow(self, wanted: tuple[tuple[GroupKind, str], ...]) -> None:
        """Open watches for new kinds, close those of kinds that are managed no more."""
        kinds = dict(wanted)
        for kind in self._kinds.keys() - kinds.keys():
            self._kinds.pop(kind).cancel()
        for kind in kinds.keys() - self._kinds.keys():
            self._kinds[kind] = asyncio.create_task(self._keep_watching(kind, kinds[kind]))

    async def close(self) -> None:
        tasks = [*self._kinds.values(), self._writer]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_watching(self, kind: GroupKind, version: str) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._watch(kind, version)
                pause = FIRST_PAUSE_SECONDS
            except WatchExpired:
                continue  # list again at once: that is what 410 asks for
            except FleetError as error:
                log.info(
                    "a watch broke: %s",
                    error.message,
                    extra=fields(cluster=self._cluster.name, kind=kind),
                )
                # full jitter, so that a cluster that comes back is not met by all at once
                await asyncio.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Exception:
                log.exception("a watch failed", extra=fields(cluster=self._cluster.name, kind=kind))
                await asyncio.sleep(LONGEST_PAUSE_SECONDS)

    async def _watch(self, kind: GroupKind, version: str) -> None:
        served = (await self.link.discovery()).find(kind, version)
        if served is None:
            raise KindUnknown(f"{kind} is not served by {self._cluster.name}")
        spaces = self._cluster.namespaces if served.namespaced else ()
        try:
            # one that breaks ends the others: all are opened again, none twice
            async with asyncio.TaskGroup() as group:
                for space in spaces or ("",):
                    group.create_task(self._watch_in(self.link.client, served, space))
        except BaseExceptionGroup as broken:
            raise broken.exceptions[0] from None

    async def _watch_in(self, client: ClusterClient, kind: ApiKind, namespace: str) -> None:
        """LIST, mark what differs, then follow until the server ends the watch."""
        selector = f"{INSTANCE_LABEL}={self._runtime.instance}"
        listed = await list_metadata(client, kind, namespace=namespace, label_selector=selector)
        await self._compare(kind.group_kind, namespace, {item.ref: item for item in listed.items})
        metrics.WATCHES.inc()
        rules = update_rules(self._runtime, kind.group_kind)
        try:
            position = listed.resource_version
            while True:
                stream = watch(
                    client,
                    kind,
                    resource_version=position,
                    label_selector=selector,
                    namespace=namespace,
                    whole=bool(rules),
                )
                async with aclosing(stream) as events:
                    async for event in events:
                        position = event.resource_version
                        if rules and not await self._notice.is_news(event, rules):
                            continue
                        if event.meta is not None:
                            version = event.meta.resource_version
                            seen = sightings.gone(version) if event.type == "DELETED" else version
                            await self._events.put(_Seen(event.meta.ref, seen))
        finally:
            metrics.WATCHES.dec()

    async def _compare(
        self, kind: GroupKind, namespace: str, listed: dict[ObjectRef, LiveMeta]
    ) -> None:
        async with self._runtime.db.reading() as tx:
            known = await sightings.inventory(tx, self._cluster.id, kind)
        here = {r: row for r, row in known.items() if not namespace or r.namespace == namespace}
        if news := changes(here, listed):
            await recognize(self._runtime, self._cluster, self.link.client)
            await self._mark(news)

    async def _write(self) -> None:
        while True:
            batch = [await self._events.get()]
            await asyncio.sleep(GATHER_SECONDS)
            while not self._events.empty():
                batch.append(self._events.get_nowait())
            # the last event of an object is what counts
            latest = {seen.ref: seen.version for seen in batch}
            news = tuple(
                (ref, version) for ref, version in latest.items() if not self._is_ours(ref, version)
            )
            await self._mark(news)

    def _is_ours(self, ref: ObjectRef, version: str) -> bool:
        return self._runtime.writes.get((self._cluster.id, ref)) == version

    async def _mark(self, news: tuple[tuple[ObjectRef, str], ...]) -> None:
        if not news:
            return
        try:
            async with self._runtime.db.transaction() as tx:
                if await sightings.mark_seen(tx, self._cluster.id, news):
                    await queue.wake(tx, "reconcile", [str(self._cluster.id)])
        except FleetError as error:
            # the next LIST finds the same difference
            log.warning("events could not be recorded: %s", error.message)


class Watchers:
    """Leases clusters and keeps a ``ClusterWatch`` on each that it holds.

    Workers that serve the same clusters share them: each holds as many leases as the others,
    and gives back what it has too many when another one comes.
    """

    def __init__(self, runtime: Runtime, holder: str) -> None:
        self._runtime = runtime
        self._holder = holder
        self._queue = routing.queue_of(runtime.selector)
        self._held: dict[ClusterId, ClusterWatch] = {}
        # clusters to watch, and of which state of all
        self._rows: Sequence[TimetableRow] = ()
        self._state: str | None = None
        # what each cluster's row said when its watches were last looked after
        self._tended: dict[ClusterId, tuple[datetime, tuple[str, ...], int]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set, then close every watch and give the leases back."""
        while not stop.is_set():
            try:
                await self._turn()
            except FleetError as error:
                log.warning("watches could not be tended: %s", error.message)
            except Exception:
                log.exception("tending the watches failed")
            try:
                await asyncio.wait_for(stop.wait(), TURN_SECONDS)
            except TimeoutError:
                continue
        for cluster in tuple(self._held):
            await self._drop(cluster)
        # without a database there is nothing to give back: the leases run out
        with contextlib.suppress(FleetError):
            async with self._runtime.db.transaction() as tx:
                held = await leases.held_by(tx, self._holder, "watch:")
                await leases.release_many(tx, held, self._holder)

    async def _turn(self) -> None:
        now = self._runtime.now()
        async with self._runtime.db.transaction() as tx:
            rows = await self._ours(tx, now)
            held = await self._lease(tx, {f"watch:{row.id}" for row in rows})
        mine = {ClusterId(row.id): row for row in rows if f"watch:{row.id}" in held}
        for cluster in self._held.keys() - mine.keys():
            await self._drop(cluster)
        for cluster, row in mine.items():
            said = (row.changed_at, row.managed_kinds, row.settings_generation)
            if self._tended.get(cluster) != said:
                runtime = await in_force(self._runtime, row.settings_generation)
                await self._tend(runtime, cluster, work.kinds_of(row.managed_kinds))
                self._tended[cluster] = said

    async def _ours(self, tx: Tx, now: datetime) -> Sequence[TimetableRow]:
        """Clusters that workers of this queue watch, read anew where one of any changed."""
        state = await timetable.clusters_state(tx, now)
        if state != self._state:
            self._rows = [
                row
                for row in await timetable.cluster_rows(tx, now)
                if not row.paused and row.queue == self._queue
            ]
            self._state = state
        return self._rows

    async def _lease(self, tx: Tx, names: set[str]) -> Collection[str]:
        """Hold a fair share of these leases and no other; returns those that are held."""
        holders = await leases.holders(tx, "watch:")
        share = -(-len(names) // max(1, await routing.watching(tx, self._queue)))
        mine = {name for name, holder in holders.items() if holder == self._holder}
        wanted = sorted(mine & names)[:share]
        wanted += sorted(names - holders.keys())[: share - len(wanted)]
        await leases.release_many(tx, mine.difference(wanted), self._holder)
        return await leases.keep_many(tx, wanted, self._holder, ttl_seconds=LEASE_SECONDS)

    async def _tend(
        self, runtime: Runtime, id: ClusterId, kinds: tuple[tuple[GroupKind, str], ...]
    ) -> None:
        """Open, change or close the watches of one cluster, after its row or the settings
        changed."""
        async with runtime.db.asking() as tx:
            cluster, connection = await clusters.get_connected(tx, runtime.ring, id)
        link = await runtime.connections.link(id, cluster.name, connection)
        policy = policy_for(runtime, cluster)
        kinds = tuple(
            (kind, version)
            for kind, version in kinds
            if str(kind) not in link.client.own_kinds and not policy.excludes(kind)
        )
        if cluster.identity_changed or not kinds:
            await self._drop(id)
            return
        watching = self._held.get(id)
        if watching is not None and not (
            watching.fits(cluster, link) and watching.judges_as(runtime)
        ):
            await self._drop(id)
            watching = None
        if watching is None:
            watching = self._held[id] = ClusterWatch(runtime, cluster, link)
        await watching.follow(kinds)

    async def _drop(self, cluster: ClusterId) -> None:
        self._tended.pop(cluster, None)
        watching = self._held.pop(cluster, None)
        if watching is not None:
            await watching.close()
