"""Durations as Go spells them: ``1h30m``, ``500ms``, ``-1.5h``, ``0``.

Source: Go ``time.ParseDuration``. A duration that does not fit Go's 64-bit nanoseconds
is refused here, where it can be named, because one such value in one object has stopped
whole controllers (CVE-2022-39272).
"""

from __future__ import annotations

import re
from datetime import timedelta

from fleet.errors import SpecInvalid

_UNIT_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_MAX_NANOSECONDS = 2**63 - 1
_MAX_LENGTH = 64  # characters; the longest sensible duration is far shorter

_HINT = "Write it as Go does, for example 5s, 3m or 1h30m."


def parse_go_duration(text: str, *, bare_seconds: bool = False) -> timedelta:
    """The duration, cut to whole microseconds.

    Args:
        bare_seconds: a number without a unit means seconds, as Argo CD reads ``retry.backoff``.

    Raises:
        SpecInvalid: not a duration, or one of more than 292 years.
    """
    if len(text) > _MAX_LENGTH:
        raise SpecInvalid("is too long for a duration", hint=_HINT)
    sign = -1 if text.startswith("-") else 1
    body = text[1:] if text[:1] in {"-", "+"} else text
    if bare_seconds and body.isascii() and body.isdigit():
        body += "s"
    nanoseconds = sign * _nanoseconds(text, body)
    return timedelta(microseconds=_toward_zero(nanoseconds, 1_000))


def _nanoseconds(text: str, body: str) -> int:
    if body == "0":
        return 0
    total, position = 0, 0
    while position < len(body):
        part = _PART.match(body, position)
        if part is None or not (part[1] or part[2]):
            raise SpecInvalid(f"{text!r} is not a duration", hint=_HINT)
        unit = _UNIT_NANOSECONDS[part[3]]
        total += int(part[1] or "0") * unit
        fraction = part[2] or ""
        total += int(fraction or "0") * unit // 10 ** len(fraction)
        position = part.end()
    if not body:
        raise SpecInvalid("is empty where a duration is expected", hint=_HINT)
    if total > _MAX_NANOSECONDS:
        raise SpecInvalid(f"{text!r} is longer than the 292 years that fit", hint=_HINT)
    return total


def _toward_zero(value: int, divisor: int) -> int:
    return value // divisor if value >= 0 else -(-value // divisor)
