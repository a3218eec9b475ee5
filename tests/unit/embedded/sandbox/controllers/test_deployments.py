"""Deployment → ReplicaSet → Pods: the way there, the way between templates, and failures."""

from __future__ import annotations

import pytest

from fleet.model.health import HealthStatus
from tests.unit.embedded.sandbox.controllers.theatre import Theatre, condition, template, workload

REVISION = "deployment.kubernetes.io/revision"


def test_it_becomes_available_after_a_moment(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 3))
    (made,) = theatre.all("ReplicaSet")
    assert made["metadata"]["name"].startswith("web-")
    assert made["metadata"]["annotations"][REVISION] == "1"
    assert len(theatre.all("Pod")) == 3
    status = theatre.status("Deployment", "web")
    assert (status["replicas"], status["unavailableReplicas"]) == (3, 3)
    assert condition(status, "Available")["reason"] == "MinimumReplicasUnavailable"
    assert theatre.health("Deployment") is HealthStatus.PROGRESSING

    theatre.wait(1)
    status = theatre.status("Deployment", "web")
    assert status["availableReplicas"] == status["readyReplicas"] == status["updatedReplicas"] == 3
    assert "unavailableReplicas" not in status
    assert condition(status, "Available")["status"] == "True"
    assert condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert theatre.health("Deployment") is HealthStatus.HEALTHY
    assert theatre.get("Deployment", "web")["metadata"]["annotations"][REVISION] == "1"


def test_pods_carry_the_hash_of_their_template(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 1))
    (made,), (pod,) = theatre.all("ReplicaSet"), theatre.all("Pod")
    hash = made["metadata"]["labels"]["pod-template-hash"]
    assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": hash}
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": hash}
    assert pod["metadata"]["generateName"] == f"web-{hash}-"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]


def test_a_new_template_is_rolled_out_within_surge_and_unavailable(theatre: Theatre) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    theatre.put(workload("Deployment", 3, strategy=rolling))
    theatre.wait(1)
    first = theatre.names("ReplicaSet")
    theatre.change("Deployment", "web", template=template("web:2"))
    (second,) = set(theatre.names("ReplicaSet")) - set(first)
    for _ in range(8):
        status = theatre.status("Deployment", "web")
        assert status["replicas"] <= 4
        assert status["availableReplicas"] >= 3
        theatre.wait(1)
    assert theatre.health("Deployment") is HealthStatus.HEALTHY
    assert {it["spec"]["containers"][0]["image"] for it in theatre.all("Pod")} == {"web:2"}
    assert theatre.get("ReplicaSet", first[0])["spec"]["replicas"] == 0
    assert theatre.get("ReplicaSet", second)["metadata"]["annotations"][REVISION] == "2"
    assert theatre.get("Deployment", "web")["metadata"]["annotations"][REVISION] == "2"


def test_recreate_begins_when_the_old_pods_are_gone(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 2, strategy={"type": "Recreate"}))
    theatre.wait(1)
    old = set(theatre.names("Pod"))
    theatre.change("Deployment", "web", template=template("web:2"))
    theatre.wait(2)
    assert not old & set(theatre.names("Pod"))
    assert theatre.health("Deployment") is HealthStatus.HEALTHY


def test_a_template_that_comes_back_is_the_newest_again(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 1))
    theatre.wait(2)
    theatre.change("Deployment", "web", template=template("web:2"))
    theatre.wait(3)
    theatre.change("Deployment", "web", template=template())
    theatre.wait(3)
    assert len(theatre.all("ReplicaSet")) == 2
    assert theatre.get("Deployment", "web")["metadata"]["annotations"][REVISION] == "3"
    assert {it["spec"]["containers"][0]["image"] for it in theatre.all("Pod")} == {"web:1"}


def test_old_sets_are_kept_up_to_the_limit(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 1, revisionHistoryLimit=1))
    for at in range(2, 5):
        theatre.wait(3)
        theatre.change("Deployment", "web", template=template(f"web:{at}"))
    theatre.wait(3)
    kept = [it["metadata"]["annotations"][REVISION] for it in theatre.all("ReplicaSet")]
    assert sorted(kept) == ["3", "4"]


def test_scaling_needs_no_new_set(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 1))
    theatre.wait(1)
    theatre.change("Deployment", "web", replicas=4)
    theatre.wait(1)
    assert len(theatre.all("Pod")) == 4
    theatre.change("Deployment", "web", replicas=0)
    assert theatre.all("Pod") == []
    assert len(theatre.all("ReplicaSet")) == 1
    assert theatre.health("Deployment") is HealthStatus.HEALTHY


def test_a_paused_one_keeps_its_template_and_still_scales(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 1))
    theatre.wait(1)
    theatre.change("Deployment", "web", paused=True, template=template("web:2"), replicas=2)
    theatre.wait(2)
    assert len(theatre.all("ReplicaSet")) == 1
    assert [it["spec"]["containers"][0]["image"] for it in theatre.all("Pod")] == ["web:1"] * 2
    status = theatre.status("Deployment", "web")
    assert condition(status, "Progressing")["reason"] == "DeploymentPaused"
    assert theatre.health("Deployment") is HealthStatus.SUSPENDED
    theatre.change("Deployment", "web", paused=False)
    theatre.wait(3)
    assert {it["spec"]["containers"][0]["image"] for it in theatre.all("Pod")} == {"web:2"}
    assert theatre.health("Deployment") is HealthStatus.HEALTHY


def test_a_rollout_that_stands_still_exceeds_its_deadline(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 3))
    theatre.wait(1)
    bad = template("web:2", fail="ImagePullBackOff")
    theatre.change("Deployment", "web", template=bad, progressDeadlineSeconds=60)
    theatre.wait(59)
    status = theatre.status("Deployment", "web")
    assert status["availableReplicas"] >= 2
    assert condition(status, "Progressing")["status"] == "True"
    theatre.wait(5)
    late = condition(theatre.status("Deployment", "web"), "Progressing")
    assert (late["status"], late["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert theatre.health("Deployment") is HealthStatus.DEGRADED
    theatre.wait(600)
    assert theatre.alarms == 0

    theatre.change("Deployment", "web", template=template("web:3"))
    theatre.wait(5)
    assert theatre.health("Deployment") is HealthStatus.HEALTHY


def test_a_pod_that_fails_later_is_no_rollout(theatre: Theatre) -> None:
    theatre.put(workload("Deployment", 2))
    theatre.wait(1)
    theatre.annotate("Pod", theatre.names("Pod")[0], fail="NotReady")
    status = theatre.status("Deployment", "web")
    assert status["availableReplicas"] == 1
    assert condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    theatre.wait(700)
    status = theatre.status("Deployment", "web")
    assert condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_missing_service_account_is_told_and_waited_for(theatre: Theatre) -> None:
    wanted = template()
    wanted["spec"]["serviceAccountName"] = "api"
    theatre.put(workload("Deployment", 1, template=wanted))
    assert theatre.all("Pod") == []
    told = condition(theatre.status("Deployment", "web"), "ReplicaFailure")
    assert told["reason"] == "FailedCreate"
    assert 'serviceaccount "api" not found' in told["message"]
    theatre.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "api"}})
    theatre.wait(1)
    assert theatre.health("Deployment") is HealthStatus.HEALTHY
    conditions = theatre.status("Deployment", "web")["conditions"]
    assert "ReplicaFailure" not in [it["type"] for it in conditions]


def test_pods_without_an_owner_are_adopted(theatre: Theatre) -> None:
    theatre.put(workload("ReplicaSet", 1))
    (pod,) = theatre.all("Pod")
    theatre.put({**pod, "metadata": {**pod["metadata"], "ownerReferences": []}})
    (again,) = theatre.all("Pod")
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    assert again["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


@pytest.mark.parametrize("seconds", [5, 30])
def test_min_ready_seconds_are_waited_for(theatre: Theatre, seconds: int) -> None:
    theatre.put(workload("Deployment", 1, minReadySeconds=seconds))
    theatre.wait(seconds)
    assert theatre.status("Deployment", "web")["readyReplicas"] == 1
    assert "availableReplicas" not in theatre.status("Deployment", "web")
    theatre.wait(1)
    assert theatre.status("Deployment", "web")["availableReplicas"] == 1
