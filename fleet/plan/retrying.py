"""When to try again: exponential backoff of failed syncs and of self-heal, without overflow."""

from __future__ import annotations

from datetime import datetime, timedelta

from fleet.model.retries import Retry

AUTOMATED_LIMIT = 5  # retries of an auto-sync that sets no limit (5, 10, 20, 40, 80 s)

_SHORTEST = timedelta(seconds=1)  # a duration of 0 must not become a busy loop
_LONGEST = timedelta(days=1)  # where the document sets no cap
_MICROSECOND = timedelta(microseconds=1)
_ENOUGH_DOUBLINGS = 64  # 1 µs doubled so often exceeds every cap

HEAL_BASE = timedelta(seconds=2)
HEAL_FACTOR = 3
HEAL_CAP = timedelta(seconds=300)
#: Without drift for so long, the next heal is at once again: twice the longest wait.
HEAL_QUIET = timedelta(seconds=600)


def next_attempt(
    retry: Retry, attempt: int, now: datetime, *, default_limit: int = AUTOMATED_LIMIT
) -> datetime | None:
    """When to try again after attempt number ``attempt`` failed at ``now``; None: give up.

    Args:
        attempt: counted from 1.
        default_limit: retries where the document sets none; 0 for a manual sync.
    """
    limit = default_limit if retry.limit is None else retry.limit
    if 0 <= limit < attempt:
        return None
    cap = retry.max_duration if retry.max_duration > timedelta(0) else _LONGEST
    return now + _delay(retry.duration, retry.factor, attempt - 1, cap)


def heal_delay(count: int) -> timedelta:
    """How long to wait before healing when ``count`` heals came before: 0, 2, 6, 18 … 300 s."""
    if count <= 0:
        return timedelta(0)
    return _delay(HEAL_BASE, HEAL_FACTOR, count - 1, HEAL_CAP)


def recent_heals(count: int, last_healed_at: datetime | None, now: datetime) -> int:
    """``count``, or 0 after a quiet period: the drift that comes now is a new one."""
    if last_healed_at is None or now - last_healed_at >= HEAL_QUIET:
        return 0
    return count


def heal_at(count: int, last_healed_at: datetime | None, now: datetime) -> datetime:
    """When the drift seen at ``now`` may be healed: ``now`` itself at first."""
    recent = recent_heals(count, last_healed_at, now)
    if last_healed_at is None or recent == 0:
        return now
    return max(now, last_healed_at + heal_delay(recent))


def _delay(base: timedelta, factor: int, doublings: int, cap: timedelta) -> timedelta:
    """In whole microseconds, because floats overflow where integers only grow."""
    exponent = min(max(doublings, 0), _ENOUGH_DOUBLINGS)
    wanted: int = (base // _MICROSECOND) * max(factor, 1) ** exponent
    longest = max(cap, _SHORTEST) // _MICROSECOND
    return max(_SHORTEST, timedelta(microseconds=min(wanted, longest)))
