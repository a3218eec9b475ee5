"""Pods: what they say while they start, run, fail and end; what they wait for."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.controllers.pods import (
    CRASHES,
    NEVER_STARTS,
    NOT_READY,
    UNSCHEDULABLE,
    restarts_at,
)
from fleet.embedded.sandbox.controllers.world import KINDS
from fleet.embedded.sandbox.objects import Object
from fleet.model.health import HealthStatus
from tests.unit.embedded.sandbox.controllers.theatre import Theatre, condition, template

H, P, D = HealthStatus.HEALTHY, HealthStatus.PROGRESSING, HealthStatus.DEGRADED


def pod(restart: str = "Always", **annotations: str) -> Object:
    wanted = template(**annotations)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **wanted["metadata"]},
        "spec": {**wanted["spec"], "restartPolicy": restart},
        "status": {"phase": "Pending"},
    }


def container(theatre: Theatre) -> dict[str, Any]:
    (found,) = theatre.status("Pod", "web")["containerStatuses"]
    assert isinstance(found, dict)
    return found


def test_it_is_placed_created_and_ready(theatre: Theatre) -> None:
    theatre.put(pod(ready_after="5s"))
    assert theatre.get("Pod", "web")["spec"]["nodeName"] in theatre.names("Node")
    assert container(theatre)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    theatre.wait(4)
    assert theatre.status("Pod", "web")["phase"] == "Pending"
    theatre.wait(1)
    status = theatre.status("Pod", "web")
    assert (status["phase"], container(theatre)["ready"]) == ("Running", True)
    assert condition(status, "Ready")["lastTransitionTime"] == "2026-03-01T12:00:05Z"
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert theatre.health("Pod") is H


def test_the_kubelet_owns_the_status(theatre: Theatre) -> None:
    theatre.put(pod())
    theatre.wait(1)
    entries = theatre.get("Pod", "web")["metadata"]["managedFields"]
    shown = [(it["manager"], it["operation"], it.get("subresource", "")) for it in entries]
    assert shown == [("test", "Update", ""), ("kubelet", "Update", "status")]


@pytest.mark.parametrize(
    ("failure", "phase", "reason", "restarts", "verdict"),
    [
        ("ImagePullBackOff", "Pending", "ImagePullBackOff", 0, D),
        ("ErrImagePull", "Pending", "ErrImagePull", 0, D),
        ("InvalidImageName", "Pending", "InvalidImageName", 0, P),
        ("CreateContainerConfigError", "Pending", "CreateContainerConfigError", 0, D),
        ("CreateContainerError", "Pending", "CreateContainerError", 0, D),
        ("RunContainerError", "Pending", "RunContainerError", 0, D),
        ("CrashLoopBackOff", "Running", "CrashLoopBackOff", 1, D),
        ("Error", "Running", "CrashLoopBackOff", 1, D),
        ("OOMKilled", "Running", "CrashLoopBackOff", 1, D),
        ("NotReady", "Running", "", 0, P),
    ],
)
def test_what_goes_wrong_is_told_as_a_kubelet_tells_it(
    theatre: Theatre, failure: str, phase: str, reason: str, restarts: int, verdict: HealthStatus
) -> None:
    theatre.put(pod(fail=failure))
    theatre.wait(1)
    shown = container(theatre)
    assert theatre.status("Pod", "web")["phase"] == phase
    assert shown["state"].get("waiting", {}).get("reason", "") == reason
    assert shown["restartCount"] == restarts
    assert not shown["ready"]
    assert condition(theatre.status("Pod", "web"), "Ready")["status"] == "False"
    assert theatre.health("Pod") is verdict


@pytest.mark.parametrize("failure", [*NEVER_STARTS, *CRASHES, UNSCHEDULABLE, NOT_READY])
def test_no_failure_is_ready(theatre: Theatre, failure: str) -> None:
    theatre.put(pod(fail=failure))
    theatre.wait(1)
    conditions = {it["type"]: it["status"] for it in theatre.status("Pod", "web")["conditions"]}
    assert conditions.get("Ready", "False") == "False"
    assert "False" in conditions.values()


def test_a_crash_is_restarted_with_growing_pauses(theatre: Theatre) -> None:
    theatre.put(pod(fail="OOMKilled", ready_after="0s"))
    for seconds, restarts in ((9, 1), (1, 2), (19, 2), (1, 3)):
        theatre.wait(seconds)
        assert container(theatre)["restartCount"] == restarts
    ended = container(theatre)["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


@pytest.mark.parametrize(
    ("age", "restarts", "left"),
    [
        (0, 1, 10),
        (10, 2, 20),
        (30, 3, 40),
        (70, 4, 80),
        (150, 5, 160),
        (310, 6, 300),
        (609, 6, 1),
        (610, 7, 300),
        (910, 8, 300),
        (1000, 8, 210),
    ],
)
def test_pauses_between_restarts(age: int, restarts: int, left: int) -> None:
    assert restarts_at(age) == (restarts, left)


def test_one_that_heals_becomes_ready(theatre: Theatre) -> None:
    theatre.put(pod(fail="CrashLoopBackOff"))
    theatre.wait(5)
    theatre.annotate("Pod", "web", fail="")
    assert theatre.health("Pod") is H


@pytest.mark.parametrize(("failure", "phase"), [("", "Succeeded"), ("Error", "Failed")])
def test_one_that_is_not_restarted_ends(theatre: Theatre, failure: str, phase: str) -> None:
    theatre.put(pod("Never", run_for="3s", fail=failure))
    theatre.wait(3.9)
    theatre.wait(0.1)
    status = theatre.status("Pod", "web")
    assert status["phase"] == phase
    assert container(theatre)["state"]["terminated"]["exitCode"] == (1 if failure else 0)
    written = len(theatre.written)
    theatre.wait(3600)
    assert len(theatre.written) == written


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nodeSelector": {"disk": "fast"}}, "didn't match Pod's node affinity/selector"),
        (
            {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
            "unbound immediate PersistentVolumeClaims",
        ),
    ],
)
def test_one_that_fits_nowhere_is_not_scheduled(
    theatre: Theatre, change: dict[str, Any], told: str
) -> None:
    wanted = pod()
    theatre.put({**wanted, "spec": {**wanted["spec"], **change}})
    scheduled = condition(theatre.status("Pod", "web"), "PodScheduled")
    assert scheduled["reason"] == "Unschedulable"
    assert told in scheduled["message"]
    assert scheduled["message"].startswith("0/3 nodes are available: ")


def test_the_environment_must_be_there(theatre: Theatre) -> None:
    wanted = pod()
    wanted["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "web"}},
        {"secretRef": {"name": "extra", "optional": True}},
    ]
    theatre.put(wanted)
    waiting = container(theatre)["state"]["waiting"]
    assert waiting == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "web" not found',
    }
    theatre.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}})
    theatre.wait(1)
    assert theatre.health("Pod") is H


def test_one_that_runs_does_not_notice_that_its_environment_went(theatre: Theatre) -> None:
    theatre.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}})
    wanted = pod()
    wanted["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "web"}}]
    theatre.put(wanted)
    theatre.wait(1)
    theatre.remove("ConfigMap", "web")
    theatre.annotate("Pod", "web", ready_after="2s")
    assert theatre.health("Pod") is H


def test_a_volume_that_is_missing_keeps_it_from_being_made(theatre: Theatre) -> None:
    wanted = pod()
    wanted["spec"]["volumes"] = [{"name": "key", "secret": {"secretName": "key"}}]
    theatre.put(wanted)
    theatre.wait(60)
    assert container(theatre)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    theatre.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}})
    assert theatre.health("Pod") is H


def test_init_containers_run_before(theatre: Theatre) -> None:
    wanted = pod()
    wanted["spec"]["initContainers"] = [{"name": "migrate", "image": "web:1"}]
    theatre.put(wanted)
    (init,) = theatre.status("Pod", "web")["initContainerStatuses"]
    assert init["state"] == {"waiting": {"reason": "PodInitializing"}}
    theatre.wait(1)
    (init,) = theatre.status("Pod", "web")["initContainerStatuses"]
    assert init["state"]["terminated"]["reason"] == "Completed"


def test_one_that_is_to_go_goes(theatre: Theatre) -> None:
    found = theatre.put(pod())
    ending = {**found["metadata"], "deletionTimestamp": "2026-03-01T12:00:30Z"}
    theatre.store.put(KINDS["Pod"], {**found, "metadata": ending})
    theatre.settle()
    assert theatre.all("Pod") == []
