"""Moments and spans as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d+)([smhdw])")


def seconds_of(text: str) -> int:
    """Seconds of ``90d``, ``2h30m`` or a bare number of seconds; ValueError for other text."""
    if text.isascii() and text.isdigit():
        return int(text)
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


class Span(click.ParamType[int]):
    """A span of time on the command line; becomes seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            return seconds_of(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration; write 30s, 15m, 2h or 90d", param, ctx)


class Moment(click.ParamType[str]):
    """A moment on the command line, or a span from now; becomes RFC 3339 in UTC.

    Args:
        ahead: a span counts from now into the future, else into the past.
    """

    name = "time"

    def __init__(self, *, ahead: bool) -> None:
        self._sign = 1 if ahead else -1

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        try:
            moment = datetime.now(UTC) + self._sign * timedelta(seconds=seconds_of(text))
        except ValueError:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                self.fail(f"{text!r} is no time; write 2h, or 2026-01-31T18:00:00Z", param, ctx)
        moment = moment if moment.tzinfo else moment.astimezone()
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def age(text: str | None, now: datetime | None = None) -> str:
    """How long ago, or how long until, in its largest unit that says enough: ``5m``, ``3d``."""
    if not text:
        return ""
    moment = datetime.fromisoformat(text)
    seconds = abs(((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, size, most in (("s", 1, 120), ("m", 60, 120 * 60), ("h", 3600, 48 * 3600)):
        if seconds < most:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds // 86400)}d"
