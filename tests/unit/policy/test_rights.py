"""Rights: a denial always wins, what does not concern somebody changes nothing for them, and
every answer is that of an evaluator too simple to be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.access import ProjectRole, Subject
from fleet.policy import Policy, Rights, is_seen, rights_of
from fleet.policy.globs import matches_glob
from fleet.policy.rules import Rule

NAMES = ("alice", "devs", "role:dev", "role:ops")
PROJECTS = ("shop", "bank")
APPS = ("web", "web-2", "api")
ACTIONS = ("get", "sync", "update", "delete", "action/apps/Deployment/restart")

rules = st.builds(
    Rule,
    subject=st.sampled_from(NAMES),
    resource=st.sampled_from(("applications", "clusters", "*", "app*")),
    action=st.sampled_from((*ACTIONS, "*", "action/*", "{get,sync}")),
    object=st.sampled_from(("*", "*/*", "shop/*", "shop/web*", "*/api", "bank/web", "web")),
    allow=st.booleans(),
)
grants = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))
policies = st.builds(
    Policy,
    rules=st.lists(rules, max_size=6).map(tuple),
    grants=st.lists(grants, max_size=4).map(tuple),
    default_role=st.sampled_from(("", "role:dev")),
)
ALICE = Subject("alice", groups=("devs",))
asked = st.tuples(
    st.sampled_from(ACTIONS),
    st.sampled_from(("applications", "clusters")),
    st.sampled_from(APPS),
    st.sampled_from((*PROJECTS, "")),
)


def simply(policy: Policy, action: str, kind: str, name: str, project: str) -> bool:
    """What Argo CD's page says of a request by alice of devs, word for word."""
    names = {"alice", "devs", policy.default_role} - {""}
    for _ in NAMES:
        names |= {role for member, role in policy.grants if member in names}
    key = f"{project}/{name}" if project else name
    effects = [
        rule.allow
        for rule in policy.rules
        if rule.subject in names
        and matches_glob(rule.resource, kind)
        and matches_glob(rule.action, action)
        and matches_glob(rule.object, key)
    ]
    return bool(effects) and all(effects)


@given(policies, asked)
def test_as_a_simple_evaluator(policy: Policy, request: tuple[str, str, str, str]) -> None:
    assert rights_of(ALICE, policy).may(*request).allowed is simply(policy, *request)


@given(policies, asked)
def test_a_denial_wins_wherever_it_stands(
    policy: Policy, request: tuple[str, str, str, str]
) -> None:
    action, kind, name, project = request
    key = f"{project}/{name}" if project else name
    denial = Rule("devs", kind, action, key, allow=False)
    for rules in ((denial, *policy.rules), (*policy.rules, denial)):
        decision = rights_of(ALICE, replace(policy, rules=rules)).may(*request)
        assert not decision
        assert "denies" in decision.reason


@given(policies, asked, rules, grants)
def test_what_concerns_others_changes_nothing(
    policy: Policy, request: tuple[str, str, str, str], rule: Rule, grant: tuple[str, str]
) -> None:
    others = replace(
        policy,
        rules=(*policy.rules, replace(rule, subject="bob")),
        grants=(*policy.grants, ("bob", grant[1])),
    )
    assert rights_of(ALICE, policy).may(*request) == rights_of(ALICE, others).may(*request)


@given(policies, asked)
def test_what_is_listed_is_what_may_be_seen(
    policy: Policy, request: tuple[str, str, str, str]
) -> None:
    action, kind, name, project = request
    rights = rights_of(ALICE, policy)
    if kind == "clusters" or project:
        seen = rights.seen(kind, action)
        assert is_seen(seen, kind, name, project) is rights.may(*request).allowed


@given(policies, asked, st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3))
def test_a_role_of_a_project_never_leaves_it(
    policy: Policy, request: tuple[str, str, str, str], actions: list[str]
) -> None:
    role = ProjectRole(
        "shop",
        "ci",
        tuple(f"p, proj:shop:ci, applications, {it}, shop/*, allow" for it in actions),
    )
    generous = replace(
        policy,
        rules=(*policy.rules, Rule("proj:shop:ci", "*", "*", "*", allow=True)),
        grants=(*policy.grants, ("proj:shop:ci", "role:admin")),
        default_role="role:admin",
    )
    rights = rights_of(Subject("proj:shop:ci", project="shop"), generous, [role])
    action, kind, name, project = request
    if project != "shop":
        assert not rights.may(*request)
        assert not is_seen(rights.seen(kind, action), kind, name, project)
        assert rights.scope.projects is not None


def may(rights: Rights, action: str, name: str, project: str = "shop") -> bool:
    return rights.may(action, "applications", name, project).allowed


def test_a_group_has_the_role_of_a_project_in_that_project_alone() -> None:
    role = ProjectRole(
        "shop", "ci", ("p, proj:shop:ci, applications, sync, shop/*, allow",), groups=("devs",)
    )
    rights = rights_of(ALICE, Policy(), [role])
    assert may(rights, "sync", "web")
    assert may(rights, "rollback", "web")
    assert not may(rights, "sync", "web", "bank")
    assert rights.may("get", "projects", "shop", "shop")
    assert not may(rights_of(Subject("bob"), Policy(), [role]), "sync", "web")


def test_a_group_from_elsewhere_is_never_a_role() -> None:
    for group in ("role:admin", "proj:shop:ci", "project:shop"):
        assert not may(rights_of(Subject("bob", groups=(group,)), Policy()), "get", "web")


def test_stored_lines_that_are_none_permit_nothing_and_deny_all_of_the_role() -> None:
    broken = ProjectRole("shop", "ci", ("p, nonsense",), groups=("devs",))
    everything = Policy(rules=(Rule("alice", "*", "*", "*", allow=True),))
    rights = rights_of(ALICE, everything, [broken])
    assert not may(rights, "get", "web")
    assert may(rights, "get", "web", "bank")


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("get", True),
        ("break-glass", False),
        ("delete/apps/Deployment/shop/web", True),
        ("refresh", True),
    ],
)
def test_a_star_is_every_action_but_breaking_the_glass(action: str, allowed: bool) -> None:
    policy = Policy(rules=(Rule("alice", "applications", "*", "shop/*", allow=True),))
    assert may(rights_of(ALICE, policy), action, "web") is allowed


def test_breaking_the_glass_is_permitted_by_its_name_and_denied_by_a_star() -> None:
    named = Rule("alice", "applications", "break-glass", "shop/*", allow=True)
    assert may(rights_of(ALICE, Policy(rules=(named,))), "break-glass", "web")
    denied = Policy(rules=(named, Rule("devs", "*", "*", "*", allow=False)))
    assert not may(rights_of(ALICE, denied), "break-glass", "web")


def test_update_and_delete_say_nothing_of_single_objects() -> None:
    policy = Policy(rules=(Rule("alice", "applications", "delete", "shop/*", allow=True),))
    rights = rights_of(ALICE, policy)
    assert may(rights, "delete", "web")
    assert not may(rights, "delete/apps/Deployment/shop/web", "web")


def test_a_cluster_is_meant_by_its_name_or_its_url() -> None:
    policy = Policy(
        rules=(
            Rule("alice", "clusters", "get", "https://eu.example", allow=True),
            Rule("alice", "clusters", "get", "eu-2", allow=False),
        )
    )
    rights = rights_of(ALICE, policy)
    assert rights.may("get", "clusters", "eu-1", aliases=["https://eu.example"])
    assert not rights.may("get", "clusters", "eu-2", aliases=["https://eu.example"])
