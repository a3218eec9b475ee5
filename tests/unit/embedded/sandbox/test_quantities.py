"""Quantities in canonical form. The expectations are answers of a real API server."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.embedded.sandbox.quantities import amount, canonical


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1", "1"),
        ("0", "0"),
        ("0Gi", "0"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1."),
        ("1500m", "1500m"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1000000", "1M"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("0.5Ki", "512"),
        ("1000Mi", "1000Mi"),
        ("1e3", "1e3"),
        ("1E3", "1E3"),
        ("1200e-3", "1200e-3"),
        ("10e0", "10e0"),
        ("-1", "-1"),
        ("+1", "+1"),
        ("+1000", "1k"),
        ("-0", "0"),
        ("0.1n", "1n"),
        ("1.1Ki", "1126400m"),
        ("20Ei", "9223372036854775807"),
    ],
)
def test_canonical_form(written: str, expected: str) -> None:
    assert canonical(written) == expected


@pytest.mark.parametrize("written", ["", "x", "1x", "1 Gi", "1KiB", "--1", "1e", "Gi", "1" * 201])
def test_what_is_no_quantity(written: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        canonical(written)


def test_exponents_beyond_all_bounds_do_no_harm() -> None:
    assert canonical("1e999999999") == "10e99"
    assert canonical(f"{'9' * 100}.{'9' * 90}") == f"1{'0' * 82}E"
    assert canonical("1e-999999999") == "1e-9"


@given(
    st.integers(-(10**6), 10**6),
    st.sampled_from(["m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-3"]),
)
def test_the_canonical_form_is_the_same_amount_and_stays(number: int, suffix: str) -> None:
    found = canonical(f"{number}{suffix}")
    assert amount(found) == amount(f"{number}{suffix}")
    assert canonical(found) == found


def test_amounts_can_be_compared() -> None:
    assert amount("1500m") == Decimal("1.5")
    assert amount("1Gi") > amount("1G")
    assert amount("-1") < 0
