"""Ranges, against the documented behaviour of Masterminds/semver 3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.source.semver import Version, newest, parse_range, parse_version

TABLE = [
    # range, versions it allows, versions it does not
    ("1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc1"),
    ("=1.2.3", "1.2.3", "1.2.2"),
    ("!=1.2.3", "1.2.4 0.1.0", "1.2.3"),
    ("!=1.2.x", "1.3.0 2.0.0", "1.2.0 1.2.9"),
    ("1.2.*", "1.2.0 1.2.9", "1.3.0 1.1.9 1.2.0-rc1"),
    ("1.2", "1.2.0 1.2.9", "1.3.0"),
    ("1.x", "1.0.0 1.9.9", "2.0.0 0.9.0"),
    ("1.X.x", "1.0.0 1.9.9", "2.0.0"),
    ("v1.x", "1.4.0", "2.0.0"),
    ("*", "0.0.1 9.9.9", "1.0.0-alpha"),
    ("", "0.0.1 9.9.9", "1.0.0-alpha"),
    ("x", "0.0.1", "1.0.0-alpha"),
    (">1.2.3", "1.2.4 2.0.0", "1.2.3 1.0.0"),
    (">1.2", "1.3.0", "1.2.9"),
    (">11", "12.0.0", "11.1.0"),
    (">=1.2", "1.2.0 3.0.0", "1.1.9"),
    ("=>1.2", "1.2.0", "1.1.9"),
    ("<1.2", "1.1.9", "1.2.0"),
    ("<=1.2", "1.2.9 1.0.0", "1.3.0"),
    ("<=1", "1.9.9", "2.0.0"),
    ("=<1.2.3", "1.2.3", "1.2.4"),
    (">=1.0 <2", "1.0.0 1.9.9", "2.0.0 0.9.9"),
    (">=1.0, <2", "1.5.0", "2.0.0"),
    (">= 1.0 , < 2", "1.5.0", "2.0.0"),
    (">=1 <2 || >=3", "1.1.0 3.0.0", "2.5.0"),
    ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.1.9 1.4.6"),
    ("1.2 - 1.4", "1.4.9", "1.5.0"),
    ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
    ("~1.2", "1.2.0 1.2.9", "1.3.0"),
    ("~1", "1.0.0 1.9.9", "2.0.0"),
    ("~>1.2.3", "1.2.4", "1.3.0"),
    ("~*", "7.0.0", "7.0.0-rc1"),
    ("^1.2.3", "1.2.3 1.9.9", "1.2.2 2.0.0"),
    ("^1.2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
    ("^1", "1.0.0 1.9.9", "2.0.0"),
    ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
    ("^0.2", "0.2.0 0.2.9", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^0", "0.9.9", "1.0.0"),
    (">=1.0.0-0", "1.0.0-rc1 1.0.0 2.0.0-alpha", "0.9.9"),
    ("^1.2.0-beta.2", "1.2.0-beta.2 1.2.0-beta.11 1.3.0", "1.2.0-beta.1 2.0.0"),
    ("~1.2.3-beta", "1.2.3-beta 1.2.3 1.2.4", "1.3.0"),
]
YES = [(range_, version) for range_, yes, _ in TABLE for version in yes.split()]
NO = [(range_, version) for range_, _, no in TABLE for version in no.split()]


def allows(range_: str, version: str) -> bool:
    parsed, of = parse_range(range_), parse_version(version)
    assert parsed is not None
    assert of is not None
    return parsed.allows(of)


@pytest.mark.parametrize(("range_", "version"), YES)
def test_allowed(range_: str, version: str) -> None:
    assert allows(range_, version)


@pytest.mark.parametrize(("range_", "version"), NO)
def test_not_allowed(range_: str, version: str) -> None:
    assert not allows(range_, version)


@pytest.mark.parametrize(
    "text",
    [
        "main",
        "release-1.2",
        "1.2.3.4",
        ">",
        ">=",
        "1.2 main",
        "01.2",
        "feature/x",
        "1..2",
        "^^1",
        "a" * 300,
    ],
)
def test_not_a_range(text: str) -> None:
    assert parse_range(text) is None


@pytest.mark.parametrize("text", ["main", "1.2.3.4", "01.2.3", "1.2.3-01", "v", "", "1.x", "-1"])
def test_not_a_version(text: str) -> None:
    assert parse_version(text) is None


def test_order_of_prereleases() -> None:
    # The example of semver.org, rule 11.
    order = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 "
        "1.0.0-rc.1 1.0.0"
    )
    versions = [parse_version(text) for text in order.split()]
    assert versions == sorted(versions, key=lambda version: version or Version(0, 0, 0))


def test_newest_ignores_what_is_no_version_and_is_stable() -> None:
    names = ["latest", "v1.2.0", "1.2.0", "1.10.0-rc1", "1.9.0", "x"]
    every = parse_range("1.x")
    assert every
    assert newest(every, names) == "1.9.0"
    same = parse_range("1.2")
    assert same
    assert newest(same, names) == newest(same, names[::-1]) == "1.2.0"
    assert newest(same, ["2.0.0"]) is None


versions = st.builds(Version, st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))


@given(versions, versions)
def test_caret_and_tilde_are_intervals(bound: Version, version: Version) -> None:
    text = f"{bound.major}.{bound.minor}.{bound.patch}"
    inside = bound <= version
    tilde, caret = parse_range(f"~{text}"), parse_range(f"^{text}")
    assert tilde
    assert caret
    next_minor = Version(bound.major, bound.minor + 1, 0)
    assert tilde.allows(version) == (inside and version < next_minor)
    if bound.major:
        top = Version(bound.major + 1, 0, 0)
    elif bound.minor:
        top = next_minor
    else:
        top = Version(0, 0, bound.patch + 1)
    assert caret.allows(version) == (inside and version < top)


@given(st.text(alphabet="0123456789.xX*^~<>=!|, -vab", max_size=30))
def test_any_text_is_a_range_or_none(text: str) -> None:
    parsed = parse_range(text)
    if parsed is not None:
        parsed.allows(Version(1, 2, 3))
