"""What is wrong with a schedule, in the words of a real server (tests/contract asks it)."""

from __future__ import annotations

import pytest

from fleet.embedded.sandbox.cronrules import cron_problem


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5,7 0-12/3 1,15 jan-MAR ?",
        "59 23 31 12 6",
        "0/15 * * * Sun-fri",
        "5/3 * * * *",
    ],
)
def test_these_say_when(schedule: str) -> None:
    assert cron_problem(schedule.split()) == ""


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* 9-5 * * *", "beginning of range (9) beyond end of range (5): 9-5"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("* * * foo *", 'failed to parse int from foo: strconv.Atoi: parsing "foo"'),
        ("1,,2 * * * *", "failed to parse int from "),
    ],
)
def test_these_do_not(schedule: str, problem: str) -> None:
    assert cron_problem(schedule.split()).startswith(problem)
