"""Reading a user's document field by field.

``Fields`` is one mapping of the document together with where it is. Each reader names a
key, checks its type and marks it as known; ``finish`` then warns about keys that nobody
asked for. Null counts as absent everywhere, as it does in Kubernetes.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

from fleet.errors import Place, SpecInvalid
from fleet.model.durations import parse_go_duration
from fleet.model.objects import Manifest

_MAX_WARNINGS = 50
_MAX_DEPTH = 100  # levels of nesting; Kubernetes objects stay far below
_MAX_INTEGER = 2**63 - 1
_MAX_GUESS_LENGTH = 64  # characters of a key for which "did you mean" is worth its time

T = TypeVar("T")


@dataclass
class Origin:
    """The document that is being read, and the warnings found so far."""

    file: str = ""
    line: int = 0
    object: str = ""
    warnings: list[str] = field(default_factory=list)

    def invalid(self, path: str, message: str, *, hint: str = "") -> SpecInvalid:
        place = Place(file=self.file, line=self.line, field=path)
        return SpecInvalid(message, place=place, hint=hint, object=self.object)

    def warn(self, path: str, message: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(f"{path}: {message}" if path else message)


def _kind_of_value(value: object) -> str:
    """A value's type in the words of someone who writes YAML; never the value itself,
    which may be a password in the wrong place."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a mapping"


class Fields:
    """One mapping of the document at ``path``."""

    def __init__(self, value: Mapping[str, Any], path: str, origin: Origin) -> None:
        self._value = value
        self._known: set[str] = set()
        self.path = path
        self.origin = origin

    def at(self, key: str) -> str:
        """The full path of ``key``, e.g. ``spec.source.helm``."""
        return f"{self.path}.{key}" if self.path else key

    def invalid(self, key: str, message: str, *, hint: str = "") -> SpecInvalid:
        return self.origin.invalid(self.at(key) if key else self.path, message, hint=hint)

    def warn(self, key: str, message: str) -> None:
        self.origin.warn(self.at(key), message)

    def raw(self, key: str) -> Any:
        """The value as it is; None when absent."""
        self._known.add(key)
        return self._value.get(key)

    def has(self, key: str) -> bool:
        return self.raw(key) is not None

    def ignore(self, *keys: str) -> None:
        """Known fields that are kept in the document and read by nobody."""
        self._known.update(keys)

    def _typed(self, key: str, wanted: type[T], words: str) -> T | None:
        value = self.raw(key)
        if value is None:
            return None
        is_misread = isinstance(value, bool) and wanted is not bool
        if is_misread or not isinstance(value, wanted):
            hint = "Put the value in quotes." if wanted is str and _is_scalar(value) else ""
            raise self.invalid(key, f"must be {words}, not {_kind_of_value(value)}", hint=hint)
        return value

    def text(self, key: str, *, required: bool = False) -> str:
        value = self._typed(key, str, "a text") or ""
        if required and not value:
            raise self.invalid(key, "is required")
        return value

    def flag(self, key: str) -> bool:
        return bool(self._typed(key, bool, "true or false"))

    def maybe_flag(self, key: str) -> bool | None:
        """None where the document says nothing: absent, null and false are three things."""
        return self._typed(key, bool, "true or false")

    def maybe_integer(self, key: str, *, least: int | None = None) -> int | None:
        value = self._typed(key, int, "a whole number")
        if value is not None and least is not None and value < least:
            raise self.invalid(key, f"must be at least {least}, not {value}")
        return value

    def duration(self, key: str, default: timedelta) -> timedelta:
        """A Go duration; a bare number, quoted or not, is seconds. Never negative."""
        value = self.raw(key)
        if value is None or value == "":
            return default
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.invalid(key, f"must be a duration, not {_kind_of_value(value)}")
        return self.checked(key, lambda: _not_negative(str(value)))

    def checked(self, key: str, read: Callable[[], T]) -> T:
        """What ``read`` returns; its SpecInvalid gets this document's place."""
        try:
            return read()
        except SpecInvalid as error:
            raise self.invalid(key, error.bare_message, hint=error.hint) from None

    def texts(self, key: str) -> tuple[str, ...]:
        items = self._typed(key, list, "a list") or []
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise self.origin.invalid(
                    f"{self.at(key)}[{index}]",
                    f"must be a text, not {_kind_of_value(item)}",
                    hint="Put the value in quotes." if _is_scalar(item) else "",
                )
        return tuple(items)

    def text_map(self, key: str) -> tuple[tuple[str, str], ...]:
        """Key and value pairs in the order written."""
        child = self.child(key)
        if child is None:
            return ()
        return tuple((name, child.text(name)) for name in child.names())

    def names(self) -> tuple[str, ...]:
        return tuple(self._value)

    def mapping(self) -> dict[str, Any]:
        """The whole mapping as written."""
        return dict(self._value)

    def child(self, key: str, *, required: bool = False) -> Fields | None:
        value = self._typed(key, dict, "a mapping")
        if value is None:
            if required:
                raise self.invalid(key, "is required")
            return None
        return Fields(value, self.at(key), self.origin)

    def children(self, key: str) -> tuple[Fields, ...]:
        items = self._typed(key, list, "a list") or []
        found = []
        for index, item in enumerate(items):
            path = f"{self.at(key)}[{index}]"
            if not isinstance(item, dict):
                raise self.origin.invalid(path, f"must be a mapping, not {_kind_of_value(item)}")
            found.append(Fields(item, path, self.origin))
        return tuple(found)

    def finish(self) -> None:
        """Warn about keys that no reader asked for; they stay in the document."""
        for key in self._value:
            if key not in self._known:
                guess = did_you_mean(key, self._known)
                self.warn(key, f"unknown field, kept and not used{guess}")


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _not_negative(text: str) -> timedelta:
    found = parse_go_duration(text, bare_seconds=True)
    if found < timedelta(0):
        raise SpecInvalid(f"{text!r} is negative")
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean x?`` when a known word is near, else the empty text."""
    if len(word) > _MAX_GUESS_LENGTH:
        return ""
    by_folded = {name.casefold(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.75)
    return f"; did you mean {by_folded[near[0]]}?" if near else ""


#: A path that is only spelled out when something is wrong: (parent, key), None at the top.
_Trail: TypeAlias = "tuple[_Trail, str | int] | None"


def check_storable(document: Manifest, origin: Origin) -> None:
    """Refuse what JSON in PostgreSQL cannot hold, so that no row is ever poisoned by it.

    Raises:
        SpecInvalid: too deep, a number beyond 64 bits or not finite, a text with NUL or half
            a surrogate pair, a key that is not text.
    """
    waiting: list[tuple[Any, _Trail, int]] = [(document, None, 0)]
    while waiting:
        value, trail, depth = waiting.pop()
        fault = _fault(value) or ("is nested too deeply" if depth > _MAX_DEPTH else "")
        if fault:
            raise origin.invalid(_spelled(trail), fault)
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str) or _fault(key):
                    raise origin.invalid(_spelled(trail), "has a key that is not plain text")
                waiting.append((item, (trail, key), depth + 1))
        elif isinstance(value, list):
            waiting.extend((item, (trail, i), depth + 1) for i, item in enumerate(value))


def _fault(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return "contains a NUL character"
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            return "contains half of a surrogate pair"
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "is not a finite number"
    if isinstance(value, int):
        return "" if -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER else "does not fit 64 bits"
    return "" if value is None or isinstance(value, dict | list) else "is not JSON"


def _spelled(trail: _Trail) -> str:
    parts: list[str] = []
    while trail is not None:
        trail, key = trail
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(parts)).removeprefix(".")
