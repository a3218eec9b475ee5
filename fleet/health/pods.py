"""Pod. Source of the rules: Argo CD, gitops-engine ``pkg/health/health_pod.go``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.health.reading import at, condition, integer, mappings, text
from fleet.health.verdicts import degraded, healthy, progressing, unknown
from fleet.model.health import Health
from fleet.model.objects import Manifest, annotations_of

#: On a Pod that an operator runs for ever with ``Never`` or ``OnFailure``: judge it as if
#: it were restarted always. Has no effect on hooks, whose Pods are meant to end.
IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"
_HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")


def pod(obj: Manifest) -> Health:
    message = text(obj, "status", "message")
    runs_for_ever = _runs_for_ever(obj)
    if runs_for_ever and (reasons := _stuck(obj)):
        return degraded(", ".join(reasons))
    phase = text(obj, "status", "phase")
    if phase == "Pending":
        return progressing(message or _unscheduled(obj))
    if phase == "Succeeded":
        return healthy(message)
    if phase == "Failed":
        return degraded(message or _failure(obj))
    if phase == "Running":
        return _running(obj, message) if runs_for_ever else _finite(obj, message)
    return unknown(message)


def _runs_for_ever(obj: Manifest) -> bool:
    if text(obj, "spec", "restartPolicy") == "Always":
        return True
    annotations = annotations_of(obj)
    return IGNORE_RESTART_POLICY in annotations and not any(h in annotations for h in _HOOKS)


def _finite(obj: Manifest, message: str) -> Health:
    """A running Pod that is meant to end is on its way, never already there."""
    ends = text(obj, "spec", "restartPolicy") in ("Never", "OnFailure")
    return progressing(message) if ends else unknown(message)


def _running(obj: Manifest, message: str) -> Health:
    ready = condition(obj, "Ready")
    if ready and ready.is_true:
        return healthy(message)
    if any(at(c, "lastState", "terminated") is not None for c in _containers(obj)):
        return degraded(message)
    return progressing(message)


def _containers(obj: Manifest) -> list[Mapping[str, Any]]:
    return mappings(obj, "status", "containerStatuses")


def _with_init_containers(obj: Manifest) -> list[Mapping[str, Any]]:
    return mappings(obj, "status", "initContainerStatuses") + _containers(obj)


def _stuck(obj: Manifest) -> list[str]:
    """What the containers that cannot start say: CrashLoopBackOff, ErrImagePull, ...

    Asked only of Pods that run for ever: a hook whose image appears a minute later must
    not have been called failed by then.
    """
    found = []
    for container in _with_init_containers(obj):
        reason = text(container, "state", "waiting", "reason")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            found.append(text(container, "state", "waiting", "message") or reason)
    return found


def _unscheduled(obj: Manifest) -> str:
    scheduled = condition(obj, "PodScheduled")
    return scheduled.message if scheduled and scheduled.is_false else ""


def _failure(obj: Manifest) -> str:
    """The first container that says why it ended."""
    for container in _with_init_containers(obj):
        ended = at(container, "state", "terminated")
        if message := text(ended, "message"):
            return message
        if text(ended, "reason") == "OOMKilled":
            return "OOMKilled"
        if code := integer(ended, "exitCode"):
            return f'container "{text(container, "name")}" failed with exit code {code}'
    return ""
