"""Deployment, ReplicaSet, StatefulSet, DaemonSet, PodDisruptionBudget: a table a kind."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.health import assess
from fleet.model.health import Health, HealthStatus

H, P, D, S = (
    HealthStatus.HEALTHY,
    HealthStatus.PROGRESSING,
    HealthStatus.DEGRADED,
    HealthStatus.SUSPENDED,
)
ROLLOUT = "Waiting for rollout to finish: "

Status = dict[str, Any]


def made(kind: str, spec: Any, status: Any, *, generation: Any = 1, group: str = "apps/v1") -> Any:
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "generation": generation},
        "spec": spec,
        "status": status,
    }


def condition(type: str, status: str = "True", reason: str = "", message: str = "") -> Status:
    return {"type": type, "status": status, "reason": reason, "message": message}


def counts(replicas: int, updated: int, available: int, *, seen: int = 1) -> Status:
    return {
        "observedGeneration": seen,
        "replicas": replicas,
        "updatedReplicas": updated,
        "availableReplicas": available,
    }


LATE = {"conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded")]}
DEPLOYMENTS = [
    ("all there", {"replicas": 3}, counts(3, 3, 3), 1, H, ""),
    ("scaled to nothing", {"replicas": 0}, {"observedGeneration": 1}, 1, H, ""),
    ("replicas left to the server", {}, counts(1, 1, 1), 1, H, ""),
    ("paused", {"paused": True, "replicas": 3}, counts(3, 1, 1), 1, S, "Deployment is paused"),
    ("paused as text is not paused", {"paused": "true"}, counts(1, 1, 1), 1, H, ""),
    (
        "not looked at yet",
        {"replicas": 3},
        counts(3, 3, 3),
        2,
        P,
        ROLLOUT + "observed deployment generation less than desired generation",
    ),
    (
        "no status at all",
        {"replicas": 3},
        None,
        1,
        P,
        ROLLOUT + "observed deployment generation less than desired generation",
    ),
    (
        "status ahead of the spec is no reason to wait",
        {"replicas": 1},
        counts(1, 1, 1, seen=9),
        2,
        H,
        "",
    ),
    (
        "deadline passed",
        {"replicas": 3},
        counts(3, 1, 1) | LATE,
        1,
        D,
        'Deployment "web" exceeded its progress deadline',
    ),
    (
        "an old deadline is forgotten with a new generation",
        {"replicas": 3},
        counts(3, 1, 1) | LATE,
        2,
        P,
        ROLLOUT + "observed deployment generation less than desired generation",
    ),
    (
        "some are new",
        {"replicas": 3},
        counts(3, 1, 3),
        1,
        P,
        ROLLOUT + "1 out of 3 new replicas have been updated...",
    ),
    (
        "old ones remain",
        {"replicas": 3},
        counts(4, 3, 3),
        1,
        P,
        ROLLOUT + "1 old replicas are pending termination...",
    ),
    (
        "not all available",
        {"replicas": 3},
        counts(3, 3, 2),
        1,
        P,
        ROLLOUT + "2 of 3 updated replicas are available...",
    ),
    (
        "scaling down to nothing",
        {"replicas": 0},
        counts(2, 0, 2),
        1,
        P,
        ROLLOUT + "2 old replicas are pending termination...",
    ),
    ("figures as text count as none", {"replicas": "3"}, {"observedGeneration": 1}, 1, H, ""),
]

REPLICA_SETS = [
    ("all there", {"replicas": 2}, counts(2, 0, 2), 1, H, ""),
    ("none wanted", {"replicas": 0}, counts(0, 0, 0), 1, H, ""),
    (
        "not looked at yet",
        {"replicas": 2},
        counts(2, 0, 2),
        3,
        P,
        ROLLOUT + "observed replica set generation less than desired generation",
    ),
    (
        "too few",
        {"replicas": 2},
        counts(2, 0, 1),
        1,
        P,
        ROLLOUT + "1 out of 2 new replicas are available...",
    ),
    (
        "quota",
        {"replicas": 2},
        counts(1, 0, 1) | {"conditions": [condition("ReplicaFailure", message="exceeded quota")]},
        1,
        D,
        "exceeded quota",
    ),
    (
        "quota that is over",
        {"replicas": 2},
        counts(2, 0, 2) | {"conditions": [condition("ReplicaFailure", "False", message="past")]},
        1,
        H,
        "",
    ),
]


def sts(ready: int, updated: int, current: int, now: str = "web-1", new: str = "web-1") -> Status:
    return {
        "observedGeneration": 1,
        "readyReplicas": ready,
        "updatedReplicas": updated,
        "currentReplicas": current,
        "currentRevision": now,
        "updateRevision": new,
    }


def rolling(replicas: int, partition: int | None = None) -> Status:
    rule = {} if partition is None else {"partition": partition}
    return {
        "replicas": replicas,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rule},
    }


SPEC_UNSEEN = "Waiting for statefulset spec update to be observed..."
STATEFUL_SETS = [
    ("fresh", {"replicas": 3}, {}, 1, P, SPEC_UNSEEN),
    ("observed generation zero", {"replicas": 3}, {"observedGeneration": 0}, 0, P, SPEC_UNSEEN),
    ("not looked at yet", {"replicas": 3}, sts(3, 3, 3), 2, P, SPEC_UNSEEN),
    ("starting", {"replicas": 3}, sts(1, 3, 3), 1, P, "Waiting for 2 pods to be ready..."),
    (
        "complete",
        {"replicas": 3},
        sts(3, 3, 3),
        1,
        H,
        "statefulset rolling update complete 3 pods at revision web-1...",
    ),
    (
        "rolling",
        {"replicas": 3},
        sts(3, 1, 2, "web-1", "web-2"),
        1,
        P,
        "waiting for statefulset rolling update to complete 1 pods at revision web-2...",
    ),
    (
        "on delete",
        {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
        sts(3, 0, 3, "web-1", "web-2"),
        1,
        H,
        "statefulset has 3 ready pods",
    ),
    (
        "partition under way",
        rolling(3, 1),
        sts(3, 1, 2, "web-1", "web-2"),
        1,
        P,
        "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
    ),
    (
        "partition done",
        rolling(3, 1),
        sts(3, 2, 1, "web-1", "web-2"),
        1,
        H,
        "partitioned roll out complete: 2 new pods have been updated...",
    ),
    (
        "partition 0, as the server writes it",
        rolling(3, 0),
        sts(3, 2, 1, "web-1", "web-2"),
        1,
        P,
        "Waiting for partitioned roll out to finish: 2 out of 3 new pods have been updated...",
    ),
    (
        "no partition given",
        rolling(3),
        sts(3, 3, 3),
        1,
        H,
        "partitioned roll out complete: 3 new pods have been updated...",
    ),
]


def daemons(wanted: int, updated: int, available: int) -> Status:
    return {
        "observedGeneration": 1,
        "desiredNumberScheduled": wanted,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
    }


DAEMON_WAITS = 'Waiting for daemon set "web" rollout to finish: '
DAEMON_SETS = [
    ("on every node", {}, daemons(4, 4, 4), 1, H, ""),
    ("no node wants it", {}, daemons(0, 0, 0), 1, H, ""),
    (
        "not looked at yet",
        {},
        daemons(4, 4, 4),
        2,
        P,
        ROLLOUT + "observed daemon set generation less than desired generation",
    ),
    (
        "on delete",
        {"updateStrategy": {"type": "OnDelete"}},
        daemons(4, 1, 4),
        1,
        H,
        "daemon set 1 out of 4 new pods have been updated",
    ),
    (
        "rolling",
        {},
        daemons(4, 1, 4),
        1,
        P,
        DAEMON_WAITS + "1 out of 4 new pods have been updated...",
    ),
    (
        "not available",
        {},
        daemons(4, 4, 3),
        1,
        P,
        DAEMON_WAITS + "3 of 4 updated pods are available...",
    ),
]

BUDGETS: list[tuple[Any, ...]] = [
    ("no status", {}, None, 1, P, "Waiting for status"),
    ("no condition", {}, {"conditions": []}, 1, P, "Waiting for status"),
    (
        "enough",
        {},
        {"conditions": [condition("DisruptionAllowed", reason="SufficientPods")]},
        1,
        H,
        "PodDisruptionBudget has SufficientPods",
    ),
    (
        "too few pods is not a fault",
        {},
        {"conditions": [condition("DisruptionAllowed", "False", "InsufficientPods")]},
        1,
        H,
        "PodDisruptionBudget has InsufficientPods",
    ),
    (
        "sync failed",
        {},
        {"conditions": [condition("DisruptionAllowed", "False", "SyncFailed")]},
        1,
        D,
        "PodDisruptionBudget has SyncFailed",
    ),
]

TABLES: list[tuple[str, str, list[Any]]] = [
    ("Deployment", "apps/v1", DEPLOYMENTS),
    ("ReplicaSet", "apps/v1", REPLICA_SETS),
    ("StatefulSet", "apps/v1", STATEFUL_SETS),
    ("DaemonSet", "apps/v1", DAEMON_SETS),
    ("PodDisruptionBudget", "policy/v1", BUDGETS),
]
CASES = [
    pytest.param(
        made(kind, *row[1:3], generation=row[3], group=group), row[4:], id=f"{kind}: {row[0]}"
    )
    for kind, group, rows in TABLES
    for row in rows
]


@pytest.mark.parametrize(("obj", "expected"), CASES)
def test_workload(obj: Any, expected: tuple[HealthStatus, str]) -> None:
    assert assess(obj) == Health(*expected)
