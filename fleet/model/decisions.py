"""The answer of a rule: yes, or no with what would have to change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` of a refusal is a full sentence that says what to change; "" when allowed."""

    allowed: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed


ALLOWED = Decision(allowed=True)


def refused(reason: str) -> Decision:
    return Decision(allowed=False, reason=reason)
