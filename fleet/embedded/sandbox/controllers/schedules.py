"""When a CronJob is due: what ``fleet.model.cron`` reads, and ``@daily`` and the like."""

from __future__ import annotations

from functools import lru_cache

from fleet.errors import SpecInvalid
from fleet.model.cron import Cron, parse_cron

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@lru_cache(256)
def schedule(text: str) -> Cron | None:
    """What an expression says; None when it is none, or never comes true."""
    try:
        return parse_cron(MACROS.get(text.strip(), text))
    except SpecInvalid:
        return None
