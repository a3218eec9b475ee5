"""What an application is still waited for. Nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.cli.app.objects import ObjectPattern, chosen
from fleet.cli.app.page import object_name

FINAL = ("Succeeded", "Failed", "Error")
SYNCED = ("Synced", None)  # a resource without a status has nothing to compare

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to hold.

    Attributes:
        health: any one of these; empty: whatever it is.
        objects: only these are looked at; empty: all, and the application as a whole.
    """

    sync: bool = False
    health: frozenset[str] = frozenset()
    operation: bool = False
    hydrated: bool = False
    objects: tuple[ObjectPattern, ...] = ()

    @property
    def of_objects(self) -> bool:
        return self.sync or bool(self.health)

    def holds_for(self, resource: Document) -> bool:
        if resource.get("hook"):
            return True  # it has its say in the operation
        health = (resource.get("health") or {}).get("status")
        return not (
            (self.sync and resource.get("status") not in SYNCED)
            or (self.health and health is not None and health not in self.health)
        )


def outstanding(document: Document, wanted: Wanted) -> list[str]:
    """What an application is still waited for: which object, and why. Empty: converged."""
    status = document.get("status") or {}
    found: list[str] = []
    operation = status.get("operationState") or {}
    if wanted.operation and operation and operation.get("phase") not in FINAL:
        message = operation.get("message", "")
        found.append(f"operation {operation.get('phase')}: {message}".rstrip(": "))
    if wanted.hydrated:
        found += _unhydrated(document)
    found += _of_objects(status, wanted) if wanted.objects else _of_application(status, wanted)
    if wanted.of_objects and status.get("pending") and not found:
        found.append("what was changed or asked for last was not compared yet")
    elif found:
        found += [
            f"{condition['type']}: {condition.get('message', '')}"
            for condition in status.get("conditions") or ()
        ]
    return found


def _unhydrated(document: Document) -> Iterator[str]:
    """Nothing for an application that nobody hydrates."""
    wanted = (document.get("spec") or {}).get("sourceHydrator")
    state = (document.get("status") or {}).get("sourceHydrator") or {}
    current = state.get("currentOperation") or {}
    done = current.get("phase") == "Hydrated" and current.get("sourceHydrator") == wanted
    if wanted and not done:
        said = f"hydration {current.get('phase', 'Hydrating')}: {current.get('message', '')}"
        yield said.rstrip(": ")


def _of_application(status: Document, wanted: Wanted) -> list[str]:
    found: list[str] = []
    resources = status.get("resources") or ()
    sync = (status.get("sync") or {}).get("status", "Unknown")
    health = (status.get("health") or {}).get("status", "Unknown")
    if wanted.sync and sync != "Synced":
        found += list(_unsynced(resources)) or [f"sync status is {sync}"]
    if wanted.health and health not in wanted.health:
        found += list(_unhealthy(resources, wanted)) or [f"health is {health}"]
    return found


def _of_objects(status: Document, wanted: Wanted) -> list[str]:
    resources = chosen(status.get("resources") or (), wanted.objects)
    missing = [
        f"there is no object {pattern.text}"
        for pattern in wanted.objects
        if not pattern.excluded and not any(pattern.matches(it) for it in resources)
    ]
    unsynced = _unsynced(resources) if wanted.sync else ()
    unhealthy = _unhealthy(resources, wanted) if wanted.health else ()
    return [*missing, *unsynced, *unhealthy]


def _unsynced(resources: Sequence[Document]) -> Iterator[str]:
    for resource in resources:
        if not resource.get("hook") and resource.get("status") not in SYNCED:
            yield _about(resource, resource["status"], resource.get("message", ""))


def _unhealthy(resources: Sequence[Document], wanted: Wanted) -> Iterator[str]:
    for resource in (it for it in resources if not it.get("hook")):
        health = resource.get("health") or {}
        if health.get("status") is not None and health["status"] not in wanted.health:
            yield _about(resource, health["status"], health.get("message", ""))


def _about(resource: Document, state: str, message: str) -> str:
    return f"{object_name(resource)} is {state}" + (f": {message}" if message else "")


def arrived(document: Document, wanted: Wanted) -> tuple[int, int]:
    """How many objects are as they are waited for, and of how many; of a running operation,
    how many it is done with."""
    status = document.get("status") or {}
    operation = status.get("operationState") or {}
    if not wanted.of_objects and operation.get("phase") not in FINAL:
        results = (operation.get("syncResult") or {}).get("resources") or ()
        return sum(bool(it.get("action")) for it in results), len(results)
    resources = chosen(status.get("resources") or (), wanted.objects)
    return sum(map(wanted.holds_for, resources)), len(resources)


def stale(document: Document) -> str:
    """Since when nothing is known of the application; "" while it is."""
    return str((document.get("status") or {}).get("staleSince") or "")
