"""Which signature policy is for a repository."""

from __future__ import annotations

import pytest

from fleet.model.integrity import SignaturePolicy
from fleet.model.projects import ProjectSpec
from fleet.policy import integrity_policy

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
