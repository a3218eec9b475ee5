"""Job: Pods that are meant to end, until enough of them did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from fleet.embedded.sandbox.controllers.making import conditions_of, pod_from, with_status
from fleet.embedded.sandbox.controllers.reading import (
    annotations_of,
    condition,
    has_ended,
    is_ending,
    is_pod_ready,
    is_true,
    moment,
    spec_of,
    status_of,
    uid_of,
)
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, name_of, timestamp

RETRY_SECONDS = 1.0
BACKOFF_LIMIT = 6
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
INDEX = "batch.kubernetes.io/job-completion-index"

Condition = dict[str, Any]


def job(obj: Object, seen: Seen) -> Iterator[Step]:
    """Start Pods, count how they ended, and end with the last or with the one too many."""
    if is_ending(obj):
        return
    if is_finished(obj):
        yield from _expire(obj, seen)
        return
    pods = seen.owned("Pod", obj)
    if spec_of(obj).get("suspend"):
        yield from _suspended(obj, pods, seen)
        return
    started = status_of(obj).get("startTime") or timestamp(seen.now)
    verdict = _verdict(obj, pods, started, seen)
    if verdict:
        yield from (Delete(it) for it in _going(pods))
    else:
        yield from _fill(obj, pods, seen)
    shown = _with_status(obj, pods, started, verdict, seen)
    yield Write(shown, subresource="status")
    if verdict:
        yield from _expire(shown, seen)
    elif (seconds := spec_of(obj).get("activeDeadlineSeconds")) is not None:
        yield Later(max(0.1, seconds - (seen.now - moment(started)).total_seconds()))


def is_finished(obj: Object) -> bool:
    """Whether it will start no more Pods, however it went."""
    return is_true(obj, "Complete") or is_true(obj, "Failed")


def _completions(obj: Object) -> int:
    found = spec_of(obj).get("completions")
    return _parallelism(obj) if found is None else int(found)


def _parallelism(obj: Object) -> int:
    found = spec_of(obj).get("parallelism")
    return 1 if found is None else int(found)


def _going(pods: Sequence[Object]) -> list[Object]:
    return [it for it in pods if not has_ended(it) and not is_ending(it)]


def _ended(pods: Sequence[Object], phase: str) -> list[Object]:
    return [it for it in pods if status_of(it).get("phase") == phase]


def _failures(pods: Sequence[Object]) -> int:
    """Pods that failed, and restarts of containers in those that go on."""
    restarts = sum(
        int(it.get("restartCount", 0))
        for pod in pods
        if not has_ended(pod)
        for it in status_of(pod).get("containerStatuses") or ()
    )
    return len(_ended(pods, "Failed")) + restarts


def _verdict(obj: Object, pods: Sequence[Object], started: str, seen: Seen) -> Condition | None:
    """The condition that it ends with; None while it goes on."""
    deadline = spec_of(obj).get("activeDeadlineSeconds")
    limit = spec_of(obj).get("backoffLimit")
    if len(_ended(pods, "Succeeded")) >= _completions(obj):
        told = "Reached expected number of succeeded pods"
        return {"type": "Complete", "reason": "CompletionsReached", "message": told}
    if _failures(pods) > (BACKOFF_LIMIT if limit is None else limit):
        told = "Job has reached the specified backoff limit"
        return {"type": "Failed", "reason": "BackoffLimitExceeded", "message": told}
    if deadline is not None and (seen.now - moment(started)).total_seconds() >= deadline:
        told = "Job was active longer than specified deadline"
        return {"type": "Failed", "reason": "DeadlineExceeded", "message": told}
    return None


def _fill(obj: Object, pods: Sequence[Object], seen: Seen) -> Iterator[Step]:
    """As many Pods side by side as ``parallelism`` allows and ``completions`` still needs."""
    active = [it for it in pods if not has_ended(it)]
    done = len(_ended(pods, "Succeeded"))
    room = min(_parallelism(obj), _completions(obj) - done) - len(active)
    failed = [_ended_at(it) for it in _ended(pods, "Failed")]
    wait = max((RETRY_SECONDS - (seen.now - it).total_seconds() for it in failed), default=0.0)
    if room > 0 and wait > 0:
        yield Later(wait)
        return
    indexed = spec_of(obj).get("completionMode") == "Indexed"
    taken = {annotations_of(it).get(INDEX) for it in (*active, *_ended(pods, "Succeeded"))}
    free = [str(it) for it in range(_completions(obj)) if str(it) not in taken]
    for at in range(max(0, room)):
        yield Write(_pod(obj, free[at] if indexed else "", seen))


def _ended_at(pod: Object) -> datetime:
    for container in status_of(pod).get("containerStatuses") or ():
        if ended := (container.get("state") or {}).get("terminated"):
            return moment(ended.get("finishedAt"))
    return moment(None)


def _pod(obj: Object, index: str, seen: Seen) -> Object:
    template = spec_of(obj)["template"]
    labels = {
        CONTROLLER_UID: uid_of(obj),
        JOB_NAME: name_of(obj),
        "controller-uid": uid_of(obj),
        "job-name": name_of(obj),
    }
    at = {INDEX: index} if index else {}
    prefix = f"{name_of(obj)}-{index}-" if index else f"{name_of(obj)}-"
    return pod_from(
        template,
        obj,
        prefix + seen.suffix(),
        labels={**labels, **at},
        annotations=at,
        generate_name=prefix,
    )


def _suspended(obj: Object, pods: Sequence[Object], seen: Seen) -> Iterator[Step]:
    yield from (Delete(it) for it in _going(pods))
    told = {
        "type": "Suspended",
        "status": "True",
        "reason": "JobSuspended",
        "message": "Job suspended",
    }
    status = {
        **{key: it for key, it in status_of(obj).items() if key not in ("active", "startTime")},
        "conditions": conditions_of(obj, [told], seen.now),
    }
    yield Write(with_status(obj, status), subresource="status")


def _with_status(
    obj: Object, pods: Sequence[Object], started: str, verdict: Condition | None, seen: Seen
) -> Object:
    active = _going(pods)
    conditions = [{**it, "status": "True"} for it in _with_criterion(verdict)]
    if is_true(obj, "Suspended"):
        told = {"reason": "JobResumed", "message": "Job resumed"}
        conditions.append({"type": "Suspended", "status": "False", **told})
    complete = verdict is not None and verdict["type"] == "Complete"
    status: dict[str, Any] = {
        "startTime": started,
        "completionTime": timestamp(seen.now) if complete else None,
        "active": 0 if verdict else len(active),
        "ready": 0 if verdict else sum(is_pod_ready(it) for it in active),
        "succeeded": len(_ended(pods, "Succeeded")),
        "failed": len(_ended(pods, "Failed")) + (len(active) if verdict and not complete else 0),
        "terminating": 0,
        "uncountedTerminatedPods": {},
        "conditions": conditions_of(obj, conditions, seen.now) or None,
    }
    if spec_of(obj).get("completionMode") == "Indexed":
        done = sorted(int(annotations_of(it)[INDEX]) for it in _ended(pods, "Succeeded"))
        status["completedIndexes"] = spans(done) or None
    return with_status(obj, status, zeros=("ready", "terminating"))


def _with_criterion(verdict: Condition | None) -> list[Condition]:
    """The end is announced by a condition of its own before it is reached."""
    if verdict is None:
        return []
    first = "SuccessCriteriaMet" if verdict["type"] == "Complete" else "FailureTarget"
    return [{**verdict, "type": first}, verdict]


def spans(numbers: Sequence[int]) -> str:
    """Sorted numbers as ``0-2,5``."""
    found: list[list[int]] = []
    for each in numbers:
        if found and each == found[-1][1] + 1:
            found[-1][1] = each
        else:
            found.append([each, each])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in found)


def _expire(obj: Object, seen: Seen) -> Iterator[Step]:
    seconds = spec_of(obj).get("ttlSecondsAfterFinished")
    if seconds is None:
        return
    ends = ("Complete", "Failed")
    at = max(moment(condition(obj, it).get("lastTransitionTime")) for it in ends)
    left = seconds - (seen.now - at).total_seconds()
    yield Later(left) if left > 0 else Delete(obj)
