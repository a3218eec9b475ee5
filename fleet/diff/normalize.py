"""An object without what the server adds and what is Fleet's own bookkeeping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.model.objects import (
    INSTANCE_LABEL,
    MADE_FOR_ANNOTATION,
    SERVER_METADATA,
    TRACKING_ANNOTATION,
    Manifest,
)

#: What ``kubectl apply`` keeps for its own three-way merge: the whole object once more.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_OWN_MARKS = {
    "annotations": frozenset({TRACKING_ANNOTATION, MADE_FOR_ANNOTATION, LAST_APPLIED}),
    "labels": frozenset({INSTANCE_LABEL}),
}


def normalize(obj: Manifest, *, keep_status: bool = False) -> Manifest:
    """The content of an object, in a new mapping that shares what was not touched.

    Dropped: what the server writes into ``metadata``, ``status``, our marks, and
    annotations or labels of which nothing else is left. Values stay as they are written:
    ``1000m`` and ``1`` are told apart, as only the server knows which fields are quantities.
    """
    content = {key: value for key, value in obj.items() if keep_status or key != "status"}
    metadata = obj.get("metadata")
    if isinstance(metadata, Mapping):
        content["metadata"] = _metadata(metadata)
    return content


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    content = {key: value for key, value in metadata.items() if key not in SERVER_METADATA}
    for field, marks in _OWN_MARKS.items():
        found = content.get(field)
        if not isinstance(found, Mapping) or not marks.intersection(found):
            continue
        content[field] = {key: value for key, value in found.items() if key not in marks}
        if not content[field]:
            del content[field]
    return content
