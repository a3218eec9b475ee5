"""Answers: JSON, and the one shape of every failure."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import JSONResponse

#: When a client may come back after a 503.
RETRY_AFTER_SECONDS = 5


class JSON(JSONResponse):
    """JSON by orjson: UUIDs and times need no code of their own."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=str)


def created(content: dict[str, Any], action: str = "created") -> JSON:
    """201 for what is new, 200 for what was there."""
    return JSON(content, status_code=201 if action == "created" else 200)


def accepted(content: dict[str, Any]) -> JSON:
    """202: written down, and a worker does it."""
    return JSON(content, status_code=202)


def error_answer(status: int, error: dict[str, Any]) -> JSON:
    """The one shape of every failure."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSON({"error": error}, status_code=status, headers=headers)
