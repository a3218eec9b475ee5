"""The built-in actions: when each is offered, and what it changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.actions import Change, Creation, Patch, builtin_actions, changes_of, offer_of
from fleet.actions.builtin import _TABLE
from fleet.errors import Refused, SpecInvalid
from fleet.model.objects import GroupKind, group_kind_of

NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)
STAMP = "2026-05-04T12:30:15Z"
SECONDS = str(int(NOW.timestamp()))
Json = dict[str, Any]


def obj(kind: str, spec: Any = None, status: Any = None, **annotations: str) -> Json:
    api, _, name = kind.partition(" ")
    metadata: Json = {"name": "web", "namespace": "shop", "uid": "u1", "generation": 4}
    if annotations:
        metadata["annotations"] = annotations
    found: Json = {"apiVersion": api, "kind": name, "metadata": metadata, "spec": spec or {}}
    return found if status is None else {**found, "status": status}


def run(live: Json, action: str, **given: str) -> tuple[Change, ...]:
    specs = {spec.name: spec for spec in builtin_actions(group_kind_of(live))}
    return changes_of(specs[action], live, given, NOW)


def offered(live: Json) -> set[str]:
    offers = [offer_of(spec, live) for spec in builtin_actions(group_kind_of(live))]
    return {offer.name for offer in offers if not offer.is_disabled}


def annotated(**values: Any) -> Json:
    return {"metadata": {"annotations": values}}


RESTARTED = {"template": annotated(**{"kubectl.kubernetes.io/restartedAt": STAMP})}
DEPLOYMENT = obj("apps/v1 Deployment", {"replicas": 2})
ROLLOUT = "argoproj.io/v1alpha1 Rollout"
PAUSED = obj(ROLLOUT, {"replicas": 2}, {"phase": "Paused", "currentStepIndex": 1})
FLUX = "kustomize.toolkit.fluxcd.io/v1 Kustomization"

#: live object, action, parameters, patches by subresource
CASES = [
    (DEPLOYMENT, "restart", {}, {"": {"spec": RESTARTED}}),
    (DEPLOYMENT, "scale", {"replicas": "5"}, {"": {"spec": {"replicas": 5}}}),
    (DEPLOYMENT, "pause", {}, {"": {"spec": {"paused": True}}}),
    (obj("apps/v1 Deployment", {"paused": True}), "resume", {}, {"": {"spec": {"paused": False}}}),
    (obj("apps/v1 DaemonSet"), "restart", {}, {"": {"spec": RESTARTED}}),
    (obj("apps/v1 StatefulSet"), "scale", {"replicas": "0"}, {"": {"spec": {"replicas": 0}}}),
    (obj("batch/v1 CronJob"), "suspend", {}, {"": {"spec": {"suspend": True}}}),
    (obj("batch/v1 CronJob", {"suspend": True}), "resume", {}, {"": {"spec": {"suspend": False}}}),
    (obj("batch/v1 Job"), "terminate", {}, {"": {"spec": {"activeDeadlineSeconds": 1}}}),
    (PAUSED, "abort", {}, {"status": {"status": {"abort": True}}}),
    (PAUSED, "promote-full", {}, {"status": {"status": {"promoteFull": True}}}),
    (
        PAUSED,
        "resume",
        {},
        {"": {"spec": {"paused": False}}, "status": {"status": {"pauseConditions": None}}},
    ),
    (
        PAUSED,
        "skip-current-step",
        {},
        {"status": {"status": {"currentStepIndex": 2, "pauseConditions": None}}},
    ),
    (obj(ROLLOUT, {}, {"abort": True}), "retry", {}, {"status": {"status": {"abort": False}}}),
    (obj(ROLLOUT), "restart", {}, {"": {"spec": {"restartAt": STAMP}}}),
    (
        obj(FLUX),
        "reconcile",
        {},
        {"": annotated(**{"reconcile.fluxcd.io/requestedAt": STAMP})},
    ),
    (obj(FLUX), "suspend", {}, {"": {"spec": {"suspend": True}}}),
    (
        obj("external-secrets.io/v1 ExternalSecret"),
        "refresh",
        {},
        {"": annotated(**{"force-sync": SECONDS})},
    ),
    (
        obj("keda.sh/v1alpha1 ScaledObject", **{"autoscaling.keda.sh/paused": "true"}),
        "resume",
        {},
        {"": annotated(**{"autoscaling.keda.sh/paused": None})},
    ),
    (
        obj("s3.aws.upbound.io/v1beta1 Bucket"),
        "pause",
        {},
        {"": annotated(**{"crossplane.io/paused": "true"})},
    ),
    (
        obj("postgresql.cnpg.io/v1 Cluster"),
        "promote",
        {"instance": "db-2"},
        {
            "status": {
                "status": {
                    "targetPrimary": "db-2",
                    "targetPrimaryTimestamp": STAMP,
                    "phase": "Switchover in progress",
                }
            }
        },
    ),
    (
        obj("argoproj.io/v1alpha1 Application", {"syncPolicy": {"automated": {"prune": True}}}),
        "toggle-auto-sync",
        {},
        {"": {"spec": {"syncPolicy": {"automated": {"enabled": False}}}}},
    ),
    (
        obj("argoproj.io/v1alpha1 Application"),
        "toggle-auto-sync",
        {},
        {"": {"spec": {"syncPolicy": {"automated": {"enabled": True}}}}},
    ),
]


@pytest.mark.parametrize(("live", "action", "given", "patches"), CASES)
def test_patches(live: Json, action: str, given: dict[str, str], patches: Json) -> None:
    expected = tuple(Patch(body, subresource) for subresource, body in patches.items())
    assert run(live, action, **given) == expected


def test_a_certificate_is_renewed_by_a_condition() -> None:
    ready = {"type": "Ready", "status": "True"}
    live = obj("cert-manager.io/v1 Certificate", {}, {"conditions": [ready, {"type": "Issuing"}]})
    (patch,) = run(live, "renew")
    assert isinstance(patch, Patch)
    assert patch.subresource == "status"
    first, second = patch.body["status"]["conditions"]
    assert first == ready
    assert second["type"] == "Issuing"
    assert second["observedGeneration"] == 4


OWNER = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "name": "web",
    "uid": "u1",
    "controller": True,
}


def test_a_cron_job_makes_a_job_of_its_template() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}}
    (made,) = run(obj("batch/v1 CronJob", {"jobTemplate": template}), "create-job")
    assert made == Creation(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "web-20260504123015",
                "namespace": "shop",
                "labels": {"a": "b"},
                "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
                "ownerReferences": [OWNER],
            },
            "spec": {"template": {}},
        }
    )


@pytest.mark.parametrize(
    ("kind", "spec", "action", "made", "expected"),
    [
        (
            "argoproj.io/v1alpha1 CronWorkflow",
            {"workflowSpec": {"entrypoint": "main"}},
            "create-workflow",
            "Workflow",
            {"entrypoint": "main"},
        ),
        (
            "argoproj.io/v1alpha1 WorkflowTemplate",
            {},
            "create-workflow",
            "Workflow",
            {"workflowTemplateRef": {"name": "web"}},
        ),
        (
            "velero.io/v1 Schedule",
            {"template": {"ttl": "24h", "metadata": {"labels": {"a": "b"}}}},
            "create-backup",
            "Backup",
            {"ttl": "24h"},
        ),
    ],
)
def test_other_objects_are_made(
    kind: str, spec: Json, action: str, made: str, expected: Json
) -> None:
    (change,) = run(obj(kind, spec), action)
    assert isinstance(change, Creation)
    assert change.manifest["kind"] == made
    assert change.manifest["spec"] == expected
    assert change.manifest["metadata"]["name"] == "web-20260504123015"


def test_a_long_name_leaves_room_for_the_time() -> None:
    live = obj("batch/v1 CronJob")
    live["metadata"]["name"] = "n" * 63
    (made,) = run(live, "create-job")
    assert isinstance(made, Creation)
    assert len(made.manifest["metadata"]["name"]) == 63


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (DEPLOYMENT, {"pause", "restart", "scale"}),
        (obj("apps/v1 Deployment", {"paused": True}), {"resume", "restart", "scale"}),
        (obj(ROLLOUT, {}, {"phase": "Healthy"}), {"pause", "restart", "scale"}),
        (
            PAUSED,
            {"abort", "pause", "promote-full", "restart", "resume", "scale", "skip-current-step"},
        ),
        (obj("batch/v1 Job", {}, {"completionTime": STAMP}), {"suspend"}),
        (obj("v1 ConfigMap"), set()),
        (obj("postgresql.cnpg.io/v1 Cluster"), {"promote", "reload", "restart", "suspend"}),
        (obj(FLUX, "nonsense"), {"reconcile", "suspend"}),
    ],
)
def test_what_is_offered(live: Json, expected: set[str]) -> None:
    assert offered(live) == expected


def test_what_is_not_possible_now_is_refused() -> None:
    with pytest.raises(Refused, match="Deployment/shop/web: resume is not possible"):
        run(DEPLOYMENT, "resume")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "is required"),
        ({"replicas": "-1"}, "must be a whole number"),
        ({"replicas": "two"}, "must be a whole number"),
        ({"replicas": "99999999999"}, "must be a whole number"),
        ({"replicas": "٣"}, "must be a whole number"),
        ({"replicas": "1", "speed": "2"}, "is no parameter"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, str], message: str) -> None:
    with pytest.raises(SpecInvalid, match=message):
        run(DEPLOYMENT, "scale", **given)


def test_names_are_unique_within_a_kind() -> None:
    for group, kinds in _TABLE.items():
        for kind, specs in kinds.items():
            names = [spec.name for spec in specs]
            assert len(names) == len(set(names)), (group, kind)
            assert all(spec.patches or spec.makes for spec in specs)


def test_nothing_is_known_of_a_strange_kind() -> None:
    assert builtin_actions(GroupKind("example.com", "Deployment")) == ()
