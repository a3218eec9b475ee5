"""What others own, made ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.cluster import APPLIERS, by_hand, foreign_entries, migrated


def entry(manager: str, operation: str = "Update", *fields: str, **more: str) -> dict[str, Any]:
    tree = {"f:data": {f"f:{name}": {} for name in fields}}
    return {"manager": manager, "operation": operation, "fieldsV1": tree, **more}


OURS = entry("fleet", "Apply", "a")


@pytest.mark.parametrize(
    ("manager", "is_person"),
    [
        ("kubectl", True),
        ("kubectl-edit", True),
        ("before-first-apply", True),
        ("kubectler", False),
        ("helm", False),
    ],
)
def test_who_writes_by_hand(manager: str, is_person: bool) -> None:
    assert by_hand(manager) is is_person


def test_entries_about_the_object_itself_are_meant() -> None:
    meant = [
        entry("kubectl-client-side-apply"),
        entry("argocd-controller", "Apply"),
        entry("fleet", "Update"),
    ]
    others = [
        OURS,
        entry("kubectl-client-side-apply", "Update", subresource="status"),
        entry("kube-controller-manager"),
        "nonsense",
    ]
    names = {"fleet", *APPLIERS}
    assert foreign_entries([*others, *meant], names.__contains__) == meant


def test_their_fields_become_ours_and_they_go() -> None:
    theirs, stays = entry("argocd-controller", "Apply", "b"), entry("hpa", "Update", "c")
    found = migrated([stays, theirs, OURS], [theirs])
    assert found == [stays, entry("fleet", "Apply", "b", "a")]
    assert migrated([stays, theirs], [theirs]) == [stays, entry("fleet", "Apply", "b")]
    assert migrated([stays], []) == [stays]


def test_marks_stay_with_who_wrote_them() -> None:
    kept = {"f:data": {"f:mark": {}}}
    theirs, only = entry("argocd-controller", "Update", "mark", "b"), entry("kubectl", "", "mark")
    assert foreign_entries([theirs, only], lambda _: True, kept) == [theirs]
    assert migrated([theirs, OURS], [theirs], kept) == [
        entry("argocd-controller", "Update", "mark"),
        entry("fleet", "Apply", "b", "a"),
    ]


FIELDS = st.recursive(
    st.just({}), lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", "."]), inner)
)


@given(FIELDS, FIELDS)
def test_nothing_is_lost(one: dict[str, Any], other: dict[str, Any]) -> None:
    ours = {**OURS, "fieldsV1": one}
    theirs = {**entry("kubectl-client-side-apply"), "fieldsV1": other}
    (found,) = migrated([ours, theirs], [theirs])
    names = {"f:a", "f:b"}
    assert names & found["fieldsV1"].keys() == names & (one.keys() | other.keys())
