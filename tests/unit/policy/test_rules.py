"""Policies as CSV: what is read, what is refused, and by which line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.access import ProjectRole, parse_rbac_config
from fleet.policy import Policy, doubts, project_rules, read_policy
from fleet.policy.globs import glob_regex, matches_glob
from fleet.policy.patterns import MatchMode, finds, regex_of


def policy(mode: str = "", **texts: str) -> Policy:
    data = {f"policy.{key}.csv": text for key, text in texts.items() if key != "csv"}
    data |= {"policy.csv": texts["csv"]} if "csv" in texts else {}
    data |= {"policy.matchMode": mode} if mode else {}
    return read_policy(parse_rbac_config({"data": data}))


def test_lines_comments_quotes_and_overlays() -> None:
    read = policy(
        csv='# who\n\n p , role:dev,  applications, sync, shop/* , allow\ng,"CN=a, OU=b",role:dev',
        team="g, alice, role:dev",
        late="p, alice, clusters, get, *, deny",
    )
    assert [str(rule) for rule in read.rules] == [
        "p, role:dev, applications, sync, shop/*, allow",
        "p, alice, clusters, get, *, deny",
    ]
    assert read.grants == (("CN=a, OU=b", "role:dev"), ("alice", "role:dev"))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("p, role:dev, applications, sync, shop/*", "no line"),
        ("p, role:dev, applications, sync, shop/*, maybe", "neither allow nor deny"),
        ("p, role:dev, applications, sync, [shop, allow", "no glob"),
        ("g, alice", "no line"),
        ("q, alice, role:dev", "no line"),
        ("p, , applications, sync, shop/*, allow", "no line"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_line(line: str, word: str) -> None:
    with pytest.raises(SpecInvalid, match=word) as refused:
        policy(csv=f"# fine\n{line}\n")
    assert refused.value.place.field == "data.policy.csv: line 2"


def test_regular_expressions_are_found_anywhere_and_doubted() -> None:
    read = policy("regex", csv="p, role:dev, applications, (get|sync), shop/.*, allow")
    rule = read.rules[0]
    assert rule.concerns("applications", "sync")
    assert not rule.concerns("applications", "delete")
    assert rule.names(["myshop/web"], "myshop")
    assert any("begin it with ^" in doubt for doubt in doubts(read))
    assert not doubts(policy("regex", csv="p, role:dev, applications, get, ^shop/, allow"))


@pytest.mark.parametrize("pattern", ["a(?=b)", r"\bshop", r"\p{L}", "(", "(?P<x>a)", "a{2000}"])
def test_what_postgresql_would_read_otherwise_is_refused(pattern: str) -> None:
    assert regex_of(pattern, MatchMode.REGEX) is None
    with pytest.raises(SpecInvalid, match="no regex"):
        policy("regex", csv=f"p, x, applications, get, {pattern}, allow")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("(?i)^SHOP/", "shop/web", True),
        (r"^shop/(web|api)-\d+$", "shop/api-7", True),
        (r"^shop/(web|api)-\d+$", "shop/api-x", False),
        ("*", "anything", True),
    ],
)
def test_regular_expressions(pattern: str, text: str, found: bool) -> None:
    regex = regex_of(pattern, MatchMode.REGEX)
    assert regex is not None
    assert finds(regex, text) is found


@given(
    st.text("ab*?[]{},!-\\/^$.|()", max_size=8),
    st.text("ab-/^$.|()\n", max_size=6),
)
def test_a_glob_and_its_regular_expression_agree(pattern: str, text: str) -> None:
    regex = glob_regex(pattern)
    assert (regex is not None and finds(regex, text)) is matches_glob(pattern, text)


def test_a_word_that_is_no_resource_is_doubted() -> None:
    read = policy(csv="p, role:dev, application, get, *, allow")
    (doubt,) = doubts(read)
    assert doubt.endswith("there is no resource application; did you mean applications?")


@pytest.mark.parametrize(
    ("action", "doubted"),
    [
        ("dance", "there is no action dance"),
        ("synch", "there is no action synch; did you mean sync?"),
        ("sync", ""),
        ("break-glass", ""),
        ("*", ""),
        ("action/apps/*/restart", ""),
        ("delete/*/Pod/*/*", ""),
        ("sy[mn]c", ""),
        ("dance/apps/*/restart", "there is no action dance"),
        ("sync/web", "nothing may follow the action sync"),
        ("", "there is no action without a name"),
    ],
)
def test_a_word_that_is_no_action_is_doubted(action: str, doubted: str) -> None:
    found = doubts(policy(csv=f"p, role:dev, applications, {action}, *, allow"))
    assert [doubt.partition(": ")[2] for doubt in found] == ([doubted] if doubted else [])


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("p, proj:shop:ci, applications, get, other/*, allow", "not in project shop"),
        ("p, proj:shop:ci, applications, get, *, allow", "not in project shop"),
        ("p, proj:shop:ci, applications, get, shop, allow", "not in project shop"),
        ("p, proj:shop:ci, applications, get, shop/, allow", "not in project shop"),
        ("p, proj:shop:ci, applications, get, shop/../other/*, allow", "not in project shop"),
        ("p, proj:shop:ci, applications, get, shop*/web, allow", "not in project shop"),
        ("p, proj:other:ci, applications, get, shop/*, allow", "is about proj:other:ci"),
        ("p, role:admin, applications, get, shop/*, allow", "is about role:admin"),
        ("p, proj:shop:ci, accounts, get, shop/*, allow", "nothing that a role"),
        ("p, proj:shop:ci, *, get, shop/*, allow", "nothing that a role"),
        ("g, proj:shop:ci, role:admin", "no rule"),
    ],
)
def test_a_role_of_a_project_cannot_reach_out_of_it(line: str, word: str) -> None:
    for mode in MatchMode:
        with pytest.raises(SpecInvalid, match=word):
            project_rules(ProjectRole("shop", "ci", (line,)), mode)


def test_a_regular_expression_of_a_project_is_bound_to_its_front() -> None:
    line = "p, proj:shop:ci, applications, get, shop/web|other/, allow"
    rule = project_rules(ProjectRole("shop", "ci", (line,)), MatchMode.REGEX)[-1]
    assert rule.names(["shop/web"], "shop")
    assert rule.names(["shop/other/x"], "shop")
    assert not rule.names(["other/x"], "other")
    assert not rule.names(["other/x"], "shop")
