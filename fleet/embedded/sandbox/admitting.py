"""What an object gets when it is stored, after its writer's fields are counted: nobody owns this.

Addresses and ports of Services, the selector of a Job, the class and tolerations of a Pod.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from fleet.embedded.sandbox.objects import Object, at, meta_of, name_of, namespace_of, with_meta
from fleet.embedded.sandbox.quantities import amount

#: Addresses from 10.96.0.10 to 10.96.255.254, and ports, that Services are given.
_ADDRESSES: Final = range(10, 0xFFFF)
_NODE_PORTS: Final = range(30000, 32768)
_OPEN: Final = frozenset({"NodePort", "LoadBalancer"})
_GENERATION: Final = "deprecated.daemonset.template.generation"
_EVICTED_AFTER_SECONDS: Final = 300

#: All Services of the cluster, asked for only where an address or a port is to be found.
Services = Callable[[], Iterable[Object]]


def admitted(
    obj: Object, before: Object | None, *, group: str, plural: str, services: Services
) -> Object:
    """The object with what the API server adds to its kind.

    Args:
        obj: with defaults, and with its UID.
        before: what is stored now; None when the object is new.
    """
    if (group, plural) == ("", "services"):
        return _service(obj, before, services)
    rule = _RULES.get((group, plural))
    return rule(obj, before) if rule else obj


def _with_spec(obj: Object, **changes: Any) -> Object:
    spec = {**obj["spec"], **changes}
    return {**obj, "spec": {name: it for name, it in spec.items() if it is not None}}


def _free(key: str, choices: range, taken: Collection[int]) -> int:
    """One of ``choices``: the same for the same key, unless it is taken."""
    start = zlib.crc32(key.encode())
    return next(
        choice
        for step in range(len(choices))
        if (choice := choices[(start + step) % len(choices)]) not in taken
    )


def _service(obj: Object, before: Object | None, services: Services) -> Object:
    old = (before or {}).get("spec") or {}
    obj = _without_stale(obj, old)
    if obj["spec"]["type"] == "ExternalName":
        return _with_spec(
            obj, clusterIP=None, clusterIPs=None, ipFamilies=None, ipFamilyPolicy=None
        )
    address = obj["spec"].get("clusterIP") or old.get("clusterIP")
    if not address:
        taken = {_host(at(it, "spec", "clusterIP") or "") for it in services()}
        host = _free(f"{namespace_of(obj)}/{name_of(obj)}", _ADDRESSES, taken)
        address = f"10.96.{host >> 8}.{host & 0xFF}"
    families, policy = ["IPv6" if ":" in address else "IPv4"], "SingleStack"
    if address == "None" and not obj["spec"].get("selector"):
        families, policy = ["IPv4", "IPv6"], "RequireDualStack"
    spec = obj["spec"]
    made = _with_spec(
        obj,
        clusterIP=address,
        clusterIPs=spec.get("clusterIPs") or [address],
        ipFamilies=spec.get("ipFamilies") or old.get("ipFamilies") or families,
        ipFamilyPolicy=spec.get("ipFamilyPolicy") or old.get("ipFamilyPolicy") or policy,
    )
    return _with_node_ports(made, old, services)


def _without_stale(obj: Object, old: Mapping[str, Any]) -> Object:
    """Without what the Service had only for what it was: a type, an external address."""
    spec = obj["spec"]
    open_ = spec["type"] in _OPEN or bool(spec.get("externalIPs"))
    stale = {
        "externalTrafficPolicy": not open_,
        "allocateLoadBalancerNodePorts": spec["type"] != "LoadBalancer",
        "loadBalancerClass": spec["type"] != "LoadBalancer",
        "internalTrafficPolicy": spec["type"] == "ExternalName",
    }
    gone = {
        name: None
        for name, is_stale in stale.items()
        if is_stale and name in spec and spec[name] == old.get(name)
    }
    if old.get("type") in _OPEN and spec["type"] not in _OPEN:
        had = {it.get("nodePort") for it in old.get("ports") or ()}
        ports = [
            {name: it for name, it in port.items() if name != "nodePort" or it not in had}
            for port in spec.get("ports") or ()
        ]
        return _with_spec(obj, **gone, ports=ports or None)
    return _with_spec(obj, **gone) if gone else obj


def _host(address: str) -> int:
    """The part of a Service's address that is chosen; 0 for another address."""
    parts = address.split(".")
    return int(parts[2]) << 8 | int(parts[3]) if parts[:2] == ["10", "96"] else 0


def _with_node_ports(obj: Object, old: Mapping[str, Any], services: Services) -> Object:
    spec = obj["spec"]
    if spec["type"] not in _OPEN or spec.get("allocateLoadBalancerNodePorts") is False:
        return obj
    had = {(it["port"], it["protocol"]): it.get("nodePort") for it in old.get("ports") or ()}
    taken: set[int] | None = None
    ports = []
    for port in spec.get("ports") or ():
        number = port.get("nodePort") or had.get((port["port"], port["protocol"]))
        if not number:
            if taken is None:
                every = (it for service in services() for it in at(service, "spec", "ports") or ())
                taken = {it.get("nodePort", 0) for it in every}
            key = f"{namespace_of(obj)}/{name_of(obj)}:{port['port']}"
            number = _free(key, _NODE_PORTS, taken)
            taken.add(number)
        ports.append({**port, "nodePort": number})
    return _with_spec(obj, ports=ports or None)


def _pod(obj: Object, before: Object | None) -> Object:
    if before is not None:
        return obj
    spec = obj["spec"]
    tolerations = list(spec.get("tolerations") or ())
    for key in ("not-ready", "unreachable"):
        if not any(_tolerates(it, f"node.kubernetes.io/{key}") for it in tolerations):
            tolerations.append(
                {
                    "key": f"node.kubernetes.io/{key}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _EVICTED_AFTER_SECONDS,
                }
            )
    account = spec.get("serviceAccountName") or "default"
    obj = _with_spec(
        obj,
        tolerations=tolerations,
        priority=spec.get("priority", 0),
        preemptionPolicy=spec.get("preemptionPolicy", "PreemptLowerPriority"),
        serviceAccountName=account,
        serviceAccount=account,
    )
    return {**obj, "status": {**(obj.get("status") or {}), **_first_status(spec)}}


def _tolerates(toleration: Mapping[str, Any], key: str) -> bool:
    """Does a toleration cover that a node with this taint evicts?"""
    same_key = toleration.get("key", "") in {"", key}
    return same_key and toleration.get("effect", "") in {"", "NoExecute"}


def _first_status(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"phase": "Pending", "qosClass": qos_class(spec)}


def qos_class(spec: Mapping[str, Any]) -> str:
    """How a node treats a pod that is short of memory: by what its containers ask for."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    asked = [
        (resources.get("requests") or {}, resources.get("limits") or {})
        for resources in ((it.get("resources") or {}) for it in containers)
    ]
    names = ("cpu", "memory")
    if not any(name in part for both in asked for part in both for name in names):
        return "BestEffort"
    guaranteed = all(
        name in limits and amount(requests.get(name, limits[name])) == amount(limits[name])
        for requests, limits in asked
        for name in names
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _job(obj: Object, before: Object | None) -> Object:
    if before is not None or obj["spec"].get("manualSelector"):
        return obj
    uid, name = meta_of(obj)["uid"], name_of(obj)
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template = obj["spec"]["template"]
    metadata = template["metadata"]
    template = {
        **template,
        "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}},
    }
    selector = obj["spec"].get("selector") or {}
    only = {"batch.kubernetes.io/controller-uid": uid}
    selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **only}}
    obj = _with_spec(obj, template=template, selector=selector)
    # A job without labels of its own has those of its pods.
    own = meta_of(obj).get("labels")
    mine = own if own and own != metadata.get("labels") else template["metadata"]["labels"]
    return with_meta(obj, labels=mine)


def _daemon_set(obj: Object, before: Object | None) -> Object:
    generation = 1
    if before is not None:
        generation = int((meta_of(before).get("annotations") or {}).get(_GENERATION) or 1)
        generation += obj["spec"]["template"] != before["spec"]["template"]
    annotations = {**(meta_of(obj).get("annotations") or {}), _GENERATION: str(generation)}
    return with_meta(obj, annotations=annotations)


def _volume(obj: Object, before: Object | None) -> Object:
    status = obj.get("status") or {}
    if before is None:
        changed = meta_of(obj).get("creationTimestamp")
    else:
        changed = at(before, "status", "lastPhaseTransitionTime")
    if not changed or status.get("phase") != (at(before or obj, "status", "phase")):
        return obj
    return {**obj, "status": {**status, "lastPhaseTransitionTime": changed}}


_RULES: Final[Mapping[tuple[str, str], Callable[[Object, Object | None], Object]]] = {
    ("", "persistentvolumes"): _volume,
    ("", "pods"): _pod,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
}
