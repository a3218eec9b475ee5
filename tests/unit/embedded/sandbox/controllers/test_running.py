"""The loop: what it costs to be idle, to fail, to be looked at twice, to come back."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.controllers.rules import RULES
from fleet.embedded.sandbox.controllers.running import Work
from fleet.embedded.sandbox.controllers.world import KINDS
from tests.unit.embedded.sandbox.controllers.theatre import (
    Theatre,
    cluster,
    made,
    template,
    workload,
)


def everything(theatre: Theatre) -> None:
    """At least one object of each kind that has a rule."""
    claims = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]
    theatre.put(workload("Deployment", 3))
    theatre.put(workload("StatefulSet", 2, "database", volumeClaimTemplates=claims))
    theatre.put(workload("DaemonSet", name="agent"))
    theatre.put(made("Job", "once", "batch/v1", template=template()))
    cron = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template()}}}
    theatre.put(made("CronJob", "yearly", "batch/v1", **cron, suspend=True))
    theatre.put(made("Service", "web", "v1", selector={"app": "web"}, type="LoadBalancer"))
    theatre.put(made("Ingress", "web", "networking.k8s.io/v1"))
    budget = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}
    theatre.put(made("PodDisruptionBudget", "web", "policy/v1", **budget))
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaling = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 5}
    theatre.put(made("HorizontalPodAutoscaler", "web", "autoscaling/v2", **scaling))


def test_a_world_at_rest_writes_nothing_and_waits_for_nothing(theatre: Theatre) -> None:
    everything(theatre)
    assert {it.kind.kind for it in theatre.written} >= set(RULES)
    theatre.wait(3600)
    version = theatre.store.version
    theatre.wait(24 * 3600)
    assert theatre.alarms == 0
    assert theatre.controllers.is_idle
    assert theatre.store.version == version


def test_looking_at_everything_again_changes_nothing(theatre: Theatre) -> None:
    everything(theatre)
    theatre.wait(3600)
    version = theatre.store.version
    theatre.controllers.detach(theatre.cluster)
    theatre.controllers.attach(theatre.cluster)
    theatre.settle()
    assert theatre.store.version == version


def test_a_store_that_was_kept_elsewhere_goes_on(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 3))
    other = cluster(theatre._schedule, lambda: theatre.now)
    kept = other.store
    for storage, key, entry in theatre.store.all_entries():
        kind = kept.kinds.stored(storage)
        assert kind is not None
        kept.load(kind, key, entry)
    theatre.controllers.attach(other)
    theatre.wait(1)
    found = kept.get(KINDS["Deployment"], "shop", "web")
    assert found is not None
    assert found["status"]["availableReplicas"] == 3


def test_a_cluster_that_is_left_alone_is_left_alone(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 1, template=template(ready_after="10s")))
    theatre.controllers.detach(theatre.cluster)
    version = theatre.store.version
    theatre.wait(3600)
    assert theatre.store.version == version


def test_a_rule_that_fails_stops_no_other(
    theatre: Theatre, caplog: pytest.LogCaptureFixture
) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "much%"}}
    broken = workload("Deployment", 1, "broken", strategy=rolling)
    with caplog.at_level(logging.ERROR):
        theatre.put(broken)
        theatre.put(workload("Deployment", 1))
        theatre.wait(1)
    assert "a rule for Deployment shop/broken failed" in caplog.text
    assert theatre.status("Deployment", "web")["availableReplicas"] == 1


def test_kinds_of_others_that_are_called_the_same_are_not_ours(theatre: Theatre) -> None:
    from dataclasses import replace

    from fleet.embedded.sandbox.kinds import BUILTIN

    service = next(it for it in BUILTIN if it.kind == "Service")
    theirs = replace(service, group="serving.example", storage=("serving.example", "services"))
    theatre.store.kinds.define([theirs], theirs)
    obj = made("Service", "web", "serving.example/v1", selector={"app": "web"})
    theatre.store.put(theirs, {**obj, "metadata": {"name": "web", "namespace": "shop"}})
    theatre.settle()
    assert theatre.all("EndpointSlice") == []


def test_work_is_done_in_portions(theatre: Theatre) -> None:
    calls: list[Any] = []
    controllers = Controllers(lambda _, call: calls.append(call), lambda: theatre.now)
    made = cluster(lambda *_: None, lambda: theatre.now)
    controllers.attach(made)
    for at in range(120):
        controllers._add(Work(made, "Pod", "shop", f"web-{at}"))
    assert len(calls) == 1
    turns = 0
    while calls:
        calls.pop()()
        turns += 1
    assert turns == 3
