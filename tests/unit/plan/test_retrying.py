"""Backoff, and whether a sync begins by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.health import SyncStatus
from fleet.model.holds import Holds, Stay, Switch
from fleet.model.operations import OperationPhase, Trigger
from fleet.model.retries import Retry
from fleet.model.windows import Hold
from fleet.plan.auto import AutoPolicy, AutoSituation, LastSync, RunningSync, decide_sync
from fleet.plan.pausing import paused_triggers
from fleet.plan.retrying import heal_at, heal_delay, next_attempt, recent_heals

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def test_the_usual_delays_are_argo_cds() -> None:
    found = [next_attempt(Retry(), attempt, NOW) for attempt in range(1, 7)]
    assert found == [NOW + seconds(s) for s in (5, 10, 20, 40, 80)] + [None]


@pytest.mark.parametrize(
    ("retry", "attempt", "expected"),
    [
        (Retry(limit=0), 1, None),
        (Retry(limit=1), 1, 5),
        (Retry(limit=1), 2, None),
        (Retry(limit=-1), 10**9, 180),
        (Retry(limit=-1, factor=1), 10**9, 5),
        (Retry(limit=-1, factor=2**62, max_duration=timedelta(0)), 10**9, 86400),
        (Retry(limit=-1, duration=timedelta(days=100_000)), 1, 180),
        (Retry(limit=-1, duration=timedelta(0)), 9, 1),
        (Retry(limit=-1, max_duration=timedelta(microseconds=1)), 9, 1),
    ],
)
def test_limits_and_caps(retry: Retry, attempt: int, expected: float | None) -> None:
    due = next_attempt(retry, attempt, NOW)
    assert due == (None if expected is None else NOW + seconds(expected))


def test_a_manual_sync_without_a_limit_is_not_retried() -> None:
    assert next_attempt(Retry(), 1, NOW, default_limit=0) is None


@given(
    st.builds(
        Retry,
        limit=st.none() | st.integers(),
        duration=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=100_000)),
        factor=st.integers(min_value=1, max_value=2**63),
        max_duration=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=100_000)),
    ),
    st.integers(min_value=1, max_value=2**63),
)
def test_a_delay_never_overflows_nor_shrinks(retry: Retry, attempt: int) -> None:
    retry = replace(retry, max_duration=min(retry.max_duration, timedelta(days=365)))
    first, second = next_attempt(retry, attempt, NOW), next_attempt(retry, attempt + 1, NOW)
    if first is not None:
        assert first >= NOW + seconds(1)
        assert second is None or second >= first


def test_the_first_heal_is_at_once_and_later_ones_wait_longer() -> None:
    assert [heal_delay(n).total_seconds() for n in range(8)] == [0, 2, 6, 18, 54, 162, 300, 300]
    assert heal_delay(10**18) == seconds(300)


def test_a_heal_waits_from_the_last_one_and_forgets_after_a_quiet_time() -> None:
    assert heal_at(0, None, NOW) == NOW
    assert heal_at(2, NOW - seconds(1), NOW) == NOW + seconds(5)
    assert heal_at(2, NOW - seconds(60), NOW) == NOW
    assert recent_heals(9, NOW - seconds(599), NOW) == 9
    assert recent_heals(9, NOW - seconds(600), NOW) == 0
    assert heal_at(9, NOW - seconds(600), NOW) == NOW


ON = AutoPolicy(is_on=True, prune=True, self_heal=True)
FRESH = AutoSituation(policy=ON, key="sha2", sync=SyncStatus.OUT_OF_SYNC)


def last(phase: OperationPhase, key: str = "sha2", attempt: int = 1, ago: float = 1) -> LastSync:
    return LastSync(key, phase, attempt, NOW - seconds(ago))


DONE, FAILED = last(OperationPhase.SUCCEEDED), last(OperationPhase.FAILED)


@pytest.mark.parametrize(
    ("changes", "trigger", "says"),
    [
        ({}, Trigger.AUTOMATED, "a new revision"),
        ({"policy": replace(ON, is_on=False)}, None, "auto-sync is off"),
        ({"deleting": True}, None, "being deleted"),
        ({"blocked": "cluster eu-1 is paused"}, None, "cluster eu-1 is paused"),
        ({"sync": SyncStatus.SYNCED}, None, "Synced"),
        ({"sync": SyncStatus.UNKNOWN}, None, "Unknown"),
        ({"last": last(OperationPhase.SUCCEEDED, "sha1")}, Trigger.AUTOMATED, "a new revision"),
        ({"last": last(OperationPhase.FAILED, "sha1")}, Trigger.AUTOMATED, "a new revision"),
        ({"would_prune_all": True}, None, "allowEmpty"),
        (
            {"would_prune_all": True, "policy": replace(ON, allow_empty=True)},
            Trigger.AUTOMATED,
            "a new revision",
        ),
        (
            {"only_prunes_left": True, "policy": replace(ON, prune=False)},
            None,
            "automated.prune is off",
        ),
        (
            {
                "would_prune_all": True,
                "only_prunes_left": True,
                "policy": replace(ON, prune=False),
            },
            None,
            "automated.prune is off",
        ),
        ({"only_prunes_left": True}, Trigger.AUTOMATED, "a new revision"),
        ({"last": DONE}, Trigger.SELF_HEAL, "drifted"),
        ({"last": DONE, "policy": replace(ON, self_heal=False)}, None, "selfHeal is off"),
        (
            {"last": DONE, "heal_count": 3, "last_healed_at": NOW - seconds(1)},
            None,
            "came back 3 times",
        ),
        (
            {"last": DONE, "heal_count": 3, "last_healed_at": NOW - seconds(18)},
            Trigger.SELF_HEAL,
            "drifted",
        ),
        ({"last": FAILED}, None, "waits to be retried"),
        ({"last": last(OperationPhase.FAILED, ago=5)}, Trigger.AUTOMATED, "attempt 2"),
        ({"last": last(OperationPhase.ERROR, ago=5)}, Trigger.AUTOMATED, "attempt 2"),
        (
            {"last": last(OperationPhase.FAILED, attempt=6, ago=10**6)},
            None,
            "gave up after 6 attempts",
        ),
        ({"running": RunningSync("sha2")}, None, "a sync is running"),
        ({"running": RunningSync("sha2", is_stuck=True)}, None, "is running"),
        ({"running": RunningSync("sha1")}, None, "a sync is running"),
        (
            {"running": RunningSync("sha1", is_stuck=True)},
            Trigger.AUTOMATED,
            "supersedes",
        ),
        (
            {
                "running": RunningSync("sha1", is_stuck=True),
                "last": DONE,
                "policy": replace(ON, self_heal=False),
            },
            Trigger.AUTOMATED,
            "supersedes",
        ),
    ],
)
def test_decide_sync(changes: dict[str, Any], trigger: Trigger | None, says: str) -> None:
    decision = decide_sync(replace(FRESH, **changes), NOW)
    assert decision.start is (trigger is not None)
    assert decision.trigger is trigger
    assert says in decision.reason
    assert decision.supersedes is ("supersedes" in says)
    if "waits" in decision.reason:
        assert decision.not_before is not None
        assert decision.not_before > NOW


def test_what_waits_begins_when_its_time_has_come() -> None:
    waiting = replace(FRESH, last=FAILED)
    due = decide_sync(waiting, NOW).not_before
    assert due is not None
    assert decide_sync(waiting, due).attempt == 2


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"last": replace(FAILED, finished_at=NOW - seconds(60))},
        {"last": DONE},
        {"running": RunningSync("sha1", is_stuck=True)},
    ],
)
def test_whatever_would_begin_waits_for_its_window(changes: dict[str, Any]) -> None:
    situation = replace(FRESH, **changes)
    assert decide_sync(situation, NOW).start
    hold = Hold("deny window 0 is open", NOW + seconds(600))
    decision = decide_sync(replace(situation, hold=hold), NOW)
    assert not decision.start
    assert decision.held
    assert decision.reason.startswith("deny window 0 is open, until ")
    assert decision.not_before == NOW + seconds(600)


def test_what_would_not_begin_anyway_does_not_wait_for_a_window() -> None:
    hold = Hold("deny window 0 is open", NOW + seconds(600))
    for changes in ({"sync": SyncStatus.SYNCED}, {"policy": replace(ON, is_on=False)}):
        decision = decide_sync(replace(FRESH, hold=hold, **changes), NOW)
        assert not decision.held
        assert decision.not_before is None
    retried = replace(FRESH, hold=hold, last=FAILED)
    assert decide_sync(retried, NOW) == decide_sync(replace(retried, hold=None), NOW)


@pytest.mark.parametrize(
    ("changes", "switch"),
    [
        ({}, Switch.DEPLOY),
        ({"last": replace(FAILED, finished_at=NOW - seconds(60))}, Switch.DEPLOY),
        ({"running": RunningSync("sha1", is_stuck=True)}, Switch.DEPLOY),
        ({"last": DONE}, Switch.SELF_HEAL),
    ],
)
def test_a_switch_holds_back_its_own_syncs_and_no_others(
    changes: dict[str, Any], switch: Switch
) -> None:
    situation = replace(FRESH, **changes)
    until = NOW + seconds(600)
    for paused in Switch:
        stay = Stay("anna", "a fair", until)
        triggers = paused_triggers(Holds({paused: stay}))
        decision = decide_sync(replace(situation, paused=triggers), NOW)
        assert decision.start is (paused is not switch)
        if paused is switch:
            told = f"{switch} is paused by anna: a fair, until "
            assert decision.reason.startswith(told)
            assert (decision.not_before, decision.held) == (until, False)


def test_drift_that_comes_back_says_that_it_waits() -> None:
    again = replace(FRESH, last=DONE, heal_count=3, last_healed_at=NOW - seconds(1))
    assert decide_sync(again, NOW).backs_off
    assert not decide_sync(replace(FRESH, last=FAILED), NOW).backs_off
