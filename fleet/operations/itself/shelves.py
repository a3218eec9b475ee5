"""The kinds that Fleet holds: how each is found, shown, put, taken away, and who may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

from fleet.errors import NotFound, ObjectRejected, Refused
from fleet.health import of_child
from fleet.model.applications import (
    BACKGROUND_FINALIZER,
    RESOURCES_FINALIZER,
    skips_reconciling,
)
from fleet.model.children import APPLICATION, APPLICATION_SET, PROJECT, Held, Parent
from fleet.model.clusters import ApiKind
from fleet.model.decisions import Decision
from fleet.model.ids import ApplicationId
from fleet.model.objects import Manifest, ObjectRef, metadata_of
from fleet.model.operations import OperationKind, SyncOptions, Trigger
from fleet.model.parsing import parse_application, parse_project
from fleet.model.scope import EVERYTHING, Actor
from fleet.operations.judging import key_of
from fleet.operations.projects import let_go, written
from fleet.operations.putting import Desk
from fleet.operations.runtime import utc_now
from fleet.operations.specs import application_spec, project_spec
from fleet.policy import may_have_application, may_keep_document, may_write_project
from fleet.registry import applications, children, documents, history, projects, queue
from fleet.registry.database import Tx


class Shelf(Protocol):
    """One kind. What an apply stores is a whole document, merged already."""

    kind: ApiKind

    async def find(self, tx: Tx, name: str) -> Held | None: ...

    async def all(self, tx: Tx) -> list[Held]:
        """Those that applications have in Git."""
        ...

    def check(self, parent: Parent, document: Manifest) -> None:
        """Raises ObjectRejected where ``parent`` may not have it so, or touch it as it is."""
        ...

    async def put(self, tx: Tx, parent: Parent, document: Manifest) -> tuple[UUID, Sequence[UUID]]:
        """Store it; returns its id and the repositories to poll."""
        ...

    async def remove(self, tx: Tx, parent: Parent, held: Held) -> str:
        """Take it away, or begin to; what it waits for when it has to be tried again."""
        ...


def refused(ref: ObjectRef, why: str, reason: str) -> ObjectRejected:
    """A refusal as an API server words it."""
    return ObjectRejected(f"{ref}: {why}", reason=reason, object=str(ref))


def _require(kind: ApiKind, name: str, decision: Decision) -> None:
    if not decision:
        raise refused(ObjectRef(kind.group, kind.kind, "", name), decision.reason, "Forbidden")


def _writer(parent: Parent) -> Actor:
    return Actor(f"application:{parent.name}", role="admin")


class Applications:
    kind = APPLICATION

    async def find(self, tx: Tx, name: str) -> Held | None:
        found = await children.find_held(tx, "Application", name)
        return None if found is None else self._held(*found)

    async def all(self, tx: Tx) -> list[Held]:
        return [self._held(*found) for found in await children.list_held(tx, "Application")]

    def _held(self, held: Held, row: Any) -> Held:
        policy = application_spec(held.document).sync_policy
        standing = children.standing_of(
            row,
            wanted_key=key_of(row.manifests_sha256, row.generation, policy.options),
            auto_sync=policy.auto_sync,
            is_skipped=skips_reconciling(held.document),
        )
        return replace(held, standing=standing)

    def check(self, parent: Parent, document: Manifest) -> None:
        name = str(metadata_of(document).get("name", ""))
        if name == parent.name or name in parent.ancestors:
            raise refused(
                ObjectRef(self.kind.group, self.kind.kind, "", name),
                cycle_of(parent, name),
                "Invalid",
            )
        spec = project_spec(parent.project_document)
        decision = may_have_application(parent, spec, _project_of(document))
        _require(self.kind, name, decision)

    async def put(self, tx: Tx, parent: Parent, document: Manifest) -> tuple[UUID, Sequence[UUID]]:
        desk = Desk(tx, _writer(parent), EVERYTHING, utc_now())
        parsed = parse_application(document)
        await desk.put(parsed, upsert=True, early=True)
        app = await applications.find_application(tx, EVERYTHING, parsed.name)
        return app.id, tuple(desk.touched)

    async def remove(self, tx: Tx, parent: Parent, held: Held) -> str:
        """As its finalizers say: with what it deployed, or without."""
        id, now, actor = ApplicationId(held.uid), utc_now(), _writer(parent)
        app = await applications.find_application(tx, EVERYTHING, held.name)
        propagation = propagation_of(held.document)
        if not propagation or app.cluster_id is None:
            await applications.remove_application(tx, actor, id, now)
            return ""
        standing = held.standing
        if standing is not None and standing.deleting is not None:
            return ""
        if standing is not None and standing.is_at_work:
            await history.terminate_operation(tx, actor, id)
            await queue.wake(tx, "reconcile", [str(app.cluster_id)])
            return "the operation that runs on it is being ended"
        await applications.mark_deleting(
            tx, actor, id, cascade=True, propagation=propagation, now=now
        )
        request = history.OperationRequest(
            id, OperationKind.DELETE, Trigger.DELETE, SyncOptions(prune=True)
        )
        await history.create_operation(tx, actor, request, now)
        await queue.wake(tx, "reconcile", [str(app.cluster_id)])
        return ""


class Projects:
    kind = PROJECT

    async def find(self, tx: Tx, name: str) -> Held | None:
        found = await children.find_held(tx, "AppProject", name)
        return None if found is None else found[0]

    async def all(self, tx: Tx) -> list[Held]:
        return [held for held, _ in await children.list_held(tx, "AppProject")]

    def check(self, parent: Parent, document: Manifest) -> None:
        name = str(metadata_of(document).get("name", ""))
        spec = project_spec(parent.project_document)
        _require(self.kind, name, may_write_project(parent, spec, name))

    async def put(self, tx: Tx, parent: Parent, document: Manifest) -> tuple[UUID, Sequence[UUID]]:
        project = parse_project(document)
        await written(tx, _writer(parent), project)
        return await projects.project_id(tx, EVERYTHING, project.name), ()

    async def remove(self, tx: Tx, parent: Parent, held: Held) -> str:
        try:
            await let_go(tx, _writer(parent), held.name)
        except NotFound:
            return ""
        except Refused as error:
            return error.message
        return ""


class ApplicationSets:
    """Kept for later: nothing is made of them yet."""

    kind = APPLICATION_SET

    async def find(self, tx: Tx, name: str) -> Held | None:
        found = await children.find_held(tx, "ApplicationSet", name)
        return None if found is None else found[0]

    async def all(self, tx: Tx) -> list[Held]:
        return [held for held, _ in await children.list_held(tx, "ApplicationSet")]

    def check(self, parent: Parent, document: Manifest) -> None:
        name = str(metadata_of(document).get("name", ""))
        spec = project_spec(parent.project_document)
        _require(self.kind, name, may_keep_document(parent, spec))

    async def put(self, tx: Tx, parent: Parent, document: Manifest) -> tuple[UUID, Sequence[UUID]]:
        kept = documents.KeptDocument.of(document)
        id, _ = await documents.keep(tx, _writer(parent), kept)
        return id, ()

    async def remove(self, tx: Tx, parent: Parent, held: Held) -> str:
        await documents.forget(tx, _writer(parent), held.uid)
        return ""


SHELVES: Mapping[str, Shelf] = {
    str(shelf.kind.group_kind): shelf for shelf in (Projects(), ApplicationSets(), Applications())
}


def cycle_of(parent: Parent, name: str) -> str:
    """How an application comes to be its own ancestor, as people read it."""
    above = (parent.name, *parent.ancestors)
    way = [*reversed(above[: above.index(name) + 1]), name]
    return f"an application cannot come from itself: {' → '.join(way)}"


def propagation_of(document: Manifest) -> str:
    """How what an application deployed goes with it; "" when it stays."""
    finalizers = metadata_of(document).get("finalizers") or ()
    for finalizer in finalizers if isinstance(finalizers, list) else ():
        if finalizer == BACKGROUND_FINALIZER:
            return "background"
        if finalizer == RESOURCES_FINALIZER or str(finalizer).startswith(f"{RESOURCES_FINALIZER}/"):
            return "foreground"
    return ""


def status_of(held: Held) -> dict[str, Any]:
    """What an application says of itself to whoever has it in Git; nothing of other kinds."""
    standing = held.standing
    if standing is None:
        return {}
    health = of_child(standing)
    return {
        "sync": {"status": str(standing.sync), "revision": standing.revision},
        "health": {"status": str(health.status), "message": health.message},
    }


def _project_of(document: Manifest) -> str:
    spec = document.get("spec")
    project = spec.get("project") if isinstance(spec, dict) else ""
    return str(project or "default")
