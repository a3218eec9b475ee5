"""Roles: the table, and that nothing outside of it is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.scope import EVERYTHING, Scope
from fleet.policy.subjects import (
    ACTIONS,
    ADMIN,
    OBJECT_KINDS,
    READONLY,
    is_role,
    may,
    project_role,
    scope_of,
)

SHOP = project_role("shop")


@pytest.mark.parametrize(
    ("role", "action", "kind", "project", "allowed"),
    [
        (ADMIN, "delete", "clusters", "", True),
        (ADMIN, "get", "audit", "", True),
        (ADMIN, "fly", "clusters", "", False),
        (ADMIN, "get", "nonsense", "", False),
        (READONLY, "get", "applications", "shop", True),
        (READONLY, "sync", "applications", "shop", False),
        (READONLY, "refresh", "applications", "shop", False),
        (READONLY, "get", "audit", "", False),
        (READONLY, "get", "sql", "", False),
        (READONLY, "create", "accounts", "", False),
        (SHOP, "get", "applications", "shop", True),
        (SHOP, "delete", "applications", "shop", True),
        (SHOP, "get", "applications", "other", False),
        (SHOP, "get", "applications", "", False),
        (SHOP, "get", "projects", "shop", True),
        (SHOP, "update", "projects", "shop", False),
        (SHOP, "get", "projects", "other", False),
        (SHOP, "get", "clusters", "", True),
        (SHOP, "get", "clusters", "other", False),
        (SHOP, "create", "clusters", "shop", False),
        (SHOP, "get", "accounts", "", False),
        ("project:", "get", "applications", "", False),
        ("project:*", "get", "applications", "*", False),
        ("", "get", "applications", "", False),
        ("Admin", "get", "applications", "", False),
    ],
)
def test_may(role: str, action: str, kind: str, project: str, allowed: bool) -> None:
    decision = may(role, action, kind, project)
    assert decision.allowed is allowed
    assert bool(decision.reason) is not allowed


def test_scopes() -> None:
    assert scope_of(ADMIN) == scope_of(READONLY) == EVERYTHING
    assert scope_of(SHOP) == Scope(projects=frozenset({"shop"}))
    for nobody in ("", "project:", "project:A B", "root"):
        assert scope_of(nobody) == Scope(projects=frozenset())
        assert not is_role(nobody)
    assert is_role(SHOP)


@given(
    st.text(max_size=12), st.sampled_from(sorted(ACTIONS)), st.sampled_from(sorted(OBJECT_KINDS))
)
def test_a_role_that_does_not_exist_may_nothing(role: str, action: str, kind: str) -> None:
    if not is_role(role):
        assert not may(role, action, kind, "shop")
