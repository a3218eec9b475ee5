"""The sandbox answers as a real API server does, but for what docs/sandbox.md lists."""

from __future__ import annotations

import copy
from collections import Counter

import pytest

from tests.contract.case import Case, all_cases
from tests.contract.comparing import Difference, Meant, differences, judge, meant
from tests.contract.normalising import Normaliser
from tests.contract.running import Pair, between

CASES = all_cases()
LISTED = meant()
ALONE = [it for it in CASES if not it.controllers]
CONTROLLED = [it for it in CASES if it.controllers]


@pytest.mark.cluster
@pytest.mark.parametrize("case", ALONE, ids=str)
def test_of_an_api_server_alone(case: Case, alone: Pair) -> None:
    assert "\n".join(judge(case.name, alone.compare(case), LISTED)) == ""


@pytest.mark.cluster
@pytest.mark.sweep
@pytest.mark.parametrize("case", CONTROLLED, ids=str)
def test_of_controllers(case: Case, controlled: Pair) -> None:
    assert "\n".join(judge(case.name, controlled.compare(case), LISTED)) == ""


def test_listed_differences_are_of_cases() -> None:
    names = {it.name for it in CASES}
    assert [row for row in LISTED if row.case not in names] == []
    assert [row for row in LISTED if len(row.reason) < 20] == []
    repeated = Counter((row.case, row.where) for row in LISTED)
    assert max(repeated.values(), default=1) == 1


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 150


ANSWER = {
    "status": 200,
    "body": {
        "metadata": {"name": "a", "uid": "6f9619ff-8b86-4011-b42d-00cf4fc964ff"},
        "items": [1, 2],
    },
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("status",), 201),
        (("body", "metadata", "name"), "b"),
        (("body", "items"), [1]),
        (("body", "items", 1), 3),
        (("body", "items", 1), 2.0),
        (("body", "more"), None),
    ],
)
def test_the_comparison_would_notice(path: tuple[str | int, ...], value: object) -> None:
    other = copy.deepcopy(ANSWER)
    inner: object = other
    for key in path[:-1]:
        inner = inner[key]  # type: ignore[index]
    inner[path[-1]] = value  # type: ignore[index]
    (found,) = differences(ANSWER, other)
    assert found.where == ".".join(map(str, path))


def test_a_request_that_was_not_answered_is_a_difference() -> None:
    (found,) = between([ANSWER, ANSWER], [ANSWER])
    assert found.where == "1"


def test_a_listed_difference_must_occur() -> None:
    found = [Difference("0.body.a", "1", "2"), Difference("0.body.b", "1", "2")]
    listed = [Meant("x", "0.body.*", "a reason"), Meant("x", "1.status", "a reason")]
    (told,) = judge("x", found, listed)
    assert "1.status, which is gone" in told
    assert len(judge("y", found, listed)) == 2


def test_identity_is_compared_by_where_it_recurs() -> None:
    first = {"metadata": {"uid": "6f9619ff-8b86-4011-b42d-00cf4fc964ff", "resourceVersion": "7"}}
    later = {"metadata": {**first["metadata"], "resourceVersion": "9"}}
    one = Normaliser("tag")
    assert [one(first), one(first)] == [one(first)] * 2
    assert one(later) != one(first)
    assert one(later)["metadata"]["resourceVersion"] == "<rv 2>"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 2026-01-02T03:04:05Z", "at 2027-01-02T03:04:05.678901Z"),
        ("10.0.0.12 is taken", "10.96.7.1 is taken"),
        ("too old resource version: 1 (345)", "too old resource version: 1 (9)"),
        ('x: Invalid value: {"Kind":"Role"}: no', "x: Invalid value: []: no"),
        ("a label must consist of letters", "a label must consist of 'a'-'z'"),
        ("json parse error: EOF", "json parse error: line 1 column 2"),
    ],
)
def test_what_no_two_runs_share_is_not_compared(one: str, other: str) -> None:
    assert Normaliser("tag")(one) == Normaliser("tag")(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("spec.a: Required value", "spec.b: Required value"),
        ('x: Invalid value: "a": no', 'x: Invalid value: "b": no'),
        ("a label must consist of letters", "a label must be short"),
        ("version 1.37", "version 1.38"),
    ],
)
def test_what_a_message_says_is_compared(one: str, other: str) -> None:
    assert Normaliser("tag")(one) != Normaliser("tag")(other)


def test_the_order_of_causes_is_not_compared() -> None:
    one, other = ({"field": name, "message": f"{name} is bad"} for name in "ab")
    told = [
        {
            "kind": "Status",
            "message": "x is invalid: [" + ", ".join(it["message"] for it in causes) + "]",
            "details": {"causes": causes},
        }
        for causes in ([one, other], [other, one], [one, one])
    ]
    first, turned, different = (Normaliser("tag")(it) for it in told)
    assert first == turned
    assert first != different
