"""What is wrong with the five fields of a CronJob's schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: Least, most, and the words of each field.
_FIELDS: Final[Sequence[tuple[int, int, dict[str, int]]]] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def cron_problem(fields: Sequence[str]) -> str:
    """The first thing that is wrong with five fields; "" when they say when."""
    return next(_problems(fields), "")


def _problems(fields: Sequence[str]) -> Iterator[str]:
    for field, (least, most, words) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            yield from _part(part, least, most, words)


def _part(part: str, least: int, most: int, words: dict[str, int]) -> Iterator[str]:
    span, slash, step = part.partition("/")
    low, dash, high = span.partition("-")
    begin = end = least
    if low in {"*", "?"}:
        end = most
    else:
        try:
            begin = end = _number(low, words)
            end = _number(high, words) if dash else most if slash else end
        except ValueError as found:
            yield str(found)
            return
    if slash and (not step.isdigit() or not int(step)):
        yield f"step of range should be a positive number: {part}"
    elif begin < least:
        yield f"beginning of range ({begin}) below minimum ({least}): {part}"
    elif end > most:
        yield f"end of range ({end}) above maximum ({most}): {part}"
    elif begin > end:
        yield f"beginning of range ({begin}) beyond end of range ({end}): {part}"


def _number(text: str, words: dict[str, int]) -> int:
    known = words.get(text.lower())
    if known is None and not (text.isascii() and text.isdigit()):
        why = f'strconv.Atoi: parsing "{text}": invalid syntax'
        raise ValueError(f"failed to parse int from {text}: {why}")
    return int(text) if known is None else known
