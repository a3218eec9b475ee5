"""What two say differently of one application."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.verdicts import ABSENT, Difference, differences


def said(sync: str = "Synced", health: str = "Healthy", *objects: Any, **more: Any) -> Any:
    status = {"sync": {"status": sync, "revision": "a", **more}, "health": {"status": health}}
    return {"status": {**status, "resources": list(objects)}}


def entry(name: str, status: str = "Synced", health: str = "", **more: Any) -> Any:
    found = {"group": "", "kind": "ConfigMap", "namespace": "shop", "name": name, "status": status}
    return {**found, **({"health": {"status": health}} if health else {}), **more}


@pytest.mark.parametrize(
    ("fleet", "argo", "found"),
    [
        (said(), said(), []),
        (said("OutOfSync"), said(), [("", "sync", "OutOfSync", "Synced")]),
        (said(health="Degraded"), said(), [("", "health", "Degraded", "Healthy")]),
        (said(revision="b"), said(), [("", "revision", "b", "a")]),
        (said(revisions=["a", "b"]), said(revisions=["a", "b"]), []),
        (said(), {"status": {}}, []),  # Argo CD never looked at it
        (
            said("Synced", "Healthy", entry("a", "OutOfSync")),
            said("Synced", "Healthy", entry("a")),
            [("ConfigMap/shop/a", "sync", "OutOfSync", "Synced")],
        ),
        (
            said("Synced", "Healthy", entry("a", health="Degraded")),
            said("Synced", "Healthy", entry("a", health="Healthy")),
            [("ConfigMap/shop/a", "health", "Degraded", "Healthy")],
        ),
        (
            said("Synced", "Healthy", entry("a", health="Degraded")),
            said("Synced", "Healthy", entry("a")),
            [],
        ),
        (
            said("Synced", "Healthy", entry("b")),
            said("Synced", "Healthy", entry("a", "OutOfSync", requiresPruning=True)),
            [
                ("ConfigMap/shop/a", "sync", ABSENT, "OutOfSync"),
                ("ConfigMap/shop/b", "sync", "Synced", ABSENT),
            ],
        ),
    ],
)
def test_what_differs(fleet: Any, argo: Any, found: list[tuple[str, ...]]) -> None:
    assert list(differences(fleet, argo)) == [Difference(*it) for it in found]


JSON = st.recursive(
    st.none() | st.text(max_size=3) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["status", "sync", "health", "resources", "revisions", "name"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_status_is_read(status: Any) -> None:
    assert differences({"status": status}, {"status": status}) == ()
