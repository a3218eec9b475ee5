"""Whose cluster, as whom, and whence: what a project says of destinations."""

from __future__ import annotations

import pytest

from fleet.model.projects import ProjectSpec, ServiceAccountRule
from fleet.policy import acts_as, effective_document, may_come_from, may_use_cluster

SERVER = "https://10.0.0.1:6443"
RULES = ProjectSpec(
    service_accounts=(
        ServiceAccountRule(f"{SERVER}/", "shop", "robots:deployer"),
        ServiceAccountRule("https://10.*", "shop-*", "robot"),
        ServiceAccountRule("*", "shop-eu", "never"),
    )
)


@pytest.mark.parametrize(
    ("server", "namespace", "user"),
    [
        (SERVER, "shop", "system:serviceaccount:robots:deployer"),
        (SERVER, "shop-eu", "system:serviceaccount:shop-eu:robot"),
        ("https://other", "shop-eu", "system:serviceaccount:shop-eu:never"),
    ],
)
def test_the_first_entry_that_matches_says_as_whom(server: str, namespace: str, user: str) -> None:
    found = acts_as(RULES, server=server, namespace=namespace)
    assert (found.user, found.refusal) == (user, "")


def test_where_none_matches_nothing_is_written_and_without_entries_fleet_acts_itself() -> None:
    refused = acts_as(RULES, server="https://other", namespace="shop")
    assert refused.user == ""
    assert "destinationServiceAccounts" in refused.refusal
    itself = acts_as(ProjectSpec(), server=SERVER, namespace="shop")
    assert (itself.user, itself.refusal) == ("", "")


@pytest.mark.parametrize(
    ("owner", "only_own", "allowed"),
    [
        ("", False, True),
        ("shop", False, True),
        ("bank", False, False),
        ("", True, False),
        ("shop", True, True),
        ("bank", True, False),
    ],
)
def test_whose_cluster(owner: str, only_own: bool, allowed: bool) -> None:
    decision = may_use_cluster(
        ProjectSpec(only_own_clusters=only_own),
        project_name="shop",
        cluster_name="eu-1",
        cluster_project=owner,
    )
    assert decision.allowed is allowed
    assert bool(decision.reason) is not allowed


@pytest.mark.parametrize(
    ("namespace", "allowed"),
    [("", True), ("argocd", True), ("team-a", True), ("eu-1", True), ("eu-x", False), ("(", False)],
)
def test_whence(namespace: str, allowed: bool) -> None:
    project = ProjectSpec(source_namespaces=("team-*", "/^eu-[0-9]+$/", "/(/", "["))
    assert may_come_from(project, namespace, home="argocd").allowed is allowed


def test_what_is_inherited_stands_behind_ones_own_and_nothing_else_changes() -> None:
    own = {"metadata": {"name": "shop"}, "spec": {"sourceRepos": ["a"], "description": "x"}}
    company = {"spec": {"sourceRepos": ["b"], "description": "y", "roles": [{"name": "z"}]}}
    assert effective_document(own, [company, {"spec": {"destinations": [{"server": "*"}]}}]) == {
        "metadata": {"name": "shop"},
        "spec": {
            "sourceRepos": ["a", "b"],
            "destinations": [{"server": "*"}],
            "description": "x",
        },
    }
    assert effective_document(own, [{"spec": None}]) == own
