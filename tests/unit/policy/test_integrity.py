"""Which signature policy is for a repository."""

from __future__ import annotations

import pytest

from fleet.model.integrity import Content, SignaturePolicy
from fleet.model.projects import ProjectSpec
from fleet.policy import content_policy, integrity_policy

KEY = ("4AEE18F83AFDEB23",)
URL = "https://git.example/team/Shop.git"


def policy(*repos: str, mode: str = "head") -> SignaturePolicy:
    return SignaturePolicy(repos, mode, KEY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policies", "chosen"),
    [
        ((), None),
        ((policy("*"),), 0),
        ((policy("https://git.example/team/*"),), 0),
        ((policy("https://git.example/*"),), None),
        ((policy("https://git.example/**"),), 0),
        ((policy("https://git.example/TEAM/shop"),), 0),  # a spelling is no way out
        ((policy("git.example/[team"),), 0),  # nor a pattern that is none
        ((policy("*", "!https://git.example/team/Shop"),), None),
        ((policy("*", "!https://git.example/TEAM/Shop"),), 0),
        ((policy("https://other.example/*"), policy("*", mode="strict")), 1),
        ((policy("https://git.example/team/*", mode="none"), policy("*")), None),
        ((policy("https://git.example/TEAM/*", mode="none"), policy("*")), 1),
        ((policy("git.example/[team", mode="none"), policy("*")), 1),
    ],
)
def test_the_first_that_matches_counts(
    policies: tuple[SignaturePolicy, ...], chosen: int | None
) -> None:
    found = integrity_policy(ProjectSpec(integrity=policies), URL)
    assert found == (None if chosen is None else policies[chosen])


def of(content: Content, *repos: str, mode: str = "strict") -> SignaturePolicy:
    return SignaturePolicy(repos, mode, KEY, content)  # type: ignore[arg-type]


REGISTRY = of("oci", "oci://registry.example/secure/**")


@pytest.mark.parametrize(
    ("url", "chart"),
    [
        ("oci://registry.example/secure/charts", "web"),
        ("registry.example/secure/charts", "web"),
        ("https://registry.example/secure/charts", "web"),
        ("https://registry.example:443/secure/charts", "web"),
        ("oci://registry.example:443/secure/charts", "web"),
        ("oci://someone@registry.example/secure/charts", "web"),
        ("oci://Registry.Example/Secure/charts", "web"),
        ("oci://registry.example/secure/charts/web", ""),
        ("oci://registry.example", "secure/charts/web"),
        ("oci://registry.example/open", "../secure/web"),
        ("oci://registry.example/secure/web", "../../open/web"),
    ],
)
def test_no_spelling_of_a_registry_leads_past_a_policy(url: str, chart: str) -> None:
    assert content_policy(ProjectSpec(integrity=(REGISTRY,)), "oci", url, chart) is REGISTRY


@pytest.mark.parametrize(
    ("url", "chart", "exempt"),
    [
        ("oci://registry.example/open", "web", True),
        ("registry.example/open", "web", True),
        ("oci://registry.example/open/web", "", True),
        ("https://registry.example/open", "web", False),
        ("oci://registry.example/open", "../secure/web", False),
        ("oci://registry.example/OPEN", "web", False),
    ],
)
def test_an_exemption_is_for_what_it_names(url: str, chart: str, exempt: bool) -> None:
    policies = (
        of("oci", "oci://registry.example/open/**", "oci://registry.example/open", mode="none"),
        of("oci", "*"),
    )
    found = content_policy(ProjectSpec(integrity=policies), "oci", url, chart)
    assert found == (None if exempt else policies[1])


def test_each_policy_is_for_its_own_content() -> None:
    project = ProjectSpec(integrity=(policy("*"), of("helm", "*"), of("oci", "*")))
    assert integrity_policy(project, URL) == project.integrity[0]
    assert content_policy(project, "helm", URL) == project.integrity[1]
    assert content_policy(project, "oci", URL) == project.integrity[2]
    assert content_policy(ProjectSpec(integrity=(policy("*"),)), "oci", URL) is None
