"""Roles that accounts have without a policy: what each may, and that no other may anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.access import Subject
from fleet.model.decisions import Decision
from fleet.model.scope import EVERYTHING, Seen
from fleet.policy import (
    ADMIN,
    BREAK_GLASS,
    NONE,
    READONLY,
    Policy,
    is_role,
    rights_of,
)
from fleet.policy.rules import ACTIONS
from fleet.policy.subjects import OBJECT_KINDS

SHOP = "project:shop"


def may(role: str, action: str, kind: str, project: str) -> Decision:
    name = project if kind == "projects" else "web"
    return rights_of(Subject("alice", role), Policy()).may(action, kind, name, project)


@pytest.mark.parametrize(
    ("role", "action", "kind", "project", "allowed"),
    [
        (ADMIN, "delete", "clusters", "", True),
        (ADMIN, "get", "audit", "", True),
        (ADMIN, "delete/apps/Deployment/shop/web", "applications", "shop", True),
        (ADMIN, BREAK_GLASS, "applications", "shop", True),
        (ADMIN, "fly", "clusters", "", False),
        (ADMIN, "get", "nonsense", "", False),
        (READONLY, "get", "applications", "shop", True),
        (READONLY, "get", "repocreds", "", True),
        (READONLY, "sync", "applications", "shop", False),
        (READONLY, "refresh", "applications", "shop", False),
        (READONLY, "get", "audit", "", False),
        (READONLY, "get", "sql", "", False),
        (READONLY, "create", "accounts", "", False),
        (SHOP, "get", "applications", "shop", True),
        (SHOP, "delete", "applications", "shop", True),
        (SHOP, "action/apps/Deployment/scale", "applications", "shop", True),
        (SHOP, "action/apps/Deployment/scale", "applications", "other", False),
        (SHOP, BREAK_GLASS, "applications", "shop", False),
        (SHOP, "get", "applications", "other", False),
        (SHOP, "get", "applications", "", False),
        (SHOP, "get", "projects", "shop", True),
        (SHOP, "update", "projects", "shop", False),
        (SHOP, "get", "projects", "other", False),
        (SHOP, "get", "clusters", "", True),
        (SHOP, "get", "clusters", "shop", True),
        (SHOP, "get", "clusters", "other", False),
        (SHOP, "create", "clusters", "shop", False),
        (SHOP, "get", "repositories", "", True),
        (SHOP, "get", "repocreds", "", False),
        (SHOP, "get", "accounts", "", False),
        (NONE, "get", "applications", "shop", False),
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
    assert rights_of(Subject("root", ADMIN), Policy()).scope == EVERYTHING
    looker = rights_of(Subject("alice", READONLY), Policy()).scope
    assert looker.seen("applications").is_all
    assert looker.seen("audit").is_nothing
    shop = rights_of(Subject("ci", SHOP), Policy()).scope
    assert shop.seen("applications") == Seen(projects=frozenset({"shop"}))
    assert shop.seen("clusters") == Seen(projects=frozenset({"shop"}), shared=True)
    for nobody in ("", "project:", "project:A B", "root"):
        assert rights_of(Subject("bob", nobody), Policy()).scope.seen("applications").is_nothing
        assert not is_role(nobody)
    assert is_role(SHOP)


@given(
    st.text(max_size=12), st.sampled_from(sorted(ACTIONS)), st.sampled_from(sorted(OBJECT_KINDS))
)
def test_a_role_that_does_not_exist_may_nothing(role: str, action: str, kind: str) -> None:
    if not is_role(role):
        assert not may(role, action, kind, "shop")
