"""Events: what happened to objects, for whoever looks at them."""

from __future__ import annotations

from typing import Any

from fleet.embedded.sandbox.controllers.making import digest, made
from fleet.embedded.sandbox.controllers.reading import uid_of
from fleet.embedded.sandbox.controllers.steps import Tell
from fleet.embedded.sandbox.objects import Object, name_of, namespace_of

#: A real cluster forgets them after an hour; here, the oldest go when there are more.
MOST = 100


def event_name(step: Tell) -> str:
    """The same for the same words about the same object."""
    hash = digest(uid_of(step.object), step.reason, step.message, length=16)
    return f"{name_of(step.object)}.{hash}"


def event(step: Tell, before: Object | None, now: str) -> Object:
    """The event as it is to be stored; ``before`` is the one of the same words."""
    if before is not None:
        return {**before, "count": int(before.get("count") or 1) + 1, "lastTimestamp": now}
    about: dict[str, Any] = {
        "apiVersion": step.object["apiVersion"],
        "kind": step.object["kind"],
        "name": name_of(step.object),
        "namespace": namespace_of(step.object),
        "uid": uid_of(step.object),
        "resourceVersion": step.object["metadata"].get("resourceVersion", ""),
    }
    return made(
        "v1",
        "Event",
        event_name(step),
        namespace=namespace_of(step.object) or "default",
        involvedObject={key: it for key, it in about.items() if it},
        reason=step.reason,
        message=step.message,
        type="Warning" if step.warning else "Normal",
        source={"component": step.source},
        reportingComponent=step.source,
        reportingInstance="",
        firstTimestamp=now,
        lastTimestamp=now,
        eventTime=None,
        count=1,
    )
