"""Which credential template is used for a URL."""

from __future__ import annotations

import pytest

from fleet.registry import credentials
from fleet.source.urls import parse_url


@pytest.mark.parametrize(
    ("prefix", "url", "matches"),
    [
        ("https://git.corp", "https://git.corp/team-a/x", True),
        ("https://git.corp/", "https://git.corp/team-a/x", True),
        ("https://git.corp/team-a", "https://git.corp/team-a/x", True),
        ("https://git.corp/team-a", "https://git.corp/team-a.git", True),
        ("https://git.corp/team-a", "https://git.corp/team-a-evil/x", False),
        ("https://git.corp", "https://git.corp.attacker.io/x", False),
        ("https://git.corp", "http://git.corp/x", False),
        ("https://git.corp", "https://git.corp:8443/x", False),
        ("https://git.corp:443", "https://git.corp/x", True),
        ("git@github.com:org", "git@github.com:org/repo.git", True),
        ("git@github.com:org", "git@github.com:organisation/repo.git", False),
        ("ssh://git@github.com", "root@github.com:org/repo", False),
        ("ssh://github.com", "git@github.com:org/repo", True),
        ("ghcr.io/org", "oci://ghcr.io/org/charts", True),
    ],
)
def test_a_credential_stays_within_its_prefix(prefix: str, url: str, matches: bool) -> None:
    canonical = parse_url(prefix).canonical, parse_url(url).canonical
    assert credentials.prefix_holds(*canonical) is matches


def test_the_longest_prefix_wins_whatever_the_order() -> None:
    prefixes = ["https://git.corp", "https://git.corp/a/b", "https://git.corp/a", "https://x"]
    for order in (prefixes, prefixes[::-1]):
        assert credentials.longest_prefix(order, "https://git.corp/a/b/c") == "https://git.corp/a/b"
    assert credentials.longest_prefix(prefixes, "https://git.corp/ab") == "https://git.corp"
    assert credentials.longest_prefix(prefixes, "https://elsewhere/ab") is None
