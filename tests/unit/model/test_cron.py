"""Cron: five fields as robfig/cron reads them for Argo CD."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.cron import check_cron


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 22 * * *",
        "*/15 0-6 1,15 * MON-FRI",
        "0 22 ? JAN,Jul 0-6/2",
        "5/10 * * * *",
        "59 23 31 12 6",
    ],
)
def test_accepts(text: str) -> None:
    check_cron(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 cron fields"),
        ("0 22 * *", "4 cron fields"),
        ("0 0 22 * * *", "6 cron fields"),
        ("@daily", "1 cron fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 7", "day of week"),
        ("*/0 * * * *", "minute"),
        ("9-5 * * * *", "minute"),
        ("1,, * * * *", "minute"),
        ("*-5 * * * *", "minute"),
        ("a * * * *", "minute"),
        ("٣ * * * *", "minute"),
    ],
)
def test_refuses_and_names_the_field(text: str, says: str) -> None:
    with pytest.raises(SpecInvalid, match=says):
        check_cron(text)


@given(st.text(alphabet="0123456789*/-,? JANSU", max_size=40))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    with suppress(SpecInvalid):
        check_cron(text)
