"""Pods and what their health should be: object, status, message."""

from __future__ import annotations

from typing import Any

from tests.unit.health.objects import D, H, Json, P, U, condition, having, obj


def pod(policy: str, phase: str, *, annotations: Json | None = None, **status: Any) -> Json:
    spec = {"restartPolicy": policy} if policy else {}
    return obj("v1", "Pod", spec, {"phase": phase, **status}, annotations=annotations or {})


def waiting(reason: str, message: str = "") -> Json:
    return {"name": "app", "state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int = 1, reason: str = "Error", message: str = "", name: str = "app") -> Json:
    state = {"exitCode": code, "reason": reason, "message": message}
    return {"name": name, "state": {"terminated": state}}


RESTARTED = {"name": "app", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}
READY = having(condition("Ready"))
IGNORE = {"argocd.argoproj.io/ignore-restart-policy": "true"}
HOOK = {"argocd.argoproj.io/hook": "PreSync"}

PODS = [
    ("ready", pod("Always", "Running", **READY), H, ""),
    ("ready with a message", pod("Always", "Running", message="m", **READY), H, "m"),
    ("not ready yet", pod("Always", "Running"), P, ""),
    (
        "restarted and not ready",
        pod("Always", "Running", message="why", containerStatuses=[RESTARTED]),
        D,
        "why",
    ),
    (
        "restarted, ready again",
        pod("Always", "Running", containerStatuses=[RESTARTED], **READY),
        H,
        "",
    ),
    (
        "crash loop",
        pod("Always", "Running", containerStatuses=[waiting("CrashLoopBackOff", "back-off 40s")]),
        D,
        "back-off 40s",
    ),
    (
        "crash loop without a message",
        pod("Always", "Running", containerStatuses=[waiting("CrashLoopBackOff")]),
        D,
        "CrashLoopBackOff",
    ),
    (
        "image cannot be pulled",
        pod("Always", "Pending", containerStatuses=[waiting("ErrImagePull", "not found")]),
        D,
        "not found",
    ),
    (
        "image not pulled again yet",
        pod(
            "Always", "Pending", containerStatuses=[waiting("ImagePullBackOff", "Back-off pulling")]
        ),
        D,
        "Back-off pulling",
    ),
    (
        "config error",
        pod(
            "Always",
            "Pending",
            containerStatuses=[waiting("CreateContainerConfigError", "no secret")],
        ),
        D,
        "no secret",
    ),
    (
        "two containers stuck",
        pod(
            "Always",
            "Pending",
            containerStatuses=[waiting("ErrImagePull", "a"), waiting("RunContainerError", "b")],
        ),
        D,
        "a, b",
    ),
    (
        "init container in a crash loop",
        pod("Always", "Pending", initContainerStatuses=[waiting("CrashLoopBackOff", "init")]),
        D,
        "init",
    ),
    ("creating", pod("Always", "Pending", containerStatuses=[waiting("ContainerCreating")]), P, ""),
    (
        "a job's pod without an image still has a chance",
        pod("Never", "Pending", containerStatuses=[waiting("ImagePullBackOff", "x")]),
        P,
        "",
    ),
    (
        "no room",
        pod(
            "Always",
            "Pending",
            **having(condition("PodScheduled", "False", "Unschedulable", "0/3 nodes")),
        ),
        P,
        "0/3 nodes",
    ),
    ("pending, with a message", pod("Always", "Pending", message="pulling"), P, "pulling"),
    ("succeeded", pod("Never", "Succeeded", message="done"), H, "done"),
    ("failed with a message", pod("Never", "Failed", message="evicted"), D, "evicted"),
    (
        "failed: container's message",
        pod("Never", "Failed", containerStatuses=[ended(message="boom")]),
        D,
        "boom",
    ),
    (
        "failed: out of memory",
        pod("Never", "Failed", containerStatuses=[ended(137, "OOMKilled")]),
        D,
        "OOMKilled",
    ),
    (
        "failed: exit code",
        pod("Never", "Failed", containerStatuses=[ended(2)]),
        D,
        'container "app" failed with exit code 2',
    ),
    (
        "failed: init container goes first",
        pod(
            "Never",
            "Failed",
            initContainerStatuses=[ended(3, name="prepare")],
            containerStatuses=[ended(1)],
        ),
        D,
        'container "prepare" failed with exit code 3',
    ),
    (
        "failed: the container that ended well is not to blame",
        pod("Never", "Failed", containerStatuses=[ended(0, "Completed"), ended(4, name="b")]),
        D,
        'container "b" failed with exit code 4',
    ),
    ("failed without a reason", pod("Never", "Failed"), D, ""),
    ("runs once", pod("Never", "Running", **READY), P, ""),
    ("runs until it succeeds", pod("OnFailure", "Running", **READY), P, ""),
    ("run by an operator", pod("Never", "Running", annotations=IGNORE, **READY), H, ""),
    (
        "run by an operator, crash loop",
        pod(
            "Never",
            "Running",
            annotations=IGNORE,
            containerStatuses=[waiting("CrashLoopBackOff", "x")],
        ),
        D,
        "x",
    ),
    (
        "a hook's pod is meant to end",
        pod("Never", "Running", annotations=IGNORE | HOOK, **READY),
        P,
        "",
    ),
    ("no restart policy", pod("", "Running", **READY), U, ""),
    ("node lost", pod("Always", "Unknown", message="node lost"), U, "node lost"),
    ("no phase", pod("Always", ""), U, ""),
]
