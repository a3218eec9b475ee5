"""Names and label selectors, as Kubernetes reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import UsageError
from fleet.model.names import is_dns_label, is_dns_subdomain, is_label_key, is_label_value
from fleet.model.selectors import Selector, parse_selector

PROD_EU = {"env": "prod", "region": "eu", "weight": "12"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("  ", True),
        ("env=prod", True),
        ("env==prod", True),
        ("env = prod", True),
        ("env=test", False),
        ("env!=test", True),
        ("env!=prod", False),
        ("tier!=cache", True),
        ("tier=", False),
        ("env", True),
        ("tier", False),
        ("!tier", True),
        ("! env", False),
        ("region in (eu,us)", True),
        ("region in ( us , ap )", False),
        ("region notin (us)", True),
        ("tier notin (cache)", True),
        ("region notin (eu,us)", False),
        ("weight>11", True),
        ("weight<12", False),
        ("env>1", False),
        ("env=prod,region in (eu,us),!canary", True),
        ("env=prod,region in (eu,us),canary", False),
    ],
)
def test_matches(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(PROD_EU) is matches


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("region == eu", "region=eu"),
        ("region in (eu)", "region=eu"),
        ("region in (us, eu), env = prod", "env=prod,region in (eu,us)"),
        ("tier!=cache", "tier!=cache"),
        ("tier notin (b,a)", "tier notin (a,b)"),
        ("! canary , env", "!canary,env"),
        ("weight > 11", "weight>11"),
        ("weight<12", "weight<12"),
        ("tier in ()", "tier="),
        ("env,env", "env"),
    ],
)
def test_is_written_in_one_way(text: str, written: str) -> None:
    selector = parse_selector(text)
    assert str(selector) == written
    assert set(parse_selector(written).requirements) == set(selector.requirements)


def test_in_with_nothing_means_the_empty_value() -> None:
    assert parse_selector("tier in ()").matches({"tier": ""})


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "env=prod,",
        "env=prod region=eu",
        "in (a)",
        "env in a",
        "env in (a",
        "env in (a))",
        "env=pr/od",
        "-env=prod",
        "!env=prod",
        "env=>1",
        "weight>x",
        "a/b/c",
        "env in (a,(b))",
        "x" * 9000,
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_selector(text)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@given(st.text(alphabet="ab=!<>(), intoenv1/-", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        selector = parse_selector(text)
    except UsageError:
        return
    assert isinstance(selector, Selector)
    selector.matches(PROD_EU)


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")), st.sampled_from("xyz"))
def test_equality_and_inequality_are_opposites(labels: dict[str, str], value: str) -> None:
    equal, unequal = parse_selector(f"a={value}"), parse_selector(f"a!={value}")
    assert equal.matches(labels) is not unequal.matches(labels)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (is_dns_label, ["a", "a-1", "1a", "a" * 63], ["", "-a", "a-", "A", "a.b", "a" * 64, "a\n"]),
        (is_dns_subdomain, ["a", "a.b-c.d", "a" * 253], ["", ".a", "a..b", "a_b", "a" * 254]),
        (is_label_key, ["a", "A_b.c", "x.io/a"], ["", "/a", "x.io/", "X/a", "a/b/c", "a" * 64]),
        (is_label_value, ["", "a", "A_b.c"], ["-a", "a b", "a" * 64, "ä"]),
    ],
)
def test_names(check, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []
