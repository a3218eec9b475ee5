"""Rules of the kinds that lead traffic: Services, Ingresses, NetworkPolicies.

A rule gets the object and its path, and yields what is wrong.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fleet.embedded.sandbox.names import subdomain_problem
from fleet.embedded.sandbox.podrules import PORT_RANGE, Fields, Rule, duplicates
from fleet.embedded.sandbox.statuses import (
    Cause,
    duplicate_value,
    forbidden_field,
    invalid_value,
    required_field,
)

_NO_BLOCK: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def _service_spec(spec: Fields, path: str) -> Iterator[Cause]:
    ports, type_ = spec.get("ports") or (), spec["type"]
    headless = spec.get("clusterIP") == "None"
    if not ports and type_ != "ExternalName" and not headless:
        yield required_field(f"{path}.ports")
    if type_ == "ExternalName" and not spec.get("externalName"):
        yield required_field(f"{path}.externalName")
    for index, port in enumerate(ports):
        here = f"{path}.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield required_field(f"{here}.name")
        for name in ("port", "targetPort"):
            if isinstance(port[name], int) and not 0 < port[name] < 65536:
                yield invalid_value(f"{here}.{name}", port[name], PORT_RANGE)
        if port.get("nodePort") and type_ == "ClusterIP":
            why = "may not be used when `type` is 'ClusterIP'"
            yield forbidden_field(f"{here}.nodePort", why)
    yield from duplicates(ports, "name", f"{path}.ports")
    yield from _ports_twice(ports, f"{path}.ports")
    for index, block in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        if not _is_block(block.strip()):
            where = f"{path}.LoadBalancerSourceRanges[{index}]"
            yield invalid_value(where, block, _NO_BLOCK)
    if spec.get("externalTrafficPolicy") and type_ == "ClusterIP" and not spec.get("externalIPs"):
        why = "may only be set for externally-accessible services"
        yield invalid_value(f"{path}.externalTrafficPolicy", spec["externalTrafficPolicy"], why)
    address = spec.get("clusterIP")
    if address and not headless and not _is_address(address):
        yield invalid_value(f"{path}.clusterIPs[0]", address, "must be a valid IP address")


def _ports_twice(ports: Sequence[Fields], path: str) -> Iterator[Cause]:
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        protocol, number = key = (port.get("protocol"), port["port"])
        if key in seen:
            told = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
            yield duplicate_value(f"{path}[{index}]", {**told, "TargetPort": 0, "NodePort": 0})
        seen.add(key)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _endpoint_address(address: Fields, path: str) -> Iterator[Cause]:
    if address["ip"] and not _is_address(address["ip"]):
        yield invalid_value(f"{path}.ip", address["ip"], "must be a valid IP address")


def _is_block(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _ip_block(block: Fields, path: str) -> Iterator[Cause]:
    if block["cidr"] and not _is_block(block["cidr"]):
        yield invalid_value(f"{path}.cidr", block["cidr"], _NO_BLOCK)


def _ingress_spec(spec: Fields, path: str) -> Iterator[Cause]:
    if not spec.get("rules") and not spec.get("defaultBackend"):
        why = "either `defaultBackend` or `rules` must be specified"
        yield invalid_value(path, dict(spec) or None, why)
    if spec.get("defaultBackend") is not None:
        yield from _ingress_backend(spec["defaultBackend"], f"{path}.defaultBackend")


def _ingress_rule(rule: Fields, path: str) -> Iterator[Cause]:
    host = rule.get("host", "")
    if host and (problem := subdomain_problem(host.removeprefix("*."))):
        yield invalid_value(f"{path}.host", host, problem)


def _ingress_path(it: Fields, path: str) -> Iterator[Cause]:
    if not it.get("pathType"):
        yield required_field(f"{path}.pathType", "pathType must be specified")
        return  # before that is known, a real server looks no further
    if it["pathType"] != "ImplementationSpecific" and not it.get("path", "").startswith("/"):
        yield invalid_value(f"{path}.path", it.get("path", ""), "must be an absolute path")
    yield from _ingress_backend(it["backend"], f"{path}.backend")


def _ingress_backend(backend: Fields, path: str) -> Iterator[Cause]:
    service = backend.get("service")
    if service is None:
        if "resource" not in backend:
            yield invalid_value(path, "", "resource or service backend is required")
    elif not any((service.get("port") or {}).get(name) for name in ("name", "number")):
        yield required_field(path, "port name or number is required")


def _ingress_tls(tls: Fields, path: str) -> Iterator[Cause]:
    for index, host in enumerate(tls.get("hosts") or ()):
        if problem := subdomain_problem(host.removeprefix("*.")):
            yield invalid_value(f"{path}.hosts[{index}]", host, problem)


TRAFFIC_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "V1EndpointAddress": (_endpoint_address,),
    "V1HTTPIngressPath": (_ingress_path,),
    "V1IPBlock": (_ip_block,),
    "V1IngressRule": (_ingress_rule,),
    "V1IngressSpec": (_ingress_spec,),
    "V1IngressTLS": (_ingress_tls,),
    "V1ServiceSpec": (_service_spec,),
}
