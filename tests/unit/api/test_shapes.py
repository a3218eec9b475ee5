"""Hooks in Argo CD's shapes."""

from __future__ import annotations

import pytest

from fleet.api.shapes import outcome_shape, resource_shape
from fleet.model.applications import LiveResource
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.objects import ObjectRef
from fleet.model.operations import Action, HookState, Outcome, SyncPhase

JOB = ObjectRef("batch", "Job", "shop", "migrate")
NAMES = {"group": "batch", "kind": "Job", "namespace": "shop", "name": "migrate"}


@pytest.mark.parametrize("state", list(HookState))
def test_a_hook_says_when_it_ran_and_how_far_it_is(state: HookState) -> None:
    hook = Outcome(JOB, Action.CREATED, 0, "told", phase=SyncPhase.PRE_SYNC, hook=state)
    assert outcome_shape(hook, "v1") == {
        **NAMES,
        "version": "v1",
        "status": "Synced",
        "action": "created",
        "message": "told",
        "syncPhase": "PreSync",
        "hookType": "PreSync",
        "hookPhase": str(state),
    }


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [
        (Outcome(JOB, None), "Running"),
        (Outcome(JOB, Action.CREATED), "Succeeded"),
        (Outcome(JOB, Action.FAILED), "Failed"),
        (Outcome(JOB, Action.CREATED, error="Degraded"), "Failed"),
    ],
)
def test_an_object_is_no_hook_and_has_a_phase_all_the_same(outcome: Outcome, phase: str) -> None:
    shape = outcome_shape(outcome)
    assert (shape["syncPhase"], shape["hookPhase"], "hookType" in shape) == ("Sync", phase, False)


def test_a_live_hook_has_a_health_and_no_sync_status() -> None:
    health = Health(HealthStatus.HEALTHY, "done")
    row = LiveResource(JOB, "v1", SyncStatus.SYNCED, health, wave=2, hook=True)
    assert resource_shape(row) == {
        **NAMES,
        "version": "v1",
        "health": {"status": "Healthy", "message": "done"},
        "syncWave": 2,
        "hook": True,
    }
