"""Whose an object is by Argo CD's marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.argo_tracking import (
    ARGO_MANAGER,
    DEFAULT_LABEL,
    INSTALLATION_ID,
    TRACKING_ID,
    ArgoTracking,
    Claim,
    Takeover,
    TrackingMethod,
    names_of,
    read_tracking,
)
from fleet.model.objects import ObjectRef

WEB = ObjectRef("apps", "Deployment", "shop", "web")
ROLE = ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "shop:reader")
LABEL = {DEFAULT_LABEL: "labelled"}
MARK = {TRACKING_ID: "marked:apps/Deployment:shop/web"}
ARGO = frozenset({ARGO_MANAGER})


@pytest.mark.parametrize(
    ("method", "managers", "labels", "marks", "claim"),
    [
        (None, ARGO, LABEL, MARK, Claim("marked", "")),
        (None, ARGO, LABEL, {}, Claim("labelled")),
        (None, frozenset(), LABEL, {}, None),  # charts have such labels, too
        (TrackingMethod.ANNOTATION, ARGO, LABEL, {}, None),
        (TrackingMethod.BOTH, ARGO, LABEL, {}, None),
        (TrackingMethod.BOTH, frozenset(), LABEL, MARK, Claim("marked", "")),
        (TrackingMethod.LABEL, frozenset(), LABEL, MARK, Claim("labelled")),
        (TrackingMethod.LABEL, ARGO, {}, MARK, None),
    ],
)
def test_what_counts_follows_from_the_method(
    method: TrackingMethod | None,
    managers: frozenset[str],
    labels: dict[str, str],
    marks: dict[str, str],
    claim: Claim | None,
) -> None:
    assert ArgoTracking(method).claim_on(WEB, labels, marks, managers) == claim


@pytest.mark.parametrize(
    ("ref", "mark", "application"),
    [
        (WEB, "a:apps/Deployment:shop/web", "a"),
        (WEB, "ns_a:apps/Deployment:shop/web", "ns_a"),
        (WEB, "a:apps/Deployment:shop/other", None),
        (WEB, "a:apps/Deployment:other/web", None),
        (WEB, "a:apps/ReplicaSet:shop/web", None),
        (WEB, ":apps/Deployment:shop/web", None),
        (WEB, "nonsense", None),
        # without a namespace: Argo CD writes the application's
        (ROLE, "a:rbac.authorization.k8s.io/ClusterRole:shop/shop:reader", "a"),
        (ROLE, "a:rbac.authorization.k8s.io/ClusterRole:/shop:reader", "a"),
    ],
)
def test_a_mark_names_the_object_that_it_is_on(
    ref: ObjectRef, mark: str, application: str | None
) -> None:
    claim = ArgoTracking().claim_on(ref, {}, {TRACKING_ID: mark}, frozenset())
    assert (claim and claim.application) == application


@given(st.text(max_size=30))
def test_any_mark_is_read(mark: str) -> None:
    claim = ArgoTracking().claim_on(WEB, {}, {TRACKING_ID: mark}, frozenset())
    assert claim is None or mark.startswith(claim.application)


@pytest.mark.parametrize(
    ("claim", "installation", "is_taken"),
    [
        (None, "us", True),
        (Claim("web", ""), None, True),
        (Claim("argocd_web", ""), None, True),
        (Claim("shop", ""), None, False),
        (Claim("web", "eu"), None, False),
        (Claim("web", "eu"), "eu", True),
        (Claim("web", "eu"), "us", False),
        (Claim("web", ""), "us", False),
        (Claim("web"), "us", True),  # a label does not tell
    ],
)
def test_whose_objects_are_taken(
    claim: Claim | None, installation: str | None, is_taken: bool
) -> None:
    why = Takeover(names_of("web", "argocd"), installation).why_not(claim)
    assert (why == "") is is_taken


def test_all_applications_are_meant_by_a_star() -> None:
    assert Takeover(("web", "*")).why_not(Claim("shop", "")) == ""


def test_marks_that_git_does_not_hold_stay() -> None:
    kept = ArgoTracking().kept_fields({})["f:metadata"]
    assert kept["f:annotations"].keys() == {f"f:{TRACKING_ID}", f"f:{INSTALLATION_ID}"}
    assert kept["f:labels"].keys() == {f"f:{DEFAULT_LABEL}"}
    in_git = {"metadata": {"labels": LABEL, "annotations": MARK}}
    assert ArgoTracking().kept_fields(in_git) == {
        "f:metadata": {"f:annotations": {f"f:{INSTALLATION_ID}": {}}}
    }
    assert "f:labels" not in ArgoTracking(TrackingMethod.ANNOTATION).kept_fields({})["f:metadata"]


def test_settings_are_read() -> None:
    assert read_tracking({}) == ArgoTracking()
    data = {
        "application.resourceTrackingMethod": "annotation+label",
        "application.instanceLabelKey": "shop.example/app",
        "installationID": "eu",
        "url": "https://argo.example",
    }
    assert read_tracking(data) == ArgoTracking(TrackingMethod.BOTH, "shop.example/app", "eu")
    with pytest.raises(SpecInvalid, match="no tracking method"):
        read_tracking({"application.resourceTrackingMethod": "labels"})
