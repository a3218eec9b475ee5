"""Whether a sync begins by itself now. Semantics of Argo CD's auto-sync (``features.md``
§1.2 and §1.6), with retries that are rows and a newer revision that may supersede.

The ``key`` of a sync names what it would apply: revisions and parameters together. One key
is tried once; a failed try is repeated by the retry policy, a successful one only when
live has drifted away from it and self-heal is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet.model.health import SyncStatus
from fleet.model.operations import OperationPhase, Trigger
from fleet.model.retries import Retry
from fleet.model.windows import Hold
from fleet.plan.retrying import heal_at, next_attempt

#: Why nothing is synced by itself where that would delete all that there is.
EMPTIED = "everything would be deleted; set automated.allowEmpty: true if that is meant"


@dataclass(frozen=True, slots=True)
class AutoPolicy:
    """``spec.syncPolicy`` as far as it matters here."""

    is_on: bool  # ``automated`` is there and ``enabled`` is not false
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False
    retry: Retry = Retry()


@dataclass(frozen=True, slots=True)
class RunningSync:
    """``is_stuck``: it failed and waits to be retried, or waits for health."""

    key: str
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class LastSync:
    """The last sync that finished; ``attempt`` counts tries of its key, from 1. Terminating
    is one that somebody ended."""

    key: str
    phase: OperationPhase
    attempt: int
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class AutoSituation:
    """Everything the decision follows from.

    Attributes:
        key: of what Git asks for now.
        only_prunes_left: everything out of sync is something to prune.
        would_prune_all: everything known is something to prune.
        heal_count, last_healed_at: self-heals of this application so far.
        blocked: a reason from outside, e.g. "cluster eu-1 is paused" or "cluster eu-1 was
            not read since …"; "" when there is none.
        hold: what sync windows have against a sync that begins by itself now.
        paused: what people hold back, by the trigger that it keeps from starting a sync.
        owes_hooks: the last sync of this key failed, and with it hooks that no comparison
            would show as missing.
    """

    policy: AutoPolicy
    key: str
    sync: SyncStatus
    only_prunes_left: bool = False
    would_prune_all: bool = False
    running: RunningSync | None = None
    last: LastSync | None = None
    heal_count: int = 0
    last_healed_at: datetime | None = None
    deleting: bool = False
    blocked: str = ""
    hold: Hold | None = None
    paused: Mapping[Trigger, Hold] = field(default_factory=dict)
    owes_hooks: bool = False


@dataclass(frozen=True, slots=True)
class SyncDecision:
    """``not_before``: of a no that time alone turns into a yes, when to ask again.
    ``supersedes``: the running sync has to end first. ``held``: all but sync windows says yes.
    ``backs_off``: drift comes back again and again, and healing it waits longer each time."""

    start: bool
    reason: str
    trigger: Trigger | None = None
    not_before: datetime | None = None
    attempt: int = 0  # of a start: the number of this try of its key, from 1
    supersedes: bool = False
    held: bool = False
    backs_off: bool = False


def decide_sync(situation: AutoSituation, now: datetime) -> SyncDecision:
    """Whether a sync of ``situation.key`` begins now, and why or why not."""
    decision, hold = _decide(situation, now), situation.hold
    if not decision.start or decision.trigger is None:
        return decision
    paused = situation.paused.get(decision.trigger)
    if paused is not None:
        return SyncDecision(start=False, reason=str(paused), not_before=paused.until)
    if hold is None:
        return decision
    return SyncDecision(start=False, reason=str(hold), not_before=hold.until, held=True)


def _decide(situation: AutoSituation, now: datetime) -> SyncDecision:
    reason = _why_not(situation)
    if reason:
        return SyncDecision(start=False, reason=reason)
    last = situation.last
    if situation.running is not None:
        why = "a newer revision supersedes the running sync"
        return _start(Trigger.AUTOMATED, why, attempt=1, supersedes=True)
    if last is None or last.key != situation.key:
        return _start(Trigger.AUTOMATED, "a new revision", attempt=1)
    if last.phase is OperationPhase.SUCCEEDED:
        return _heal(situation, now)
    if last.phase is OperationPhase.TERMINATING:
        reason = "somebody ended the last sync; a new commit or a manual sync tries again"
        return SyncDecision(start=False, reason=reason)
    return _retry(situation, last, now)


def _why_not(situation: AutoSituation) -> str:
    policy, running = situation.policy, situation.running
    if not policy.is_on:
        return "auto-sync is off"
    if situation.deleting:
        return "the application is being deleted"
    if situation.blocked:
        return situation.blocked
    if situation.sync is not SyncStatus.OUT_OF_SYNC and not situation.owes_hooks:
        return f"the application is {situation.sync}"
    if running is not None and not _may_supersede(running, situation.key):
        return "a sync is running"
    if situation.would_prune_all and policy.prune and not policy.allow_empty:
        return EMPTIED
    if situation.only_prunes_left and not policy.prune:
        return "only prunes are left, and automated.prune is off"
    return ""


def _may_supersede(running: RunningSync, key: str) -> bool:
    """Newest wins, whoever asked for the sync that is stuck; one that gets on is left to end."""
    return running.is_stuck and running.key != key


def _heal(situation: AutoSituation, now: datetime) -> SyncDecision:
    if not situation.policy.self_heal:
        return SyncDecision(
            start=False, reason="live drifted from what was synced, and automated.selfHeal is off"
        )
    due = heal_at(situation.heal_count, situation.last_healed_at, now)
    if due > now:
        times = "once" if situation.heal_count == 1 else f"{situation.heal_count} times"
        reason = f"drift came back {times}; self-heal waits"
        return SyncDecision(start=False, reason=reason, not_before=due, backs_off=True)
    return _start(Trigger.SELF_HEAL, "live drifted from what was synced", attempt=1)


def _retry(situation: AutoSituation, last: LastSync, now: datetime) -> SyncDecision:
    due = next_attempt(situation.policy.retry, last.attempt, last.finished_at)
    if due is None:
        reason = f"gave up after {last.attempt} attempts; a new commit or a manual sync tries again"
        return SyncDecision(start=False, reason=reason)
    if due > now:
        reason = f"attempt {last.attempt} failed; waits to be retried"
        return SyncDecision(start=False, reason=reason, not_before=due)
    attempt = last.attempt + 1
    return _start(Trigger.AUTOMATED, f"retry: attempt {attempt}", attempt=attempt)


def _start(
    trigger: Trigger, reason: str, *, attempt: int, supersedes: bool = False
) -> SyncDecision:
    return SyncDecision(
        start=True, reason=reason, trigger=trigger, attempt=attempt, supersedes=supersedes
    )
