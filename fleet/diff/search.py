"""Whether a text contains any of many secret values, in bounded time."""

from __future__ import annotations

from collections.abc import Iterable

#: Shorter values are too common to be looked for inside other text.
_MIN_LENGTH = 4
#: Letters compared after which every text counts as containing one: whoever writes the
#: objects could make a search take minutes, and hiding too much harms nobody.
_MAX_COMPARED = 100_000_000


class Search:
    """Values are found by their first letters, so that their number does not matter."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = frozenset(value for value in values if len(value) >= _MIN_LENGTH)
        self._lengths: dict[str, set[int]] = {}
        for value in self._values:
            self._lengths.setdefault(value[:_MIN_LENGTH], set()).add(len(value))
        self._left = _MAX_COMPARED

    def finds_one_in(self, text: str) -> bool:
        for start in range(len(text) - _MIN_LENGTH + 1):
            for length in self._lengths.get(text[start : start + _MIN_LENGTH], ()):
                self._left -= length
                if self._left < 0 or text[start : start + length] in self._values:
                    return True
        return False
