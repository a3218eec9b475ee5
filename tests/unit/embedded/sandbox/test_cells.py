"""What kubectl's tables say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.embedded.sandbox import cells
from fleet.embedded.sandbox.kinds import Custom, Kind, builtin_kind
from fleet.embedded.sandbox.printing import columns_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (10 * MINUTE + 5, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR + 5 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + 3 * HOUR, "2d3h"),
        (8 * DAY + 3 * HOUR, "8d"),
        (729 * DAY, "729d"),
        (730 * DAY, "2y"),
        (740 * DAY, "2y10d"),
        (9 * 365 * DAY + DAY, "9y"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text


def test_an_unknown_time_has_no_age() -> None:
    assert cells.age({"metadata": {}}, NOW) == "<unknown>"
    stamp = (NOW - timedelta(seconds=30)).isoformat()
    assert cells.age({"metadata": {"creationTimestamp": stamp}}, NOW) == "30s"


def container(**state: Any) -> dict[str, Any]:
    return {"name": "c", "ready": False, "restartCount": 0, **state}


RUNNING = container(ready=True, state={"running": {}})
CRASHED = container(
    restartCount=3,
    state={"waiting": {"reason": "CrashLoopBackOff"}},
    lastState={"terminated": {"finishedAt": "2025-12-31T23:59:00Z"}},
)
DONE = container(state={"terminated": {"reason": "Completed", "exitCode": 0}})


@pytest.mark.parametrize(
    ("pod", "ready", "status", "restarts"),
    [
        ({"status": {"phase": "Pending"}}, "0/1", "Pending", "0"),
        ({"status": {"phase": "Running", "containerStatuses": [RUNNING]}}, "1/1", "Running", "0"),
        (
            {"status": {"phase": "Running", "containerStatuses": [CRASHED]}},
            "0/1",
            "CrashLoopBackOff",
            "3 (60s ago)",
        ),
        ({"status": {"phase": "Succeeded", "containerStatuses": [DONE]}}, "0/1", "Completed", "0"),
        ({"status": {"phase": "Failed", "reason": "Evicted"}}, "0/1", "Evicted", "0"),
        (
            {"metadata": {"deletionTimestamp": "x"}, "status": {"phase": "Running"}},
            "0/1",
            "Terminating",
            "0",
        ),
        (
            {
                "spec": {"initContainers": [{"name": "i"}, {"name": "j"}]},
                "status": {"initContainerStatuses": [{"name": "i", "state": {"running": {}}}]},
            },
            "0/1",
            "Init:0/2",
            "0",
        ),
        (
            {
                "spec": {"initContainers": [{"name": "i"}]},
                "status": {
                    "initContainerStatuses": [
                        {"name": "i", "state": {"terminated": {"exitCode": 3}}}
                    ]
                },
            },
            "0/1",
            "Init:ExitCode:3",
            "0",
        ),
    ],
)
def test_pods(pod: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    pod = {"metadata": {}, **pod, "spec": {"containers": [{"name": "c"}], **pod.get("spec", {})}}
    found = (
        cells.pod_ready(pod, NOW),
        cells.pod_status(pod, NOW),
        cells.pod_restarts(pod, NOW),
    )
    assert found == (ready, status, restarts)


@pytest.mark.parametrize(
    ("spec", "status", "address", "ports"),
    [
        ({"type": "ClusterIP", "ports": [{"port": 80}]}, {}, "<none>", "80/TCP"),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]},
            {},
            "<none>",
            "80:30080/UDP",
        ),
        ({"type": "LoadBalancer"}, {}, "<pending>", "<none>"),
        (
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "lb"}]}},
            "1.2.3.4,lb",
            "<none>",
        ),
        ({"type": "ExternalName", "externalName": "db.example"}, {}, "db.example", "<none>"),
    ],
)
def test_services(spec: dict[str, Any], status: dict[str, Any], address: str, ports: str) -> None:
    service = {"spec": spec, "status": status}
    assert cells.external_ip(service, NOW) == address
    assert cells.service_ports(service, NOW) == ports


def test_long_lists_are_cut() -> None:
    assert cells.some(["a", "b", "c", "d", "e"]) == "a,b,c + 2 more..."
    assert cells.some([]) == "<none>"


def row(kind: Kind, obj: dict[str, Any]) -> list[Any]:
    return [column.cell(obj, NOW) for column in columns_of(kind)]


def test_every_built_in_row_can_be_made_of_an_empty_object() -> None:
    """What a status lacks is no reason to fail."""
    from fleet.embedded.sandbox.kinds import BUILTIN

    obj = {
        "metadata": {"name": "one"},
        "spec": {"scaleTargetRef": {"kind": "K", "name": "n"}},
        "roleRef": {"kind": "Role", "name": "r"},
    }
    for kind in BUILTIN:
        assert "one" in row(kind, obj), kind


def custom(*columns: dict[str, Any]) -> Kind:
    found = Custom(crd="x", schema={}, scale={}, columns=columns)
    return replace(builtin_kind("v1", "ConfigMap"), custom=found)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ({"type": "integer", "jsonPath": ".spec.size"}, 5),
        ({"type": "string", "jsonPath": ".spec.size"}, "5"),
        ({"type": "string", "jsonPath": ".spec.absent.deep"}, None),
        ({"type": "date", "jsonPath": ".metadata.creationTimestamp"}, "60s"),
        ({"type": "string", "jsonPath": ".spec.items[1].name"}, "b"),
        ({"type": "string", "jsonPath": ".spec.items[9].name"}, None),
        ({"type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'}, "True"),
        ({"type": "string", "jsonPath": ".metadata.labels.example\\.com/x"}, "y"),
    ],
)
def test_columns_of_custom_kinds(column: dict[str, Any], cell: Any) -> None:
    obj = {
        "metadata": {
            "name": "one",
            "creationTimestamp": "2025-12-31T23:59:00Z",
            "labels": {"example.com/x": "y"},
        },
        "spec": {"size": 5, "items": [{"name": "a"}, {"name": "b"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert row(custom({"name": "C", **column}), obj) == ["one", cell]
