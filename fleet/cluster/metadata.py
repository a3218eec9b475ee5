"""``PartialObjectMetadata`` → ``LiveMeta``: the partial decode that lists and watches share.

msgspec reads the metadata and skips the rest unparsed; a whole object costs ten times that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fleet.model.clusters import ApiKind
from fleet.model.live import LiveMeta
from fleet.model.objects import ObjectRef

#: Asks for metadata alone; an API server that cannot sends whole objects, which also decode.
LIST_ACCEPT = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
OBJECT_ACCEPT = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"


class Meta(msgspec.Struct, rename="camel"):
    """``ObjectMeta``, as far as it is read. Go writes empty collections as null."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[dict[str, Any]] | None = None
    managed_fields: list[dict[str, Any]] | None = None


class Partial(msgspec.Struct):
    """An object of which only the metadata counts."""

    metadata: Meta


class PageMeta(msgspec.Struct, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """One page of a list. ``items`` has no default: an answer without it is no list, and
    must never be read as an empty one."""

    kind: str
    metadata: PageMeta
    items: list[Partial] | None


PAGE = msgspec.json.Decoder(Page)
PARTIAL = msgspec.json.Decoder(Partial)


def live_meta(kind: ApiKind, meta: Meta) -> LiveMeta:
    """The model's value; the kind comes from the question, as items do not repeat it."""
    return LiveMeta(
        ref=ObjectRef(kind.group, kind.kind, meta.namespace, meta.name),
        uid=meta.uid,
        resource_version=meta.resource_version,
        labels=meta.labels or {},
        annotations=meta.annotations or {},
        managed_fields=meta.managed_fields or [],
        owner_references=meta.owner_references or [],
        deletion_timestamp=meta.deletion_timestamp or "",
        finalizers=tuple(meta.finalizers or ()),
    )


def meta_of(kind: ApiKind, manifest: Mapping[str, Any]) -> LiveMeta:
    """The metadata of a whole object, e.g. of the answer to an apply.

    Raises:
        msgspec.ValidationError: the object has no metadata of the usual shape.
    """
    return live_meta(kind, msgspec.convert(manifest.get("metadata"), Meta))
