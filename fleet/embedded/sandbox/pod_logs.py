"""Logs of Pods in which nothing runs: what each container is, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.deleting import POD
from fleet.embedded.sandbox.objects import Object, at, name_of
from fleet.embedded.sandbox.requests import (
    Answer,
    Receive,
    Request,
    Send,
    Stream,
    Target,
    until_left,
)
from fleet.embedded.sandbox.statuses import bad_request, not_found

TEXT = b"text/plain"
LOG_ANNOTATION = "sandbox.fleet.dev/log"


def log(cluster: Cluster, request: Request, target: Target) -> Answer | Stream:
    """The log of one container.

    Raises:
        ApiError: no such Pod or container, or it did not start yet.
    """
    pod = cluster.store.get(POD, target.namespace, target.name)
    if pod is None:
        raise not_found(POD, target.name)
    container = _container(pod, request.query.get("container") or "")
    if not at(pod, "spec", "nodeName"):
        return Answer(b"", 204, b"")
    _check_started(pod, container)
    previous = request.flag("previous")
    lines = list(_lines(pod, container, previous=previous))
    if not request.flag("timestamps"):
        lines = [line.partition(" ")[2] for line in lines]
    if "tailLines" in request.query:
        lines = lines[len(lines) - min(request.number("tailLines"), len(lines)) :]
    body = "".join(f"{line}\n" for line in lines).encode()
    if request.query.get("limitBytes"):
        body = body[: request.number("limitBytes")]
    if request.flag("follow"):
        return _Follower(cluster, target, body).run
    return Answer(body, content_type=TEXT)


def _container(pod: Object, wanted: str) -> str:
    spec = pod["spec"]
    names = [it["name"] for it in spec.get("containers") or ()]
    first = [it["name"] for it in spec.get("initContainers") or ()]
    if wanted:
        if wanted not in (*names, *first):
            raise bad_request(f"container {wanted} is not valid for pod {name_of(pod)}")
        return wanted
    if len(names) == 1 and not first:
        return str(names[0])
    choice = f"choose one of: [{' '.join(names)}]"
    if first:
        choice += f" or one of the init containers: [{' '.join(first)}]"
    raise bad_request(f"a container name must be specified for pod {name_of(pod)}, {choice}")


def _state(pod: Object, container: str) -> Mapping[str, Any]:
    status = pod.get("status") or {}
    states = (
        *(status.get("containerStatuses") or ()),
        *(status.get("initContainerStatuses") or ()),
    )
    return next((it for it in states if it["name"] == container), {})


def _check_started(pod: Object, container: str) -> None:
    state = _state(pod, container)
    waiting = at(state, "state", "waiting", "reason")
    if (waiting or not state) and not at(state, "lastState", "terminated"):
        raise bad_request(
            f'container "{container}" in pod "{name_of(pod)}" is waiting to start: '
            f"{waiting or 'ContainerCreating'}"
        )


def _lines(pod: Object, container: str, *, previous: bool) -> Iterator[str]:
    """Each line begins with its time."""
    state = _state(pod, container)
    told = at(pod, "metadata", "annotations", LOG_ANNOTATION)
    part = state.get("lastState") if previous else state.get("state")
    started = at(part or {}, "running", "startedAt") or at(part or {}, "terminated", "startedAt")
    ended = at(part or {}, "terminated")
    if started:
        yield f"{started} sandbox: {container} started with image {state.get('image', '')}"
        for line in str(told or "").splitlines():
            yield f"{started} {line}"
    if ended:
        code = ended.get("exitCode", 0)
        yield f"{ended.get('finishedAt', '')} sandbox: {container} ended with exit code {code}"


class _Follower:
    """A log that stays open while its Pod runs."""

    def __init__(self, cluster: Cluster, target: Target, first: bytes) -> None:
        self._cluster = cluster
        self._target = target
        self._first = first

    async def run(self, receive: Receive, send: Send) -> None:
        """Send the log, then wait for the end of the Pod."""
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", TEXT)]}
        await send(start)
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        left = asyncio.ensure_future(until_left(receive))
        changed = asyncio.Event()
        stop = self._cluster.store.subscribe(POD, lambda _: changed.set())
        try:
            while self._runs():
                waiter = asyncio.ensure_future(changed.wait())
                await asyncio.wait({left, waiter}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
                changed.clear()
                if left.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            stop()
            left.cancel()

    def _runs(self) -> bool:
        pod = self._cluster.store.get(POD, self._target.namespace, self._target.name)
        return pod is not None and at(pod, "status", "phase") not in {"Succeeded", "Failed"}
