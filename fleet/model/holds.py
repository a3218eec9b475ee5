"""What people hold back of an application, each with a reason and, if they say so, an end.

A switch that is paused keeps Fleet from one thing that it would do by itself; people may still
ask for it. A pin makes stored manifests what is wanted, whatever Git says, until it is lifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Switch(StrEnum):
    """What Fleet does by itself, and may be told not to."""

    DEPLOY = "deploy"  # sync what is new in Git
    SELF_HEAL = "self-heal"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class Stay:
    """Who holds something back, why, and until when; ``until`` None: until somebody resumes."""

    by: str
    reason: str
    until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and self.until <= now

    def __str__(self) -> str:
        """``by alice until 2026-01-31T18:00:00Z: the shop is down``"""
        until = f" until {self.until.strftime('%Y-%m-%dT%H:%M:%SZ')}" if self.until else ""
        return f"by {self.by}{until}: {self.reason}"


@dataclass(frozen=True)
class Pin:
    """Stored manifests that are wanted instead of what Git says.

    Attributes:
        what: what they are, for people: ``deployment 3``, ``revision v1.2``.
        sources: where they came from, one a source; see ``Operation.sources``.
    """

    stay: Stay
    what: str
    manifests_sha256: str
    revision: str = ""
    sources: tuple[dict[str, Any], ...] = ()

    @property
    def revisions(self) -> tuple[str, ...]:
        found = tuple(str(source.get("revision", "")) for source in self.sources)
        return found or (self.revision,)


@dataclass(frozen=True)
class Holds:
    """Everything that is held back of one application."""

    paused: Mapping[Switch, Stay] = field(default_factory=lambda: MappingProxyType({}))
    pin: Pin | None = None

    def __bool__(self) -> bool:
        return bool(self.paused) or self.pin is not None

    def at(self, now: datetime) -> Holds:
        """What of it still holds."""
        paused = {switch: stay for switch, stay in self.paused.items() if not stay.is_over(now)}
        pin = self.pin if self.pin is not None and not self.pin.stay.is_over(now) else None
        return Holds(paused, pin)

    @property
    def ends_at(self) -> datetime | None:
        """When the first of it ends by itself."""
        stays = [*self.paused.values(), *([self.pin.stay] if self.pin else [])]
        return min((stay.until for stay in stays if stay.until is not None), default=None)

    def with_paused(self, switches: Mapping[Switch, Stay]) -> Holds:
        return replace(self, paused={**self.paused, **switches})

    def without(self, switches: frozenset[Switch]) -> Holds:
        """Without these; without all of them nothing is pinned either."""
        paused = {switch: stay for switch, stay in self.paused.items() if switch not in switches}
        return Holds(paused, None if switches >= frozenset(Switch) else self.pin)


NOTHING_HELD = Holds()


def holds_to_json(holds: Holds) -> dict[str, Any] | None:
    """As it is stored; None when nothing is held."""
    if not holds:
        return None
    stored: dict[str, Any] = {
        "paused": {str(switch): _stay_to_json(stay) for switch, stay in holds.paused.items()}
    }
    if holds.pin is not None:
        stored["pin"] = {
            **_stay_to_json(holds.pin.stay),
            "what": holds.pin.what,
            "manifests": holds.pin.manifests_sha256,
            "revision": holds.pin.revision,
            "sources": list(holds.pin.sources),
        }
    return stored


def holds_from_json(stored: Mapping[str, Any] | None) -> Holds:
    if not stored:
        return NOTHING_HELD
    pin = stored.get("pin")
    return Holds(
        {Switch(name): _stay_of(stay) for name, stay in (stored.get("paused") or {}).items()},
        None
        if pin is None
        else Pin(
            _stay_of(pin), pin["what"], pin["manifests"], pin["revision"], tuple(pin["sources"])
        ),
    )


def _stay_to_json(stay: Stay) -> dict[str, Any]:
    until = None if stay.until is None else stay.until.isoformat()
    return {"by": stay.by, "reason": stay.reason, "until": until}


def _stay_of(stored: Mapping[str, Any]) -> Stay:
    until = stored.get("until")
    return Stay(
        stored["by"], stored["reason"], None if until is None else datetime.fromisoformat(until)
    )
