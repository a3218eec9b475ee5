"""Reading a live object that may be anything: every reader has an answer for nonsense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_INT64 = 2**63


def at(value: object, *path: str) -> Any:
    """What is at ``path`` below ``value``; None where the path leads nowhere."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text(value: object, *path: str) -> str:
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def maybe_integer(value: object, *path: str) -> int | None:
    """None for everything that is not a whole number of 64 bits, true and false included."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if -_INT64 <= found < _INT64 else None


def integer(value: object, *path: str) -> int:
    return maybe_integer(value, *path) or 0


def mappings(value: object, *path: str) -> list[Mapping[str, Any]]:
    """The elements of a list that are mappings; others are dropped."""
    found = at(value, *path)
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, Mapping)]


def name_of(obj: Mapping[str, Any]) -> str:
    return text(obj, "metadata", "name")


@dataclass(frozen=True, slots=True)
class Condition:
    """One of ``status.conditions``; ``observed_generation`` None where it does not say."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int | None = None

    @property
    def is_true(self) -> bool:
        return self.status == "True"

    @property
    def is_false(self) -> bool:
        return self.status == "False"


def condition_of(entry: Mapping[str, Any]) -> Condition:
    return Condition(
        type=text(entry, "type"),
        status=text(entry, "status"),
        reason=text(entry, "reason"),
        message=text(entry, "message"),
        observed_generation=maybe_integer(entry, "observedGeneration"),
    )


def conditions(obj: Mapping[str, Any]) -> Iterator[Condition]:
    """``status.conditions`` in the order of the object."""
    return (condition_of(entry) for entry in mappings(obj, "status", "conditions"))


def condition(obj: Mapping[str, Any], type: str) -> Condition | None:
    """The first condition of that type."""
    return next((found for found in conditions(obj) if found.type == type), None)
