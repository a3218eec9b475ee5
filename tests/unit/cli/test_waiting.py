"""What an application is still waited for."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cli.app.convergence import Wanted, arrived, outstanding, stale
from fleet.cli.app.objects import object_pattern
from fleet.cli.app.page import drift_line, page, short
from fleet.cli.app.waiting import Patience, why_not_gone

HEALTHY = frozenset({"Healthy"})
ALL = Wanted(sync=True, health=HEALTHY, operation=True)


def document(**status: Any) -> dict[str, Any]:
    healthy = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}
    return {"metadata": {"name": "web"}, "spec": {}, "status": {**healthy, **status}}


def resource(**fields: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "namespace": "shop", "name": "web", "status": "Synced", **fields}


def test_a_hook_has_its_say_in_the_operation_and_not_after_it() -> None:
    failed = {
        "group": "batch",
        "kind": "Job",
        "name": "migrate",
        "hook": True,
        "health": {"status": "Degraded"},
    }
    sync, health = {"status": "OutOfSync"}, {"status": "Degraded"}
    shown = document(resources=[resource(), failed], sync=sync, health=health)
    assert outstanding(shown, ALL) == ["sync status is OutOfSync", "health is Degraded"]
    assert arrived(document(resources=[resource(), failed]), ALL) == (2, 2)


def test_converged() -> None:
    assert outstanding(document(resources=[resource()]), ALL) == []


def test_it_names_the_object_and_the_reason() -> None:
    waiting = document(
        health={"status": "Progressing"},
        resources=[resource(health={"status": "Progressing", "message": "1 of 3 are updated"})],
    )
    assert outstanding(waiting, ALL) == ["Deployment/shop/web is Progressing: 1 of 3 are updated"]


def test_out_of_sync_objects_are_named() -> None:
    waiting = document(
        sync={"status": "OutOfSync"}, resources=[resource(status="OutOfSync", message="differs")]
    )
    assert outstanding(waiting, ALL) == ["Deployment/shop/web is OutOfSync: differs"]


def test_only_what_is_wanted_is_waited_for() -> None:
    waiting = document(sync={"status": "OutOfSync"}, operationState={"phase": "Running"})
    assert outstanding(waiting, Wanted(health=HEALTHY)) == []
    assert outstanding(waiting, Wanted(operation=True)) == ["operation Running"]
    assert outstanding(waiting, Wanted(sync=True)) == ["sync status is OutOfSync"]


def test_conditions_tell_why() -> None:
    waiting = document(
        sync={"status": "Unknown"},
        conditions=[{"type": "ComparisonError", "message": "no such path"}],
    )
    assert outstanding(waiting, ALL)[-1] == "ComparisonError: no such path"


def test_an_old_comparison_is_not_believed() -> None:
    assert outstanding(document(pending=True), ALL) != []
    assert outstanding(document(pending=True), Wanted(operation=True)) == []


def test_a_finished_operation_is_not_waited_for() -> None:
    for phase in ("Succeeded", "Failed", "Error"):
        assert outstanding(document(operationState={"phase": phase}), ALL) == []


def test_any_of_several_healths_will_do() -> None:
    either = Wanted(health=frozenset({"Suspended", "Degraded"}))
    for health, left in (("Suspended", 0), ("Degraded", 0), ("Healthy", 1)):
        assert len(outstanding(document(health={"status": health}), either)) == left


def test_only_chosen_objects_are_waited_for() -> None:
    waiting = document(
        sync={"status": "OutOfSync"},
        resources=[
            resource(group="apps", health={"status": "Healthy"}),
            resource(kind="ConfigMap", name="a", status="OutOfSync"),
        ],
    )
    web = object_pattern("apps:Deployment:shop/web")
    assert outstanding(waiting, Wanted(sync=True, health=HEALTHY, objects=(web,))) == []
    others = (object_pattern("!apps:*:*"),)
    assert outstanding(waiting, Wanted(sync=True, objects=others)) == [
        "ConfigMap/shop/a is OutOfSync"
    ]
    later = object_pattern("apps:Deployment:later")
    assert outstanding(waiting, Wanted(sync=True, objects=(web, later))) == [
        "there is no object apps:Deployment:later"
    ]


def test_progress_is_counted_in_objects() -> None:
    waiting = document(
        resources=[
            resource(health={"status": "Progressing"}),
            resource(kind="ConfigMap", name="a"),
            resource(kind="ConfigMap", name="b", status="OutOfSync"),
        ],
        operationState={
            "phase": "Running",
            "syncResult": {"resources": [{"action": "created"}, {}]},
        },
    )
    assert arrived(waiting, ALL) == (1, 3)
    assert arrived(waiting, Wanted(sync=True)) == (2, 3)
    assert arrived(waiting, Wanted(health=HEALTHY)) == (2, 3)
    assert arrived(waiting, Wanted(operation=True)) == (1, 2)
    assert arrived({"metadata": {}}, ALL) == (0, 0)


def test_nothing_known_is_not_converged() -> None:
    assert outstanding({"metadata": {"name": "web"}}, ALL) == [
        "sync status is Unknown",
        "health is Unknown",
    ]
    assert stale(document()) == ""
    assert stale(document(staleSince="2026-01-01T00:00:00Z")) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "after", "over"), [(0, 1e9, False), (60, 59, False), (60, 60, True)]
)
def test_patience(seconds: int, after: float, over: bool) -> None:
    times = iter([100.0, 100.0 + after])
    assert Patience(seconds, lambda: next(times)).over is over


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {
                "path": ".spec.replicas",
                "type": "changed",
                "live": 5,
                "desired": 3,
                "manager": "kubectl-edit",
            },
            ".spec.replicas is 5, wanted 3 (written by kubectl-edit)",
        ),
        (
            {"path": ".a", "type": "removed", "live": None, "desired": "x"},
            ".a is absent, wanted 'x'",
        ),
        ({"path": ".a", "type": "added", "live": "x", "desired": None}, ".a is 'x', wanted absent"),
    ],
)
def test_drift_is_told_in_one_line(change: dict[str, Any], line: str) -> None:
    assert drift_line(change) == line


def test_the_page_shows_fields_and_who_wrote_them() -> None:
    drift = [{"path": ".a", "type": "changed", "live": 1, "desired": 2, "manager": "kubectl"}]
    shown = page(document(resources=[resource(status="OutOfSync", drift=drift)]))
    assert "Name:" in shown
    assert "    .a is 1, wanted 2 (written by kubectl)" in shown.splitlines()


def test_the_page_of_an_application_that_nobody_looked_at() -> None:
    assert "Unknown" in page({"metadata": {"name": "web"}, "spec": {}})


def test_an_operation_that_did_not_begin_has_no_time() -> None:
    info = [{"name": "kind", "value": "delete"}]
    shown = page(document(operationState={"phase": "Pending", "operation": {"info": info}}))
    assert "Pending (delete)" in shown


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "its cluster was not looked at since"),
        ({"operationState": {"phase": "Pending"}}, "its cluster was not looked at since"),
        ({"operationState": {"message": "waiting for a hook"}}, "waiting for a hook"),
        (
            {
                "operationState": {"message": "waiting for a hook"},
                "conditions": [{"type": "DeletionError", "message": "eu-1 does not answer"}],
            },
            "eu-1 does not answer",
        ),
    ],
)
def test_a_deletion_always_says_what_it_waits_for(status: dict[str, Any], why: str) -> None:
    assert why in why_not_gone(document(**status))


def test_commits_are_cut_and_chart_versions_are_not() -> None:
    assert short("a" * 40) == "a" * 12
    assert short("16.4.1-beta.20260101000000000000000000000000") != "16.4.1-beta."


@pytest.mark.parametrize(
    ("current", "left"),
    [
        ({}, ["hydration Hydrating"]),
        ({"phase": "Hydrating", "sourceHydrator": {"a": 1}}, ["hydration Hydrating"]),
        (
            {"phase": "Failed", "message": "no", "sourceHydrator": {"a": 1}},
            ["hydration Failed: no"],
        ),
        # of what the application said before
        ({"phase": "Hydrated", "sourceHydrator": {"a": 0}}, ["hydration Hydrated"]),
        ({"phase": "Hydrated", "sourceHydrator": {"a": 1}}, []),
    ],
)
def test_a_dry_source_is_waited_for_until_it_is_on_its_branch(
    current: dict[str, Any], left: list[str]
) -> None:
    shown = {
        "spec": {"sourceHydrator": {"a": 1}},
        "status": {"sourceHydrator": {"currentOperation": current}},
    }
    assert outstanding(shown, Wanted(hydrated=True)) == left


def test_nobody_waits_for_a_hydration_that_there_is_not() -> None:
    assert outstanding({"spec": {"source": {}}}, Wanted(hydrated=True)) == []
