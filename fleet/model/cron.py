"""Five-field cron expressions, checked but not evaluated.

Source: robfig/cron as Argo CD sets it up for sync windows: minute, hour, day of month,
month, day of week; no seconds, no ``@daily``, Sunday is 0 and never 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.errors import SpecInvalid

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ITEM = re.compile(r"(\*|\?|[0-9A-Za-z]{1,3})(?:-([0-9A-Za-z]{1,3}))?(?:/([0-9]{1,3}))?")
_MAX_LENGTH = 512  # characters

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


def check_cron(text: str) -> None:
    """Raises:
    SpecInvalid: naming the field that is wrong.
    """
    if len(text) > _MAX_LENGTH:
        raise SpecInvalid("is too long for a cron expression", hint=_HINT)
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise SpecInvalid(f"has {len(parts)} cron fields instead of 5", hint=_HINT)
    for field, part in zip(_FIELDS, parts, strict=True):
        for item in part.split(","):
            if not _is_item(field, item):
                raise SpecInvalid(f"{item!r} is no {field.name} of a cron expression", hint=_HINT)


def _is_item(field: _Field, text: str) -> bool:
    found = _ITEM.fullmatch(text)
    if found is None:
        return False
    start, end, step = found.groups()
    if step is not None and int(step) == 0:
        return False
    if start in {"*", "?"}:
        return end is None
    low = field.number(start)
    high = low if end is None else field.number(end)
    return low is not None and high is not None and low <= high
