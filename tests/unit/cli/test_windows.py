"""Sync windows in documents, changed by their number, and on the page of an application."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cli.app.page import page
from fleet.cli.projects import with_new_window, with_window, without_window
from fleet.errors import NotFound

NIGHT = {"kind": "allow", "schedule": "0 22 * * *", "duration": "8h", "applications": ["*"]}
FREEZE = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "clusters": ["prod"]}


def project(*windows: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"sourceRepos": ["*"]}
    if windows:
        spec["syncWindows"] = list(windows)
    return {"metadata": {"name": "shop"}, "spec": spec}


def test_a_new_window_stands_behind_the_others() -> None:
    assert with_new_window(project(), NIGHT) == project(NIGHT)
    assert with_new_window(project(NIGHT), FREEZE) == project(NIGHT, FREEZE)


def test_a_window_is_changed_by_its_number() -> None:
    before = project(NIGHT, FREEZE)
    changed = with_window(before, 1, {"clusters": ["eu", "us"], "manualSync": True})
    assert changed == project(NIGHT, {**FREEZE, "clusters": ["eu", "us"], "manualSync": True})
    assert before == project(NIGHT, FREEZE)
    assert with_window(before, 0, {"duration": "8h"}) is None


def test_one_of_two_windows_that_are_alike_is_deleted() -> None:
    assert without_window(project(NIGHT, FREEZE, dict(NIGHT)), 2) == project(NIGHT, FREEZE)
    assert without_window(project(NIGHT), 0) == project()


@pytest.mark.parametrize("windows", [(), (NIGHT,)])
def test_a_number_that_no_window_has(windows: tuple[dict[str, Any], ...]) -> None:
    document = project(*windows)
    for change in (
        lambda: with_window(document, 1, {"duration": "1h"}),
        lambda: without_window(document, 1),
    ):
        with pytest.raises(NotFound, match="no sync window 1"):
            change()


def lines(standing: dict[str, Any]) -> list[str]:
    """What the page says of windows."""
    document = {"metadata": {"name": "web"}, "status": {"syncWindow": standing}}
    words = ("SyncWindow", "Decided by", "Next change", "Assigned Windows")
    shown = [line for line in page(document).splitlines() if line.startswith(words)]
    return [" ".join(line.split()) for line in shown]


WINDOW = {"id": 2, "kind": "allow", "schedule": "0 22 * * *", "duration": "8h", "timeZone": "UTC"}


def test_the_page_says_what_decides() -> None:
    assert lines({}) == []
    assert lines(
        {"state": "Sync Allowed", "window": WINDOW, "assignedWindows": ["allow:0 22 * * *:8h"]}
    ) == [
        "SyncWindow: Sync Allowed",
        "Decided by: allow window 2 (0 22 * * * for 8h, UTC) is open",
        "Next change: none in sight",
        "Assigned Windows: allow:0 22 * * *:8h",
    ]
    denied = {
        "state": "Sync Denied",
        "reason": "allow window 2 is closed",
        "window": {**WINDOW, "description": "Ticket 1"},
        "changesAt": "2099-01-01T22:00:00Z",
    }
    said = lines(denied)
    assert said[1] == "Decided by: allow window 2 is closed (Ticket 1)"
    assert said[2].startswith("Next change: 2099-01-01T22:00:00Z (in ")
