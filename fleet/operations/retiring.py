"""History that is older than people want to keep it."""

from __future__ import annotations

import logging
from datetime import datetime

from fleet.logs import fields
from fleet.operations.runtime import Runtime
from fleet.registry import retention

log = logging.getLogger(__name__)


async def drop_old_history(runtime: Runtime) -> None:
    """Drop the months that the setting does not keep; with 0 it keeps all.

    Raises:
        Refused: the audit log does not verify; everything is kept.
    """
    months = runtime.settings.history_retention_months
    if months <= 0:
        return
    oldest = _months_before(runtime.now(), months)
    for name in await retention.drop_before(runtime.db, runtime.ring, oldest):
        log.info("history dropped", extra=fields(partition=name))


def _months_before(now: datetime, months: int) -> datetime:
    """The first day of the month that many months ago."""
    total = now.year * 12 + now.month - 1 - months
    return now.replace(year=total // 12, month=total % 12 + 1, day=1)
