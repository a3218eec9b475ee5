"""When a CronJob is due: five fields, names of months and days, ``@daily`` and the like.

The rules are those of cron: where both the day of the month and the day of the week are
given, either will do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
#: Lowest, highest, and the words for them, of each field.
RANGES: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, MONTHS),
    (0, 6, DAYS),
)
#: An expression such as ``0 0 30 2 *`` never comes true; four years see every leap day.
HORIZON_DAYS = 4 * 366
_ITEM = re.compile(r"([*?]|\w+)(?:-(\w+))?(?:/(\d+))?")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes that match."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def after(self, moment: datetime) -> datetime | None:
        """The first match later than ``moment``, in its time zone; None when there is none."""
        at = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        end = at + timedelta(days=HORIZON_DAYS)
        while at < end:
            if at.month not in self.months or not self._has_day(at):
                at = (at + timedelta(days=1)).replace(hour=0, minute=0)
            elif at.hour not in self.hours:
                at = at.replace(minute=0) + timedelta(hours=1)
            elif at.minute not in self.minutes:
                at += timedelta(minutes=1)
            else:
                return at
        return None

    def _has_day(self, at: datetime) -> bool:
        of_month = at.day in self.days
        of_week = at.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


@lru_cache(256)
def schedule(text: str) -> Schedule | None:
    """What an expression says; None when it is none."""
    fields = MACROS.get(text.strip(), text).lower().split()
    if len(fields) != len(RANGES):
        return None
    found = [_values(field, *of) for field, of in zip(fields, RANGES, strict=True)]
    if not all(found):
        return None
    minutes, hours, days, months, weekdays = (frozenset(it) for it in found)
    either = not any(it[0] in "*?" for it in (fields[2], fields[4]))
    return Schedule(minutes, hours, days, months, weekdays, either)


def _values(field: str, low: int, high: int, words: list[str]) -> set[int]:
    """What one field allows; nothing when it is malformed."""
    found: set[int] = set()
    for item in field.split(","):
        parts = _ITEM.fullmatch(item)
        if parts is None:
            return set()
        first, last, step = parts.groups()
        start = low if first in "*?" else _number(first, low, words)
        open_ended = first in "*?" or (step is not None and last is None)
        end = high if open_ended else _number(last or first, low, words)
        if not low <= start <= end <= high or int(step or 1) == 0:
            return set()
        found.update(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str, low: int, words: list[str]) -> int:
    if text in words:
        return words.index(text) + low
    return int(text) if text.isdigit() else -1
