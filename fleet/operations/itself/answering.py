"""Requests about Argo CD's kinds, answered from the registry as an API server would.

Served is what Fleet itself asks for: an object, the metadata of all that applications have in
Git, a server-side apply or its dry run, a delete. Each write is one transaction that asks
whose the object is and what its writer's project allows (``policy.children``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote
from uuid import UUID

import orjson

from fleet.cluster import Answer, Call
from fleet.diff import applied_to, managed_fields
from fleet.errors import (
    ClusterUnreachable,
    FleetError,
    KindUnknown,
    ObjectRejected,
    RegistryError,
)
from fleet.model.children import Held, Parent
from fleet.model.clusters import ApiKind
from fleet.model.ids import ApplicationId
from fleet.model.objects import HOOK_FINALIZER, Manifest, ObjectRef, metadata_of
from fleet.operations.crashpoints import committing
from fleet.operations.itself.shelves import SHELVES, Shelf, refused, status_of
from fleet.operations.itself.telling import tell_of
from fleet.operations.tasks import LATER
from fleet.registry import children, queue
from fleet.registry.database import Database, Tx, rehearsed


@dataclass(frozen=True)
class _Asked:
    """A request, taken apart."""

    call: Call
    shelf: Shelf
    namespace: str
    name: str
    query: Mapping[str, str]
    on_behalf: str

    @property
    def ref(self) -> ObjectRef:
        kind = self.shelf.kind
        return ObjectRef(kind.group, kind.kind, self.namespace, self.name)


class OwnObjects:
    """Answers for what Fleet holds (``cluster.OwnKinds``)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def kinds(self) -> tuple[ApiKind, ...]:
        return tuple(shelf.kind for shelf in SHELVES.values())

    async def answer(self, call: Call, on_behalf: str) -> Answer:
        """Raises:
        ObjectRejected: as an API server would refuse it.
        ClusterUnreachable: the registry did not answer; nothing follows from it.
        """
        asked = _taken_apart(call, on_behalf)
        try:
            return await self._do(asked)
        except RegistryError as error:
            raise ClusterUnreachable(f"{call.subject}: {error.message}") from error

    async def _do(self, asked: _Asked) -> Answer:
        match asked.call.method, bool(asked.name):
            case "GET", False:
                return await self._list(asked)
            case "GET", True:
                return await self._get(asked)
            case "PATCH", True if asked.query.get("fieldManager"):
                return await self._apply(asked)
            case "DELETE", True:
                return await self._delete(asked)
        raise KindUnknown(f"{asked.call.subject}: Fleet does not serve {asked.call.verb}")

    async def _list(self, asked: _Asked) -> Answer:
        async with self._db.reading() as tx:
            held = await asked.shelf.all(tx)
        items = [_object(one, one.namespace) for one in held]
        shown = [{"metadata": it["metadata"]} for it in items]
        kind = f"{asked.shelf.kind.kind}List"
        return _answer({"kind": kind, "metadata": {"resourceVersion": "0"}, "items": shown})

    async def _get(self, asked: _Asked) -> Answer:
        async with self._db.reading() as tx:
            held = await asked.shelf.find(tx, asked.name)
            if held is None:
                raise _missing(asked)
            parent = await _parent(tx, asked)
        if parent is not None:
            asked.shelf.check(parent, held.document)
        return _answer(_object(held, asked.namespace))

    async def _apply(self, asked: _Asked) -> Answer:
        wanted: Manifest = orjson.loads(asked.call.body or b"{}")
        dry_run = bool(asked.query.get("dryRun"))
        async with committing(self._db, "put") as tx, rehearsed(tx, undo=dry_run):
            parent = await _parent(tx, asked)
            if parent is None:
                raise refused(asked.ref, "only an application can write it", "Forbidden")
            held = await asked.shelf.find(tx, asked.name)
            _check_hook(asked, wanted)
            _check_owner(asked, parent, held)
            before = held.applied if held is not None and held.parent_id == parent.id else None
            document = applied_to(held.document if held else None, before, wanted)
            for one in ([held.document] if held else []) + [document]:
                asked.shelf.check(parent, one)
            id, polled = await _put(asked, tx, parent, document)
            if not dry_run:
                await queue.wake(tx, "poll", [str(repository) for repository in polled])
            await children.note_applied(
                tx, asked.shelf.kind.kind, id, parent.id, asked.namespace, wanted
            )
            after = await asked.shelf.find(tx, asked.name)
            assert after is not None
        return _answer(_object(after, asked.namespace), 200 if held else 201)

    async def _delete(self, asked: _Asked) -> Answer:
        options = orjson.loads(asked.call.body or b"{}")
        async with committing(self._db, "put") as tx:
            parent = await _parent(tx, asked)
            held = await asked.shelf.find(tx, asked.name)
            if held is None:
                raise _missing(asked)
            if parent is None or held.parent_id != parent.id:
                raise refused(asked.ref, "it is not this application's", "Conflict")
            if options.get("preconditions", {}).get("uid") != str(held.uid):
                raise refused(asked.ref, "it is another object of the same name", "Conflict")
            asked.shelf.check(parent, held.document)
            later = await asked.shelf.remove(tx, parent, held)
        if later:
            raise refused(asked.ref, later, LATER)
        if parent.ancestors:
            await tell_of(self._db, [parent.id])
        return _answer({"kind": "Status", "status": "Success"})


async def _put(
    asked: _Asked, tx: Tx, parent: Parent, document: Manifest
) -> tuple[UUID, Sequence[UUID]]:
    try:
        return await asked.shelf.put(tx, parent, document)
    except ObjectRejected:
        raise
    except RegistryError:
        raise
    except FleetError as error:
        raise ObjectRejected(
            f"{asked.ref}: {error.message}",
            reason="Invalid",
            hint=error.hint,
            object=str(asked.ref),
        ) from error


def _taken_apart(call: Call, on_behalf: str) -> _Asked:
    path, _, query = call.path.partition("?")
    parts = [unquote(part) for part in path.strip("/").split("/")]
    # apis/GROUP/VERSION[/namespaces/NAMESPACE]/PLURAL[/NAME]
    namespace, rest = (parts[4], parts[5:]) if parts[3:4] == ["namespaces"] else ("", parts[3:])
    given = {key: values[-1] for key, values in parse_qs(query).items()}
    name = rest[1] if len(rest) > 1 else ""
    return _Asked(call, SHELVES[call.kind], namespace, name, given, on_behalf)


async def _parent(tx: Tx, asked: _Asked) -> Parent | None:
    if not asked.on_behalf:
        return None
    return await children.parent_of(tx, ApplicationId(UUID(asked.on_behalf)))


def _missing(asked: _Asked) -> ObjectRejected:
    return refused(asked.ref, "not found", "NotFound")


def _check_hook(asked: _Asked, wanted: Manifest) -> None:
    if HOOK_FINALIZER in (metadata_of(wanted).get("finalizers") or ()):
        raise refused(asked.ref, "an object that Fleet holds cannot be a hook", "Invalid")


def _check_owner(asked: _Asked, parent: Parent, held: Held | None) -> None:
    """Two of the same name in different namespaces are one here, and one belongs to one."""
    if held is None or held.parent_id is None:
        return
    if held.parent_id != parent.id:
        raise refused(asked.ref, f"belongs to application {held.parent}", "Conflict")
    if held.namespace != asked.namespace:
        raise refused(
            asked.ref,
            f"is also written in namespace {held.namespace}; Fleet tells applications apart by"
            " name alone",
            "Conflict",
        )


def _object(held: Held, namespace: str) -> Manifest:
    """The object as an API server shows it."""
    status = status_of(held)
    metadata = {**metadata_of(held.document), "namespace": namespace}
    written = {
        **held.document,
        "metadata": metadata,
    }
    fields = managed_fields(held.document, held.applied)
    deleting = held.standing.deleting if held.standing is not None else None
    text = orjson.dumps([held.document, held.applied, status, deleting], option=_SORTED)
    marks: dict[str, Any] = {
        "uid": str(held.uid),
        "generation": held.generation,
        "creationTimestamp": held.created_at.isoformat(),
        "managedFields": fields,
        "resourceVersion": hashlib.sha256(text).hexdigest()[:16],
    }
    if deleting is not None:
        marks["deletionTimestamp"] = str(deleting.get("at", ""))
    return {**written, "metadata": {**metadata, **marks}, **({"status": status} if status else {})}


_SORTED = orjson.OPT_SORT_KEYS


def _answer(body: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(body), {})
