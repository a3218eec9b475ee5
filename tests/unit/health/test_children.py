"""What an application says to one that has it in Git, and when that does not count yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet.health import of_child
from fleet.model.children import Standing
from fleet.model.health import Health, HealthStatus, SyncStatus

WELL = Standing(
    project="default",
    sync=SyncStatus.SYNCED,
    health=Health(HealthStatus.HEALTHY),
    auto_sync=True,
    wanted_key="now",
    judged_key="now",
    attempted_key="now",
    attempt_phase="Succeeded",
)
OUT: dict[str, Any] = {"sync": SyncStatus.OUT_OF_SYNC}


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({}, "Healthy", ""),
        ({"health": Health(HealthStatus.DEGRADED, "crashes")}, "Degraded", "crashes"),
        ({"deleting": {"cascade": True}}, "Progressing", "it is being deleted"),
        ({"is_skipped": True}, "Suspended", "it is neither compared nor synced"),
        ({"has_cluster": False}, "Unknown", "its destination names no registered cluster"),
        ({"render_error": "no such path"}, "Unknown", "no such path"),
        ({"is_rendered": False}, "Progressing", "its spec is not rendered yet"),
        ({"lags": True}, "Progressing", "a newer commit is not looked at yet"),
        ({"judged_key": "old"}, "Progressing", "what it wants now is not compared yet"),
        ({**OUT, "attempted_key": "old"}, "Progressing", "it is not synced yet"),
        ({**OUT, "attempt_phase": "Running"}, "Progressing", "it is not synced yet"),
        ({**OUT, "attempt_phase": "Failed"}, "Progressing", "its last sync failed"),
        # it did what it may: what is left, as objects that may not be pruned, stays
        (OUT, "Healthy", ""),
        # whoever syncs by hand is asked for health alone, as in Argo CD
        ({**OUT, "auto_sync": False, "attempted_key": ""}, "Healthy", ""),
        ({"is_at_work": True}, "Progressing", "an operation is running on it"),
    ],
)
def test_verdict(changes: dict[str, Any], status: str, message: str) -> None:
    found = of_child(replace(WELL, **changes))
    assert (str(found.status), found.message) == (status, message)
