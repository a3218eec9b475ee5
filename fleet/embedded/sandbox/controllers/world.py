"""One cluster's store, as rules see it and as their steps are carried out in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.controllers.events import MOST, event, event_name
from fleet.embedded.sandbox.controllers.reading import annotations_of, is_ending, uid_of
from fleet.embedded.sandbox.controllers.rules import API_VERSIONS
from fleet.embedded.sandbox.controllers.steps import Delete, Tell, Write
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.deleting import NAMESPACE, Options, begin, put_or_finish
from fleet.embedded.sandbox.kinds import Kind, builtin_kind
from fleet.embedded.sandbox.merging import track
from fleet.embedded.sandbox.objects import Object, controller_of, name_of, namespace_of, timestamp
from fleet.embedded.sandbox.store import Objects
from fleet.embedded.sandbox.strategies import counts_generations, updated

KINDS: Mapping[str, Kind] = {
    kind: builtin_kind(version, kind) for kind, version in API_VERSIONS.items()
}
#: Metadata that is the server's business: a step was thought out on an older version of it.
KEPT = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


class World:
    """One cluster at one moment: what is ``Seen``, and the hands that carry steps out."""

    def __init__(
        self, cluster: Cluster, now: datetime, suffix: Callable[[], str], uid: Callable[[], str]
    ) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._now = now
        self._suffix = suffix
        self._uid = uid

    # what a rule sees

    @property
    def now(self) -> datetime:
        return self._now

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self._store.get(KINDS[kind], namespace, name)

    def list(self, kind: str, namespace: str = "") -> Objects:
        return self._store.list(KINDS[kind], namespace)

    def owned(self, kind: str, owner: Object) -> Objects:
        uid = uid_of(owner)
        found = [it for of, it in self._store.dependents(uid) if of.kind == kind]
        mine = [it for it in found if (by := controller_of(it)) and by["uid"] == uid]
        return sorted(mine, key=lambda it: (it["metadata"]["creationTimestamp"], name_of(it)))

    def suffix(self) -> str:
        return self._suffix()

    # what it asks for

    def write(self, step: Write) -> None:
        """Create or replace. As at the API, a status is written apart from the rest."""
        kind = KINDS[step.object["kind"]]
        before = self._store.get(kind, namespace_of(step.object), name_of(step.object))
        if before is None:
            if step.subresource or not self._takes(namespace_of(step.object)):
                return  # it, or its namespace, is gone or going
            after = self._created(kind, step.object)
        elif step.subresource == "status":
            after = _told(before, step.object)
        else:
            after = set_defaults(_replaced(before, step.object), kind)
            after = updated(kind, after, before, step.subresource)
        if before == after:
            return
        if step.manager:
            after = track(
                before,
                after,
                shape=kind.shape,
                manager=step.manager,
                now=timestamp(self._now),
                subresource=step.subresource,
            )
        put_or_finish(self._cluster, kind, after)

    def _takes(self, namespace: str) -> bool:
        """Whether new objects may be made in a namespace; "" is the cluster itself."""
        found = self._store.get(NAMESPACE, "", namespace) if namespace else None
        return not namespace or (found is not None and not is_ending(found))

    def _created(self, kind: Kind, obj: Object) -> Object:
        metadata = {
            **obj["metadata"],
            "uid": self._uid(),
            "creationTimestamp": timestamp(self._now),
        }
        if counts_generations(kind):
            metadata["generation"] = 1
        made = set_defaults({**obj, "metadata": metadata}, kind)
        return admitted(
            made,
            None,
            group=kind.group,
            plural=kind.plural,
            services=lambda: self._store.list(KINDS["Service"]),
        )

    def delete(self, step: Delete) -> None:
        """Delete as a client would."""
        kind = KINDS[step.object["kind"]]
        found = self._store.get(kind, namespace_of(step.object), name_of(step.object))
        if found is not None:
            options = Options("Background", grace_seconds=0 if step.at_once else None)
            begin(self._cluster, kind, found, options)

    def tell(self, step: Tell) -> None:
        """Write an event, or count it; the oldest goes when there are too many."""
        kind, namespace = KINDS["Event"], namespace_of(step.object) or "default"
        before = self._store.get(kind, namespace, event_name(step))
        self.write(Write(event(step, before, timestamp(self._now)), step.source))
        if self._store.count(kind) > MOST:
            key, _ = min(self._store.entries(kind), key=lambda it: it[1].version)
            self._store.remove(kind, *key.split("/", 1))


def _told(before: Object, obj: Object) -> Object:
    """What is there with the status of ``obj``, and with its annotations: a write of a status
    takes them along without making a new generation."""
    metadata = before["metadata"]
    if annotations := {**annotations_of(before), **annotations_of(obj)}:
        metadata = {**metadata, "annotations": annotations}
    return {**before, "metadata": metadata, "status": obj["status"]}


def _replaced(before: Object, obj: Object) -> Object:
    """``obj`` with the status and the identity of what is there."""
    theirs = {key: it for key, it in obj["metadata"].items() if key not in KEPT}
    metadata = {**before["metadata"], **theirs}
    if not metadata.get("finalizers", True):
        del metadata["finalizers"]
    after = {**obj, "metadata": metadata}
    if "status" in before:
        after["status"] = before["status"]
    return after
