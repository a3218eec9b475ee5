"""Cron: five fields as robfig/cron reads them for Argo CD."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.cron import parse_cron


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
    parse_cron(text)


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
        ("0 0 31 2 *", "never comes"),
        ("0 0 31 4,6,SEP,11 ?", "never comes"),
    ],
)
def test_refuses_and_names_the_field(text: str, says: str) -> None:
    with pytest.raises(SpecInvalid, match=says):
        parse_cron(text)


@given(st.text(alphabet="0123456789*/-,? JANSU", max_size=40))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    with suppress(SpecInvalid):
        parse_cron(text)


@pytest.mark.parametrize(
    ("text", "moment", "then"),
    [
        ("* * * * *", "2026-01-01T10:00", "2026-01-01T10:01"),
        ("* * * * *", "2026-01-01T10:00:30", "2026-01-01T10:01"),
        ("0 22 * * *", "2026-01-01T22:00", "2026-01-02T22:00"),
        ("50/5 * * * *", "2026-01-01T10:00", "2026-01-01T10:50"),
        ("*/20 * * * *", "2026-01-01T10:40", "2026-01-01T11:00"),
        ("0 0 * * SUN", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00", "2104-02-29T00:00"),
        # both days are restricted: either suffices; a step restricts, a lone star does not
        ("0 0 15 * 1", "2026-01-01T00:00", "2026-01-05T00:00"),
        ("0 0 15 * 1", "2026-01-13T00:00", "2026-01-15T00:00"),
        ("0 0 */20 * MON", "2026-01-02T00:00", "2026-01-05T00:00"),
        ("0 0 */1 * MON", "2026-01-02T00:00", "2026-01-05T00:00"),
        ("0 0 15 * ?", "2026-01-02T00:00", "2026-01-15T00:00"),
        # a day that no month has, beside a weekday, is no reason to refuse
        ("0 0 31 2 MON", "2026-01-01T00:00", "2026-02-02T00:00"),
    ],
)
def test_the_next_minute_that_is_meant(text: str, moment: str, then: str) -> None:
    assert parse_cron(text).after(datetime.fromisoformat(moment)) == datetime.fromisoformat(then)


@pytest.mark.parametrize(
    ("text", "start", "hours", "end"),
    [
        ("0 22 * * *", "2026-01-01T22:00", 8, "2026-01-02T06:00"),
        ("0 0 * * *", "2026-01-01T00:00", 24, None),
        ("* * * * *", "2026-01-01T00:00", 1, None),
        ("* 9-16 * * *", "2026-01-01T09:00", 1, "2026-01-01T17:59"),
        ("0 0 * * 1-5", "2026-01-05T00:00", 24, "2026-01-10T00:00"),
        ("0 0 1-30 * *", "2026-01-05T00:00", 24, "2026-01-31T00:00"),
        ("0 0 1-30 * *", "2026-01-05T00:00", 96, None),
        ("0 0 1-31 * 1-5", "2026-01-05T00:00", 24, None),
    ],
)
def test_spans_that_touch_are_one(text: str, start: str, hours: int, end: str | None) -> None:
    found = parse_cron(text).run_end(datetime.fromisoformat(start), timedelta(hours=hours))
    assert found == (None if end is None else datetime.fromisoformat(end))
