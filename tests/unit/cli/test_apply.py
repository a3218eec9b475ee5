"""How ``fleet apply`` exits."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cli.apply import exit_code

GOOD: dict[str, Any] = {"action": "created"}


def failed(type: str) -> dict[str, Any]:
    return {"action": "failed", "error": {"type": type, "message": "no"}}


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([GOOD, {"action": "unchanged"}], 0),
        ([failed("SpecInvalid"), GOOD], 2),
        ([failed("NotFound")], 3),
        ([failed("SpecInvalid"), failed("Forbidden")], 3),
    ],
)
def test_wrong_documents_are_usage_and_the_rest_has_failed(
    results: list[dict[str, Any]], code: int
) -> None:
    assert exit_code(results) == code
