"""Pods: the scheduler and the kubelet of a world in which nothing really runs.

What a Pod is doing follows from its age and its annotations, so that the same Pod looked at
twice says the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet.embedded.sandbox.controllers import knobs
from fleet.embedded.sandbox.controllers.containers import (
    CREATING,
    Container,
    Ended,
    Running,
    Waiting,
    statuses_of,
    waiting_of,
)
from fleet.embedded.sandbox.controllers.making import conditions_of, number, with_spec, with_status
from fleet.embedded.sandbox.controllers.reading import (
    condition,
    has_ended,
    is_ending,
    moment,
    spec_of,
    status_of,
    uid_of,
)
from fleet.embedded.sandbox.controllers.references import missing_reference, unbound_claim
from fleet.embedded.sandbox.controllers.steps import KUBELET, Delete, Later, Seen, Step, Tell, Write
from fleet.embedded.sandbox.objects import (
    Object,
    controller_of,
    labels_of,
    name_of,
    namespace_of,
    timestamp,
)

#: Values of ``sandbox.fleet.dev/fail`` that stop a container before it starts, and what the
#: kubelet says of them.
NEVER_STARTS = {
    "ImagePullBackOff": 'Back-off pulling image "{image}"',
    "ErrImagePull": 'failed to pull and unpack image "{image}": not found',
    "InvalidImageName": 'Failed to apply default image tag "{image}": invalid reference format',
    "CreateContainerConfigError": "the container's configuration is invalid",
    "CreateContainerError": "the container cannot be made",
    "RunContainerError": "the container cannot be started",
}
#: Values that end a container each time that it started: reason of its end, exit code.
CRASHES = {"CrashLoopBackOff": ("Error", 1), "Error": ("Error", 1), "OOMKilled": ("OOMKilled", 137)}
SCHEDULER = "kube-scheduler"
UNSCHEDULABLE, NOT_READY = "Unschedulable", "NotReady"
#: Restarts are spaced as the kubelet spaces them, from the first to the longest pause.
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds


def pod(obj: Object, seen: Seen) -> Iterator[Step]:
    """Place it on a node, start it, let it fail, end it."""
    if is_ending(obj):
        yield Delete(obj, at_once=True)
        return
    if has_ended(obj):
        return
    if not spec_of(obj).get("nodeName"):
        yield from _schedule(obj, seen)
        return
    wanted, seconds = _lives(obj, seen)
    yield Write(wanted, KUBELET, "status")
    yield from _told(obj, wanted)
    if seconds is not None:
        yield Later(seconds)


def _told(before: Object, after: Object) -> Iterator[Step]:
    """The events of what became different."""
    waiting = waiting_of(after)
    if waiting and waiting != waiting_of(before) and waiting["reason"] != CREATING:
        reason = "BackOff" if waiting["reason"].endswith("BackOff") else "Failed"
        yield Tell(after, reason, waiting.get("message", reason), KUBELET, warning=True)
    phases = status_of(before).get("phase"), status_of(after).get("phase")
    if phases == ("Pending", "Running") and not waiting:
        yield Tell(after, "Started", "Container started", KUBELET)


# the scheduler


def _schedule(obj: Object, seen: Seen) -> Iterator[Step]:
    nodes = [it for it in seen.list("Node") if _fits(obj, it)]
    problem = _obstacle(obj, seen, bool(nodes))
    if problem:
        scheduled = {
            "type": "PodScheduled",
            "status": "False",
            "reason": UNSCHEDULABLE,
            "message": problem,
        }
        status = {**status_of(obj), "phase": "Pending"}
        status["conditions"] = conditions_of(obj, [scheduled], seen.now)
        yield Write({**obj, "status": status}, SCHEDULER, "status")
        if condition(obj, "PodScheduled").get("message") != problem:
            yield Tell(obj, "FailedScheduling", problem, SCHEDULER, warning=True)
        return
    node = name_of(nodes[number(uid_of(obj), len(nodes))])
    yield Write(with_spec(obj, nodeName=node), manager="", subresource="binding")
    told = f"Successfully assigned {namespace_of(obj)}/{name_of(obj)} to {node}"
    yield Tell(obj, "Scheduled", told, SCHEDULER)


def _obstacle(obj: Object, seen: Seen, fits: bool) -> str:
    every = len(seen.list("Node"))
    if knobs.failure(obj) == UNSCHEDULABLE:
        reason = f"{every} Insufficient cpu"
    elif not fits:
        reason = f"{every} node(s) didn't match Pod's node affinity/selector"
    elif unbound_claim(obj, seen):
        reason = "pod has unbound immediate PersistentVolumeClaims"
    else:
        return ""
    return f"0/{every} nodes are available: {reason}."


def _fits(obj: Object, node: Object) -> bool:
    if pinned := pinned_node(obj):
        return name_of(node) == pinned
    wanted = spec_of(obj).get("nodeSelector") or {}
    return not spec_of(node).get("unschedulable") and wanted.items() <= labels_of(node).items()


def pinned_node(obj: Object) -> str:
    """The one node that a Pod of a DaemonSet is made for; "" for other Pods."""
    affinity = (spec_of(obj).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name":
                return str(field["values"][0])
    return ""


# the kubelet


def _lives(obj: Object, seen: Seen) -> tuple[Object, float | None]:
    """The Pod as it is now, and in how many seconds it will be something else."""
    started = status_of(obj).get("startTime") or timestamp(seen.now)
    age = (seen.now - moment(started)).total_seconds()
    starts_in = knobs.ready_after(obj) - age
    failure = knobs.failure(obj)
    # what it needs is read when it starts: one that runs does not notice that it went
    runs = status_of(obj).get("phase") == "Running"
    missing = None if runs else missing_reference(obj, seen)
    if starts_in > 0 and not missing and not runs:
        return _shown(obj, seen, started, Waiting(CREATING, ""), phase="Pending"), starts_in
    if missing or failure in NEVER_STARTS:
        state = missing or Waiting(failure, NEVER_STARTS[failure])
        return _shown(obj, seen, started, state, phase="Pending"), None
    if failure in CRASHES:
        return _crash(obj, seen, started, -starts_in)
    if _is_finite(obj):
        ends_in = starts_in + knobs.run_for(obj)
        if ends_in <= 0:
            return _shown(obj, seen, started, Ended("Completed", 0), phase="Succeeded"), None
        return _shown(obj, seen, started, Running(ready=True), phase="Running", ready=True), ends_in
    ready = failure != NOT_READY
    return _shown(obj, seen, started, Running(ready), phase="Running", ready=ready), None


def _crash(obj: Object, seen: Seen, started: str, age: float) -> tuple[Object, float | None]:
    reason, code = CRASHES[knobs.failure(obj)]
    if spec_of(obj).get("restartPolicy") == "Never":
        return _shown(obj, seen, started, Ended(reason, code), phase="Failed"), None
    restarts, seconds = restarts_at(age)
    message = f"back-off restarting failed container in pod {name_of(obj)}_{namespace_of(obj)}"
    state = Ended(reason, code, Waiting("CrashLoopBackOff", message), restarts)
    return _shown(obj, seen, started, state, phase="Running"), seconds


def restarts_at(age: float) -> tuple[int, float]:
    """How often a container that ends at once has been restarted, and when it will be again.

    Args:
        age: seconds since it was first started.
    """
    restarts, at, pause = 1, FIRST_PAUSE, FIRST_PAUSE
    while at <= age:
        pause = min(2 * pause, LONGEST_PAUSE)
        if pause == LONGEST_PAUSE:
            more = int((age - at) // pause) + 1
            return restarts + more, at + more * pause - age
        restarts, at = restarts + 1, at + pause
    return restarts, at - age


def _is_finite(obj: Object) -> bool:
    """Whether it is meant to end: a Pod of a Job, or one that is not restarted always."""
    owner = controller_of(obj)
    return spec_of(obj).get("restartPolicy", "Always") != "Always" or (
        owner is not None and owner["kind"] == "Job"
    )


def _shown(
    obj: Object,
    seen: Seen,
    started: str,
    state: Container,
    *,
    phase: str,
    ready: bool = False,
) -> Object:
    begun = phase != "Pending"
    done = phase == "Succeeded"
    reason = "PodCompleted" if done else "ContainersNotReady"
    conditions = [
        _condition("PodReadyToStartContainers", begun and not done),
        _condition("Initialized", True, "PodCompleted" if done else ""),
        _condition("Ready", ready, reason, obj),
        _condition("ContainersReady", ready, reason, obj),
        _condition("PodScheduled", True),
    ]
    status = {
        **status_of(obj),
        "phase": phase,
        "startTime": started,
        "conditions": conditions_of(obj, conditions, seen.now),
        **_addresses(obj, begun),
        **statuses_of(obj, state, seen.now),
    }
    return with_status(obj, status)


def _condition(
    type: str, holds: bool, reason: str = "", obj: Object | None = None
) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": type, "status": str(holds), "lastProbeTime": None}
    if reason and (not holds or obj is None):
        shown["reason"] = reason
    if not holds and reason == "ContainersNotReady" and obj is not None:
        names = " ".join(it["name"] for it in spec_of(obj).get("containers") or ())
        shown["message"] = f"containers with unready status: [{names}]"
    return shown


def _addresses(obj: Object, begun: bool) -> Mapping[str, Any]:
    """Of documentation blocks and the like: nothing listens there."""
    host = host_address(str(spec_of(obj)["nodeName"]))
    if not begun:
        return {"hostIP": host, "hostIPs": [{"ip": host}]}
    at = number(uid_of(obj), 250 * 250)
    ip = host if spec_of(obj).get("hostNetwork") else f"10.244.{at // 250}.{at % 250 + 2}"
    return {"hostIP": host, "hostIPs": [{"ip": host}], "podIP": ip, "podIPs": [{"ip": ip}]}


def host_address(node: str) -> str:
    """Where a node would be reached; a documentation block, too."""
    return f"192.0.2.{10 + number(node, 200)}"
