"""Kubernetes objects by name: how Fleet refers to one, and reads the parts it needs.

A ``Manifest`` is the plain JSON value of an object. Objects read back from a cluster
are hostile too: every reader here is total and returns something sensible for nonsense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]

#: Metadata that an API server writes, and that nobody else has to say.
SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
#: Field manager of everything Fleet writes by server-side apply.
FIELD_MANAGER = "fleet"
#: Label on every object Fleet applies; its value is the instance id. Watches select on it.
INSTANCE_LABEL = "fleet.dev/instance"
#: Annotation ``<application id>:<group>/<kind>:<namespace>/<name>``; names the object it
#: sits on, so that a copy of the annotation on another object proves nothing.
TRACKING_ANNOTATION = "fleet.dev/tracking-id"
#: Annotation of a live hook: the operation, the attempt and the phase that it was made for.
HOOK_RUN_ANNOTATION = "fleet.dev/hook-run"
#: Annotation of an object that is made anew at every sync: the operation and the attempt.
MADE_FOR_ANNOTATION = "fleet.dev/made-for"
#: Keeps a hook that is through until its result is recorded, whoever else would delete it.
#: Argo CD's name: what it left behind is let go, too.
HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"


@dataclass(frozen=True, order=True, slots=True)
class GroupKind:
    """What a kind is called, whatever its version. Core kinds have the empty group."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}" if self.group else self.kind


@dataclass(frozen=True, order=True, slots=True)
class ObjectRef:
    """Identity of an object inside one cluster; printed ``Kind/namespace/name``.

    ``namespace`` is empty for cluster-scoped objects. The version is left out on
    purpose: ``apps/v1`` and ``apps/v1beta1`` name the same Deployment.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        parts = (self.kind, self.namespace, self.name)
        return "/".join(part for part in parts if part)

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def key(self) -> str:
        """``group/Kind/namespace/name`` with empty parts kept: unique, sortable, parseable."""
        return f"{self.group}/{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def from_key(cls, key: str) -> ObjectRef:
        group, kind, namespace, name = key.split("/", 3)
        return cls(group, kind, namespace, name)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def group_version_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """``("apps", "v1")`` of ``apps/v1``; ``("", "v1")`` of ``v1``."""
    group, _, version = _text(manifest.get("apiVersion")).rpartition("/")
    return group, version


def group_kind_of(manifest: Mapping[str, Any]) -> GroupKind:
    return GroupKind(group_version_of(manifest)[0], _text(manifest.get("kind")))


def what_it_lacks(manifest: Mapping[str, Any]) -> str:
    """Which of ``apiVersion`` and ``kind`` a document does not say; "" when it says both."""
    return " and ".join(key for key in ("apiVersion", "kind") if not _text(manifest.get(key)))


def metadata_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(manifest.get("metadata"))


def annotations_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Annotations whose key and value are strings; others are dropped."""
    found = _mapping(metadata_of(manifest).get("annotations"))
    return {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, str)}


def labels_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Labels whose key and value are strings; others are dropped."""
    found = _mapping(metadata_of(manifest).get("labels"))
    return {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, str)}


def ref_of(manifest: Mapping[str, Any]) -> ObjectRef:
    meta = metadata_of(manifest)
    found = group_kind_of(manifest)
    return ObjectRef(found.group, found.kind, _text(meta.get("namespace")), _text(meta.get("name")))


@dataclass(frozen=True, slots=True)
class Tracking:
    """What a tracking annotation claims."""

    application_id: str
    ref: ObjectRef

    def __str__(self) -> str:
        ref = self.ref
        return f"{self.application_id}:{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}"

    @classmethod
    def parse(cls, text: str) -> Tracking | None:
        """None for anything that is not exactly our form; never raises."""
        parts = text.split(":", 2)  # names of RBAC's kinds may hold more of them
        if len(parts) != 3 or not parts[0]:
            return None
        group, slash, kind = parts[1].rpartition("/")
        namespace, slash2, name = parts[2].partition("/")
        if not (slash and slash2 and kind and name):
            return None
        return cls(parts[0], ObjectRef(group, kind, namespace, name))
