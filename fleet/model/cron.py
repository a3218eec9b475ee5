"""Five-field cron expressions: read, and asked which minutes they mean.

Source: robfig/cron as Argo CD sets it up for sync windows: minute, hour, day of month,
month, day of week; no seconds, no ``@daily``, Sunday is 0 and never 7. Where both days are
restricted, either one suffices; ``*`` with a step counts as restricted.

Times here are readings of a clock on some wall, without a zone.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fleet.errors import SpecInvalid

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAYS_IN = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # at most, of each month
_ITEM = re.compile(r"(\*|\?|[0-9A-Za-z]{1,3})(?:-([0-9A-Za-z]{1,3}))?(?:/([0-9]{1,3}))?")
_MAX_LENGTH = 512  # characters

#: The longest pause of any expression: 29 February around a year 2100 that is no leap year.
#: Reached only for expressions that mean some day at all, and those are all that are read.
LONGEST_PAUSE = timedelta(days=8 * 366 + 1)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

_HINT = "Five fields: minute hour day-of-month month day-of-week, for example '0 22 * * 1-5'."


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """The value of one word or figure; None when it is neither or out of range."""
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.low
        if not text.isdigit():
            return None
        value = int(text)
        return value if self.low <= value <= self.high else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The minutes that an expression means.

    Attributes:
        minutes: of a day that counts, sorted, counted from midnight; never empty.
        days, months, weekdays: the values of the fields; Sunday is 0.
        either: a day counts when its date or its weekday does; else both have to.
    """

    minutes: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def has_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_week if self.either else by_date and by_week

    def after(self, moment: datetime) -> datetime:
        """The first minute it means that begins later than ``moment``."""
        midnight = datetime.combine(moment.date(), datetime.min.time())
        if self.has_day(midnight.date()):
            at = bisect_right(self.minutes, (moment - midnight) // MINUTE)
            if at < len(self.minutes):
                return midnight + self.minutes[at] * MINUTE
        return self._day_after(midnight) + self.minutes[0] * MINUTE

    def _day_after(self, midnight: datetime) -> datetime:
        day = midnight + DAY
        while not self.has_day(day.date()):
            if day.month in self.months:
                day += DAY
            else:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return day

    def run_end(self, start: datetime, length: timedelta) -> datetime | None:
        """When spans of ``length``, one from each minute meant, leave a gap for the first time
        after the span that begins at ``start``, one of those minutes; None: not in years."""
        midnight = datetime.combine(start.date(), datetime.min.time())
        minute = (start - midnight) // MINUTE
        breaks = self._breaks(length)
        horizon = start + LONGEST_PAUSE
        while midnight <= horizon:
            at = bisect_left(breaks, minute)
            if at < len(breaks):
                return midnight + breaks[at] * MINUTE + length
            last = midnight + self.minutes[-1] * MINUTE
            midnight, minute = self._day_after(midnight), self.minutes[0]
            if midnight + minute * MINUTE - last > length:
                return last + length
            if self._is_endless(length):
                return None
        return None

    def _breaks(self, length: timedelta) -> list[int]:
        """Minutes of a day after which the next one of that day comes later than ``length``."""
        following = zip(self.minutes, self.minutes[1:], strict=False)
        return [minute for minute, later in following if (later - minute) * MINUTE > length]

    def _is_endless(self, length: timedelta) -> bool:
        """Every day counts, and the spans reach from each day into the next."""
        all_dates, all_week = len(self.days) == 31, len(self.weekdays) == 7
        all_days = all_dates or all_week if self.either else all_dates and all_week
        every_day = all_days and len(self.months) == 12
        return every_day and DAY - (self.minutes[-1] - self.minutes[0]) * MINUTE <= length


def parse_cron(text: str) -> Cron:
    """Raises:
    SpecInvalid: naming the field that is wrong; or no day is ever meant, as 31 February.
    """
    if len(text) > _MAX_LENGTH:
        raise SpecInvalid("is too long for a cron expression", hint=_HINT)
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise SpecInvalid(f"has {len(parts)} cron fields instead of 5", hint=_HINT)
    minutes, hours, days, months, weekdays = (
        _values(field, part) for field, part in zip(_FIELDS, parts, strict=True)
    )
    either = not (_is_open(parts[2]) or _is_open(parts[4]))
    by_date = any(day <= _DAYS_IN[month - 1] for month in months for day in days)
    if not by_date and not either:
        raise SpecInvalid(f"{text!r} never comes: no such month has such a day", hint=_HINT)
    of_day = sorted(60 * hour + minute for hour in hours for minute in minutes)
    return Cron(tuple(of_day), days, months, weekdays, either)


def _values(field: _Field, part: str) -> frozenset[int]:
    found: set[int] = set()
    for item in part.split(","):
        values = _item(field, item)
        if not values:
            raise SpecInvalid(f"{item!r} is no {field.name} of a cron expression", hint=_HINT)
        found.update(values)
    return frozenset(found)


def _item(field: _Field, text: str) -> range:
    """The values of one item; none when it is none."""
    none = range(0)
    found = _ITEM.fullmatch(text)
    if found is None:
        return none
    start, end, step = found.groups()
    if step is not None and int(step) == 0:
        return none
    if start in {"*", "?"}:
        low, high = (None, None) if end is not None else (field.low, field.high)
    else:
        low = field.number(start)
        # a single value with a step goes on to the end, as in ``5/15``
        high = field.number(end) if end is not None else field.high if step is not None else low
    if low is None or high is None or low > high:
        return none
    return range(low, high + 1, int(step or 1))


def _is_open(part: str) -> bool:
    """Whether a field of days restricts nothing: ``*`` or ``?``, without a step of 2 or more."""
    items = [item.partition("/") for item in part.split(",")]
    return any(start in {"*", "?"} and int(step or 1) == 1 for start, _, step in items)
