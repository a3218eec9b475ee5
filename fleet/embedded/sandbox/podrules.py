"""Rules within a pod's specification, wherever it stands: in a Pod or in a template.

A rule gets the object and its path, and yields what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from fleet.embedded.sandbox.names import label_problem
from fleet.embedded.sandbox.objects import at
from fleet.embedded.sandbox.quantities import amount
from fleet.embedded.sandbox.statuses import (
    Cause,
    duplicate_value,
    forbidden_field,
    invalid_value,
    required_field,
)

Fields = Mapping[str, Any]
Rule = Callable[[Fields, str], Iterator[Cause]]

PORT_RANGE: Final = "must be between 1 and 65535, inclusive"
_SOURCES: Final = (
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or"
    " `fileKeyRef`"
)


def duplicates(items: Sequence[Fields], key: str, path: str) -> Iterator[Cause]:
    seen: set[Any] = set()
    for index, item in enumerate(items):
        value = item.get(key)
        if value and value in seen:
            yield duplicate_value(f"{path}[{index}].{key}", value)
        seen.add(value)


def _pod_spec(spec: Fields, path: str) -> Iterator[Cause]:
    containers, volumes = spec.get("containers") or [], spec.get("volumes") or []
    names = {volume["name"] for volume in volumes}
    yield from duplicates(containers, "name", f"{path}.containers")
    yield from duplicates(volumes, "name", f"{path}.volumes")
    yield from _host_ports(containers, f"{path}.containers")
    for place in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(place) or ()):
            here = f"{path}.{place}[{index}]"
            for number, mount in enumerate(container.get("volumeMounts") or ()):
                if mount["name"] and mount["name"] not in names:
                    shown = orjson.dumps(mount["name"]).decode()
                    where = f"{here}.volumeMounts[{number}].name"
                    yield Cause("FieldValueNotFound", f"Not found: {shown}", where)
    for index, volume in enumerate(volumes):
        if len(volume) > 2:
            why = "may not specify more than 1 volume type"
            yield forbidden_field(f"{path}.volumes[{index}].{sorted(volume)[-1]}", why)


def _container(container: Fields, path: str) -> Iterator[Cause]:
    name, image = container["name"], container.get("image", "")
    if name and (problem := label_problem(name)):
        yield invalid_value(f"{path}.name", name, problem)
    if not image:
        yield required_field(f"{path}.image")
    elif image != image.strip():
        yield invalid_value(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from duplicates(container.get("ports") or (), "name", f"{path}.ports")
    limits = at(container, "resources", "limits") or {}
    for resource, wanted in (at(container, "resources", "requests") or {}).items():
        if resource in limits and amount(wanted) > amount(limits[resource]):
            why = f"must be less than or equal to {resource} limit of {limits[resource]}"
            yield invalid_value(f"{path}.resources.requests", wanted, why)


def _env(variable: Fields, path: str) -> Iterator[Cause]:
    sources = variable.get("valueFrom")
    if sources is None:
        return
    if variable.get("value"):
        why = "may not be specified when `value` is not empty"
        yield invalid_value(f"{path}.valueFrom", "", why)
    if len(sources) != 1:
        why = "may not have more than one field specified at a time"
        yield invalid_value(f"{path}.valueFrom", "", why if sources else _SOURCES)


def _host_ports(containers: Sequence[Fields], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            place = f"{port['protocol']}/{port.get('hostIP', '')}/{port['hostPort']}"
            if place in seen:
                where = f"{path}[{index}].ports[{number}].hostPort"
                yield duplicate_value(where, place)
            seen.add(place)


def _container_port(port: Fields, path: str) -> Iterator[Cause]:
    number = port["containerPort"]
    if not number:
        yield required_field(f"{path}.containerPort")
    elif not 0 < number < 65536:
        yield invalid_value(f"{path}.containerPort", number, PORT_RANGE)


def _probe(probe: Fields, path: str) -> Iterator[Cause]:
    handlers = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if name in probe]
    if not handlers:
        yield required_field(path, "must specify a handler type")
    for name in handlers[1:]:
        yield forbidden_field(f"{path}.{name}", "may not specify more than 1 handler type")


def _action_port(action: Fields, path: str) -> Iterator[Cause]:
    port = action["port"]
    if isinstance(port, int) and not 0 < port < 65536:
        yield invalid_value(f"{path}.port", port, PORT_RANGE)


def _volume(volume: Fields, path: str) -> Iterator[Cause]:
    if volume["name"] and (problem := label_problem(volume["name"])):
        yield invalid_value(f"{path}.name", volume["name"], problem)
    if "configMap" in volume and not volume["configMap"].get("name"):
        yield required_field(f"{path}.configMap.name")
    if "secret" in volume and not volume["secret"].get("secretName"):
        yield required_field(f"{path}.secret.secretName")


def _spread(constraint: Fields, path: str) -> Iterator[Cause]:
    if constraint["maxSkew"] <= 0:
        why = "must be greater than zero"
        yield invalid_value(f"{path}.maxSkew", constraint["maxSkew"], why)


def _toleration(toleration: Fields, path: str) -> Iterator[Cause]:
    operator = toleration.get("operator", "")
    if not toleration.get("key") and operator != "Exists":
        why = "operator must be Exists when `key` is empty"
        yield invalid_value(f"{path}.operator", operator, why)


def _exec(action: Fields, path: str) -> Iterator[Cause]:
    if not action.get("command"):
        yield required_field(f"{path}.command")


POD_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "V1Container": (_container,),
    "V1ContainerPort": (_container_port,),
    "V1EnvVar": (_env,),
    "V1ExecAction": (_exec,),
    "V1HTTPGetAction": (_action_port,),
    "V1PodSpec": (_pod_spec,),
    "V1Probe": (_probe,),
    "V1TCPSocketAction": (_action_port,),
    "V1Toleration": (_toleration,),
    "V1TopologySpreadConstraint": (_spread,),
    "V1Volume": (_volume,),
}
