"""Go durations: what Go reads, Fleet reads the same; what Go refuses is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.durations import parse_go_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta(0)),
        ("5s", timedelta(seconds=5)),
        ("1h30m", timedelta(minutes=90)),
        ("3m0s", timedelta(minutes=3)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("1.s", timedelta(seconds=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("7us", timedelta(microseconds=7)),
        ("7µs", timedelta(microseconds=7)),
        ("7μs", timedelta(microseconds=7)),
        ("1999ns", timedelta(microseconds=1)),
        ("-1999ns", timedelta(microseconds=-1)),
        ("+2m", timedelta(minutes=2)),
        ("-2m", timedelta(minutes=-2)),
    ],
)
def test_reads_what_go_reads(text: str, expected: timedelta) -> None:
    assert parse_go_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "-", "5", "s", ".s", "1d", "1w", "5 s", "1h 30m", "1e3s", "NaN", "٥s", "1h30", "5S"],
)
def test_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse_go_duration(text)
    assert caught.value.hint


def test_a_bare_number_is_seconds_only_where_allowed() -> None:
    assert parse_go_duration("90", bare_seconds=True) == timedelta(seconds=90)
    assert parse_go_duration("-1", bare_seconds=True) == timedelta(seconds=-1)
    with pytest.raises(SpecInvalid):
        parse_go_duration("90")


@pytest.mark.parametrize("text", ["9999999h", "9" * 40 + "s", "9" * 5000 + "s", "1" * 63])
def test_a_duration_that_would_overflow_is_refused(text: str) -> None:
    with pytest.raises(SpecInvalid):
        parse_go_duration(text, bare_seconds=True)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_go_duration(text, bare_seconds=True)
    except SpecInvalid:
        return
    assert abs(found) < timedelta(days=293 * 366)
