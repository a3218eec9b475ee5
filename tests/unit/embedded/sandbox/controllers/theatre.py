"""A cluster in which time passes only when a test says so."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from fleet.embedded.sandbox.authenticating import TokenKey
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.collecting import Collector
from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.controllers.steps import Write
from fleet.embedded.sandbox.controllers.world import KINDS, World
from fleet.embedded.sandbox.deleting import NAMESPACE as SPACE
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.store import Event
from fleet.health import assess
from fleet.model.health import HealthStatus

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"


class Theatre:
    """One store with its controllers, and a clock in our hands."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start
        self._alarms: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.written: list[Event] = []
        self.cluster = cluster(self._schedule, lambda: self.now)
        self.store = self.cluster.store
        self.controllers = Controllers(
            self._schedule,
            lambda: self.now,
            suffix=lambda: f"{next(self._numbers):05d}",
            uid=lambda: f"uid-{next(self._numbers)}",
        )
        self.controllers.attach(self.cluster)
        self.store.listeners.append(lambda _, event: self.written.append(event))
        self.settle()

    def _schedule(self, seconds: float, call: Callable[[], None]) -> None:
        due = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._alarms, (due, next(self._numbers), call))

    @property
    def alarms(self) -> int:
        """Calls that wait for their time."""
        return len(self._alarms)

    def settle(self) -> None:
        """Do what is due now."""
        for _ in range(10_000):
            if not self._alarms or self._alarms[0][0] > self.now:
                return
            heapq.heappop(self._alarms)[2]()
        raise AssertionError("the controllers do not come to rest")

    def wait(self, seconds: float) -> None:
        """Let time pass, stopping at each alarm on the way."""
        end = self.now + timedelta(seconds=seconds)
        while self._alarms and self._alarms[0][0] <= end:
            self.now = max(self.now, self._alarms[0][0])
            self.settle()
        self.now = end
        self.settle()

    def put(self, obj: Object, manager: str = "test") -> Object:
        """Write as a user would, and let the controllers react."""
        obj = {**obj, "metadata": {"namespace": NAMESPACE, **obj["metadata"]}}
        if obj["kind"] in ("Node", "PersistentVolume"):
            del obj["metadata"]["namespace"]
        self._world().write(Write(obj, manager))
        self.settle()
        return self.get(obj["kind"], obj["metadata"]["name"])

    def change(self, kind: str, name: str, **spec: Any) -> Object:
        """Change fields of a spec."""
        obj = self.get(kind, name)
        return self.put({**obj, "spec": {**obj["spec"], **spec}})

    def annotate(self, kind: str, name: str, **annotations: str) -> Object:
        """Annotate an object; names without the prefix ``sandbox.fleet.dev/``."""
        obj = self.get(kind, name)
        return self.put({**obj, "metadata": {**obj["metadata"], **knobs(**annotations)}})

    def remove(self, kind: str, name: str, namespace: str = NAMESPACE) -> None:
        """Take an object away at once."""
        self.store.remove(KINDS[kind], namespace, name)
        self.settle()

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        spaced = KINDS[kind].namespaced
        found = self.store.get(KINDS[kind], namespace if spaced else "", name)
        assert found is not None, f"no {kind} {name}"
        return found

    def status(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(kind, name).get("status") or {}
        return found

    def health(self, kind: str, name: str = "web") -> HealthStatus:
        """What Fleet makes of an object."""
        found = assess(self.get(kind, name))
        assert found is not None
        return found.status

    def all(self, kind: str) -> list[Object]:
        return self.store.list(KINDS[kind])

    def names(self, kind: str) -> list[str]:
        return [it["metadata"]["name"] for it in self.all(kind)]

    def _world(self) -> World:
        return self.controllers._world(self.cluster)


def cluster(
    schedule: Callable[[float, Callable[[], None]], None], now: Callable[[], datetime]
) -> Cluster:
    """One as it begins, with a namespace and the garbage collector."""
    made = Cluster(
        "test",
        admin_token="",
        key=TokenKey(ec.generate_private_key(ec.SECP256R1())),
        ca_pem="",
        port=0,
        schedule=schedule,
        now=now,
    )
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    made.store.put(SPACE, space)
    made.store.listeners.append(Collector(made).heard)
    return made


def knobs(**annotations: str) -> dict[str, Any]:
    """``ready_after="5s"`` → the annotation, as metadata."""
    named = {f"sandbox.fleet.dev/{key.replace('_', '-')}": it for key, it in annotations.items()}
    return {"annotations": named}


def template(image: str = "web:1", **annotations: str) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    metadata = {"labels": {"app": "web"}, **knobs(**annotations)}
    return {"metadata": metadata, "spec": {"containers": [container]}}


def made(kind: str, name: str = "web", api: str = "apps/v1", **spec: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def workload(kind: str, replicas: int = 3, name: str = "web", **spec: Any) -> Object:
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet of Pods labelled ``app: web``."""
    wanted = {} if kind == "DaemonSet" else {"replicas": replicas}
    selector = {"matchLabels": {"app": "web"}}
    return made(kind, name, **{"selector": selector, "template": template(), **wanted, **spec})


def condition(status: dict[str, Any], type: str) -> dict[str, Any]:
    found: dict[str, Any] = next(it for it in status["conditions"] if it["type"] == type)
    return found
