"""What the cells of kubectl's tables say about an object: one small function a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fleet.embedded.sandbox.objects import at, meta_of, true_conditions

NONE, UNKNOWN, UNSET = "<none>", "<unknown>", "<unset>"
_LISTED = 3  # of ports, endpoints and the like; the rest is counted

Obj = Mapping[str, Any]

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def duration(seconds: float) -> str:
    """A time span as kubectl writes it: two units while they matter, then one."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole >= -1 else "<invalid>"
    minutes, hours = whole // 60, whole // 3600
    days = hours // 24
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(one: int, unit: str, other: int, smaller: str) -> str:
    return f"{one}{unit}{other}{smaller}" if other else f"{one}{unit}"


def since(stamp: str | None, now: datetime) -> str:
    """How long ago a timestamp is."""
    if not stamp:
        return UNKNOWN
    return duration((now - datetime.fromisoformat(stamp)).total_seconds())


def age(obj: Obj, now: datetime) -> str:
    """Since it was created."""
    return since(meta_of(obj).get("creationTimestamp"), now)


def selector(found: Obj | None) -> str:
    """A ``LabelSelector`` as text."""
    terms = [
        f"{key}={value}" for key, value in sorted(((found or {}).get("matchLabels") or {}).items())
    ]
    for term in (found or {}).get("matchExpressions") or ():
        values = ",".join(sorted(term.get("values") or ()))
        terms.append(
            {
                "In": f"{term['key']} in ({values})",
                "NotIn": f"{term['key']} notin ({values})",
                "Exists": term["key"],
                "DoesNotExist": f"!{term['key']}",
            }[term["operator"]]
        )
    return ",".join(terms) or NONE


def pairs(found: Obj | None) -> str:
    """A map of labels as text."""
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or NONE


def containers(*path: str) -> Any:
    """The names of the containers of the pod spec at ``path``."""
    return lambda obj, _: ",".join(it["name"] for it in at(obj, *path, "containers") or ())


def images(*path: str) -> Any:
    """The images of the containers of the pod spec at ``path``."""
    return lambda obj, _: ",".join(it.get("image", "") for it in at(obj, *path, "containers") or ())


def some(values: Iterable[str]) -> str:
    """The first of the values, and how many more there are."""
    found = list(values)
    shown = ",".join(found[:_LISTED])
    rest = len(found) - _LISTED
    return (f"{shown} + {rest} more..." if rest > 0 else shown) or NONE


def modes(obj: Obj, path: tuple[str, ...]) -> str:
    """Access modes, shortened."""
    return ",".join(_MODES.get(it, it) for it in dict.fromkeys(at(obj, *path) or ()))


# ---- pods


def pod_ready(obj: Obj, _: datetime) -> str:
    """Ready containers of all; those that go on beside the others count."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    beside = {
        it["name"] for it in spec.get("initContainers") or () if it.get("restartPolicy") == "Always"
    }
    states = [
        *(it for it in status.get("initContainerStatuses") or () if it["name"] in beside),
        *(status.get("containerStatuses") or ()),
    ]
    total = len(spec.get("containers") or ()) + len(beside)
    return f"{sum(1 for it in states if it.get('ready'))}/{total}"


def pod_status(obj: Obj, _: datetime) -> str:
    """The phase, or what keeps its containers from it."""
    status = obj.get("status") or {}
    reason = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    starting = _init_reason(obj)
    reason = starting or _running_reason(obj, reason)
    if meta_of(obj).get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return reason


def _init_reason(obj: Obj) -> str:
    containers = at(obj, "spec", "initContainers") or ()
    beside = {it["name"] for it in containers if it.get("restartPolicy") == "Always"}
    for number, state in enumerate(at(obj, "status", "initContainerStatuses") or ()):
        ended = at(state, "state", "terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if state["name"] in beside and state.get("started"):
            continue
        if ended is not None:
            return f"Init:{_end(ended)}"
        waiting = at(state, "state", "waiting", "reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{number}/{len(containers)}"
    return ""


def _running_reason(obj: Obj, reason: str) -> str:
    running = False
    for state in reversed(at(obj, "status", "containerStatuses") or ()):
        waiting = at(state, "state", "waiting", "reason")
        ended = at(state, "state", "terminated")
        if waiting:
            reason = waiting
        elif ended is not None:
            reason = _end(ended)
        elif state.get("ready") and at(state, "state", "running") is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if "Ready" in true_conditions(obj) else "NotReady"
    return reason


def _end(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def pod_restarts(obj: Obj, now: datetime) -> str:
    """How often its containers were started again, and when last."""
    states = at(obj, "status", "containerStatuses") or ()
    count = sum(it.get("restartCount") or 0 for it in states)
    ends = [at(it, "lastState", "terminated", "finishedAt") for it in states]
    last = max((it for it in ends if it), default="")
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def pod_gates(obj: Obj, _: datetime) -> str:
    """Readiness gates that are open, of all."""
    gates = at(obj, "spec", "readinessGates") or ()
    if not gates:
        return NONE
    true = true_conditions(obj)
    return f"{sum(1 for it in gates if it['conditionType'] in true)}/{len(gates)}"


# ---- workloads


def job_status(obj: Obj, _: datetime) -> str:
    """What its conditions come to."""
    true = true_conditions(obj)
    for word in ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if word in true:
            return word
    return "Terminating" if meta_of(obj).get("deletionTimestamp") else "Running"


def job_completions(obj: Obj, _: datetime) -> str:
    """Pods that succeeded, of those that must."""
    succeeded = at(obj, "status", "succeeded") or 0
    wanted, side_by_side = at(obj, "spec", "completions"), at(obj, "spec", "parallelism") or 0
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    return f"{succeeded}/1 of {side_by_side}" if side_by_side > 1 else f"{succeeded}/1"


def job_duration(obj: Obj, now: datetime) -> str:
    """From its start to its end, or until now."""
    start, end = at(obj, "status", "startTime"), at(obj, "status", "completionTime")
    if not start:
        return ""
    return since(start, datetime.fromisoformat(end) if end else now)


def last_schedule(obj: Obj, now: datetime) -> str:
    """When a CronJob last made a Job."""
    last = at(obj, "status", "lastScheduleTime")
    return since(last, now) if last else NONE


# ---- network


def external_ip(obj: Obj, _: datetime) -> str:
    """Where a Service is reached from outside."""
    kind = at(obj, "spec", "type")
    addresses = at(obj, "spec", "externalIPs") or []
    if kind == "ExternalName":
        return str(at(obj, "spec", "externalName") or "")
    if kind == "LoadBalancer":
        return ",".join([*_balanced(obj), *addresses]) or "<pending>"
    return ",".join(addresses) or NONE


def service_ports(obj: Obj, _: datetime) -> str:
    """Its ports, with those of the nodes."""
    return (
        ",".join(
            f"{it['port']}:{it['nodePort']}/{it.get('protocol', 'TCP')}"
            if it.get("nodePort")
            else f"{it['port']}/{it.get('protocol', 'TCP')}"
            for it in at(obj, "spec", "ports") or ()
        )
        or NONE
    )


def endpoints(obj: Obj, _: datetime) -> str:
    """The addresses that are ready, with their ports."""
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [it["ip"] for it in subset.get("addresses") or ()]
        ports = [it["port"] for it in subset.get("ports") or ()]
        found += [f"{ip}:{port}" for port in ports for ip in addresses] if ports else addresses
    return some(found)


def slice_ports(obj: Obj, _: datetime) -> str:
    """The ports of an EndpointSlice."""
    ports = obj.get("ports")
    return some(str(it.get("port", "*")) for it in ports) if ports else UNSET


def slice_endpoints(obj: Obj, _: datetime) -> str:
    """The addresses of an EndpointSlice."""
    found = [ip for it in obj.get("endpoints") or () for ip in it.get("addresses") or ()]
    return some(found) if found else UNSET


def hosts(obj: Obj, _: datetime) -> str:
    """The hosts of an Ingress."""
    rules = at(obj, "spec", "rules") or ()
    found = [it["host"] for it in rules if it.get("host")]
    return some(found) if found else "*"


def ingress_address(obj: Obj, _: datetime) -> str:
    """Where an Ingress is reached."""
    return ",".join(_balanced(obj))


def _balanced(obj: Obj) -> list[str]:
    """The addresses of its load balancer."""
    given = at(obj, "status", "loadBalancer", "ingress") or ()
    return [it.get("ip") or it.get("hostname") or "" for it in given]


# ---- cluster


def node_status(obj: Obj, _: datetime) -> str:
    """Ready or not, and whether it takes Pods."""
    found = [
        "Ready" if it.get("status") == "True" else "NotReady"
        for it in at(obj, "status", "conditions") or ()
        if it.get("type") == "Ready"
    ] or ["Unknown"]
    if at(obj, "spec", "unschedulable"):
        found.append("SchedulingDisabled")
    return ",".join(found)


def node_roles(obj: Obj, _: datetime) -> str:
    """The roles that its labels name."""
    prefix = "node-role.kubernetes.io/"
    labels = meta_of(obj).get("labels") or {}
    return (
        ",".join(sorted(it.removeprefix(prefix) for it in labels if it.startswith(prefix))) or NONE
    )


def node_address(kind: str) -> Any:
    """Its first address of a kind."""
    return lambda obj, _: next(
        (it["address"] for it in at(obj, "status", "addresses") or () if it.get("type") == kind),
        NONE,
    )


def subjects(kind: str) -> Any:
    """Those whom a binding names, of one kind."""

    def found(obj: Obj, _: datetime) -> str:
        names = [it for it in obj.get("subjects") or () if it.get("kind") == kind]
        account = kind == "ServiceAccount"
        return ", ".join(
            f"{it.get('namespace', '')}/{it['name']}" if account else it["name"] for it in names
        )

    return found


def scaler_targets(obj: Obj, _: datetime) -> str:
    """What a scaler measures against what it wants."""
    now = {
        at(it, "resource", "name"): at(it, "resource", "current", "averageUtilization")
        for it in at(obj, "status", "currentMetrics") or ()
    }
    found = []
    for metric in at(obj, "spec", "metrics") or ():
        name = at(metric, "resource", "name") or metric.get("type", "")
        wanted = at(metric, "resource", "target", "averageUtilization")
        have = now.get(name)
        shown = UNKNOWN if have is None else f"{have}%"
        found.append(f"{name}: {shown}/{UNKNOWN if wanted is None else f'{wanted}%'}")
    return some(found)


def event_seen(which: str) -> Any:
    """When an event was seen first or last."""

    def found(obj: Obj, now: datetime) -> str:
        stamp = obj.get(which) or obj.get("firstTimestamp") or obj.get("eventTime")
        return since(stamp, now)

    return found


def event_object(obj: Obj, _: datetime) -> str:
    """What an event is about."""
    about = obj.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_source(obj: Obj, _: datetime) -> str:
    """Who tells an event."""
    parts = (at(obj, "source", "component"), at(obj, "source", "host"))
    return ", ".join(it for it in parts if it) or str(obj.get("reportingComponent") or "")


def service_of_api(obj: Obj, _: datetime) -> str:
    """Where an aggregated API is served."""
    service = at(obj, "spec", "service")
    return f"{service['namespace']}/{service['name']}" if service else "Local"
