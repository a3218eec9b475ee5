"""Whatever a cluster returns, there is a verdict and never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.health import assess, counts_for_application
from fleet.health.assess import _RULES
from fleet.health.operators import _GROUPS
from fleet.model.health import Health
from fleet.model.objects import GroupKind

WORDS = st.sampled_from(
    [
        "True", "False", "Unknown", "Ready", "Available", "Progressing", "Running", "Failed",
        "Pending", "RollingUpdate", "OnDelete", "Always", "Never", "LoadBalancer",
        "CrashLoopBackOff", "ProgressDeadlineExceeded", "Terminating", "Degraded",
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text()
FIELDS = st.sampled_from(
    [
        "conditions", "type", "status", "reason", "message", "observedGeneration", "replicas",
        "generation", "name", "annotations", "finalizers", "deletionTimestamp", "phase",
        "containerStatuses", "initContainerStatuses", "state", "waiting", "terminated",
        "lastState", "exitCode", "updateStrategy", "rollingUpdate", "partition", "loadBalancer",
        "ingress", "health", "suspend", "paused", "restartPolicy", "lastScheduleTime",
        "lastSuccessfulTime", "active", "updatedReplicas", "readyReplicas", "currentRevision",
        "parents", "robustness", "readyToUse", "error", "cluster", "ceph",
    ]
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=12,
)
_OPERATORS = [
    GroupKind(f"a{group}" if group.startswith(".") else group, kind)
    for group, kinds in _GROUPS.items()
    for kind in kinds
]
KINDS = st.sampled_from([*_RULES, None]) | st.sampled_from(_OPERATORS)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(KINDS)
    found: dict[str, Any] = {part: draw(JSON) for part in ("metadata", "spec", "status")}
    if kind is None:
        return found | {"apiVersion": draw(JSON), "kind": draw(JSON)}
    version = draw(st.sampled_from(["v1", "v2", "v1beta1"]))
    api = f"{kind.group}/{version}" if kind.group else version
    if draw(st.booleans()):
        annotation = json.dumps(draw(JSON))
        found["metadata"] = {
            "annotations": {"autoscaling.alpha.kubernetes.io/conditions": annotation}
        }
    return found | {"apiVersion": api, "kind": kind.kind}


@settings(max_examples=300)
@given(objects())
def test_nonsense_gets_a_verdict(obj: dict[str, Any]) -> None:
    found = assess(obj)
    assert found is None or (isinstance(found, Health) and isinstance(found.message, str))
    assert counts_for_application(obj) in (True, False)


def test_huge_figures_count_as_none() -> None:
    status = {"observedGeneration": 1, "replicas": 10**5000}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "status": status}
    assert assess(obj) == Health(assess({**obj, "status": {"observedGeneration": 1}}).status)  # type: ignore[union-attr]


def test_depth_does_not_matter() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"status": deep}
    assert assess({"apiVersion": "v1", "kind": "Thing", "status": deep}) is None
