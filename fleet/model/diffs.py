"""Drift: how live differs from desired, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from fleet.model.ids import ApplicationId
from fleet.model.objects import Manifest, ObjectRef


class ChangeType(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field. ``path`` is dotted with list keys, e.g. ``.spec.containers[name=web].image``.

    ``live`` and ``desired`` are masked where the object is a Secret; None means absent.
    ``manager`` wrote the live value, "" where ``managedFields`` does not say.
    """

    path: str
    type: ChangeType
    live: Any
    desired: Any
    manager: str = ""


@dataclass(frozen=True)
class ObjectDiff:
    """Live against what an apply would make of it. Both sides are normalised and masked."""

    ref: ObjectRef
    live: Manifest | None  # None: the apply would create it
    predicted: Manifest | None  # None: the sync would prune it
    changes: tuple[FieldChange, ...]

    @property
    def is_different(self) -> bool:
        return self.live is None or self.predicted is None or bool(self.changes)


@dataclass(frozen=True, slots=True)
class Ownership:
    """Our fields on a live object, read from ``managedFields`` alone.

    ``owned`` hashes the field set of manager ``fleet`` (operation Apply, no subresource);
    "" when we own nothing. ``foreign`` are the other managers seen.
    """

    owned: str
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriftRecord:
    """A difference that appeared without Fleet, until it was healed or accepted.

    ``fields`` are FieldChange as JSON, masked. ``healed_by`` is "self-heal", the account
    whose sync took it back, or "reverted".
    """

    application_id: ApplicationId
    application: str
    cluster: str
    object: str  # Kind/namespace/name
    fields: tuple[dict[str, Any], ...]
    manager: str
    first_seen: datetime
    last_seen: datetime
    healed_at: datetime | None = None
    healed_by: str = ""
