"""Live objects as a pass sees them: by metadata alone, or whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class LiveMeta:
    """An object's metadata from a LIST or a watch (``PartialObjectMetadata``)."""

    ref: ObjectRef
    uid: str
    resource_version: str
    labels: dict[str, str]
    annotations: dict[str, str]
    managed_fields: list[dict[str, Any]]
    owner_references: list[dict[str, Any]]
    deletion_timestamp: str = ""
    finalizers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListResult:
    """A complete LIST. A list that broke off is an error, never a shorter result."""

    kind: ApiKind
    items: tuple[LiveMeta, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``type`` is ADDED, MODIFIED, DELETED or BOOKMARK (then only the version counts).
    ``body`` is None where metadata alone is watched."""

    type: str
    meta: LiveMeta | None
    resource_version: str
    body: Manifest | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The API server's answer to an apply: the object as stored, and whether it is new."""

    object: Manifest
    created: bool
