"""Sync windows relative to a test's clock, and what they do to an application."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from tests.integration.operations.harness import World

PROJECT = "shop"
HOUR = 60


def window(world: World, kind: str, start: int, length: int, **more: Any) -> dict[str, Any]:
    """A window that opens in ``start`` minutes (negative: before now), for ``length`` minutes,
    once a day; it concerns every application unless ``more`` says otherwise."""
    opens = world.clock().astimezone(UTC) + timedelta(minutes=start)
    return {
        "kind": kind,
        "schedule": f"{opens.minute} {opens.hour} * * *",
        "duration": f"{length}m",
        "applications": ["*"],
        **more,
    }


async def put_windows(world: World, *windows: dict[str, Any]) -> None:
    """Give the project exactly these windows."""
    await world.put_project(PROJECT, syncWindows=list(windows))


async def conditions(world: World, name: str) -> dict[str, str]:
    """Of an application: type → message."""
    return {it["type"]: it["message"] for it in (await world.app(name))["conditions"]}
