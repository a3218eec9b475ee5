"""Places where the process can be told to die, so that tests can prove it does not matter.

``FLEET_CRASH_AT=<label>[:n]`` kills the process with SIGKILL the n-th time (default: the
first) that it reaches the label. Every commit and every write to a cluster has a label
before and after it; the crash suite walks through ``LABELS``, so a new place is covered
the moment it is named here.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fleet.registry.database import Database, Tx

_STEPS = (
    "poll",  # what the remote said
    "evaluate",  # manifests rendered, applications marked
    "observe",  # what a LIST found
    "plan",  # operations begun, inventory widened
    "record",  # outcomes, resources, standings
    "forget",  # a deleted application's last row
)
#: Every label there is.
LABELS = (
    *(f"{step}:{when}" for step in _STEPS for when in ("before-commit", "after-commit")),
    *(f"{verb}:{when}" for verb in ("apply", "delete") for when in ("before", "after")),
)

_wanted, _, _count = os.environ.get("FLEET_CRASH_AT", "").rpartition(":")
if not _count.isdigit():
    _wanted, _count = os.environ.get("FLEET_CRASH_AT", ""), "1"
_reached: Counter[str] = Counter()


def crash_point(label: str) -> None:
    """Die here if that is what the environment asks for."""
    if label != _wanted:
        return
    _reached[label] += 1
    if _reached[label] == int(_count):
        os.kill(os.getpid(), signal.SIGKILL)


@asynccontextmanager
async def committing(db: Database, step: str) -> AsyncIterator[Tx]:
    """A transaction with a crash point on either side of its commit."""
    async with db.transaction() as tx:
        yield tx
        crash_point(f"{step}:before-commit")
    crash_point(f"{step}:after-commit")
