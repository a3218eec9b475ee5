"""Projects: what is permitted, what is denied, and that no list permits more when emptied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.projects import (
    DEFAULT_PROJECT_SPEC,
    KindRule,
    ProjectDestination,
    ProjectSpec,
)
from fleet.policy import may_create_namespace, may_deploy_to, may_manage, may_use_source
from fleet.policy.repository_urls import canonical_url

SERVER = "https://eu-1.example:6443"


def to(**parts: str) -> ProjectDestination:
    return ProjectDestination(**parts)


SHOP = ProjectSpec(
    source_repos=("https://git.example/*", "!https://git.example/secret"),
    destinations=(
        to(name="eu-*", namespace="shop*"),
        to(server="*", namespace="!shop-admin"),
        to(server="!https://prod-*", namespace="*"),
    ),
    cluster_allow=(KindRule("", "Namespace", "shop-*"), KindRule("rbac.*", "*")),
    cluster_deny=(KindRule("*", "ClusterRoleBinding"),),
    namespace_deny=(KindRule("apps", "DaemonSet"),),
)


@pytest.mark.parametrize(
    ("patterns", "url", "allowed"),
    [
        ((), "https://git.example/shop", False),
        (("*",), "https://anywhere.example/a/b/c", True),
        (("https://git.example/*",), "https://git.example/shop.git", True),
        (("https://git.example/*",), "https://GIT.example:443/shop", True),
        (("https://git.example/*",), "https://git.example./shop/", True),
        (("https://git.example/*",), "https://git.example/team/shop", False),
        (("https://git.example/**",), "https://git.example/team/shop", True),
        (("https://git.example/shop.git",), "https://git.example/shop", True),
        (("https://git.example/Shop",), "https://git.example/shop", False),
        (("https://git.example/*",), "https://git.example.evil/shop", False),
        (("https://git.example/*",), "https://evil/https://git.example/shop", False),
        (("https://git.example/*",), "https://git.example@evil/shop", False),
        (("git@git.example:team/*",), "ssh://git@git.example/team/shop.git", True),
        (("ssh://git@git.example/team/*",), "git@git.example:team/shop", True),
        (("registry.example/charts",), "REGISTRY.example/charts", True),
        (("[",), "[", False),
        (("*", "!https://git.example/secret"), "https://git.example/shop", True),
        (("*", "!https://git.example/secret"), "https://git.example/secret.git", False),
        (("*", "!https://git.example/secret"), "https://git.example/a/../secret", False),
        (("*", "!https://git.example/secret"), "https://git.example/%73ecret", False),
        (("*", "!https://git.example/secret"), "https://git.example//Secret/", False),
        (("*", "!https://git.example/secret"), "https://me@git.example/secret", False),
        (("*", "!["), "https://git.example/shop", False),
        (("!https://git.example/secret",), "https://git.example/shop", False),
    ],
)
def test_sources(patterns: tuple[str, ...], url: str, allowed: bool) -> None:
    decision = may_use_source(ProjectSpec(source_repos=patterns), url, project_name="shop")
    assert decision.allowed is allowed
    assert ("project shop" in decision.reason) is not allowed


@pytest.mark.parametrize(
    ("cluster", "server", "namespace", "allowed"),
    [
        ("eu-1", SERVER, "shop", True),
        ("eu-1", SERVER, "shop-web", True),
        ("eu-1", SERVER, "shop-admin", False),
        ("eu-1", SERVER, "kube-system", False),
        ("us-1", SERVER, "shop", False),
        ("eu-1", "https://prod-1.example", "shop", False),
    ],
)
def test_destinations(cluster: str, server: str, namespace: str, allowed: bool) -> None:
    decision = may_deploy_to(SHOP, server=server, cluster_name=cluster, namespace=namespace)
    assert decision.allowed is allowed


def test_a_destination_matches_by_server_or_by_name() -> None:
    spec = ProjectSpec(destinations=(to(server=SERVER + "/", name="other", namespace="*"),))
    assert may_deploy_to(spec, server=SERVER, cluster_name="eu-1", namespace="a")
    assert may_deploy_to(spec, server="https://x", cluster_name="other", namespace="a")
    assert not may_deploy_to(spec, server="https://x", cluster_name="eu-1", namespace="a")


def test_a_denial_alone_permits_nothing() -> None:
    spec = ProjectSpec(destinations=(to(server="*", namespace="!kube-system"),))
    assert not may_deploy_to(spec, server=SERVER, cluster_name="eu-1", namespace="shop")


def test_a_denial_of_a_server_holds_whatever_name_stands_beside_it() -> None:
    spec = replace(
        DEFAULT_PROJECT_SPEC,
        destinations=(
            to(server="!https://prod", name="eu-*", namespace="*"),
            to(server="*", namespace="*"),
        ),
    )
    assert not may_deploy_to(spec, server="https://prod/", cluster_name="us-1", namespace="a")
    assert may_deploy_to(spec, server=SERVER, cluster_name="eu-1", namespace="a")


def test_a_denial_permits_nothing_by_its_other_parts() -> None:
    spec = ProjectSpec(destinations=(to(server="!https://prod", name="eu-*", namespace="*"),))
    assert not may_deploy_to(spec, server=SERVER, cluster_name="us-1", namespace="shop")
    spec = ProjectSpec(destinations=(to(server="!https://prod", namespace="*"),))
    assert not may_deploy_to(spec, server="!https://prod", cluster_name="x", namespace="shop")
    spec = ProjectSpec(destinations=(to(server="!https://prod", name="*", namespace="*"),))
    assert not may_deploy_to(spec, server=SERVER, cluster_name="eu-1", namespace="shop")
    spec = ProjectSpec(destinations=(to(server="*", namespace="!a"),))
    assert not may_deploy_to(spec, server=SERVER, cluster_name="eu-1", namespace="!a")


def test_a_server_that_is_not_known_matches_nothing() -> None:
    spec = ProjectSpec(destinations=(to(server="*", namespace="*"),))
    assert not may_deploy_to(spec, server="", cluster_name="eu-1", namespace="shop")


def test_a_denial_that_nobody_can_read_denies() -> None:
    spec = replace(DEFAULT_PROJECT_SPEC, namespace_deny=(KindRule("", "[Secret"),))
    assert not manage(spec, "", "Secret", "x", namespaced=True)
    assert manage(spec, "apps", "Deployment", "x", namespaced=True)
    broken = to(server="*", namespace="![kube")
    spec = replace(DEFAULT_PROJECT_SPEC, destinations=(*DEFAULT_PROJECT_SPEC.destinations, broken))
    assert not may_deploy_to(spec, server=SERVER, cluster_name="eu-1", namespace="shop")


@pytest.mark.parametrize(
    ("kind", "namespaced", "allowed", "says"),
    [
        (("apps", "Deployment", "web"), True, True, ""),
        (("apps", "DaemonSet", "web"), True, False, "namespaceResourceBlacklist: apps/DaemonSet"),
        (("", "Namespace", "shop-1"), False, True, ""),
        (("", "Namespace", "other"), False, False, "clusterResourceWhitelist"),
        (("rbac.authorization.k8s.io", "ClusterRole", "x"), False, True, ""),
        (
            ("rbac.authorization.k8s.io", "ClusterRoleBinding", "x"),
            False,
            False,
            "clusterResourceBlacklist: */ClusterRoleBinding",
        ),
    ],
)
def test_kinds(kind: tuple[str, str, str], namespaced: bool, allowed: bool, says: str) -> None:
    decision = manage(SHOP, *kind, namespaced=namespaced)
    assert decision.allowed is allowed
    assert says in decision.reason
    if not allowed:
        assert kind[1] in decision.reason
        assert "project shop" in decision.reason


def manage(spec: ProjectSpec, group: str, kind: str, name: str, *, namespaced: bool, **where: str):
    return may_manage(
        spec,
        group=group,
        kind=kind,
        name=name,
        namespace=where.get("namespace", "shop" if namespaced else ""),
        namespaced=namespaced,
        server=where.get("server", SERVER),
        cluster_name=where.get("cluster", "eu-1"),
        project_name="shop",
    )


def test_an_object_in_a_foreign_namespace_is_refused() -> None:
    decision = manage(SHOP, "", "Secret", "x", namespaced=True, namespace="kube-system")
    assert "kube-system" in decision.reason


def test_a_cluster_scoped_object_needs_the_cluster() -> None:
    role = ("rbac.authorization.k8s.io", "ClusterRole", "x")
    assert not manage(SHOP, *role, namespaced=False, cluster="us-1")
    assert not manage(SHOP, *role, namespaced=False, server="https://prod-1.example")


def test_a_namespace_whitelist_narrows_to_itself() -> None:
    spec = replace(DEFAULT_PROJECT_SPEC, namespace_allow=(KindRule("", "ConfigMap"),))
    assert manage(spec, "", "ConfigMap", "x", namespaced=True)
    assert not manage(spec, "", "Secret", "x", namespaced=True)


def test_a_permitted_namespace_may_be_created_unless_denied() -> None:
    where = {"namespace": "shop", "server": SERVER, "cluster_name": "eu-1"}
    assert may_create_namespace(SHOP, **where)
    assert not may_create_namespace(SHOP, **(where | {"namespace": "kube-system"}))
    closed = replace(SHOP, cluster_deny=(KindRule("", "Namespace"),))
    assert "clusterResourceBlacklist" in may_create_namespace(closed, **where).reason


def test_the_default_project_allows_everything() -> None:
    assert may_use_source(DEFAULT_PROJECT_SPEC, "file:///srv/git/shop")
    assert manage(DEFAULT_PROJECT_SPEC, "apps", "DaemonSet", "x", namespaced=True)
    assert manage(DEFAULT_PROJECT_SPEC, "", "Node", "x", namespaced=False)


PATTERN = st.sampled_from(["*", "a", "b", "a*", "!a", "!b", "[", "![", "", "{a,b}"])
RULES = st.lists(st.builds(KindRule, PATTERN, PATTERN, PATTERN), max_size=3).map(tuple)
SPECS = st.builds(
    ProjectSpec,
    source_repos=st.lists(PATTERN, max_size=3).map(tuple),
    destinations=st.lists(st.builds(ProjectDestination, PATTERN, PATTERN, PATTERN), max_size=3).map(
        tuple
    ),
    cluster_allow=RULES,
    cluster_deny=RULES,
    namespace_allow=RULES,
    namespace_deny=RULES,
)
ALLOW_LISTS = ("source_repos", "destinations", "cluster_allow")
WORD = st.sampled_from(["a", "b", "ab", ""])


def answers(spec: ProjectSpec, words: tuple[str, ...]) -> dict[str, bool]:
    one, two, three, four = words
    where = {"server": three, "cluster_name": four}
    kind: dict[str, Any] = {"group": one, "kind": two, "name": three, "namespace": four}
    return {
        "source": may_use_source(spec, one).allowed,
        "destination": may_deploy_to(spec, namespace=one, **where).allowed,
        "namespaced": may_manage(spec, namespaced=True, **kind, **where).allowed,
        "cluster": may_manage(spec, namespaced=False, **kind, **where).allowed,
        "create": may_create_namespace(spec, namespace=one, **where).allowed,
    }


@given(SPECS, st.tuples(WORD, WORD, WORD, WORD), st.sampled_from(ALLOW_LISTS))
def test_no_list_of_permissions_permits_more_when_emptied(
    spec: ProjectSpec, words: tuple[str, ...], emptied: str
) -> None:
    # Denials live in sourceRepos and destinations too: then emptying takes both away.
    before, after = answers(spec, words), answers(replace(spec, **{emptied: ()}), words)
    assert all(before[question] for question, is_allowed in after.items() if is_allowed)


@given(SPECS, st.tuples(WORD, WORD, WORD, WORD), RULES)
def test_a_further_denial_never_permits_more(
    spec: ProjectSpec, words: tuple[str, ...], more: tuple[KindRule, ...]
) -> None:
    denied = replace(
        spec, cluster_deny=spec.cluster_deny + more, namespace_deny=spec.namespace_deny + more
    )
    before, after = answers(spec, words), answers(denied, words)
    assert all(before[question] for question, is_allowed in after.items() if is_allowed)


@given(SPECS, st.tuples(WORD, WORD, WORD, WORD))
def test_an_empty_project_permits_nothing(spec: ProjectSpec, words: tuple[str, ...]) -> None:
    nothing = ProjectSpec(namespace_allow=spec.namespace_allow)
    assert not any(answers(nothing, words).values())


@given(st.text(max_size=40))
def test_any_url_is_answered(url: str) -> None:
    assert canonical_url(url) == canonical_url(f" {url.strip()} ")
    assert may_use_source(DEFAULT_PROJECT_SPEC, url)
