"""Endpoints, addresses, volumes, autoscalers, budgets, namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.objects import Object
from fleet.model.health import HealthStatus
from tests.unit.embedded.sandbox.controllers.theatre import (
    Theatre,
    condition,
    knobs,
    made,
    template,
    workload,
)


def service(**spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return made("Service", "web", "v1", **{"selector": {"app": "web"}, "ports": ports, **spec})


def test_ready_pods_are_the_endpoints_of_a_service(theatre: Theatre) -> None:
    theatre.put(service())
    (found,) = theatre.all("EndpointSlice")
    assert not found["endpoints"]
    theatre.put(workload("Deployment", 2))
    theatre.wait(1)
    (found,) = theatre.all("EndpointSlice")
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    pods = {it["metadata"]["name"]: it["status"]["podIP"] for it in theatre.all("Pod")}
    assert {it["targetRef"]["name"]: it["addresses"][0] for it in found["endpoints"]} == pods
    assert all(it["conditions"]["ready"] for it in found["endpoints"])
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    (subset,) = theatre.get("Endpoints", "web")["subsets"]
    assert sorted(it["ip"] for it in subset["addresses"]) == sorted(pods.values())


def test_a_pod_that_fails_leaves_the_endpoints(theatre: Theatre) -> None:
    theatre.put(service())
    theatre.put(workload("Deployment", 1))
    theatre.wait(1)
    theatre.annotate("Pod", theatre.names("Pod")[0], fail="NotReady")
    (found,) = theatre.all("EndpointSlice")
    assert [it["conditions"]["ready"] for it in found["endpoints"]] == [False]
    (subset,) = theatre.get("Endpoints", "web")["subsets"]
    assert "addresses" not in subset
    theatre.change("Deployment", "web", replicas=0)
    (found,) = theatre.all("EndpointSlice")
    assert not found["endpoints"]
    assert "subsets" not in theatre.get("Endpoints", "web")


@pytest.mark.parametrize(
    "spec", [{"selector": None}, {"type": "ExternalName", "externalName": "shop.example"}]
)
def test_a_service_without_pods_has_no_endpoints(theatre: Theatre, spec: dict[str, Any]) -> None:
    theatre.put(service(**spec))
    assert theatre.all("EndpointSlice") == []


def ingress() -> Object:
    return made("Ingress", "web", "networking.k8s.io/v1", rules=[])


@pytest.mark.parametrize("obj", [service(type="LoadBalancer"), ingress()])
def test_an_address_is_given_after_a_moment(theatre: Theatre, obj: Object) -> None:
    theatre.put(obj)
    assert not theatre.status(obj["kind"], "web").get("loadBalancer")
    theatre.wait(1)
    (given,) = theatre.status(obj["kind"], "web")["loadBalancer"]["ingress"]
    assert given["ip"].startswith(("198.51.100.", "203.0.113."))
    assert theatre.health(obj["kind"]) is HealthStatus.HEALTHY


@pytest.mark.parametrize(("knob", "after"), [({"ready_after": "1m"}, 60), ({"fail": "yes"}, 0)])
def test_an_address_may_take_long_or_for_ever(
    theatre: Theatre, knob: dict[str, str], after: int
) -> None:
    theatre.put({**ingress(), "metadata": {"name": "web", **knobs(**knob)}})
    theatre.wait(59)
    assert not theatre.status("Ingress", "web").get("loadBalancer")
    theatre.wait(3600)
    assert bool(theatre.status("Ingress", "web").get("loadBalancer")) is bool(after)


def test_a_service_that_is_no_load_balancer_any_more_loses_its_address(theatre: Theatre) -> None:
    theatre.put(service(type="LoadBalancer"))
    theatre.wait(1)
    theatre.change("Service", "web", type="ClusterIP")
    assert theatre.status("Service", "web") == {"loadBalancer": {}}


def claim(name: str = "data", **spec: Any) -> Object:
    wanted = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": "standard",
    }
    return made("PersistentVolumeClaim", name, "v1", **{**wanted, **spec})


def test_a_claim_is_bound_to_a_volume_that_is_made_for_it(theatre: Theatre) -> None:
    found = theatre.put(claim())
    assert found["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "5Gi"},
    }
    volume = theatre.get("PersistentVolume", found["spec"]["volumeName"])
    assert volume["spec"]["claimRef"]["uid"] == found["metadata"]["uid"]
    assert volume["status"]["phase"] == "Bound"


def test_a_volume_goes_with_its_claim(theatre: Theatre) -> None:
    theatre.put(claim())
    theatre.remove("PersistentVolumeClaim", "data")
    assert theatre.all("PersistentVolume") == []


def test_a_volume_that_is_retained_is_released(theatre: Theatre) -> None:
    name = theatre.put(claim())["spec"]["volumeName"]
    theatre.change("PersistentVolume", name, persistentVolumeReclaimPolicy="Retain")
    theatre.remove("PersistentVolumeClaim", "data")
    assert theatre.status("PersistentVolume", name)["phase"] == "Released"


def test_a_claim_that_fails_stays_pending(theatre: Theatre) -> None:
    theatre.put({**claim(), "metadata": {"name": "data", **knobs(fail="yes")}})
    theatre.wait(3600)
    assert theatre.status("PersistentVolumeClaim", "data") == {"phase": "Pending"}
    theatre.annotate("PersistentVolumeClaim", "data", fail="")
    assert theatre.status("PersistentVolumeClaim", "data")["phase"] == "Bound"


def test_a_claim_on_a_volume_by_name_waits_for_it(theatre: Theatre) -> None:
    theatre.put(claim(volumeName="archive"))
    assert theatre.status("PersistentVolumeClaim", "data") == {"phase": "Pending"}
    spec = {"capacity": {"storage": "9Gi"}, "accessModes": ["ReadOnlyMany"]}
    theatre.put(made("PersistentVolume", "archive", "v1", **spec))
    assert theatre.status("PersistentVolumeClaim", "data")["capacity"] == {"storage": "9Gi"}
    theatre.put(claim("other", volumeName="archive"))
    assert theatre.status("PersistentVolumeClaim", "other") == {"phase": "Pending"}


def test_a_claim_in_use_is_kept_until_its_pod_is_gone(theatre: Theatre) -> None:
    found = theatre.put(claim())
    mount = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    wanted = template()
    wanted["spec"]["volumes"] = [mount]
    theatre.put({"apiVersion": "v1", "kind": "Pod", **wanted, "metadata": {"name": "web"}})
    metadata = {
        **found["metadata"],
        "finalizers": ["kubernetes.io/pvc-protection"],
        "deletionTimestamp": "2026-03-01T12:00:00Z",
    }
    theatre.put({**found, "metadata": metadata})
    assert theatre.names("PersistentVolumeClaim") == ["data"]
    theatre.remove("Pod", "web")
    assert theatre.names("PersistentVolumeClaim") == []
    assert theatre.names("PersistentVolume") == []


def autoscaler(low: int, high: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": 70}
    return made(
        "HorizontalPodAutoscaler",
        "web",
        "autoscaling/v2",
        scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        minReplicas=low,
        maxReplicas=high,
        metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    )


@pytest.mark.parametrize(("low", "high", "replicas"), [(1, 5, 3), (4, 8, 4), (1, 2, 2), (3, 3, 3)])
def test_an_autoscaler_keeps_its_target_within_bounds(
    theatre: Theatre, low: int, high: int, replicas: int
) -> None:
    theatre.put(workload("Deployment", 3))
    theatre.put(autoscaler(low, high))
    theatre.wait(2)
    assert theatre.get("Deployment", "web")["spec"]["replicas"] == replicas
    status = theatre.status("HorizontalPodAutoscaler", "web")
    assert (status["currentReplicas"], status["desiredReplicas"]) == (replicas, replicas)
    assert theatre.health("HorizontalPodAutoscaler") is HealthStatus.HEALTHY
    managers = theatre.get("Deployment", "web")["metadata"]["managedFields"]
    scaled = [it for it in managers if it.get("subresource") == "scale"]
    assert bool(scaled) is (replicas != 3)


def test_an_autoscaler_without_a_target_says_so(theatre: Theatre) -> None:
    theatre.put(autoscaler(1, 5))
    told = condition(theatre.status("HorizontalPodAutoscaler", "web"), "AbleToScale")
    assert (told["status"], told["reason"]) == ("False", "FailedGetScale")
    theatre.put(workload("Deployment", 0))
    told = condition(theatre.status("HorizontalPodAutoscaler", "web"), "ScalingActive")
    assert told["reason"] == "ScalingDisabled"


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 2, 2),
        ({"minAvailable": "75%"}, 3, 1),
        ({"maxUnavailable": 1}, 3, 1),
        ({"minAvailable": 4}, 4, 0),
    ],
)
def test_a_budget_counts_what_may_be_missed(
    theatre: Theatre, spec: dict[str, Any], desired: int, allowed: int
) -> None:
    selector = {"matchLabels": {"app": "web"}}
    theatre.put(made("PodDisruptionBudget", "web", "policy/v1", selector=selector, **spec))
    theatre.put(workload("Deployment", 4))
    theatre.wait(1)
    status = theatre.status("PodDisruptionBudget", "web")
    assert (status["expectedPods"], status["currentHealthy"]) == (4, 4)
    assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
    reason = condition(status, "DisruptionAllowed")["reason"]
    assert reason == ("SufficientPods" if allowed else "InsufficientPods")
