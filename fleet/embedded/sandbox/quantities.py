"""Resource quantities in their canonical form, as the API server writes them back."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache
from typing import Final

_PATTERN: Final = re.compile(
    r"([+-]?)(\d+\.?\d*|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE]?)|[eE]([+-]?\d+))"
)
_BINARY: Final = {
    name: 1024**power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
}
_DECIMAL: Final = {
    name: 3 * power
    for power, name in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}
_BY_EXPONENT: Final = {exponent: name for name, exponent in _DECIMAL.items()}
NANO: Final = Decimal("1e-9")
MILLI: Final = Decimal("1e-3")
#: A power of ten beyond which a quantity is as large, or as small, as it can be.
_FAR: Final = 100
#: Longer texts are no quantities; within them, figures are exact.
_LONGEST: Final = 200
_EXACT: Final = Context(prec=2 * (_LONGEST + _FAR))
#: Figures of more digits are computed with, and written anew.
_SHORT: Final = 18
_LARGEST: Final = Decimal(2**63 - 1)

MALFORMED: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


@lru_cache(maxsize=4096)
def canonical(text: str, finest: Decimal = NANO) -> str:
    """``1000m`` → ``1``, ``1.5Gi`` → ``1536Mi``: no fraction, the largest suffix.

    Args:
        finest: what is finer is rounded up; MILLI in lists of resources.

    Raises:
        ValueError: it is no quantity; the message is the API server's.
    """
    sign, value, binary, scientific = _parsed(text)
    if _is_kept(text, value, finest, binary=binary):
        return text
    value = _rounded(min(value, _LARGEST) if binary else value, finest)
    sign = sign.replace("+", "")
    if binary and value >= 1024 and not _EXACT.remainder(value, Decimal(1)):
        return sign + _in_binary(int(value))
    written = _in_decimal(value, scientific=scientific and not binary)
    return written if written == "0" else sign + written


def _is_kept(text: str, value: Decimal, finest: Decimal, *, binary: bool) -> bool:
    """Whether the API server writes a figure as it came: it takes these for canonical.

    They are, but for a dot at the end, a plus sign, a capital E, an exponent of nought.
    """
    digits = re.match(r"[+-]?0*(\d*)\.?(\d*)", text)
    assert digits
    shifted = "".join(digits.groups())
    scale = -len(digits.group(2)) + _power(text)
    return (
        not binary
        and 0 < len(shifted) <= _SHORT
        and scale % 3 == 0
        and Decimal(1).scaleb(scale) >= finest
        and value != 0
        and not shifted.startswith("0")
        and not shifted.endswith("000")
    )


def _power(text: str) -> int:
    match = _PATTERN.fullmatch(text)
    assert match
    suffix, exponent = match.groups()[3:]
    return max(-_FAR, min(_FAR, int(exponent))) if exponent else _DECIMAL[suffix or ""]


def amount(text: str) -> Decimal:
    """A quantity as a figure.

    Raises:
        ValueError: it is no quantity.
    """
    sign, value, _, _ = _parsed(text)
    return -value if sign == "-" else value


def _parsed(text: str) -> tuple[str, Decimal, bool, bool]:
    """Its sign, its size, and whether it is written with a binary suffix or an exponent."""
    match = _PATTERN.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        raise ValueError(MALFORMED)
    sign, digits, binary, _, exponent = match.groups()
    value = Decimal(digits)
    if binary:
        value = _EXACT.multiply(value, Decimal(_BINARY[binary]))
    else:
        value = _EXACT.scaleb(value, _power(text))
    return sign, value, bool(binary), exponent is not None


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    """Up, as the API server rounds what is finer than it keeps."""
    if not _EXACT.remainder(value, step):
        return value
    return value.quantize(step, rounding=ROUND_CEILING, context=_EXACT)


def _in_binary(value: int) -> str:
    name = ""
    for suffix in _BINARY:
        if value % 1024:
            break
        value, name = value // 1024, suffix
    return f"{value}{name}"


def _in_decimal(value: Decimal, *, scientific: bool) -> str:
    if not value:
        return "0"
    exponent = 18 if not scientific else _FAR - _FAR % 3
    while _EXACT.remainder(value, Decimal(1).scaleb(exponent)):
        exponent -= 3
    figure = int(_EXACT.scaleb(value, -exponent))
    if scientific:
        return f"{figure}e{exponent}" if exponent else str(figure)
    return f"{figure}{_BY_EXPONENT[exponent]}"
