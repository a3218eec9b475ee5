"""CustomResourceDefinitions: each makes a kind while the cluster runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.deleting import CLEANUP, DEFINITION, Options, begin, put_or_finish
from fleet.embedded.sandbox.kinds import CUSTOM_VERBS, Custom, Kind
from fleet.embedded.sandbox.objects import (
    Object,
    at,
    meta_of,
    name_of,
    timestamp,
    true_conditions,
    with_meta,
)
from fleet.embedded.sandbox.store import Event, Store


class Definer:
    """Looks after the custom kinds of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def heard(self, _: Store, event: Event) -> None:
        """A listener of the store."""
        if event.kind is DEFINITION:
            name = event.key.lstrip("/")
            if event.deleted:
                storage = storage_of(event.object)
                self._cluster.kinds.forget(storage)
            else:
                self._cluster.schedule(0, lambda: self._look(name))
        elif event.deleted and event.kind.custom is not None:
            name = event.kind.custom.crd
            self._cluster.schedule(0, lambda: self._finish(name))

    def load(self) -> None:
        """Serve what is defined already, e.g. after a restart."""
        for obj in self._cluster.store.list(DEFINITION):
            if "Established" in true_conditions(obj):
                self._serve(obj)

    def resume(self) -> None:
        """Go on with what an earlier run left undone."""
        for obj in self._cluster.store.list(DEFINITION):
            self._cluster.schedule(0, partial(self._look, name_of(obj)))

    def _look(self, name: str) -> None:
        obj = self._cluster.store.get(DEFINITION, "", name)
        if obj is None:
            return
        if meta_of(obj).get("deletionTimestamp"):
            self._clean(obj)
            return
        taken = self._taken(obj)
        status = _status(obj, taken, timestamp(self._cluster.now()))
        if status != obj.get("status"):
            obj = self._cluster.store.put(DEFINITION, {**obj, "status": status})
        if "Established" in true_conditions(obj):
            self._serve(obj)

    def _taken(self, obj: Object) -> list[tuple[str, str]]:
        """The names that other kinds of the group have already: which, and the name."""
        names, group = at(obj, "spec", "names"), at(obj, "spec", "group")
        others = [
            kind
            for kind in self._cluster.kinds.custom
            if kind.group == group and kind.custom and kind.custom.crd != name_of(obj)
        ]
        resources = {word for kind in others for word in (kind.plural, kind.singular)}
        resources |= {word for kind in others for word in kind.short_names}
        kinds = {word for kind in others for word in (kind.kind, kind.list_kind)}
        found = [
            (part, names[part])
            for part, words in (
                ("plural", resources),
                ("singular", resources),
                ("kind", kinds),
                ("listKind", kinds),
            )
            if names.get(part) in words
        ]
        short = [it for it in names.get("shortNames") or () if it in resources]
        return [*found[:2], *(("shortNames", it) for it in short), *found[2:]]

    def _serve(self, obj: Object) -> None:
        kinds = kinds_of(obj)
        versions = at(obj, "spec", "versions")
        stored = next(it["name"] for it in versions if it.get("storage"))
        served = {it["name"] for it in versions if it.get("served")}
        by_version = {kind.version: kind for kind in kinds}
        self._cluster.kinds.define(
            [kind for kind in kinds if kind.version in served], by_version[stored]
        )

    def _clean(self, obj: Object) -> None:
        """Delete all objects of the kind; then the definition may go."""
        kind = self._cluster.kinds.stored(storage_of(obj))
        if kind is not None:
            now = timestamp(self._cluster.now())
            reason = ("InstanceDeletionInProgress", "CustomResource deletion is in progress")
            obj = self._cluster.store.put(
                DEFINITION, _with_condition(obj, "Terminating", "True", *reason, now)
            )
            for item in self._cluster.store.list(kind):
                if not meta_of(item).get("deletionTimestamp"):
                    begin(self._cluster, kind, item, Options("Background"))
        self._finish(name_of(obj))

    def _finish(self, name: str) -> None:
        obj = self._cluster.store.get(DEFINITION, "", name)
        if obj is None or not meta_of(obj).get("deletionTimestamp"):
            return
        kind = self._cluster.kinds.stored(storage_of(obj))
        if kind is not None and self._cluster.store.count(kind):
            return
        left = [it for it in meta_of(obj).get("finalizers") or () if it != CLEANUP]
        put_or_finish(self._cluster, DEFINITION, with_meta(obj, finalizers=left or None))


def storage_of(definition: Object) -> tuple[str, str]:
    """Where the objects of its kind are kept."""
    return at(definition, "spec", "group"), at(definition, "spec", "names", "plural")


def kinds_of(definition: Object) -> list[Kind]:
    """Every version of the kind that it defines."""
    return [_kind(definition, version) for version in at(definition, "spec", "versions")]


def _kind(definition: Object, version: Mapping[str, Any]) -> Kind:
    spec = definition["spec"]
    names = spec["names"]
    parts = version.get("subresources") or {}
    custom = Custom(
        crd=name_of(definition),
        schema=at(version, "schema", "openAPIV3Schema") or {},
        scale=parts.get("scale") or {},
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        selectable=tuple(it["jsonPath"] for it in version.get("selectableFields") or ()),
        warning=_warning(spec, version),
    )
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        list_kind=names.get("listKind") or f"{names['kind']}List",
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        namespaced=spec["scope"] == "Namespaced",
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(part for part in ("scale", "status") if part in parts),
        verbs=CUSTOM_VERBS,
        model="",
        storage=storage_of(definition),
        custom=custom,
    )


def _warning(spec: Mapping[str, Any], version: Mapping[str, Any]) -> str:
    if not version.get("deprecated"):
        return ""
    given = version.get("deprecationWarning")
    return given or f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"


_CONFLICTS = {
    "plural": "PluralConflict",
    "singular": "SingularConflict",
    "shortNames": "ShortNamesConflict",
    "kind": "KindConflict",
    "listKind": "ListKindConflict",
}


def _status(obj: Object, taken: list[tuple[str, str]], now: str) -> Object:
    """What the real controllers write: names that are accepted, versions that are stored."""
    if taken:
        part, word = taken[-1]
        first = ("NamesAccepted", "False", _CONFLICTS[part], f'"{word}" is already in use')
        second = ("Established", "False", "NotAccepted", "not all names are accepted")
    else:
        first = ("NamesAccepted", "True", "NoConflicts", "no conflicts found")
        second = (
            "Established",
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        )
    for condition in (first, second):
        obj = _with_condition(obj, *condition, now)
    status = obj["status"]
    stored = list(status.get("storedVersions") or ())
    for version in at(obj, "spec", "versions"):
        if version.get("storage") and version["name"] not in stored:
            stored.append(version["name"])
    had = status.get("acceptedNames") or {}
    names = {**at(obj, "spec", "names")}
    for part, _ in taken:
        names[part] = had.get(part, "")
    names = {part: it for part, it in names.items() if it or part in {"plural", "kind"}}
    return {**status, "acceptedNames": names, "storedVersions": stored}


def _with_condition(
    obj: Object, kind: str, status: str, reason: str, message: str, now: str
) -> Object:
    """The object with a condition; one that says so already keeps its time."""
    had = list(at(obj, "status", "conditions") or ())
    new = {
        "type": kind,
        "status": status,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }
    for number, condition in enumerate(had):
        if condition["type"] == kind:
            if condition["status"] == status:
                new["lastTransitionTime"] = condition["lastTransitionTime"]
            had[number] = new
            break
    else:
        had.append(new)
    return {**obj, "status": {**(obj.get("status") or {}), "conditions": had}}
