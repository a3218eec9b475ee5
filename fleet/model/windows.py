"""Sync windows of a project, as their author wrote them. Source: ``features.md`` §1.9, §3.2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fleet.errors import SpecInvalid
from fleet.model.cron import Cron

UTC_NAME = "UTC"


class WindowKind(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """When syncs of some applications may, or may not, take place.

    Attributes:
        id: its position in the project, from 0, which is how people name it.
        schedule, duration: as written; ``cron`` and ``length`` are what they mean.
        applications, namespaces, clusters: globs; empty lists say nothing.
        and_operator: every list that is not empty has to match, else any.
        manual_sync: people may sync where the window keeps Fleet from it.
        sync_overrun: a sync that began while it was allowed may go on.
    """

    id: int
    kind: WindowKind
    schedule: str
    duration: str
    cron: Cron
    length: timedelta
    time_zone: str = UTC_NAME
    applications: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    and_operator: bool = False
    manual_sync: bool = False
    sync_overrun: bool = False
    description: str = ""

    @property
    def zone(self) -> ZoneInfo:
        return load_zone(self.time_zone)

    @property
    def names_nothing(self) -> bool:
        return not (self.applications or self.namespaces or self.clusters)

    def __str__(self) -> str:
        """``deny window 2 (0 22 * * * for 8h, Europe/Berlin)``"""
        return (
            f"{self.kind} window {self.id} ({self.schedule} for {self.duration}, {self.time_zone})"
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """Sync windows, or people, say no. ``until``: when that ends; None where that is not in
    sight."""

    reason: str
    until: datetime | None = None

    def __str__(self) -> str:
        if self.until is None:
            return self.reason
        return f"{self.reason}, until {self.until.strftime('%Y-%m-%dT%H:%M:%SZ')}"


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        SpecInvalid: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SpecInvalid(
            f"{name!r} is no time zone",
            hint="Write a name of the IANA database, for example Europe/Berlin, or UTC.",
        ) from None
