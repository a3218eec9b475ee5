"""Live objects for the tables of health cases, and the verdicts by letter."""

from __future__ import annotations

from typing import Any

from fleet.model.health import HealthStatus

H, P, D, S, U = (
    HealthStatus.HEALTHY,
    HealthStatus.PROGRESSING,
    HealthStatus.DEGRADED,
    HealthStatus.SUSPENDED,
    HealthStatus.UNKNOWN,
)

Json = dict[str, Any]


def obj(api: str, kind: str, spec: Any = None, status: Any = None, **metadata: Any) -> Json:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": spec,
        "status": status,
    }


def condition(type: str, status: str = "True", reason: str = "", message: str = "") -> Json:
    return {"type": type, "status": status, "reason": reason, "message": message}


def having(*found: Json) -> Json:
    return {"conditions": list(found)}
