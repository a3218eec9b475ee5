"""The garbage collector: what is owned goes with its owners, or is let go.

Nothing is held in memory but the store's index of owners. Each write is looked at after the
request is answered, so that a client sees the steps that the real server shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.deleting import (
    FOREGROUND,
    ORPHAN,
    Options,
    begin,
    put_or_finish,
)
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import Object, meta_of, name_of, namespace_of, with_meta
from fleet.embedded.sandbox.store import Event, Store

_WORDS = (b'"ownerReferences"', b'"foregroundDeletion"', b'"orphan"')


class Collector:
    """Looks after one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def heard(self, store: Store, event: Event) -> None:
        """A listener of the store."""
        if event.deleted:
            uid = event.entry.metadata().get("uid", "")
            if store.has_dependents(uid):
                self._cluster.schedule(0, lambda: self._owner_gone(uid))
            if b'"ownerReferences"' in event.entry.meta:
                owners = event.entry.metadata()["ownerReferences"]
                self._cluster.schedule(
                    0, lambda: self._dependent_gone(event.entry.metadata(), owners)
                )
        elif any(word in event.entry.meta for word in _WORDS):
            kind, namespace, name = event.kind, *event.key.split("/", 1)
            self._cluster.schedule(0, lambda: self._look(kind, namespace, name))

    def resume(self) -> None:
        """Go on with what an earlier run left undone."""
        for storage, key, entry in self._cluster.store.all_entries():
            kind = self._cluster.kinds.stored(storage)
            if kind is not None and any(word in entry.meta for word in _WORDS):
                self._cluster.schedule(0, partial(self._look, kind, *key.split("/", 1)))

    def _owner_gone(self, uid: str) -> None:
        for kind, obj in self._cluster.store.dependents(uid):
            self._collect(kind, obj)

    def _dependent_gone(self, metadata: Mapping[str, Any], owners: list[Object]) -> None:
        """An owner that waits for its dependents may be done now."""
        for ref in owners:
            found = self._owner(ref, metadata.get("namespace") or "")
            if found is not None and FOREGROUND in (meta_of(found[1]).get("finalizers") or ()):
                self._foreground(*found)

    def _look(self, kind: Kind, namespace: str, name: str) -> None:
        obj = self._cluster.store.get(kind, namespace, name)
        if obj is None:
            return
        finalizers = meta_of(obj).get("finalizers") or ()
        if meta_of(obj).get("deletionTimestamp"):
            if FOREGROUND in finalizers:
                self._foreground(kind, obj)
            elif ORPHAN in finalizers:
                self._orphan(kind, obj)
        elif meta_of(obj).get("ownerReferences"):
            self._collect(kind, obj)

    def _foreground(self, kind: Kind, owner: Object) -> None:
        """Delete the dependents; when none that blocks is left, the owner may go."""
        uid = meta_of(owner)["uid"]
        for of, obj in self._cluster.store.dependents(uid):
            if not meta_of(obj).get("deletionTimestamp"):
                self._collect(of, obj)
        if not any(_blocks(obj, uid) for _, obj in self._cluster.store.dependents(uid)):
            self._without(kind, owner, FOREGROUND)

    def _orphan(self, kind: Kind, owner: Object) -> None:
        uid = meta_of(owner)["uid"]
        for of, obj in self._cluster.store.dependents(uid):
            left = [it for it in meta_of(obj)["ownerReferences"] if it.get("uid") != uid]
            put_or_finish(self._cluster, of, with_meta(obj, ownerReferences=left or None))
        self._without(kind, owner, ORPHAN)

    def _without(self, kind: Kind, obj: Object, finalizer: str) -> None:
        current = self._cluster.store.get(kind, namespace_of(obj), name_of(obj))
        if current is None:
            return
        left = [it for it in meta_of(current).get("finalizers") or () if it != finalizer]
        put_or_finish(self._cluster, kind, with_meta(current, finalizers=left or None))

    def _collect(self, kind: Kind, obj: Object) -> None:
        """Delete an object none of whose owners stays; forget owners that are gone."""
        namespace = namespace_of(obj)
        owners = meta_of(obj).get("ownerReferences") or ()
        found = [(ref, self._owner(ref, namespace)) for ref in owners]
        staying = [ref for ref, owner in found if owner and not _waits(owner[1])]
        waiting = [ref for ref, owner in found if owner and _waits(owner[1])]
        if staying:
            if len(staying) < len(owners):
                put_or_finish(self._cluster, kind, with_meta(obj, ownerReferences=staying))
        elif not meta_of(obj).get("deletionTimestamp"):
            policy = "Foreground" if waiting and self._has_blocking(obj) else ""
            begin(self._cluster, kind, obj, Options(policy or "Background"))

    def _has_blocking(self, obj: Object) -> bool:
        uid = meta_of(obj)["uid"]
        return any(_blocks(it, uid) for _, it in self._cluster.store.dependents(uid))

    def _owner(self, ref: Mapping[str, Any], namespace: str) -> tuple[Kind, Object] | None:
        """The owner that a reference means, if it is there."""
        kind = self._cluster.kinds.named(ref.get("apiVersion", ""), ref.get("kind", ""))
        if kind is None:
            return None
        where = namespace if kind.namespaced else ""
        obj = self._cluster.store.get(kind, where, ref.get("name", ""))
        if obj is None or meta_of(obj).get("uid") != ref.get("uid"):
            return None
        return self._cluster.kinds.kept_as(kind), obj


def _waits(owner: Object) -> bool:
    """Whether an owner only waits for its dependents to go."""
    metadata = meta_of(owner)
    finalizers = metadata.get("finalizers") or ()
    return bool(metadata.get("deletionTimestamp")) and FOREGROUND in finalizers


def _blocks(obj: Object, uid: str) -> bool:
    return any(
        ref.get("uid") == uid and ref.get("blockOwnerDeletion")
        for ref in meta_of(obj).get("ownerReferences") or ()
    )
