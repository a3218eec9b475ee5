"""Sync windows for tests, and what they mean told minute by minute.

``Minutes`` knows nothing of how ``fleet.policy`` computes: it looks at each minute, asks
what the clock on the wall shows, and whether the schedule meant one of the minutes that the
clock showed within the duration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from fleet.model.cron import parse_cron
from fleet.model.durations import parse_go_duration
from fleet.model.windows import SyncWindow, WindowKind

MINUTE = timedelta(minutes=1)


def window(
    kind: str, schedule: str, duration: str, zone: str = "UTC", *, id: int = 0, **changes: Any
) -> SyncWindow:
    """A window; it concerns every application unless ``changes`` says otherwise."""
    usual = {"applications": ("*",)}
    return SyncWindow(
        id=id,
        kind=WindowKind(kind),
        schedule=schedule,
        duration=duration,
        cron=parse_cron(schedule),
        length=parse_go_duration(duration),
        time_zone=zone,
        **{**usual, **changes},
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Minutes:
    """One window, looked at minute by minute from ``start`` for ``count`` minutes."""

    window: SyncWindow
    start: datetime
    count: int

    def opened(self) -> list[bool]:
        """Whether the window is open, for each minute."""
        zone = self.window.zone
        shown = [
            (self.start + n * MINUTE).astimezone(zone).replace(tzinfo=None)
            for n in range(self.count)
        ]
        first, end = min(shown) - self.window.length, max(shown)
        latest: dict[datetime, datetime | None] = {}
        last, reading = None, first
        while reading <= end:
            last = reading if means(self.window.schedule, reading) else last
            latest[reading] = last
            reading += MINUTE
        return [
            latest[it] is not None and it - latest[it] < self.window.length  # type: ignore[operator]
            for it in shown
        ]


def means(schedule: str, reading: datetime) -> bool:
    """Whether a schedule of plain numbers, lists, ranges and stars means this minute."""
    minute, hour, day, month, weekday = schedule.split()
    by_date, by_week = has(day, reading.day), has(weekday, (reading.weekday() + 1) % 7)
    either = day != "*" and weekday != "*"
    return (
        has(minute, reading.minute)
        and has(hour, reading.hour)
        and has(month, reading.month)
        and (by_date or by_week if either else by_date and by_week)
    )


@cache
def has(field: str, value: int) -> bool:
    if field == "*":
        return True
    for item in field.split(","):
        low, _, high = item.partition("-")
        if int(low) <= value <= int(high or low):
            return True
    return False


def answers(windows: Sequence[SyncWindow], start: datetime, count: int) -> list[tuple[bool, bool]]:
    """May Fleet, and may people sync, for each minute: the rules once more, from the text."""
    opened = [Minutes(it, start, count).opened() for it in windows]
    found = []
    for minute in range(count):
        now_open = [it for it, times in zip(windows, opened, strict=True) if times[minute]]
        denies = [it for it in now_open if it.kind == "deny"]
        allows = [it for it in windows if it.kind == "allow"]
        if denies:
            found.append((False, all(it.manual_sync for it in denies)))
        elif allows and not any(it.kind == "allow" for it in now_open):
            found.append((False, all(it.manual_sync for it in allows)))
        else:
            found.append((True, True))
    return found
