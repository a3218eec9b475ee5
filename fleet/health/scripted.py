"""What a script or expressions of somebody's say of an object, as a health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.health.reading import text
from fleet.health.verdicts import unknown
from fleet.model.health import Health, HealthStatus

_STATUSES = {status.value: status for status in HealthStatus}
#: In which order expressions are asked, and what each means. Source: Flux, whose
#: ``healthCheckExprs`` are asked so.
_VERDICTS = (
    ("inProgress", HealthStatus.PROGRESSING),
    ("failed", HealthStatus.DEGRADED),
    ("suspended", HealthStatus.SUSPENDED),
    ("current", HealthStatus.HEALTHY),
)


def from_script(value: Any) -> Health | None:
    """Of the value that a Lua script returned: a table with ``status`` and ``message``. None
    for nothing returned: then the kind has no health."""
    if value is None:
        return None
    said = text(value, "status")
    status = _STATUSES.get(said)
    if status is None:
        what = f"{said!r}, which is no health status" if said else "no health status"
        return unknown(f"the health script of its kind returned {what}: {', '.join(_STATUSES)}")
    return Health(status, text(value, "message"))


def from_expressions(values: Mapping[str, Any]) -> Health:
    """Of what each expression said. One that reads a field that is not there is not the case:
    its operator has not written it yet. While none is, the object is on its way."""
    message = values.get("message")
    told = message if isinstance(message, str) else ""
    for name, status in _VERDICTS:
        value = values.get(name)
        if value is True:
            return Health(status, told)
        if isinstance(value, str):
            return unknown(f"the health expressions of its kind: {name} says a text, not a truth")
    return Health(HealthStatus.PROGRESSING, told)
