"""The health of an application as another one sees it that has it in Git.

A wave waits for its applications, so a verdict that is about an earlier commit or an earlier
spec must not pass for one about what is wanted now: until it is, the application is
Progressing, with what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet.health.verdicts import progressing
from fleet.model.children import Standing
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.operations import OperationPhase

_FAILED = (OperationPhase.FAILED, OperationPhase.ERROR)


def of_child(child: Standing) -> Health:
    """What the application says of itself, once that is about what is wanted now."""
    for is_so, verdict in _RULES:
        if is_so(child):
            return verdict(child)
    return child.health


def _still(message: str) -> Callable[[Standing], Health]:
    return lambda _: progressing(message)


def _unsynced(child: Standing) -> bool:
    """It syncs by itself, and has not done so yet for what is wanted now."""
    if not child.auto_sync or child.sync is not SyncStatus.OUT_OF_SYNC:
        return False
    attempt = child.attempted_key, child.attempt_phase
    return attempt != (child.wanted_key, OperationPhase.SUCCEEDED)


def _last_sync(child: Standing) -> Health:
    failed = child.attempted_key == child.wanted_key and child.attempt_phase in _FAILED
    return progressing("its last sync failed" if failed else "it is not synced yet")


#: The first that holds decides.
_RULES: tuple[tuple[Callable[[Standing], bool], Callable[[Standing], Health]], ...] = (
    (lambda child: child.deleting is not None, _still("it is being deleted")),
    (
        lambda child: child.is_skipped,
        lambda _: Health(HealthStatus.SUSPENDED, "it is neither compared nor synced"),
    ),
    (
        lambda child: not child.has_cluster,
        lambda _: Health(HealthStatus.UNKNOWN, "its destination names no registered cluster"),
    ),
    (
        lambda child: bool(child.render_error),
        lambda child: Health(HealthStatus.UNKNOWN, child.render_error),
    ),
    (lambda child: not child.is_rendered, _still("its spec is not rendered yet")),
    (lambda child: child.lags, _still("a newer commit is not looked at yet")),
    (
        lambda child: child.judged_key != child.wanted_key,
        _still("what it wants now is not compared yet"),
    ),
    (_unsynced, _last_sync),
    (lambda child: child.is_at_work, _still("an operation is running on it")),
)
