"""A value that must not be seen.

``Secret`` refuses every way by which a value leaks without anyone deciding so: repr,
str, format, JSON, pickle, copy, hash and timing of ``==``. Only ``reveal()`` gives it
out, and ``grep reveal`` finds every place that does.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "••••••"


class Secret:
    """One secret text. Compared in constant time; never equal to a plain string."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret holds text")
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __repr__(self) -> str:
        return "Secret(" + MASK + ")"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    __hash__ = None  # type: ignore[assignment]  # a hash in a set or a log is a leak

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
