"""The columns of kubectl's tables, kind by kind, as the real server has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from fleet.embedded.sandbox import cells
from fleet.embedded.sandbox.cells import NONE, UNSET
from fleet.embedded.sandbox.objects import at, controller_of, true_conditions

Cell = Callable[[Mapping[str, Any], datetime], Any]


class Column(NamedTuple):
    """One column. With ``priority`` 1 it is shown by ``-o wide`` alone."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


def _text(path: str, default: Any = "") -> Cell:
    parts = path.split(".")

    def found(obj: Mapping[str, Any], _: datetime) -> Any:
        value = at(obj, *parts)
        return default if value is None or value == "" else value

    return found


def _count(*path: str) -> Cell:
    return lambda obj, _: len(at(obj, *path) or ())


def _said(path: str, default: str = NONE) -> Cell:
    """A value as text."""
    value = _text(path, default)
    return lambda obj, now: str(value(obj, now))


def _truth(path: str, default: str = "false") -> Cell:
    value = _text(path, default)
    return lambda obj, now: str(value(obj, now)).lower()


def _ratio(have: str, want: str) -> Cell:
    first, second = _text(have, 0), _text(want, 0)
    return lambda obj, now: f"{first(obj, now)}/{second(obj, now)}"


def _selector(*path: str) -> Cell:
    return lambda obj, _: cells.selector(at(obj, *path))


def _pairs(*path: str) -> Cell:
    return lambda obj, _: cells.pairs(at(obj, *path))


def _wide(name: str, cell: Cell) -> Column:
    return Column(name, cell, priority=1)


def _number(name: str, path: str) -> Column:
    return Column(name, _text(path, 0), "integer")


NAME = Column("Name", _text("metadata.name"), format="name")
AGE = Column("Age", cells.age)
CREATED_AT = Column("Created At", _text("metadata.creationTimestamp"), "date")
_TEMPLATE = ("spec", "template", "spec")
_PARTS = (
    _wide("Containers", cells.containers(*_TEMPLATE)),
    _wide("Images", cells.images(*_TEMPLATE)),
)
_SELECTED = _wide("Selector", _selector("spec", "selector"))
_CRON = ("spec", "jobTemplate", "spec", "template", "spec")
_DATA = Column("Data", lambda obj, _: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()))
_BINDING = (
    NAME,
    Column("Role", lambda obj, _: f"{at(obj, 'roleRef', 'kind')}/{at(obj, 'roleRef', 'name')}"),
    AGE,
    _wide("Users", cells.subjects("User")),
    _wide("Groups", cells.subjects("Group")),
    _wide("ServiceAccounts", cells.subjects("ServiceAccount")),
)


def _modes(*path: str) -> Column:
    return Column("Access Modes", lambda obj, _: cells.modes(obj, path))


def _claim(obj: Mapping[str, Any], _: datetime) -> str:
    ref = at(obj, "spec", "claimRef")
    return f"{ref['namespace']}/{ref['name']}" if ref else ""


def _scale_target(obj: Mapping[str, Any], _: datetime) -> str:
    return (
        f"{at(obj, 'spec', 'scaleTargetRef', 'kind')}/{at(obj, 'spec', 'scaleTargetRef', 'name')}"
    )


def _version(version: Mapping[str, Any]) -> str:
    return f"{version['name']}(storage)" if version.get("storage") else str(version["name"])


def _owner(obj: Mapping[str, Any], _: datetime) -> str:
    found = controller_of(obj)
    return (
        f"{found['kind'].lower()}.{found['apiVersion'].rpartition('/')[0]}/{found['name']}"
        if found
        else NONE
    )


_REPLICATED = (
    NAME,
    _number("Desired", "spec.replicas"),
    _number("Current", "status.replicas"),
    _number("Ready", "status.readyReplicas"),
    AGE,
    *_PARTS,
)

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "configmaps"): (NAME, _DATA, AGE),
    ("", "endpoints"): (NAME, Column("Endpoints", cells.endpoints), AGE),
    ("", "events"): (
        Column("Last Seen", cells.event_seen("lastTimestamp")),
        Column("Type", _text("type")),
        Column("Reason", _text("reason")),
        Column("Object", cells.event_object),
        _wide("Subobject", _text("involvedObject.fieldPath")),
        _wide("Source", cells.event_source),
        Column("Message", lambda obj, _: str(obj.get("message") or "").strip()),
        _wide("First Seen", cells.event_seen("firstTimestamp")),
        _wide("Count", lambda obj, _: obj.get("count") or 1),
        NAME._replace(priority=1),
    ),
    ("", "limitranges"): (NAME, CREATED_AT),
    ("", "namespaces"): (NAME, Column("Status", _text("status.phase")), AGE),
    ("", "nodes"): (
        NAME,
        Column("Status", cells.node_status),
        Column("Roles", cells.node_roles),
        AGE,
        Column("Version", _text("status.nodeInfo.kubeletVersion")),
        _wide("Internal-IP", cells.node_address("InternalIP")),
        _wide("External-IP", cells.node_address("ExternalIP")),
        _wide("OS-Image", _text("status.nodeInfo.osImage", "<unknown>")),
        _wide("Kernel-Version", _text("status.nodeInfo.kernelVersion", "<unknown>")),
        _wide("Container-Runtime", _text("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
    ),
    ("", "persistentvolumeclaims"): (
        NAME,
        Column("Status", _text("status.phase")),
        Column("Volume", _text("spec.volumeName")),
        Column("Capacity", _text("status.capacity.storage")),
        _modes("status", "accessModes"),
        Column("StorageClass", _text("spec.storageClassName")),
        Column("VolumeAttributesClass", _text("spec.volumeAttributesClassName", UNSET)),
        AGE,
        _wide("VolumeMode", _text("spec.volumeMode", UNSET)),
    ),
    ("", "persistentvolumes"): (
        NAME,
        Column("Capacity", _text("spec.capacity.storage")),
        _modes("spec", "accessModes"),
        Column("Reclaim Policy", _text("spec.persistentVolumeReclaimPolicy")),
        Column("Status", _text("status.phase")),
        Column("Claim", _claim),
        Column("StorageClass", _text("spec.storageClassName")),
        Column("VolumeAttributesClass", _text("spec.volumeAttributesClassName", UNSET)),
        Column("Reason", _text("status.reason")),
        AGE,
        _wide("VolumeMode", _text("spec.volumeMode", UNSET)),
    ),
    ("", "pods"): (
        NAME,
        Column("Ready", cells.pod_ready),
        Column("Status", cells.pod_status),
        Column("Restarts", cells.pod_restarts),
        AGE,
        _wide("IP", _text("status.podIP", NONE)),
        _wide("Node", _text("spec.nodeName", NONE)),
        _wide("Nominated Node", _text("status.nominatedNodeName", NONE)),
        _wide("Readiness Gates", cells.pod_gates),
    ),
    ("", "podtemplates"): (
        NAME,
        Column("Containers", cells.containers("template", "spec")),
        Column("Images", cells.images("template", "spec")),
        Column("Pod Labels", _pairs("template", "metadata", "labels")),
    ),
    ("", "replicationcontrollers"): (*_REPLICATED, _wide("Selector", _pairs("spec", "selector"))),
    ("", "secrets"): (NAME, Column("Type", _text("type")), _DATA, AGE),
    ("", "serviceaccounts"): (NAME, AGE),
    ("", "services"): (
        NAME,
        Column("Type", _text("spec.type")),
        Column("Cluster-IP", _text("spec.clusterIP", NONE)),
        Column("External-IP", cells.external_ip),
        Column("Port(s)", cells.service_ports),
        AGE,
        _wide("Selector", _pairs("spec", "selector")),
    ),
    ("apiregistration.k8s.io", "apiservices"): (
        NAME,
        Column("Service", cells.service_of_api),
        Column("Available", lambda _, __: "True"),
        AGE,
    ),
    ("apps", "controllerrevisions"): (
        NAME,
        Column("Controller", _owner),
        Column("Revision", _text("revision", 0)),
        AGE,
    ),
    ("apps", "daemonsets"): (
        NAME,
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"),
        Column("Node Selector", _pairs("spec", "template", "spec", "nodeSelector")),
        AGE,
        *_PARTS,
        _SELECTED,
    ),
    ("apps", "deployments"): (
        NAME,
        Column("Ready", _ratio("status.readyReplicas", "spec.replicas")),
        Column("Up-to-date", _text("status.updatedReplicas", 0)),
        Column("Available", _text("status.availableReplicas", 0)),
        AGE,
        *_PARTS,
        _SELECTED,
    ),
    ("apps", "replicasets"): (*_REPLICATED, _SELECTED),
    ("apps", "statefulsets"): (
        NAME,
        Column("Ready", _ratio("status.readyReplicas", "spec.replicas")),
        AGE,
        *_PARTS,
    ),
    ("autoscaling", "horizontalpodautoscalers"): (
        NAME,
        Column("Reference", _scale_target),
        Column("Targets", cells.scaler_targets),
        Column("MinPods", _said("spec.minReplicas", UNSET)),
        Column("MaxPods", _text("spec.maxReplicas", 0)),
        Column("Replicas", _text("status.currentReplicas", 0)),
        AGE,
    ),
    ("batch", "cronjobs"): (
        NAME,
        Column("Schedule", _text("spec.schedule")),
        Column("Timezone", _text("spec.timeZone", NONE)),
        Column("Suspend", lambda obj, _: _flag(at(obj, "spec", "suspend")), "boolean"),
        Column("Active", _count("status", "active"), "integer"),
        Column("Last Schedule", cells.last_schedule),
        AGE,
        _wide("Containers", cells.containers(*_CRON)),
        _wide("Images", cells.images(*_CRON)),
        _wide("Selector", _selector("spec", "jobTemplate", "spec", "selector")),
    ),
    ("batch", "jobs"): (
        NAME,
        Column("Status", cells.job_status),
        Column("Completions", cells.job_completions),
        Column("Duration", cells.job_duration),
        AGE,
        *_PARTS,
        _SELECTED,
    ),
    ("networking.k8s.io", "ingressclasses"): (
        NAME,
        Column("Controller", _text("spec.controller")),
        Column("Parameters", _text("spec.parameters.name", NONE)),
        AGE,
    ),
    ("networking.k8s.io", "ingresses"): (
        NAME,
        Column("Class", _text("spec.ingressClassName", NONE)),
        Column("Hosts", cells.hosts),
        Column("Address", cells.ingress_address),
        Column("Ports", lambda obj, _: "80, 443" if at(obj, "spec", "tls") else "80"),
        AGE,
    ),
    ("networking.k8s.io", "networkpolicies"): (
        NAME,
        Column("Pod-Selector", _selector("spec", "podSelector")),
        AGE,
    ),
    ("policy", "poddisruptionbudgets"): (
        NAME,
        Column("Min Available", _said("spec.minAvailable", "N/A")),
        Column("Max Unavailable", _said("spec.maxUnavailable", "N/A")),
        _number("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
    ),
    ("rbac.authorization.k8s.io", "clusterrolebindings"): _BINDING,
    ("rbac.authorization.k8s.io", "rolebindings"): _BINDING,
    ("rbac.authorization.k8s.io", "clusterroles"): (NAME, CREATED_AT),
    ("rbac.authorization.k8s.io", "roles"): (NAME, CREATED_AT),
    ("storage.k8s.io", "csistoragecapacities"): (NAME, CREATED_AT),
    ("storage.k8s.io", "storageclasses"): (
        NAME,
        Column("Provisioner", _text("provisioner")),
        Column("ReclaimPolicy", _text("reclaimPolicy")),
        Column("VolumeBindingMode", _text("volumeBindingMode")),
        Column("AllowVolumeExpansion", _truth("allowVolumeExpansion")),
        AGE,
    ),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): (
        NAME,
        Column("Webhooks", _count("webhooks"), "integer"),
        AGE,
    ),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): (
        NAME,
        Column("Webhooks", _count("webhooks"), "integer"),
        AGE,
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (
        NAME,
        Column("Scope", _text("spec.scope")),
        Column(
            "Versions",
            lambda obj, _: ",".join(map(_version, at(obj, "spec", "versions") or ())),
        ),
        CREATED_AT,
        _wide("Group", _text("spec.group")),
        _wide("Kind", _text("spec.names.kind")),
        _wide("ShortNames", lambda obj, _: ",".join(at(obj, "spec", "names", "shortNames") or ())),
        Column(
            "Established",
            lambda obj, _: "Established" in true_conditions(obj),
            "boolean",
            priority=1,
        ),
    ),
    ("scheduling.k8s.io", "priorityclasses"): (
        NAME,
        Column("Value", _text("value", 0), "integer"),
        Column("Global-Default", lambda obj, _: bool(obj.get("globalDefault")), "boolean"),
        AGE,
        Column("PreemptionPolicy", _text("preemptionPolicy")),
    ),
    ("coordination.k8s.io", "leases"): (
        NAME,
        Column("Holder", _text("spec.holderIdentity")),
        AGE,
    ),
    ("node.k8s.io", "runtimeclasses"): (NAME, Column("Handler", _text("handler")), AGE),
    ("discovery.k8s.io", "endpointslices"): (
        NAME,
        Column("AddressType", _text("addressType")),
        Column("Ports", cells.slice_ports),
        Column("Endpoints", cells.slice_endpoints),
        AGE,
    ),
}


def _flag(value: Any) -> str:
    return "True" if value else "False"
