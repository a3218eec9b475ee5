"""StatefulSet and DaemonSet: order, claims, nodes, updates, revisions."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.health import HealthStatus
from tests.unit.embedded.sandbox.controllers.theatre import Theatre, made, template, workload

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "2Gi"}},
    },
}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def images(theatre: Theatre) -> dict[str, str]:
    return {
        it["metadata"]["name"]: it["spec"]["containers"][0]["image"] for it in theatre.all("Pod")
    }


def database(replicas: int = 3, **spec: Any) -> Any:
    return workload(
        "StatefulSet", replicas, serviceName="web", **{"updateStrategy": ROLLING, **spec}
    )


def test_pods_come_one_after_the_other(theatre: Theatre) -> None:
    theatre.put(database())
    for count in (1, 2, 3):
        assert theatre.names("Pod") == [f"web-{it}" for it in range(count)]
        assert theatre.health("StatefulSet") is HealthStatus.PROGRESSING
        theatre.wait(1)
    assert theatre.health("StatefulSet") is HealthStatus.HEALTHY
    status = theatre.status("StatefulSet", "web")
    assert status["currentRevision"] == status["updateRevision"]
    assert status["currentReplicas"] == status["updatedReplicas"] == status["readyReplicas"] == 3
    pod = theatre.get("Pod", "web-2")
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "2"
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-2", "web")


def test_parallel_ones_come_at_once_from_where_they_start(theatre: Theatre) -> None:
    theatre.put(database(podManagementPolicy="Parallel", ordinals={"start": 5}))
    assert theatre.names("Pod") == ["web-5", "web-6", "web-7"]


def test_each_has_a_claim_that_outlives_it(theatre: Theatre) -> None:
    theatre.put(database(2, volumeClaimTemplates=[CLAIM]))
    theatre.wait(3)
    assert theatre.names("PersistentVolumeClaim") == ["data-web-0", "data-web-1"]
    claim = theatre.get("PersistentVolumeClaim", "data-web-0")
    assert claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "2Gi"}
    assert claim["metadata"]["labels"] == {"app": "web"}
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}} in theatre.get(
        "Pod", "web-0"
    )["spec"]["volumes"]
    theatre.change("StatefulSet", "web", replicas=0)
    theatre.wait(3)
    assert theatre.all("Pod") == []
    assert len(theatre.all("PersistentVolumeClaim")) == 2


def test_an_update_goes_from_the_highest_to_the_lowest(theatre: Theatre) -> None:
    theatre.put(database())
    theatre.wait(3)
    before = theatre.status("StatefulSet", "web")["currentRevision"]
    theatre.change("StatefulSet", "web", template=template("web:2"))
    seen = []
    for _ in range(4):
        seen.append([name for name, image in images(theatre).items() if image == "web:2"])
        theatre.wait(1)
    assert seen[:3] == [["web-2"], ["web-1", "web-2"], ["web-0", "web-1", "web-2"]]
    status = theatre.status("StatefulSet", "web")
    assert status["currentRevision"] == status["updateRevision"] != before
    assert [it["revision"] for it in theatre.all("ControllerRevision")] in ([1, 2], [2, 1])


def test_a_partition_keeps_the_lower_ones(theatre: Theatre) -> None:
    theatre.put(database())
    theatre.wait(3)
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    theatre.change("StatefulSet", "web", template=template("web:2"), updateStrategy=partition)
    theatre.wait(5)
    assert images(theatre) == {"web-0": "web:1", "web-1": "web:1", "web-2": "web:2"}
    theatre.remove("Pod", "web-0")
    theatre.wait(2)
    assert images(theatre)["web-0"] == "web:1"
    assert theatre.health("StatefulSet") is HealthStatus.HEALTHY


def test_on_delete_waits_for_somebody_to_delete(theatre: Theatre) -> None:
    theatre.put(database(1, updateStrategy={"type": "OnDelete"}))
    theatre.wait(1)
    theatre.change("StatefulSet", "web", template=template("web:2"))
    theatre.wait(5)
    assert images(theatre) == {"web-0": "web:1"}
    theatre.remove("Pod", "web-0")
    theatre.wait(1)
    assert images(theatre) == {"web-0": "web:2"}


def test_a_broken_update_stops_and_is_repaired_by_the_next(theatre: Theatre) -> None:
    theatre.put(database())
    theatre.wait(3)
    theatre.change("StatefulSet", "web", template=template("web:2", fail="ImagePullBackOff"))
    theatre.wait(30)
    assert images(theatre) == {"web-0": "web:1", "web-1": "web:1", "web-2": "web:2"}
    assert theatre.health("StatefulSet") is HealthStatus.PROGRESSING
    theatre.change("StatefulSet", "web", template=template("web:3"))
    theatre.wait(5)
    assert set(images(theatre).values()) == {"web:3"}


def test_a_daemon_runs_on_every_node_that_fits(theatre: Theatre) -> None:
    theatre.put(workload("DaemonSet"))
    theatre.wait(1)
    assert {it["spec"]["nodeName"] for it in theatre.all("Pod")} == set(theatre.names("Node"))
    status = theatre.status("DaemonSet", "web")
    assert status["desiredNumberScheduled"] == status["numberAvailable"] == 3
    assert theatre.health("DaemonSet") is HealthStatus.HEALTHY
    theatre.put(made("Node", "node-4", "v1"))
    theatre.wait(1)
    assert theatre.status("DaemonSet", "web")["numberReady"] == 4
    theatre.remove("Node", "node-4", "")
    theatre.wait(1)
    assert theatre.status("DaemonSet", "web")["numberReady"] == 3


def test_a_daemon_is_renewed_one_node_after_the_other(theatre: Theatre) -> None:
    theatre.put(workload("DaemonSet"))
    theatre.wait(1)
    theatre.change("DaemonSet", "web", template=template("web:2"))
    for updated in (1, 2, 3):
        status = theatre.status("DaemonSet", "web")
        assert (status["updatedNumberScheduled"], status["numberAvailable"]) == (updated, 2)
        theatre.wait(1)
    assert theatre.status("DaemonSet", "web")["numberAvailable"] == 3
    assert set(images(theatre).values()) == {"web:2"}


def test_a_daemon_for_other_nodes_runs_nowhere(theatre: Theatre) -> None:
    wanted = template()
    wanted["spec"]["nodeSelector"] = {"gpu": "true"}
    theatre.put(workload("DaemonSet", template=wanted))
    assert theatre.all("Pod") == []
    assert theatre.status("DaemonSet", "web")["desiredNumberScheduled"] == 0


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_revisions_are_kept_up_to_the_limit(theatre: Theatre, kind: str) -> None:
    theatre.put(workload(kind, 1, revisionHistoryLimit=1))
    for at in range(2, 6):
        theatre.wait(5)
        theatre.change(kind, "web", template=template(f"web:{at}"))
    theatre.wait(5)
    assert sorted(it["revision"] for it in theatre.all("ControllerRevision")) == [4, 5]
