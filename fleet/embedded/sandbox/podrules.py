"""Rules within a pod's specification, wherever it stands: in a Pod or in a template.

A rule gets the object and its path, and yields what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from fleet.embedded.sandbox.names import label_causes, label_problem, subdomain_problem
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
_NO_ENV_NAME: Final = (
    "a valid environment variable name must consist only of printable ASCII characters other than"
    " '='"
)
_TWICE: Final = "may not have more than one field specified at a time"
#: What a volume may be, in the order in which an API server looks.
_VOLUME_SOURCES: Final = (
    "emptyDir", "hostPath", "secret", "nfs", "iscsi", "persistentVolumeClaim", "downwardAPI", "fc",
    "configMap", "projected", "ephemeral", "csi", "image",
)  # fmt: skip
_LARGEST_ID: Final = 2**31 - 1


def duplicates(items: Sequence[Fields], key: str, path: str) -> Iterator[Cause]:
    seen: set[Any] = set()
    for index, item in enumerate(items):
        value = item.get(key)
        if value and value in seen:
            yield duplicate_value(f"{path}[{index}].{key}", value)
        seen.add(value)


def _pod_spec(spec: Fields, path: str) -> Iterator[Cause]:
    containers, volumes = spec.get("containers") or [], spec.get("volumes") or []
    names = {volume["name"] for volume in volumes if not label_problem(volume["name"])}
    yield from duplicates(containers, "name", f"{path}.containers")
    taken = {it["name"] for it in containers}
    for index, container in enumerate(spec.get("initContainers") or ()):
        if container["name"] and container["name"] in taken:
            yield duplicate_value(f"{path}.initContainers[{index}].name", container["name"])
        taken.add(container["name"])
    yield from duplicates(volumes, "name", f"{path}.volumes")
    yield from _host_ports(containers, f"{path}.containers")
    for place in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(place) or ()):
            yield from _mounts(container, names, f"{path}.{place}[{index}].volumeMounts")
    yield from label_causes(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    account = spec.get("serviceAccountName")
    if account and (problem := subdomain_problem(account)):
        yield invalid_value(f"{path}.serviceAccountName", account, problem)
    if spec.get("dnsPolicy") == "None" and not spec.get("dnsConfig"):
        why = "must provide `dnsConfig` when `dnsPolicy` is None"
        yield required_field(f"{path}.dnsConfig", why)


def _mounts(container: Fields, volumes: set[Any], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        name, place = mount["name"], mount["mountPath"]
        if name and name not in volumes:
            shown = orjson.dumps(name).decode()
            yield Cause("FieldValueNotFound", f"Not found: {shown}", f"{path}[{index}].name")
        if place and place in seen:
            yield invalid_value(f"{path}[{index}].mountPath", place, "must be unique")
        seen.add(place)


def port_name_problems(name: str) -> Iterator[str]:
    """Why this is no name of a port, by RFC 6335."""
    if len(name) > 15:
        yield "must be no more than 15 characters"
    if not re.fullmatch("[-a-z0-9]+", name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search("[a-z]", name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
    if name.startswith("-") or name.endswith("-"):
        yield "must not begin or end with a hyphen"


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
    for field in ("limits", "requests"):
        for resource, wanted in (at(container, "resources", field) or {}).items():
            if amount(wanted) < 0:
                why = "must be greater than or equal to 0"
                yield invalid_value(f"{path}.resources.{field}[{resource}]", wanted, why)
    for probe in ("livenessProbe", "startupProbe"):
        if (times := at(container, probe, "successThreshold")) not in {None, 1}:
            yield invalid_value(f"{path}.{probe}.successThreshold", times, "must be 1")
    for resource, wanted in (at(container, "resources", "requests") or {}).items():
        if resource in limits and amount(wanted) > amount(limits[resource]):
            why = f"must be less than or equal to {resource} limit of {limits[resource]}"
            yield invalid_value(f"{path}.resources.requests", wanted, why)


def _env(variable: Fields, path: str) -> Iterator[Cause]:
    name, sources = variable["name"], variable.get("valueFrom")
    if name and ("=" in name or not (name.isascii() and name.isprintable())):
        yield invalid_value(f"{path}.name", name, _NO_ENV_NAME)
    if sources is None:
        return
    if variable.get("value"):
        why = "may not be specified when `value` is not empty"
        yield invalid_value(f"{path}.valueFrom", "", why)
    if len(sources) != 1:
        yield invalid_value(f"{path}.valueFrom", "", _TWICE if sources else _SOURCES)


def _env_from(source: Fields, path: str) -> Iterator[Cause]:
    """A list's causes stand at the list, as an API server tells them."""
    given = [name for name in ("configMapRef", "secretRef") if name in source]
    where = path.rpartition("[")[0]
    if not given:
        yield invalid_value(where, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(given) > 1:
        yield invalid_value(where, "", _TWICE)


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
    if name := port.get("name"):
        for problem in port_name_problems(name):
            yield invalid_value(f"{path}.name", name, problem)


def _probe(probe: Fields, path: str) -> Iterator[Cause]:
    handlers = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if name in probe]
    if not handlers:
        yield required_field(path, "must specify a handler type")
    for name in handlers[1:]:
        yield forbidden_field(f"{path}.{name}", "may not specify more than 1 handler type")
    for name in ("timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(name, 0) < 0:
            why = "must be greater than or equal to 0"
            yield invalid_value(f"{path}.{name}", probe[name], why)


def _action_port(action: Fields, path: str) -> Iterator[Cause]:
    port = action["port"]
    if isinstance(port, int) and not 0 < port < 65536:
        yield invalid_value(f"{path}.port", port, PORT_RANGE)
    elif isinstance(port, str):
        for problem in port_name_problems(port):
            yield invalid_value(f"{path}.port", port, problem)


def _volume(volume: Fields, path: str) -> Iterator[Cause]:
    if volume["name"] and (problem := label_problem(volume["name"])):
        yield invalid_value(f"{path}.name", volume["name"], problem)
    if "configMap" in volume and not volume["configMap"].get("name"):
        yield required_field(f"{path}.configMap.name")
    if "secret" in volume and not volume["secret"].get("secretName"):
        yield required_field(f"{path}.secret.secretName")
    if "hostPath" in volume and not volume["hostPath"].get("path"):
        yield required_field(f"{path}.hostPath.path")
    for second in [name for name in _VOLUME_SOURCES if name in volume][1:]:
        yield forbidden_field(f"{path}.{second}", "may not specify more than 1 volume type")


def _security(context: Fields, path: str) -> Iterator[Cause]:
    for name in ("runAsUser", "runAsGroup"):
        number = context.get(name, 0)
        if not 0 <= number <= _LARGEST_ID:
            why = f"must be between 0 and {_LARGEST_ID}, inclusive"
            yield invalid_value(f"{path}.{name}", number, why)
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        yield invalid_value(path, dict(context), why)


def _spread(constraint: Fields, path: str) -> Iterator[Cause]:
    if constraint["maxSkew"] <= 0:
        why = "must be greater than zero"
        yield invalid_value(f"{path}.maxSkew", constraint["maxSkew"], why)


def _toleration(toleration: Fields, path: str) -> Iterator[Cause]:
    operator = toleration.get("operator", "")
    if not toleration.get("key") and operator != "Exists":
        why = "operator must be Exists when `key` is empty"
        yield invalid_value(f"{path}.operator", operator, why)
    effect = toleration.get("effect", "")
    if "tolerationSeconds" in toleration and effect != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid_value(f"{path}.effect", effect, why)


def _node_requirement(it: Fields, path: str) -> Iterator[Cause]:
    operator, values = it["operator"], it.get("values") or ()
    if operator in {"In", "NotIn"} and not values:
        why = "must be specified when `operator` is 'In' or 'NotIn'"
        yield required_field(f"{path}.values", why)
    elif operator in {"Exists", "DoesNotExist"} and values:
        why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield forbidden_field(f"{path}.values", why)
    elif operator in {"Gt", "Lt"} and len(values) != 1:
        why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        yield required_field(f"{path}.values", why)
    elif operator not in {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}:
        yield invalid_value(f"{path}.operator", operator, "not a valid selector operator")


def _weight(term: Fields, path: str) -> Iterator[Cause]:
    if not 0 < term["weight"] <= 100:
        yield invalid_value(f"{path}.weight", term["weight"], "must be in the range 1-100")


def _exec(action: Fields, path: str) -> Iterator[Cause]:
    if not action.get("command"):
        yield required_field(f"{path}.command")


POD_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "V1Container": (_container,),
    "V1ContainerPort": (_container_port,),
    "V1EnvFromSource": (_env_from,),
    "V1EnvVar": (_env,),
    "V1ExecAction": (_exec,),
    "V1HTTPGetAction": (_action_port,),
    "V1NodeSelectorRequirement": (_node_requirement,),
    "V1PodSpec": (_pod_spec,),
    "V1PreferredSchedulingTerm": (_weight,),
    "V1Probe": (_probe,),
    "V1SecurityContext": (_security,),
    "V1TCPSocketAction": (_action_port,),
    "V1Toleration": (_toleration,),
    "V1TopologySpreadConstraint": (_spread,),
    "V1Volume": (_volume,),
    "V1WeightedPodAffinityTerm": (_weight,),
}
