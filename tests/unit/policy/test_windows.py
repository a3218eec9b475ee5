"""Sync windows: when they are open, whom they concern, what they say, and when that changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.windows import Hold, SyncWindow
from fleet.policy.window_times import is_open, next_flip
from fleet.policy.windows import (
    WindowSubject,
    assigned,
    hold_on,
    judge,
    may_go_on,
    next_change,
    next_opening,
)
from tests.unit.policy.windows import MINUTE, Minutes, answers, at, window

WEB = WindowSubject("web", "shop", "eu-1", "https://10.0.0.1:6443")
NIGHT = window("deny", "0 22 * * *", "8h")
OFFICE = window("allow", "0 9 * * 1-5", "8h")
#: Moments around which clocks are set, in zones that do it in different ways.
CHANGES = {
    "UTC": ("2026-06-01T00:00",),
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Asia/Kathmandu": ("2026-06-01T00:00",),
    "America/St_Johns": ("2026-03-08T05:30", "2026-11-01T04:30"),
    "Africa/Casablanca": ("2026-02-15T02:00", "2026-03-22T02:00"),
    "Pacific/Apia": ("2011-12-30T10:00",),
}


# whom they concern


@pytest.mark.parametrize(
    ("lists", "concerns"),
    [
        ({"applications": ("web",)}, True),
        ({"applications": ("w?b", "x")}, True),
        ({"applications": ("api",)}, False),
        ({"namespaces": ("shop",)}, True),
        ({"clusters": ("eu-*",)}, True),
        ({"clusters": ("https://10.0.0.1:6443/",)}, True),
        ({"clusters": ("us-*",)}, False),
        ({"applications": ("api",), "namespaces": ("shop",)}, True),
        ({"applications": ("api",), "namespaces": ("shop",), "and_operator": True}, False),
        ({"applications": ("web",), "clusters": ("eu-1",), "and_operator": True}, True),
        # an empty list says nothing, and a window of nothing but those concerns nobody
        ({"namespaces": ("shop",), "and_operator": True}, True),
        ({}, False),
        ({"and_operator": True}, False),
        # what cannot be read concerns everybody
        ({"applications": ("[",)}, True),
    ],
)
def test_whom_a_window_concerns(lists: dict[str, tuple[str, ...]], concerns: bool) -> None:
    one = window("deny", "* * * * *", "1h", **{"applications": (), **lists})
    assert bool(assigned([one], WEB)) is concerns


def test_an_application_without_a_cluster_matches_no_pattern_of_clusters() -> None:
    one = window("deny", "* * * * *", "1h", applications=(), clusters=("*",))
    assert assigned([one], WindowSubject("web", "shop", "", "")) == ()


def test_an_application_without_a_namespace_is_in_all_of_them() -> None:
    one = window("deny", "* * * * *", "1h", applications=(), namespaces=("*",))
    assert assigned([one], WindowSubject("web", "", "eu-1", "")) == (one,)


# what they say: argo-cd's rules as a table


DENY = window("deny", "0 12 * * *", "1h")
DENY_MANUAL = window("deny", "0 12 * * *", "1h", manual_sync=True, id=1)
OPEN = window("allow", "0 12 * * *", "1h", id=2)
SHUT = window("allow", "0 20 * * *", "1h", id=3)
SHUT_MANUAL = window("allow", "0 18 * * *", "1h", manual_sync=True, id=4)
LATER = window("deny", "0 20 * * *", "1h", id=5)
NOON = at("2026-06-01T12:30")


@pytest.mark.parametrize(
    ("windows", "automated", "manual", "decides"),
    [
        ((), True, True, None),
        ((LATER,), True, True, None),
        ((OPEN,), True, True, OPEN),
        ((OPEN, SHUT), True, True, OPEN),
        ((SHUT,), False, False, SHUT),
        ((SHUT_MANUAL,), False, True, SHUT_MANUAL),
        ((SHUT, SHUT_MANUAL), False, False, SHUT_MANUAL),
        ((DENY,), False, False, DENY),
        ((DENY_MANUAL,), False, True, DENY_MANUAL),
        ((DENY_MANUAL, DENY), False, False, DENY),
        ((OPEN, DENY), False, False, DENY),
        ((OPEN, DENY_MANUAL), False, True, DENY_MANUAL),
        # closed allow windows have no say while a deny window decides
        ((SHUT, DENY_MANUAL), False, True, DENY_MANUAL),
    ],
)
def test_what_windows_say(
    windows: tuple[SyncWindow, ...], automated: bool, manual: bool, decides: SyncWindow | None
) -> None:
    verdict = judge(windows, NOON)
    assert (verdict.automated, verdict.manual) == (automated, manual)
    assert verdict.window == decides


# syncs that run when that changes: the transitions that argo-cd documents

BEFORE, AFTER = at("2026-06-01T12:50"), at("2026-06-01T13:10")


def pair(kind: str, *, overrun: bool, id: int) -> SyncWindow:
    """An allow window that closes at 13:00, or a deny window that opens then."""
    hour = "12" if kind == "allow" else "13"
    return window(kind, f"0 {hour} * * *", "1h", sync_overrun=overrun, id=id)


ALLOW_O, ALLOW = pair("allow", overrun=True, id=0), pair("allow", overrun=False, id=1)
DENY_O, DENY_X = pair("deny", overrun=True, id=2), pair("deny", overrun=False, id=3)


@pytest.mark.parametrize(
    ("windows", "goes_on"),
    [
        ((DENY_O,), True),
        ((DENY_X,), False),
        ((ALLOW_O, DENY_O), True),
        ((ALLOW_O, DENY_X), False),
        ((ALLOW, DENY_O), True),
        ((ALLOW, DENY_X), False),
        ((ALLOW_O,), True),
        ((ALLOW,), False),
        ((ALLOW_O, ALLOW_O), True),
        ((ALLOW_O, ALLOW), False),
        ((DENY_O, DENY_X), False),
    ],
)
def test_a_sync_that_runs_when_it_is_not_allowed_any_more(
    windows: tuple[SyncWindow, ...], goes_on: bool
) -> None:
    for manual in (False, True):
        assert may_go_on(windows, BEFORE, AFTER, manual=manual) is goes_on
        assert may_go_on(windows, BEFORE, BEFORE, manual=manual)


def test_overrun_is_for_syncs_that_were_allowed_to_begin() -> None:
    assert not may_go_on([DENY_O], AFTER, AFTER + MINUTE, manual=False)


def test_a_person_goes_on_where_people_may() -> None:
    one = window("deny", "0 13 * * *", "1h", manual_sync=True)
    assert may_go_on([one], BEFORE, AFTER, manual=True)
    assert not may_go_on([one], BEFORE, AFTER, manual=False)


# when they are open


@pytest.mark.parametrize(
    ("zone", "schedule", "duration", "flips"),
    [
        # summer time begins: the night is an hour shorter, and ends when the clock says so
        (
            "Europe/Berlin",
            "0 22 * * *",
            "8h",
            ["2026-03-28T21:00", "2026-03-29T04:00", "2026-03-29T20:00"],
        ),
        # 02:30 is left out: open from where the clock goes on
        ("Europe/Berlin", "30 2 * * *", "1h", ["2026-03-29T01:00", "2026-03-29T01:30"]),
        # a window that is left out as a whole is not open that day
        ("Europe/Berlin", "10 2 * * *", "30m", ["2026-03-30T00:10", "2026-03-30T00:40"]),
    ],
)
def test_the_night_when_summer_time_begins(
    zone: str, schedule: str, duration: str, flips: list[str]
) -> None:
    one, now = window("allow", schedule, duration, zone), at("2026-03-28T12:00")
    assert _flips(one, now, len(flips)) == [at(it) for it in flips]


@pytest.mark.parametrize(
    ("schedule", "duration", "flips"),
    [
        # summer time ends: the night is an hour longer
        ("0 22 * * *", "8h", ["2026-10-24T20:00", "2026-10-25T05:00"]),
        # what the clock shows twice is open twice
        (
            "10 2 * * *",
            "30m",
            ["2026-10-25T00:10", "2026-10-25T00:40", "2026-10-25T01:10", "2026-10-25T01:40"],
        ),
        ("30 2 * * *", "30m", ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30"]),
        ("0 2 * * *", "1h", ["2026-10-25T00:00", "2026-10-25T02:00"]),
    ],
)
def test_the_night_when_summer_time_ends(schedule: str, duration: str, flips: list[str]) -> None:
    one, now = window("allow", schedule, duration, "Europe/Berlin"), at("2026-10-24T12:00")
    assert _flips(one, now, len(flips)) == [at(it) for it in flips]


def _flips(one: SyncWindow, now: object, count: int) -> list[object]:
    found = []
    for _ in range(count):
        now = next_flip(one, now)  # type: ignore[arg-type]
        found.append(now)
    return found


def test_a_window_is_open_from_its_first_moment_to_just_before_its_last() -> None:
    assert not is_open(NIGHT, at("2026-06-01T21:59:59.999999"))
    assert is_open(NIGHT, at("2026-06-01T22:00"))
    assert is_open(NIGHT, at("2026-06-02T05:59:59.999999"))
    assert not is_open(NIGHT, at("2026-06-02T06:00"))


def test_a_window_that_is_always_open_never_closes() -> None:
    for zone in ("UTC", "Europe/Berlin"):
        assert next_flip(window("deny", "* * * * *", "1h", zone), NOON) is None


# when that changes


def test_what_keeps_on_saying_the_same_does_not_change() -> None:
    flickers = window("allow", "*/2 * * * *", "1m", id=1)
    freeze = window("deny", "0 0 1 6 *", "720h")
    assert next_change([freeze, flickers], NOON) == at("2026-07-01T00:00")
    assert next_change([], NOON) is None
    assert next_change([window("deny", "* * * * *", "1h"), flickers], NOON) is None


def test_a_window_that_hands_over_to_another_changes_nothing() -> None:
    first, second = window("deny", "0 12 * * *", "1h"), window("deny", "0 13 * * *", "1h", id=1)
    assert next_change([first, second], NOON) == at("2026-06-01T14:00")


def test_the_next_opening_is_of_an_allow_window_or_the_end_of_a_deny_window() -> None:
    assert next_opening([OFFICE], at("2026-06-05T18:00")) == at("2026-06-08T09:00")
    assert next_opening([DENY, SHUT], NOON) == at("2026-06-01T13:00")
    assert next_opening([LATER, OPEN], NOON) is None


# what is said about it


def test_a_hold_names_the_window_and_until_when() -> None:
    zoned = window("deny", "0 12 * * *", "2h", "Europe/Berlin", id=3)
    now = at("2026-06-01T11:00")
    assert str(hold_on([zoned], now, manual=True)) == (
        "deny window 3 (0 12 * * * for 2h, Europe/Berlin) is open, until 2026-06-01T12:00:00Z"
    )
    assert str(hold_on([SHUT], NOON, manual=False)) == (
        "allow window 3 (0 20 * * * for 1h, UTC) is closed, until 2026-06-01T20:00:00Z"
    )
    assert str(hold_on([SHUT, LATER, SHUT_MANUAL], NOON, manual=True)) == (
        "none of 2 allow windows is open, the next is allow window 4 (0 18 * * * for 1h, UTC),"
        " until 2026-06-01T18:00:00Z"
    )
    for_ever = window("deny", "* * * * *", "1h")
    assert hold_on([for_ever], NOON, manual=True) == Hold(
        "deny window 0 (* * * * * for 1h, UTC) is open"
    )
    assert hold_on([for_ever], NOON, manual=False, began=NOON) is not None
    assert hold_on([DENY_MANUAL], NOON, manual=True) is None


def test_a_sync_that_runs_waits_until_it_may_go_on() -> None:
    """The deny window ends before the allow window opens again, and that one has overrun."""
    windows = [ALLOW_O, DENY_X]
    hold = hold_on(windows, AFTER, manual=False, began=BEFORE)
    assert hold is not None
    assert hold.until == at("2026-06-01T14:00")
    assert hold_on(windows, AFTER, manual=False).until == at("2026-06-02T12:00")  # type: ignore[union-attr]


# against the brute-force evaluator

_numbers = {
    "minute": st.sampled_from(["0", "30", "59", "*", "0,20", "10-25"]),
    "hour": st.sampled_from(["*", "0", "1-3", "2", "3", "22", "0,12"]),
    "day": st.sampled_from(["*", "*", "1", "28-31", "8,29", "25"]),
    "month": st.sampled_from(["*", "*", "3", "10-12", "1-12"]),
    "weekday": st.sampled_from(["*", "*", "0", "0,6", "1-5"]),
}
_schedules = st.tuples(*_numbers.values()).map(" ".join)
_durations = st.sampled_from(["1m", "30m", "1h", "90m", "8h", "24h", "26h", "1h1m"])
_windows = st.builds(
    window,
    st.sampled_from(["allow", "deny"]),
    _schedules,
    _durations,
    st.sampled_from(sorted(CHANGES)),
    id=st.integers(0, 9),
    manual_sync=st.booleans(),
    sync_overrun=st.booleans(),
)
#: Minutes that are looked at, one by one.
SPAN = 36 * 60


@st.composite
def _around_a_change(draw: st.DrawFn, zones: list[str]) -> object:
    change = at(draw(st.sampled_from([it for zone in zones for it in CHANGES[zone]])))
    return change + draw(st.integers(-SPAN, 600)) * MINUTE


@settings(max_examples=100, deadline=None)
@given(st.data(), _windows)
def test_a_window_opens_and_closes_at_the_minutes_found_one_by_one(
    data: st.DataObject, one: SyncWindow
) -> None:
    now = data.draw(_around_a_change([one.time_zone]))
    opened = Minutes(one, now, SPAN).opened()  # type: ignore[arg-type]
    assert is_open(one, now) is opened[0]  # type: ignore[arg-type]
    first = next((n for n, it in enumerate(opened) if it is not opened[0]), None)
    flip = next_flip(one, now)  # type: ignore[arg-type]
    if first is not None:
        assert flip == now + first * MINUTE  # type: ignore[operator]
    else:
        assert flip is None or flip >= now + SPAN * MINUTE  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(_windows, max_size=4))
def test_windows_together_say_what_is_found_minute_by_minute(
    data: st.DataObject, windows: list[SyncWindow]
) -> None:
    now = data.draw(_around_a_change([it.time_zone for it in windows] or ["UTC"]))
    expected = answers(windows, now, SPAN)  # type: ignore[arg-type]
    for minute in data.draw(st.lists(st.integers(0, SPAN - 1), min_size=1, max_size=20)):
        verdict = judge(windows, now + minute * MINUTE)  # type: ignore[operator]
        assert (verdict.automated, verdict.manual) == expected[minute]
        assert (verdict.window is None) <= verdict.automated
    for manual in (False, True):
        hold = hold_on(windows, now, manual=manual)  # type: ignore[arg-type]
        free = next((n for n, it in enumerate(expected) if it[manual]), None)
        assert (hold is None) is (free == 0)
        if hold is not None and free is not None:
            assert hold.until == now + free * MINUTE  # type: ignore[operator]
    first = next((n for n, it in enumerate(expected) if it != expected[0]), None)
    change = next_change(windows, now)  # type: ignore[arg-type]
    if first is not None:
        assert change == now + first * MINUTE  # type: ignore[operator]
    else:
        assert change is None or change >= now + SPAN * MINUTE  # type: ignore[operator]


@given(st.lists(_windows, max_size=4), st.integers(0, SPAN))
def test_a_deny_window_more_never_allows_more(windows: list[SyncWindow], minute: int) -> None:
    now = at("2026-03-28T00:00") + timedelta(minutes=minute)
    strict, lenient = (
        judge([*windows, window("deny", "* * * * *", "1h", manual_sync=manual)], now)
        for manual in (False, True)
    )
    assert not strict.automated
    assert not strict.manual
    assert not lenient.automated
