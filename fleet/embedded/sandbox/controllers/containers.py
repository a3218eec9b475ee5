"""What the containers of a Pod say about themselves: all of them the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.embedded.sandbox.controllers.reading import spec_of, status_of, uid_of
from fleet.embedded.sandbox.objects import Object, timestamp

CREATING = "ContainerCreating"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running. ``message`` may speak of ``{image}``."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Running:
    ready: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """Ran and ended. ``waiting`` is why it is not running again, ``restarts`` how often it was."""

    reason: str
    code: int
    waiting: Waiting | None = None
    restarts: int = 0


Container = Waiting | Running | Ended


def waiting_of(obj: Object) -> Mapping[str, Any]:
    """Why the first container is not running; empty when it is, or ended."""
    first: Mapping[str, Any] = next(iter(status_of(obj).get("containerStatuses") or ()), {})
    found: Mapping[str, Any] = (first.get("state") or {}).get("waiting") or {}
    return found


def statuses_of(obj: Object, state: Container, now: datetime) -> Mapping[str, Any]:
    """``containerStatuses`` and ``initContainerStatuses`` when every container is at ``state``.

    Init containers are done as soon as the others are not waiting to be made.
    """
    creating = isinstance(state, Waiting) and state.reason == CREATING
    init: Container = Waiting("PodInitializing", "") if creating else Ended("Completed", 0)
    shown = {
        "initContainerStatuses": _each(obj, "initContainers", init, now),
        "containerStatuses": _each(obj, "containers", state, now),
    }
    return {key: value for key, value in shown.items() if value}


def _each(obj: Object, field: str, state: Container, now: datetime) -> list[dict[str, Any]]:
    listed = status_of(obj).get("initContainerStatuses" if field[0] == "i" else "containerStatuses")
    before = {it["name"]: it for it in listed or ()}
    containers: Sequence[Mapping[str, Any]] = spec_of(obj).get(field) or ()
    return [_status(obj, it, before.get(it["name"], {}), state, now) for it in containers]


def _status(
    obj: Object,
    container: Mapping[str, Any],
    before: Mapping[str, Any],
    state: Container,
    now: datetime,
) -> dict[str, Any]:
    image = str(container.get("image", ""))
    exists = not isinstance(state, Waiting)
    shown: dict[str, Any] = {
        "name": container["name"],
        "image": image,
        "imageID": f"{image.rpartition(':')[0] or image}@sha256:{_hash(image)}" if exists else "",
        "ready": state.ready if isinstance(state, Running) else False,
        "started": isinstance(state, Running),
        "restartCount": state.restarts if isinstance(state, Ended) else 0,
        "state": _state(before, state, image, now),
        "lastState": {},
    }
    if exists:
        shown["containerID"] = f"containerd://{_hash(uid_of(obj) + str(container['name']))}"
    if isinstance(state, Ended) and state.waiting:
        shown["lastState"] = {"terminated": _terminated(before, state, now)}
        shown["state"] = _state(before, state.waiting, image, now)
    return shown


def _state(
    before: Mapping[str, Any], state: Container, image: str, now: datetime
) -> dict[str, Any]:
    match state:
        case Waiting(reason, message):
            told = {"message": message.replace("{image}", image)} if message else {}
            return {"waiting": {"reason": reason, **told}}
        case Running():
            since = (before.get("state") or {}).get("running") or {"startedAt": timestamp(now)}
            return {"running": since}
        case Ended():
            return {"terminated": _terminated(before, state, now)}


def _terminated(before: Mapping[str, Any], state: Ended, now: datetime) -> dict[str, Any]:
    """How it ended; the times stay as long as it was not restarted since."""
    earlier = (before.get("state") or {}).get("terminated") or (before.get("lastState") or {}).get(
        "terminated"
    )
    if earlier and before.get("restartCount", 0) == state.restarts:
        return dict(earlier)
    started = ((before.get("state") or {}).get("running") or {}).get("startedAt", timestamp(now))
    return {
        "exitCode": state.code,
        "reason": state.reason,
        "startedAt": started,
        "finishedAt": timestamp(now),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
