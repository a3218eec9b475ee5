"""Service: its endpoints, and for a load balancer an address; Ingress: an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.controllers import knobs
from fleet.embedded.sandbox.controllers.making import digest, made, number
from fleet.embedded.sandbox.controllers.reading import (
    has_ended,
    is_ending,
    is_pod_ready,
    is_true,
    spec_of,
    status_of,
    uid_of,
)
from fleet.embedded.sandbox.controllers.steps import CLOUD, Later, Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, labels_of, name_of, namespace_of

ADDRESS_SECONDS = 1.0
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
LEGACY = "endpoints.kubernetes.io/managed-by"


def service(obj: Object, seen: Seen) -> Iterator[Step]:
    """Publish the Pods that it selects, and give it an address if it asks for one."""
    if is_ending(obj):
        return
    spec = spec_of(obj)
    if spec.get("selector") and spec.get("type") != "ExternalName":
        pods = [it for it in seen.list("Pod", namespace_of(obj)) if _backs(obj, it)]
        yield Write(_slice(obj, pods))
        yield Write(_endpoints(obj, pods), manager="endpoint-controller")
    if spec.get("type") == "LoadBalancer":
        yield from _addressed(obj, seen, "198.51.100", {"ipMode": "VIP"})
    elif (status_of(obj).get("loadBalancer") or {}).get("ingress"):
        yield Write({**obj, "status": {"loadBalancer": {}}}, CLOUD, "status")


def ingress(obj: Object, seen: Seen) -> Iterator[Step]:
    """Give it the address of a controller that is not there."""
    if not is_ending(obj):
        yield from _addressed(obj, seen, "203.0.113", {})


def _addressed(obj: Object, seen: Seen, network: str, more: Mapping[str, str]) -> Iterator[Step]:
    """An address of a documentation block, a moment after the object was made."""
    if knobs.failure(obj) or (status_of(obj).get("loadBalancer") or {}).get("ingress"):
        return
    left = knobs.ready_in(obj, ADDRESS_SECONDS, seen.now)
    if left > 0:
        yield Later(left)
        return
    address = {"ip": f"{network}.{1 + number(uid_of(obj), 254)}", **more}
    status = {**status_of(obj), "loadBalancer": {"ingress": [address]}}
    yield Write({**obj, "status": status}, CLOUD, "status")


def _backs(obj: Object, pod: Object) -> bool:
    wanted = spec_of(obj)["selector"]
    has_address = bool(status_of(pod).get("podIP"))
    return has_address and not has_ended(pod) and wanted.items() <= labels_of(pod).items()


def _slice(obj: Object, pods: Sequence[Object]) -> Object:
    labels = {
        **labels_of(obj),
        MANAGED_BY: "endpointslice-controller.k8s.io",
        SERVICE_NAME: name_of(obj),
        **({"service.kubernetes.io/headless": ""} if _is_headless(obj) else {}),
    }
    return made(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"{name_of(obj)}-{digest(uid_of(obj), length=5)}",
        owner=obj,
        labels=labels,
        addressType="IPv4",
        endpoints=[_endpoint(obj, it) for it in pods],
        ports=[_port(it, pods) for it in spec_of(obj).get("ports") or ()],
    )


def _is_headless(obj: Object) -> bool:
    return spec_of(obj).get("clusterIP") == "None"


def _endpoint(obj: Object, pod: Object) -> dict[str, Any]:
    ready = is_pod_ready(pod) or bool(spec_of(obj).get("publishNotReadyAddresses"))
    shown = {
        "addresses": [status_of(pod)["podIP"]],
        "conditions": {
            "ready": ready,
            "serving": is_true(pod, "Ready"),
            "terminating": is_ending(pod),
        },
        "nodeName": spec_of(pod).get("nodeName"),
        "targetRef": _target(pod),
    }
    if spec_of(pod).get("hostname"):
        shown["hostname"] = spec_of(pod)["hostname"]
    return shown


def _target(pod: Object) -> dict[str, str]:
    return {
        "kind": "Pod",
        "namespace": namespace_of(pod),
        "name": name_of(pod),
        "uid": uid_of(pod),
    }


def _port(port: Mapping[str, Any], pods: Sequence[Object]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": port.get("name", ""),
        "protocol": port.get("protocol", "TCP"),
        "port": _number(port, pods),
    }
    if "appProtocol" in port:
        shown["appProtocol"] = port["appProtocol"]
    return {key: it for key, it in shown.items() if it is not None}


def _number(port: Mapping[str, Any], pods: Sequence[Object]) -> int | None:
    """A port that is given by name is the one that a container calls so."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    named = (
        found.get("containerPort")
        for pod in pods
        for container in spec_of(pod).get("containers") or ()
        for found in container.get("ports") or ()
        if found.get("name") == target
    )
    return next(named, None)


def _endpoints(obj: Object, pods: Sequence[Object]) -> Object:
    """The older form of the same."""
    ports = [_port(it, pods) for it in spec_of(obj).get("ports") or ()]
    shown = [{key: it for key, it in each.items() if it != ""} for each in ports if "port" in each]
    groups = {
        "addresses": [_address(it) for it in pods if is_pod_ready(it)],
        "notReadyAddresses": [_address(it) for it in pods if not is_pod_ready(it)],
    }
    subset = {key: it for key, it in groups.items() if it}
    labels = {**labels_of(obj), LEGACY: "endpoint-controller"}
    made_now = made("v1", "Endpoints", name_of(obj), namespace=namespace_of(obj), labels=labels)
    if not subset:
        return made_now
    return {**made_now, "subsets": [{**subset, **({"ports": shown} if shown else {})}]}


def _address(pod: Object) -> dict[str, Any]:
    return {
        "ip": status_of(pod)["podIP"],
        "nodeName": spec_of(pod).get("nodeName"),
        "targetRef": _target(pod),
    }
