"""What of an object is its content."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given

from fleet.diff import normalize
from fleet.model.objects import INSTANCE_LABEL, TRACKING_ANNOTATION

from .shapes import nonsense_objects

LIVE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "cm",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2024-01-01T00:00:00Z",
        "deletionTimestamp": "2024-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 0,
        "selfLink": "/x",
        "managedFields": [{}],
        "labels": {INSTANCE_LABEL: "i", "app": "web"},
        "annotations": {
            TRACKING_ANNOTATION: "t",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
        "finalizers": ["keep"],
        "ownerReferences": [{"uid": "o"}],
    },
    "data": {"cpu": "1000m"},
    "status": {"phase": "x"},
}


def test_content_is_what_remains() -> None:
    assert normalize(LIVE) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "cm",
            "namespace": "shop",
            "labels": {"app": "web"},
            "finalizers": ["keep"],
            "ownerReferences": [{"uid": "o"}],
        },
        "data": {"cpu": "1000m"},
    }


def test_status_on_request() -> None:
    assert normalize(LIVE, keep_status=True)["status"] == {"phase": "x"}


def test_the_object_itself_is_left_alone() -> None:
    before = deepcopy(LIVE)
    normalize(LIVE)
    assert before == LIVE


def test_annotations_that_somebody_left_empty_stay() -> None:
    found: Any = {"metadata": {"annotations": {}, "labels": None}}
    assert normalize(found) == found


@given(nonsense_objects())
def test_idempotent_on_anything(obj: dict[str, Any]) -> None:
    once = normalize(obj)
    assert normalize(once) == once
