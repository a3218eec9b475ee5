"""What scripts and expressions say, as a health."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.health import from_expressions, from_script
from fleet.model.health import Health
from tests.unit.health.objects import D, H, P, S, U

STATUSES = "Healthy, Suspended, Progressing, Missing, Degraded, Unknown"
NO_STATUS = Health(U, f"the health script of its kind returned no health status: {STATUSES}")
NOT_A_STATUS = Health(
    U, f"the health script of its kind returned 'Fine', which is no health status: {STATUSES}"
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"status": "Healthy"}, Health(H)),
        ({"status": "Degraded", "message": "why"}, Health(D, "why")),
        ({"status": "Suspended", "message": 7}, Health(S)),
        ({"status": "Fine"}, NOT_A_STATUS),
        ({"message": "why"}, NO_STATUS),
        ({"status": 7}, NO_STATUS),
        ("Healthy", NO_STATUS),
        ([], NO_STATUS),
        (True, NO_STATUS),
    ],
)
def test_a_script(value: Any, expected: Health | None) -> None:
    assert from_script(value) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"current": True}, Health(H)),
        ({"current": False, "message": "soon"}, Health(P, "soon")),
        ({"current": None}, Health(P)),
        ({"current": True, "failed": True}, Health(D)),
        ({"current": True, "failed": True, "inProgress": True}, Health(P)),
        ({"current": True, "suspended": True}, Health(S)),
        ({"current": True, "failed": None, "message": None}, Health(H)),
        (
            {"current": "yes"},
            Health(U, "the health expressions of its kind: current says a text, not a truth"),
        ),
    ],
)
def test_expressions(values: dict[str, Any], expected: Health) -> None:
    assert from_expressions(values) == expected
