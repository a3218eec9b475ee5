"""Kinds of widely used operators: what they write into their status, and what that means."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.health import assess
from fleet.health.operators import _GROUPS, rule_of
from fleet.health.rules import Rule
from fleet.model.health import HealthStatus
from fleet.model.objects import GroupKind
from tests.unit.health.objects import Json, obj
from tests.unit.health.operators_delivery import CERTIFICATES, CLOUDS, DELIVERY
from tests.unit.health.operators_running import (
    DATABASES,
    MESSAGING,
    NETWORKS,
    OBSERVING,
    STORING,
    WORKLOADS,
)

CASES = [
    *CERTIFICATES,
    *DELIVERY,
    *CLOUDS,
    *DATABASES,
    *MESSAGING,
    *NETWORKS,
    *OBSERVING,
    *STORING,
    *WORKLOADS,
]


@pytest.mark.parametrize(("kind", "status", "more", "verdict", "message"), CASES)
def test_verdict(
    kind: str, status: Any, more: Json, verdict: HealthStatus | None, message: str | None
) -> None:
    api, _, name = kind.partition(" ")
    found = assess({**obj(api, name, {}, status), **more})
    if verdict is None:
        assert found is None
        return
    assert found is not None
    assert found.status is verdict, found.message
    assert message is None or found.message == message


def test_a_group_of_its_own_stands_above_its_family() -> None:
    family = rule_of(GroupKind("s3.aws.crossplane.io", "Bucket"))
    assert family is not None
    assert rule_of(GroupKind("pkg.crossplane.io", "Provider")) is not family
    assert rule_of(GroupKind("crossplane.io", "Bucket")) is None
    assert rule_of(GroupKind("example.com", "Database")) is None


RULES = [
    (f"{group} {kind}", rule)
    for group, kinds in _GROUPS.items()
    for kind, rule in kinds.items()
    if isinstance(rule, Rule)
]


@pytest.mark.parametrize(("name", "rule"), RULES, ids=[name for name, _ in RULES])
def test_a_rule_can_say_that_all_is_well(name: str, rule: Rule) -> None:
    """Whatever nothing can bring to Healthy would keep a wave waiting for ever."""
    by_word = any(HealthStatus.HEALTHY in part.means.values() for part in rule.said)
    by_default = rule.absent in (None, HealthStatus.HEALTHY)
    assert by_word or rule.wanted or by_default


@pytest.mark.parametrize(("name", "rule"), RULES, ids=[name for name, _ in RULES])
def test_no_condition_means_two_things(name: str, rule: Rule) -> None:
    types = [*rule.failing, *rule.held, *rule.doing, *rule.wanted]
    assert len(types) == len(set(types))
    assert all(part.path for part in rule.said)
