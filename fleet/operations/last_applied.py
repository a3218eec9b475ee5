"""What was applied last, as an annotation of the object itself: ``kubectl apply``'s memory."""

from __future__ import annotations

import orjson

from fleet.cluster import meta_of, owned_fields
from fleet.diff import canonical, projection
from fleet.diff.normalize import LAST_APPLIED
from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest, annotations_of, metadata_of


def with_last_applied(manifest: Manifest) -> Manifest:
    """The manifest, which says itself what it is."""
    marks = annotations_of(manifest)
    marks.pop(LAST_APPLIED, None)
    bare = {**manifest, "metadata": {**metadata_of(manifest), "annotations": marks}}
    told = {**marks, LAST_APPLIED: canonical(bare).decode() + "\n"}
    return {**bare, "metadata": {**metadata_of(bare), "annotations": told}}


def last_applied(kind: ApiKind, live: Manifest) -> Manifest:
    """What was applied to a live object last; where it does not say so, what we applied
    server-side; {} when nobody can tell."""
    text = annotations_of(live).get(LAST_APPLIED, "")
    if text:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}
    return projection(live, owned_fields(meta_of(kind, live)) or {})
