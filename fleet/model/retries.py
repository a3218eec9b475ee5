"""How often something that failed is tried again, and after which pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Retry:
    """``limit`` None means the default: 5 for auto-sync, 0 for a manual sync; < 0 unlimited."""

    limit: int | None = None
    duration: timedelta = timedelta(seconds=5)
    factor: int = 2
    max_duration: timedelta = timedelta(minutes=3)
    refresh: bool = False
