"""Annotations by which a user says how the simulated world behaves.

On a Pod or a Pod template, a Service, an Ingress, a PersistentVolumeClaim:

- ``sandbox.fleet.dev/ready-after``: how long until it is ready, such as ``5s`` or ``2m``
- ``sandbox.fleet.dev/run-for``: how long a Pod that is meant to end runs
- ``sandbox.fleet.dev/fail``: what goes wrong instead; ``pods.NEVER_STARTS``,
  ``CRASHES``, ``UNSCHEDULABLE`` and ``NOT_READY`` are the words for Pods, for the others any
  word means that it stays as it is
"""

from __future__ import annotations

import re
from datetime import datetime

from fleet.embedded.sandbox.controllers.reading import annotations_of, moment
from fleet.embedded.sandbox.objects import Object

PREFIX = "sandbox.fleet.dev/"
READY_AFTER = PREFIX + "ready-after"
RUN_FOR = PREFIX + "run-for"
FAIL = PREFIX + "fail"
READY_SECONDS = 1.0
RUN_SECONDS = 2.0

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def ready_after(obj: Object, default: float = READY_SECONDS) -> float:
    """Seconds."""
    return _seconds(annotations_of(obj).get(READY_AFTER), default)


def ready_in(obj: Object, default: float, now: datetime) -> float:
    """Seconds until it is ready, counted from its creation; 0 or less when it is."""
    age = (now - moment(obj["metadata"].get("creationTimestamp"))).total_seconds()
    return ready_after(obj, default) - age


def run_for(obj: Object) -> float:
    """Seconds."""
    return _seconds(annotations_of(obj).get(RUN_FOR), RUN_SECONDS)


def failure(obj: Object) -> str:
    """What is to go wrong; "" for nothing."""
    return annotations_of(obj).get(FAIL, "")


def _seconds(text: str | None, default: float) -> float:
    """A controller has nobody to complain to: what is no duration has no effect."""
    found = _DURATION.findall(text or "")
    if not found or "".join(a + b for a, b in found) != text:
        return default
    return sum(float(figure) * _UNITS[unit] for figure, unit in found)
