"""Runs the rules of any number of clusters in one loop.

A write puts whom it concerns into one queue; the queue is worked off in small portions, so
that requests are answered in between. A cluster in which nothing is written and nothing is
due has no task, no timer and nothing in the queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.controllers.furniture import furnish
from fleet.embedded.sandbox.controllers.making import random_name
from fleet.embedded.sandbox.controllers.rules import API_VERSIONS, RULES, concerned
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Tell, Write
from fleet.embedded.sandbox.controllers.world import KINDS, World
from fleet.embedded.sandbox.objects import new_uid
from fleet.embedded.sandbox.store import Event, Store

log = logging.getLogger(__name__)

PORTION = 50  # rules between two turns of the event loop
LONGEST_SECONDS = 24 * 3600.0  # a timer is set anew after this: event loops dislike longer ones

Schedule = Callable[[float, Callable[[], None]], object]


class Work(NamedTuple):
    """An object to look at."""

    cluster: Cluster
    kind: str
    namespace: str
    name: str


class Controllers:
    """The controllers of every cluster that is attached."""

    def __init__(
        self,
        schedule: Schedule,
        now: Callable[[], datetime],
        *,
        suffix: Callable[[], str] = lambda: random_name(5),
        uid: Callable[[], str] = new_uid,
    ) -> None:
        """
        Args:
            schedule: calls a function after so many seconds, such as ``loop.call_later``.
        """
        self._schedule = schedule
        self._now = now
        self._suffix = suffix
        self._uid = uid
        self._clusters: dict[Store, Cluster] = {}
        self._queue: dict[Work, None] = {}
        self._alarms: dict[Work, datetime] = {}
        self._awake = False

    def attach(self, cluster: Cluster) -> None:
        """Look after a cluster from now on; what is in it already is looked at once."""
        furnish(cluster)
        for kind in RULES:
            for key, _ in cluster.store.entries(KINDS[kind]):
                self._add(Work(cluster, kind, *key.split("/", 1)))
        self._clusters[cluster.store] = cluster
        cluster.store.listeners.append(self._heard)

    def detach(self, cluster: Cluster) -> None:
        """Leave a cluster alone."""
        cluster.store.listeners.remove(self._heard)
        del self._clusters[cluster.store]
        for waiting in (self._queue, self._alarms):
            for work in [it for it in waiting if it.cluster is cluster]:
                del waiting[work]

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do before an alarm goes off."""
        return not self._queue

    def _world(self, cluster: Cluster) -> World:
        return World(cluster, self._now(), self._suffix, self._uid)

    def _heard(self, store: Store, event: Event) -> None:
        if API_VERSIONS.get(event.kind.kind) != event.kind.api_version:
            return
        appeared = event.before is None
        cluster = self._clusters[store]
        for key in concerned(event.object, self._world(cluster), appeared=appeared):
            self._add(Work(cluster, *key))

    def _add(self, work: Work) -> None:
        self._queue[work] = None
        if not self._awake:
            self._awake = True
            self._schedule(0.0, self._work)

    def _work(self) -> None:
        for _ in range(min(PORTION, len(self._queue))):
            work = next(iter(self._queue))
            del self._queue[work]
            try:
                self._look(work)
            except Exception:
                log.exception("a rule for %s %s/%s failed", *work[1:])
        self._awake = bool(self._queue)
        if self._awake:
            self._schedule(0.0, self._work)

    def _look(self, work: Work) -> None:
        """Ask the rule first and act then: a rule sees one moment."""
        world = self._world(work.cluster)
        obj = world.get(*work[1:])
        if obj is None:
            return
        for step in list(RULES[work.kind](obj, world)):
            match step:
                case Write():
                    world.write(step)
                case Delete():
                    world.delete(step)
                case Tell():
                    world.tell(step)
                case Later(seconds):
                    self._remind(work, seconds)

    def _remind(self, work: Work, seconds: float) -> None:
        """One alarm an object: the earliest that was asked for."""
        seconds = min(max(seconds, 0.0), LONGEST_SECONDS)
        due = self._now() + timedelta(seconds=seconds)
        if (known := self._alarms.get(work)) is not None and known <= due:
            return
        self._alarms[work] = due

        def ring() -> None:
            if self._alarms.get(work) == due:
                del self._alarms[work]
                self._add(work)

        self._schedule(seconds, ring)
