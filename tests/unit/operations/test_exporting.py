"""A document that leaves is the one that came, whatever is in it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleet.model.documents import kept
from fleet.model.objects import INSTANCE_LABEL, TRACKING_ANNOTATION
from fleet.operations.exporting import exported
from fleet.registry.documents import KeptDocument

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["Application", "AppProject", "ApplicationSet", "ConfigMap", "Secret"])
OURS = {"labels": {INSTANCE_LABEL: "x"}, "annotations": {TRACKING_ANNOTATION: "y"}}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """With fields that nobody knows, in the spec, in the metadata and beside them."""
    metadata = draw(st.dictionaries(TEXT.map("x-{}".format), VALUES, max_size=2))
    metadata |= {"name": "web", "namespace": "argocd"}
    for key in ("labels", "annotations"):
        if draw(st.booleans()):
            metadata[key] = draw(st.dictionaries(TEXT.filter(bool), TEXT, min_size=1, max_size=2))
    known = {"project": "shop", "destination": {"name": "eu-1"}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": draw(KINDS),
        **draw(st.dictionaries(TEXT.map("x-{}".format), VALUES, max_size=2)),
        "metadata": metadata,
        "spec": {**known, **draw(st.dictionaries(TEXT.map("x-{}".format), VALUES, max_size=3))},
    }


@given(documents())
def test_what_came_leaves(document: dict[str, Any]) -> None:
    assert exported(kept(document)) == document
    assert exported(KeptDocument.of(document).whole) == document


@given(documents())
def test_our_marks_stay_here(document: dict[str, Any]) -> None:
    metadata = dict(document["metadata"])
    for key, marks in OURS.items():
        metadata[key] = {**metadata.get(key, {}), **marks}
    metadata |= {"uid": "1", "resourceVersion": "2", "managedFields": []}
    assert exported({**document, "metadata": metadata}) == document
