"""What may be deleted to be made anew."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.plan.options import Consent, ObjectOptions
from fleet.plan.remaking import why_not_remade

KEEPS = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}}
ODD = {"persistentVolumeClaimRetentionPolicy": []}
TAKES = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}


@pytest.mark.parametrize(
    ("api", "kind", "spec", "options", "may"),
    [
        ("v1", "ConfigMap", {}, ObjectOptions(), True),
        ("v1", "Namespace", {}, ObjectOptions(), False),
        ("v1", "PersistentVolume", {}, ObjectOptions(), False),
        ("v1", "PersistentVolumeClaim", {}, ObjectOptions(), False),
        ("v1", "PersistentVolumeClaim", {}, ObjectOptions(may_recreate=True), True),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, ObjectOptions(), False),
        ("example.org/v1", "Namespace", {}, ObjectOptions(), True),
        ("apps/v1", "StatefulSet", {}, ObjectOptions(), True),
        ("apps/v1", "StatefulSet", KEEPS, ObjectOptions(), True),
        ("apps/v1", "StatefulSet", TAKES, ObjectOptions(), False),
        (
            "apps/v1",
            "StatefulSet",
            {"persistentVolumeClaimRetentionPolicy": []},
            ObjectOptions(),
            True,
        ),
        ("v1", "ConfigMap", {}, ObjectOptions(delete=Consent.REFUSED), False),
        ("v1", "ConfigMap", {}, ObjectOptions(prune=Consent.CONFIRM), False),
        ("v1", "ConfigMap", {}, ObjectOptions(prune=Consent.REFUSED, may_recreate=True), True),
    ],
)
def test_what_holds_data_or_is_kept_is_not(
    api: str, kind: str, spec: Any, options: ObjectOptions, may: bool
) -> None:
    live = {"apiVersion": api, "kind": kind, "spec": spec}
    assert (why_not_remade(options, live) == "") is may
