"""Events: what is told, by whom, how often, and how many are kept."""

from __future__ import annotations

import pytest

from fleet.embedded.sandbox.controllers.events import MOST
from fleet.embedded.sandbox.controllers.steps import Tell
from tests.unit.embedded.sandbox.controllers.theatre import Theatre, template, workload


def told(theatre: Theatre, kind: str) -> list[tuple[str, str, str]]:
    """Type, reason and message of the events about objects of a kind, as they came."""
    found = [it for it in theatre.all("Event") if it["involvedObject"]["kind"] == kind]
    found.sort(key=lambda it: int(it["metadata"]["resourceVersion"]))
    return [(it["type"], it["reason"], it["message"]) for it in found]


def test_a_pod_tells_where_it_is_and_that_it_started(theatre: Theatre) -> None:
    theatre.put(workload("ReplicaSet", 1))
    theatre.wait(1)
    (pod,) = theatre.all("Pod")
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    assert told(theatre, "Pod") == [
        ("Normal", "Scheduled", f"Successfully assigned shop/{name} to {node}"),
        ("Normal", "Started", "Container started"),
    ]


@pytest.mark.parametrize(
    ("failure", "reason", "message"),
    [
        ("ImagePullBackOff", "BackOff", 'Back-off pulling image "web:1"'),
        ("CreateContainerError", "Failed", "the container cannot be made"),
        ("CrashLoopBackOff", "BackOff", "back-off restarting failed container in pod "),
        ("Unschedulable", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu."),
    ],
)
def test_a_pod_tells_once_what_is_wrong(
    theatre: Theatre, failure: str, reason: str, message: str
) -> None:
    theatre.put(workload("ReplicaSet", 1, template=template(fail=failure)))
    theatre.wait(3600)
    (warning,) = [it for it in theatre.all("Event") if it["type"] == "Warning"]
    assert (warning["reason"], warning["count"]) == (reason, 1)
    assert warning["message"].startswith(message)


def test_a_deployment_tells_what_it_scales(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 2))
    theatre.wait(1)
    (name,) = theatre.names("ReplicaSet")
    theatre.change("Deployment", "web", replicas=1)
    assert [message for _, _, message in told(theatre, "Deployment")] == [
        f"Scaled up replica set {name} from 0 to 2",
        f"Scaled down replica set {name} from 2 to 1",
    ]


def test_the_same_words_are_counted(theatre: Theatre) -> None:
    pod = theatre.put(workload("ReplicaSet", 0))
    for _ in range(3):
        theatre.wait(60)
        theatre._world().tell(Tell(pod, "Odd", "again", "test"))
    (event,) = theatre.all("Event")
    assert event["count"] == 3
    assert event["firstTimestamp"] == "2026-03-01T12:01:00Z"
    assert event["lastTimestamp"] == "2026-03-01T12:03:00Z"
    assert event["source"] == {"component": "test"}


def test_the_oldest_go(theatre: Theatre) -> None:
    pod = theatre.put(workload("ReplicaSet", 0))
    for number in range(MOST + 5):
        theatre._world().tell(Tell(pod, "Odd", str(number), "test"))
    kept = {int(it["message"]) for it in theatre.all("Event")}
    assert kept == set(range(5, MOST + 5))
