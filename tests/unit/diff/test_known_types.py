"""Values that mean the same and are spelt otherwise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.diff.known_types import equal_by_type, quantity

from .shapes import NONSENSE

QUANTITIES: list[tuple[Any, str | None]] = [
    ("1", "1"),
    (1, "1"),
    (0.5, "0.5"),
    ("1000m", "1"),
    ("1.", "1"),
    (".5", "0.5"),
    ("+1", "1"),
    ("-1", "-1"),
    ("100n", "1E-7"),
    ("5u", "0.000005"),
    ("1k", "1000"),
    ("1Ki", "1024"),
    ("1.5Gi", "1610612736"),
    ("2E", "2E18"),
    ("2Ei", "2305843009213693952"),
    ("1e3", "1000"),
    ("1E-3", "0.001"),
    ("1e999", None),
    ("", None),
    ("m", None),
    ("1 ", None),
    ("1K", None),
    ("one", None),
    (True, None),
    (None, None),
    ([1], None),
]


@pytest.mark.parametrize(("value", "expected"), QUANTITIES)
def test_quantities(value: Any, expected: str | None) -> None:
    assert quantity(value) == (None if expected is None else Decimal(expected))


CASES: list[tuple[str, Any, Any, bool]] = [
    ("core/Quantity", "1000m", "1", True),
    ("core/Quantity", "1024Mi", "1Gi", True),
    ("core/Quantity", 2, "2", True),
    ("core/Quantity", "1000m", "2", False),
    ("core/Quantity", "x", "y", False),
    ("meta/v1/Duration", "60s", "1m", True),
    ("meta/v1/Duration", "1h0m0s", "1h", True),
    ("meta/v1/Duration", "60s", "2m", False),
    ("meta/v1/Duration", "soon", "1m", False),
    ("core/v1/ResourceList", {"cpu": "1000m"}, {"cpu": "1"}, True),
    ("core/v1/ContainerPort", {"containerPort": 80}, {"containerPort": "80"}, True),
    ("core/v1/ContainerPort", {}, {"protocol": "TCP"}, True),
    ("core/v1/ContainerPort", {}, {"protocol": "UDP"}, False),
    ("core/v1/ResourceRequirements", {"limits": {}}, {}, True),
    ("core/v1/Affinity", {"x": "1000m"}, {"x": "1"}, False),
]


@pytest.mark.parametrize(("type_", "one", "other", "same"), CASES)
def test_by_type(type_: str, one: Any, other: Any, same: bool) -> None:
    found = equal_by_type({"f": one}, {"f": other}, [(("f",), type_)])
    assert any(found) is same


def _pod(cpu: str, *names: str) -> dict[str, Any]:
    containers = [{"name": n, "resources": {"limits": {"cpu": cpu, "x": cpu}}} for n in names]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def test_places_in_lists_are_found_by_key_on_either_side() -> None:
    fields = [(("spec", "template", "spec"), "core/v1/PodSpec")]
    found = equal_by_type(_pod("1", "web", "log"), _pod("1000m", "log"), fields)
    at = "/spec/template/spec/containers/{}/resources/limits/{}"
    assert [sorted(side) for side in found] == [
        [at.format(1, "cpu"), at.format(1, "x")],
        [at.format(0, "cpu"), at.format(0, "x")],
    ]


def test_a_path_leads_through_lists() -> None:
    one, other = ({"pools": [{"cpu": "1"}, {"cpu": x}]} for x in ("3", "4"))
    found = equal_by_type(one, other, [(("pools", "cpu"), "core/Quantity")])
    assert found == (("/pools/0/cpu",), ("/pools/0/cpu",))


@given(NONSENSE, NONSENSE)
def test_any_two_objects_are_answered(one: Any, other: Any) -> None:
    for type_ in ("core/v1/PodSpec", "core/Quantity", "meta/v1/Duration", "nonsense[]"):
        equal_by_type(one, other, [((), type_), (("a",), type_)])


@given(st.integers(-(10**6), 10**6), st.sampled_from(["m", "", "k", "Ki", "M"]))
def test_a_quantity_equals_itself_in_thousandths(number: int, suffix: str) -> None:
    thousandths = quantity(f"{number}{suffix}")
    assert thousandths is not None
    assert quantity(f"{thousandths * 1000:f}m") == thousandths
