"""What people hold back of an application: which syncs that keeps from beginning by themselves,
and how it is told."""

from __future__ import annotations

from fleet.model.holds import Holds, Switch
from fleet.model.operations import Trigger
from fleet.model.windows import Hold

#: Which syncs each switch is about. Pruning is a part of both.
_STARTED_BY = {Switch.DEPLOY: Trigger.AUTOMATED, Switch.SELF_HEAL: Trigger.SELF_HEAL}


def paused_triggers(holds: Holds) -> dict[Trigger, Hold]:
    """What paused switches have against syncs that begin by themselves."""
    return {
        trigger: Hold(f"{switch} is paused by {stay.by}: {stay.reason}", stay.until)
        for switch, trigger in _STARTED_BY.items()
        if (stay := holds.paused.get(switch)) is not None
    }


def held_back(holds: Holds, application: str) -> list[tuple[str, str]]:
    """Conditions that say it, and how to go on: types and messages."""
    found = [
        ("Paused", f"{switch} is paused {stay}") for switch, stay in sorted(holds.paused.items())
    ]
    if holds.pin is not None:
        why = f"pinned to {holds.pin.what} {holds.pin.stay}"
        found.append(("Pinned", f"{why}; `fleet app resume {application}` has it follow Git again"))
    return found
