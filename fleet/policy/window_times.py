"""When a sync window is open: its hours on a wall clock, as moments.

A window is a range of readings of a clock in its time zone: it opens when the clock shows
what the schedule means, and closes when the clock has gone on by the duration. So a window
from 22:00 for 8 hours ends at 06:00, in the nights when clocks change, too. A reading that
such a night leaves out never comes: a window that lies in it as a whole is not open that
day, and one that begins in it is open from where the clock goes on. A reading that comes
twice counts twice. This is how Argo CD computes it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from fleet.model.cron import LONGEST_PAUSE
from fleet.model.windows import UTC_NAME, SyncWindow

#: Nobody sets clocks twice within this time.
_BETWEEN_CHANGES = timedelta(days=7)
#: Beyond this nothing is looked for.
SIGHT = LONGEST_PAUSE


def is_open(window: SyncWindow, now: datetime) -> bool:
    """Whether the window is open at ``now``."""
    return _is_open_at(window, _reading(window, now))


def next_flip(window: SyncWindow, now: datetime) -> datetime | None:
    """When the window next opens, if it is closed at ``now``, or closes; None: not in years."""
    if window.time_zone == UTC_NAME:
        found = _next_reading(window, now.astimezone(UTC).replace(tzinfo=None))
        return None if found is None else found.replace(tzinfo=UTC)
    return _next_flip_in_zone(window, now.astimezone(UTC))


def _next_flip_in_zone(window: SyncWindow, now: datetime) -> datetime | None:
    """Stretch by stretch between the changes of the clock: within one, readings and moments
    go side by side; at its end the clock is set and the window may be open or not at once."""
    zone, was_open, at = window.zone, is_open(window, now), now
    end_of_sight = now + SIGHT
    while at <= end_of_sight:
        offset = _offset(zone, at)
        reading = _next_reading(window, at.replace(tzinfo=None) + offset)
        flip = None if reading is None else (reading - offset).replace(tzinfo=UTC)
        change = _next_clock_change(zone, at, min(flip or end_of_sight, end_of_sight))
        if change is None:
            return flip
        if is_open(window, change) is not was_open:
            return change
        at = change
    return None


def _is_open_at(window: SyncWindow, reading: datetime) -> bool:
    return window.cron.after(reading - window.length) <= reading


def _next_reading(window: SyncWindow, reading: datetime) -> datetime | None:
    """The reading at which the window closes, if it is open at ``reading``, or opens."""
    began = window.cron.after(reading - window.length)
    return began if began > reading else _run_end(window, began)


@lru_cache(maxsize=4096)
def _run_end(window: SyncWindow, began: datetime) -> datetime | None:
    return window.cron.run_end(began, window.length)


def _reading(window: SyncWindow, now: datetime) -> datetime:
    return now.astimezone(window.zone).replace(tzinfo=None)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _next_clock_change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """The first second later than ``after`` and not later than ``until`` with another offset."""
    offset, low = _offset(zone, after), after
    while low < until:
        high = min(low + _BETWEEN_CHANGES, until)
        if _offset(zone, high) != offset:
            return _first_second(zone, offset, low, high)
        low = high
    return None


def _first_second(zone: ZoneInfo, offset: timedelta, low: datetime, high: datetime) -> datetime:
    """The first with another offset than ``offset``, which ``low`` has and ``high`` has not."""
    before, changed = int(low.timestamp()), -int(-high.timestamp() // 1)
    while changed - before > 1:
        middle = (before + changed) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == offset:
            before = middle
        else:
            changed = middle
    return datetime.fromtimestamp(changed, UTC)
