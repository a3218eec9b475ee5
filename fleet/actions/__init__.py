"""What may be done to a live object beside applying it: restart, scale, pause, promote, …

In: a live object, an action's name, its parameters, the time. Out: which actions there are,
and what one changes: patches, and new objects. Never here: I/O, a clock.
"""

from __future__ import annotations

from fleet.actions.builtin import builtin_actions
from fleet.actions.offers import (
    ActionSpec,
    Change,
    Creation,
    Offer,
    Parameter,
    Patch,
    changes_of,
    offer_of,
)
from fleet.actions.scripted import changes_from_script, offers_from_script

__all__ = [
    "ActionSpec",
    "Change",
    "Creation",
    "Offer",
    "Parameter",
    "Patch",
    "builtin_actions",
    "changes_from_script",
    "changes_of",
    "offer_of",
    "offers_from_script",
]
