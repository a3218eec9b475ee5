"""What objects are given when they are stored."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.objects import Object, with_meta
from tests.unit.embedded.sandbox.making import (
    CORE,
    POD,
    SELECTOR,
    changed,
    job,
    made,
    pod,
    service,
    template,
    workload,
)


def admit(obj: Object, before: Object | None = None, *others: Object) -> Object:
    kind = builtin_kind(obj["apiVersion"], obj["kind"])
    obj = with_meta(obj, uid="u-1")
    return admitted(
        obj, before, group=kind.group, plural=kind.plural, services=lambda: list(others)
    )


def test_a_service_is_given_an_address_and_keeps_it() -> None:
    first = admit(service({"port": 80}))
    assert first["spec"]["clusterIPs"] == [first["spec"]["clusterIP"]]
    assert first["spec"]["ipFamilies"] == ["IPv4"]
    again = admit(service({"port": 80}), None, first)
    assert again["spec"]["clusterIP"] != first["spec"]["clusterIP"]
    changed = admit(service({"port": 81}), first)
    assert changed["spec"]["clusterIP"] == first["spec"]["clusterIP"]
    external = admit(service(type="ExternalName", externalName="a.b"), first)
    assert "clusterIP" not in external["spec"]
    headless = admit(service({"port": 1}, clusterIP="None"))
    assert headless["spec"]["clusterIPs"] == ["None"]


def test_a_service_that_selects_nothing_may_have_both_families() -> None:
    spec = admit(service({"port": 1}, clusterIP="None"))["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")
    spec = admit(service({"port": 1}, clusterIP="None", selector={"a": "b"}))["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_a_volume_remembers_when_it_began() -> None:
    metadata = {"name": "v", "creationTimestamp": "2026-01-01T00:00:00Z"}
    volume = admit(made(CORE, "PersistentVolume", metadata=metadata))
    assert volume["status"] == {
        "phase": "Pending",
        "lastPhaseTransitionTime": "2026-01-01T00:00:00Z",
    }
    assert admit({**volume, "status": {"phase": "Pending"}}, volume) == volume


def test_node_ports_are_given_and_kept() -> None:
    first = admit(service({"port": 80}, type="NodePort"))
    (port,) = first["spec"]["ports"]
    assert 30000 <= port["nodePort"] < 32768
    assert admit(service({"port": 80}, type="NodePort"), first)["spec"]["ports"] == [port]
    other = admit(service({"port": 80}, type="NodePort"), None, first)
    assert other["spec"]["ports"][0]["nodePort"] != port["nodePort"]
    bare = admit(service({"port": 1}, type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert "nodePort" not in bare["spec"]["ports"][0]


def test_what_a_service_had_for_its_type_goes_with_it() -> None:
    first = admit(service({"port": 80}, type="LoadBalancer"))
    assert first["spec"]["externalTrafficPolicy"] == "Cluster"
    spec = {**first["spec"], "type": "ClusterIP"}
    now = admit({**first, "spec": spec}, first)["spec"]
    assert not {"externalTrafficPolicy", "allocateLoadBalancerNodePorts"} & now.keys()
    assert "nodePort" not in now["ports"][0]
    assert now["clusterIP"] == first["spec"]["clusterIP"]


def test_a_job_selects_its_own_pods() -> None:
    made_ = admit(job())
    labels = made_["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/controller-uid"] == "u-1"
    assert labels["a"] == "b"
    assert made_["spec"]["selector"] == {
        "matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}
    }
    assert made_["metadata"]["labels"] == labels
    mine = admit(job(manualSelector=True, selector=SELECTOR))
    assert mine["spec"]["selector"] == SELECTOR


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_a_pod_has_a_class(resources: Any, expected: str) -> None:
    assert admit(pod(resources=resources))["status"] == {
        "phase": "Pending",
        "qosClass": expected,
    }


def test_a_pod_tolerates_for_a_while_what_it_does_not_tolerate_already() -> None:
    spec = {**POD, "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]}
    found = admit(made(CORE, "Pod", spec=spec))["spec"]["tolerations"]
    assert [it["key"] for it in found] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    spec = {**POD, "tolerations": [{"operator": "Exists"}]}
    assert len(admit(made(CORE, "Pod", spec=spec))["spec"]["tolerations"]) == 1


def test_a_daemon_set_counts_its_templates() -> None:
    note = "deprecated.daemonset.template.generation"
    first = admit(workload("DaemonSet"))
    assert first["metadata"]["annotations"][note] == "1"
    assert admit(first, first)["metadata"]["annotations"][note] == "1"
    spec = {"template": template({**POD, "hostNetwork": True})}
    assert admit(changed(first, spec=spec), first)["metadata"]["annotations"][note] == "2"
