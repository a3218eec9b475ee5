"""Namespaces: what each gets when it is made, and how it is emptied before it goes."""

from __future__ import annotations

from functools import partial
from typing import Any

from fleet.embedded.sandbox.bootstrap import ROOT_CA, furnish
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.deleting import NAMESPACE, Options, begin, put_or_finish
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import Object, meta_of, name_of, timestamp
from fleet.embedded.sandbox.store import Event, Store

_NO_MORE = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


class Emptier:
    """Looks after the namespaces of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._terminating: set[str] = set()

    def heard(self, store: Store, event: Event) -> None:
        """A listener of the store."""
        if event.kind is NAMESPACE:
            name = event.key.lstrip("/")
            if event.deleted:
                self._terminating.discard(name)
            elif b'"deletionTimestamp"' in event.entry.meta:
                if name not in self._terminating:
                    self._terminating.add(name)
                    self._cluster.schedule(0, lambda: self._empty(name))
            elif event.before is None:
                furnish(self._cluster, name)
        elif event.deleted and self._terminating:
            namespace = event.key.partition("/")[0]
            if namespace in self._terminating:
                self._cluster.schedule(0, lambda: self._finish(namespace))
        elif event.deleted and event.key.partition("/")[2] in {"default", ROOT_CA}:
            self._restore(store, event)

    def resume(self) -> None:
        """Go on with what an earlier run left undone."""
        for obj in self._cluster.store.list(NAMESPACE):
            if meta_of(obj).get("deletionTimestamp"):
                name = name_of(obj)
                self._terminating.add(name)
                self._cluster.schedule(0, partial(self._empty, name))

    def _restore(self, store: Store, event: Event) -> None:
        """What every namespace has comes back."""
        namespace = event.key.partition("/")[0]
        if namespace and store.entry(NAMESPACE, "", namespace) is not None:
            self._cluster.schedule(0, lambda: self._furnish_again(namespace))

    def _furnish_again(self, namespace: str) -> None:
        if (
            self._cluster.store.entry(NAMESPACE, "", namespace)
            and namespace not in self._terminating
        ):
            furnish(self._cluster, namespace)

    def _kinds(self) -> list[Kind]:
        return [
            it for it in self._cluster.kinds.storages() if it.namespaced and "delete" in it.verbs
        ]

    def _empty(self, namespace: str) -> None:
        store = self._cluster.store
        for kind in self._kinds():
            for obj in store.list(kind, namespace):
                if not meta_of(obj).get("deletionTimestamp"):
                    begin(self._cluster, kind, obj, Options("Background"))
        self._finish(namespace)

    def _finish(self, namespace: str) -> None:
        """Let the namespace go when nothing is left in it, or say what is."""
        store = self._cluster.store
        obj = store.get(NAMESPACE, "", namespace)
        if obj is None or not meta_of(obj).get("deletionTimestamp"):
            return
        left = [(kind, store.list(kind, namespace)) for kind in self._kinds()]
        left = [(kind, objects) for kind, objects in left if objects]
        if left:
            conditions = _conditions(left, timestamp(self._cluster.now()), obj)
            store.put(NAMESPACE, {**obj, "status": {**obj["status"], "conditions": conditions}})
            return
        spec = {**obj["spec"]}
        spec["finalizers"] = [it for it in spec.get("finalizers") or () if it != "kubernetes"]
        if not spec["finalizers"]:
            del spec["finalizers"]
        put_or_finish(self._cluster, NAMESPACE, {**obj, "spec": spec})


def _conditions(left: list[tuple[Kind, list[Object]]], now: str, before: Object) -> list[Object]:
    """What still holds a namespace, as the real controller tells it."""
    counts = ", ".join(
        f"{kind.resource} has {len(objects)} resource instances" for kind, objects in left
    )
    finalizers: dict[str, int] = {}
    for _, objects in left:
        for obj in objects:
            for name in meta_of(obj).get("finalizers") or ():
                finalizers[name] = finalizers.get(name, 0) + 1
    held = ", ".join(
        f"{name} in {count} resource instances" for name, count in sorted(finalizers.items())
    )
    found = [
        *((kind, "False", reason, text) for kind, reason, text in _NO_MORE),
        (
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            f"Some resources are remaining: {counts}",
        ),
    ]
    if held:
        text = f"Some content in the namespace has finalizers remaining: {held}"
        found.append(("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", text))
    else:
        text = "All content-preserving finalizers finished"
        found.append(("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", text))
    since = {
        (it["type"], it["status"]): it["lastTransitionTime"]
        for it in (before.get("status") or {}).get("conditions") or ()
    }
    return [_condition(*it, since.get((it[0], it[1]), now)) for it in found]


def _condition(kind: str, status: str, reason: str, message: str, since: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
