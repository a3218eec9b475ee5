"""Statuses of operators' kinds, and objects that hold them."""

from __future__ import annotations

from typing import Any

from fleet.model.health import HealthStatus
from tests.unit.health.objects import Json

#: kind with its group and version, status, what else the object holds, verdict, message
Case = tuple[str, Any, Json, HealthStatus | None, str]


def says(type: str, status: str = "True", reason: str = "", message: str = "", **more: Any) -> Json:
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **more,
    }


def conditions(*found: Json, **more: Any) -> Json:
    return {"conditions": list(found), **more}


def phase(word: str, message: str = "") -> Json:
    return {"phase": word, "message": message} if message else {"phase": word}


READY = says("Ready", message="all is well")
PAUSED = {"spec": {"paused": True}}
SUSPENDED = {"spec": {"suspend": True}}
NEW = {"metadata": {"name": "web", "generation": 2}}
