"""The health of an application out of those of its objects."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.health import aggregate, counts_for_application
from fleet.model.applications import LiveResource
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.objects import ObjectRef

H = Health(HealthStatus.HEALTHY)


def resource(
    name: str, status: HealthStatus | None, message: str = "", **more: Any
) -> LiveResource:
    return LiveResource(
        ref=ObjectRef("apps", "Deployment", "shop", name),
        version="v1",
        sync=SyncStatus.SYNCED,
        health=None if status is None else Health(status, message),
        **more,
    )


def test_nothing_is_healthy() -> None:
    assert aggregate([]) == H
    assert aggregate([resource("a", None)]) == H


def test_healthy_tells_no_object() -> None:
    assert aggregate([resource("a", HealthStatus.HEALTHY, "rolled out")]) == H


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ("Healthy Suspended", "Suspended"),
        ("Progressing Suspended Healthy", "Progressing"),
        ("Missing Progressing", "Missing"),
        ("Missing Degraded Progressing", "Degraded"),
        ("Degraded Unknown", "Unknown"),
    ],
)
def test_the_worst_decides(statuses: str, worst: str) -> None:
    found = [resource(word, HealthStatus(word), "why") for word in statuses.split()]
    expected = Health(HealthStatus(worst), f"Deployment/shop/{worst}: why")
    assert aggregate(found) == expected
    assert aggregate(reversed(found)) == expected


def test_equally_bad_objects_are_told_by_name() -> None:
    found = [resource("b", HealthStatus.DEGRADED, "2"), resource("a", HealthStatus.DEGRADED, "1")]
    assert aggregate(found).message == "Deployment/shop/a: 1"


def test_without_a_message_the_object_is_told() -> None:
    found = aggregate([resource("a", HealthStatus.PROGRESSING)])
    assert found == Health(HealthStatus.PROGRESSING, "Deployment/shop/a")


def test_hooks_and_ignored_objects_do_not_count() -> None:
    hook = resource("hook", HealthStatus.DEGRADED, hook=True)
    shy = resource("shy", HealthStatus.DEGRADED)
    assert aggregate([hook, shy], ignored={shy.ref}) == H
    assert aggregate([hook, shy]).status is HealthStatus.DEGRADED


def test_what_nobody_wants_may_be_missing_but_not_broken() -> None:
    gone = resource("a", HealthStatus.MISSING, requires_pruning=True)
    broken = resource("a", HealthStatus.DEGRADED, requires_pruning=True)
    assert aggregate([gone]) == H
    assert aggregate([broken]).status is HealthStatus.DEGRADED


@pytest.mark.parametrize(
    ("annotations", "counts"),
    [
        (None, True),
        ({}, True),
        ({"argocd.argoproj.io/ignore-healthcheck": "true"}, False),
        ({"argocd.argoproj.io/ignore-healthcheck": "false"}, True),
        ({"argocd.argoproj.io/ignore-healthcheck": True}, True),
        ("nonsense", True),
    ],
)
def test_an_object_may_ask_not_to_count(annotations: Any, counts: bool) -> None:
    assert counts_for_application({"metadata": {"annotations": annotations}}) is counts
