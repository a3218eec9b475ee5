"""Places where the process can be told to die, so that tests can prove it does not matter.

``FLEET_CRASH_AT=<label>[:n]`` kills the process with SIGKILL the n-th time (default: the
first) that it reaches the label. Every write to a cluster has a label before and after it,
and so has every commit that what comes next relies on; one that only notes a failure or
wakes the queue is made again, and has none. The crash suite walks through ``LABELS``, so a
new place is covered the moment it is named here.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fleet.registry.database import Database, Tx

_STEPS = (
    "register",  # a cluster with its credentials
    "renew",  # a new token of a cluster
    "put",  # an application, as somebody wants it
    "request",  # what somebody asks of an application: sync, delete, rollback, …
    "poll",  # what the remote said
    "evaluate",  # manifests rendered, applications marked
    "evaluated",  # nothing of the commit is left to render
    "hydrate",  # a dry source being rendered, then where its commit went
    "probe",  # a cluster that was not known is known now
    "observe",  # what a LIST found
    "plan",  # operations begun, inventory widened
    "hooks",  # how hooks ended, before they are let go
    "record",  # outcomes, resources, standings
    "forget",  # a deleted application's last row
)
_WRITES = (
    "apply",
    "delete",
    "remake",  # an object deleted, to be made anew
    "hook",  # made, in place of one of an earlier run
    "hook-delete",
    "hook-release",  # its finalizer taken off
    "namespace",  # made for what goes into it
    "account",  # Fleet's own ServiceAccount and its rights
    "push",  # what was rendered, to its branch
    "rotate",  # a token asked for; nothing in the cluster changes
)
#: Every label there is.
LABELS = (
    *(f"{step}:{when}" for step in _STEPS for when in ("before-commit", "after-commit")),
    *(f"{verb}:{when}" for verb in _WRITES for when in ("before", "after")),
)

#: Those that only a hydrated application passes.
HYDRATION = tuple(label for label in LABELS if label.startswith(("hydrate:", "push:")))

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


@contextmanager
def writing(verb: str) -> Iterator[None]:
    """A write to a cluster with a crash point on either side."""
    crash_point(f"{verb}:before")
    yield
    crash_point(f"{verb}:after")


@asynccontextmanager
async def committing(db: Database, step: str) -> AsyncIterator[Tx]:
    """A transaction with a crash point on either side of its commit."""
    async with db.transaction() as tx:
        yield tx
        crash_point(f"{step}:before-commit")
    crash_point(f"{step}:after-commit")
