"""Every other kind with a rule of its own, one table for all of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fleet.health import assess
from fleet.model.health import Health, HealthStatus
from tests.unit.health.objects import D, H, Json, P, S, U, condition, having, obj
from tests.unit.health.pods import PODS, READY, pod


def job(*found: Json, suspend: bool = False) -> Json:
    return obj("batch/v1", "Job", {"suspend": suspend}, having(*found))


JOBS = [
    ("running", job(), P, ""),
    ("complete", job(condition("Complete", message="ok")), H, "ok"),
    (
        "failed",
        job(condition("Failed", reason="BackoffLimitExceeded", message="limit")),
        D,
        "limit",
    ),
    (
        "failed outweighs complete",
        job(condition("Complete"), condition("Failed", message="x")),
        D,
        "x",
    ),
    (
        "suspended",
        job(condition("Suspended", message="Job suspended"), suspend=True),
        S,
        "Job suspended",
    ),
    ("suspended, not seen yet", job(suspend=True), S, "Job is Suspended"),
    (
        "resumed and not done",
        job(condition("Suspended", "False", "JobResumed", "Job resumed")),
        P,
        "",
    ),
    (
        "resumed and done",
        job(condition("Suspended", "False"), condition("Complete", message="ok")),
        H,
        "ok",
    ),
    ("about to fail", job(condition("FailureTarget")), P, ""),
]


def cron(status: Any, *, suspend: Any = False) -> Json:
    return obj("batch/v1", "CronJob", {"suspend": suspend}, status)


EARLY, LATE = "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"
CRON_JOBS = [
    ("suspended", cron({"lastScheduleTime": EARLY}, suspend=True), S, "CronJob is Suspended"),
    ("no status", cron(None), P, "Waiting for CronJob"),
    ("never scheduled", cron({}), H, "CronJob has not been scheduled yet"),
    (
        "never succeeded",
        cron({"lastScheduleTime": EARLY, "active": [{}]}),
        H,
        "CronJob never completed successfully. It may not be healthy",
    ),
    (
        "running",
        cron({"lastScheduleTime": LATE, "lastSuccessfulTime": EARLY, "active": [{}]}),
        H,
        "The job is running. Its last execution may not have been successful",
    ),
    (
        "last run failed",
        cron({"lastScheduleTime": LATE, "lastSuccessfulTime": EARLY}),
        D,
        "CronJob has not completed its last execution successfully",
    ),
    (
        "last run succeeded",
        cron({"lastScheduleTime": EARLY, "lastSuccessfulTime": LATE, "active": []}),
        H,
        "CronJob has completed its last execution successfully",
    ),
]

ADDRESS = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}


def claim(phase: str) -> Json:
    return obj("v1", "PersistentVolumeClaim", {}, {"phase": phase})


PROVISIONING = obj(
    "v1",
    "PersistentVolumeClaim",
    {},
    {"phase": "Pending"},
    annotations={"volume.kubernetes.io/storage-provisioner": "csi"},
)
ACCESS = [
    ("cluster IP", obj("v1", "Service", {"type": "ClusterIP"}, {}), H, ""),
    ("no type", obj("v1", "Service", {}, {}), H, ""),
    ("load balancer", obj("v1", "Service", {"type": "LoadBalancer"}, ADDRESS), H, ""),
    ("load balancer without address", obj("v1", "Service", {"type": "LoadBalancer"}, {}), P, ""),
    (
        "load balancer with an empty list",
        obj("v1", "Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": []}}),
        P,
        "",
    ),
    (
        "a knative Service is another kind",
        obj("serving.knative.dev/v1", "Service", {}, {}),
        P,
        "Waiting for Service to be reconciled",
    ),
    ("ingress", obj("networking.k8s.io/v1", "Ingress", {}, ADDRESS), H, ""),
    ("ingress without address", obj("networking.k8s.io/v1", "Ingress", {}, {}), P, ""),
    ("old ingress", obj("extensions/v1beta1", "Ingress", {}, ADDRESS), H, ""),
    (
        "address is a text",
        obj("networking.k8s.io/v1", "Ingress", {}, {"loadBalancer": {"ingress": "x"}}),
        P,
        "",
    ),
    ("claim bound", claim("Bound"), H, ""),
    ("claim lost", claim("Lost"), D, ""),
    ("claim without a consumer", claim("Pending"), H, "Waiting for consumer"),
    ("claim being provisioned", PROVISIONING, P, "Provisioning volume"),
    ("claim without a phase", claim(""), U, ""),
]


def scaler(*found: Json) -> Json:
    return obj("autoscaling/v2", "HorizontalPodAutoscaler", {}, having(*found))


def scaler_v1(annotation: str | None) -> Json:
    annotations = (
        {} if annotation is None else {"autoscaling.alpha.kubernetes.io/conditions": annotation}
    )
    return obj("autoscaling/v1", "HorizontalPodAutoscaler", {}, {}, annotations=annotations)


def as_text(*found: Json) -> str:
    return orjson.dumps(list(found)).decode()


WAITS = "Waiting to Autoscale"
ABLE = condition("AbleToScale", "True", "SucceededGetScale", "got scale")
NOT_JSON = "The annotation autoscaling.alpha.kubernetes.io/conditions is not JSON"
NO_LIST = "The annotation autoscaling.alpha.kubernetes.io/conditions is not a list"
SCALERS = [
    ("nothing known", scaler(), P, WAITS),
    ("able", scaler(ABLE), H, "got scale"),
    ("limited", scaler(condition("ScalingLimited", "True", "TooFewReplicas", "min")), H, "min"),
    ("neither", scaler(condition("AbleToScale", "False", "BackoffBoth")), P, WAITS),
    ("disabled", scaler(condition("ScalingActive", "False", "ScalingDisabled")), P, WAITS),
    (
        "no scale",
        scaler(condition("AbleToScale", "False", "FailedGetScale", "no target")),
        D,
        "no target",
    ),
    ("no update", scaler(condition("AbleToScale", "False", "FailedUpdateScale", "no")), D, "no"),
    (
        "able, but blind",
        scaler(ABLE, condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics")),
        D,
        "no metrics",
    ),
    (
        "selector",
        scaler(ABLE, condition("ScalingActive", "False", "InvalidSelector", "sel")),
        D,
        "sel",
    ),
    (
        "external",
        scaler(ABLE, condition("ScalingActive", "False", "FailedGetExternalMetric", "e")),
        D,
        "e",
    ),
    (
        "beta",
        obj("autoscaling/v2beta2", "HorizontalPodAutoscaler", {}, having(ABLE)),
        H,
        "got scale",
    ),
    ("v1 without annotation", scaler_v1(None), P, WAITS),
    ("v1 with no conditions", scaler_v1("[]"), P, WAITS),
    ("v1 able", scaler_v1(as_text(ABLE)), H, "got scale"),
    (
        "v1 failing",
        scaler_v1(as_text(condition("AbleToScale", "False", "FailedGetScale", "x"))),
        D,
        "x",
    ),
    ("v1 not JSON", scaler_v1("{"), U, NOT_JSON),
    ("v1 not a list", scaler_v1("{}"), U, NO_LIST),
    ("v1 list of nonsense", scaler_v1("[1, null]"), P, WAITS),
]


def crd(*found: Json) -> Json:
    return obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, having(*found))


def api(*found: Json) -> Json:
    return obj("apiregistration.k8s.io/v1", "APIService", {}, having(*found))


def workflow(phase: str) -> Json:
    return obj("argoproj.io/v1alpha1", "Workflow", {}, {"phase": phase, "message": "m"})


def application(status: Any) -> Json:
    return obj("argoproj.io/v1alpha1", "Application", {}, status)


ESTABLISHED = condition("Established")
ACCEPTED = condition("NamesAccepted")
PLATFORM = [
    ("crd: new", crd(), P, "Status conditions not found"),
    ("crd: in use", crd(ACCEPTED, ESTABLISHED), H, "CRD is healthy"),
    (
        "crd: name taken",
        crd(condition("NamesAccepted", "False", message="taken"), ESTABLISHED),
        D,
        "CRD names have not been accepted: taken",
    ),
    (
        "crd: not established",
        crd(ACCEPTED, condition("Established", "False", message="installing")),
        D,
        "CRD is not established: installing",
    ),
    ("crd: established unknown", crd(ACCEPTED), D, "CRD is not established: "),
    (
        "crd: going",
        crd(ACCEPTED, ESTABLISHED, condition("Terminating", message="instances remain")),
        P,
        "CRD is being terminated: instances remain",
    ),
    (
        "crd: no structural schema",
        crd(ACCEPTED, ESTABLISHED, condition("NonStructuralSchema", message="x")),
        D,
        "Schema violations found: x",
    ),
    ("api: new", api(), P, "Waiting to be processed"),
    ("api: there", api(condition("Available", reason="Passed", message="ok")), H, "Passed: ok"),
    (
        "api: not there",
        api(condition("Available", "False", "Missing", "no pods")),
        P,
        "Missing: no pods",
    ),
    ("workflow: new", workflow(""), P, "m"),
    ("workflow: pending", workflow("Pending"), P, "m"),
    ("workflow: running", workflow("Running"), P, "m"),
    ("workflow: succeeded", workflow("Succeeded"), H, "m"),
    ("workflow: failed", workflow("Failed"), D, "m"),
    ("workflow: error", workflow("Error"), D, "m"),
    ("workflow: strange", workflow("Dancing"), U, "m"),
    ("application: new", application({}), P, "Waiting for application to be reconciled"),
    (
        "application: degraded",
        application({"health": {"status": "Degraded", "message": "x"}}),
        D,
        "x",
    ),
    ("application: suspended", application({"health": {"status": "Suspended"}}), S, ""),
    (
        "application: nonsense",
        application({"health": {"status": "Fine"}}),
        P,
        "Waiting for application to be reconciled",
    ),
    ("namespace: active", obj("v1", "Namespace", {}, {"phase": "Active"}), None, ""),
    (
        "namespace: going",
        obj("v1", "Namespace", {}, {"phase": "Terminating"}),
        P,
        "Namespace is terminating",
    ),
    (
        "namespace: held",
        obj(
            "v1",
            "Namespace",
            {},
            {
                "phase": "Terminating",
                **having(condition("NamespaceFinalizersRemaining", message="pvc held")),
            },
        ),
        P,
        "pvc held",
    ),
]


def custom(*found: Json, generation: Any = None, observed: Any = None) -> Json:
    status: Json = having(*found)
    if observed is not None:
        status["observedGeneration"] = observed
    extra = {} if generation is None else {"generation": generation}
    return obj("db.example/v1", "Database", {}, status, **extra)


def seen(entry: Json, generation: Any) -> Json:
    return {**entry, "observedGeneration": generation}


BEHIND = "Database generation is 2, but latest observed generation is 1"
CUSTOM = [
    ("no status", obj("db.example/v1", "Database"), None, ""),
    ("no conditions", custom(), None, ""),
    ("conditions of its own", custom(condition("Backup", "False")), None, ""),
    ("ready", custom(condition("Ready", message="up")), H, "up"),
    ("not ready", custom(condition("Ready", "False", message="starting")), P, "starting"),
    ("ready unknown", custom(condition("Ready", "Unknown", message="?")), P, "?"),
    ("reconciling", custom(condition("Ready"), condition("Reconciling", message="r")), P, "r"),
    ("done reconciling", custom(condition("Reconciling", "False"), condition("Ready")), H, ""),
    ("stalled", custom(condition("Ready", "False"), condition("Stalled", message="s")), D, "s"),
    (
        "stalled outweighs reconciling",
        custom(condition("Reconciling"), condition("Stalled", message="s")),
        D,
        "s",
    ),
    ("degraded", custom(condition("Ready"), condition("Degraded", message="d")), D, "d"),
    ("no longer degraded", custom(condition("Ready"), condition("Degraded", "False")), H, ""),
    ("only: not stalled", custom(condition("Stalled", "False")), H, ""),
    ("available", custom(condition("Available", message="a")), H, "a"),
    ("not available", custom(condition("Available", "False", message="n")), P, "n"),
    (
        "available, progressing",
        custom(condition("Available"), condition("Progressing", message="p")),
        P,
        "p",
    ),
    (
        "available, rolled out",
        custom(condition("Available"), condition("Progressing", reason="NewReplicaSetAvailable")),
        H,
        "",
    ),
    ("ready outweighs progressing", custom(condition("Ready"), condition("Progressing")), H, ""),
    (
        "the first of two",
        custom(condition("Ready", "False", message="1"), condition("Ready")),
        P,
        "1",
    ),
    ("generation behind", custom(condition("Ready"), generation=2, observed=1), P, BEHIND),
    ("generation seen", custom(condition("Ready"), generation=2, observed=2), H, ""),
    ("generation as text", custom(condition("Ready"), generation="2", observed=1), H, ""),
    (
        "a stale condition says nothing",
        custom(seen(condition("Ready"), 1), generation=2),
        P,
        "Waiting for conditions to be updated",
    ),
    (
        "stale and fresh",
        custom(seen(condition("Degraded"), 1), seen(condition("Ready"), 2), generation=2),
        H,
        "",
    ),
    ("not an object", obj("db.example/v1", "Database", {}, "fine"), None, ""),
    ("config map", obj("v1", "ConfigMap"), None, ""),
]

GOING = {"deletionTimestamp": "2024-01-01T00:00:00Z"}
DELETION = [
    ("any kind", obj("v1", "ConfigMap", **GOING), P, "Pending deletion"),
    (
        "a ready pod",
        {**pod("Always", "Running", **READY), "metadata": GOING},
        P,
        "Pending deletion",
    ),
    (
        "a deleted namespace",
        obj("v1", "Namespace", {}, {"phase": "Terminating"}, **GOING),
        P,
        "Pending deletion",
    ),
    (
        "a hook that is cleaned up keeps its verdict",
        {
            **job(condition("Complete", message="ok")),
            "metadata": {**GOING, "finalizers": ["argocd.argoproj.io/hook-finalizer"]},
        },
        H,
        "ok",
    ),
    ("a time that is no text", obj("v1", "ConfigMap", deletionTimestamp=1), None, ""),
]

TABLES: dict[str, list[Any]] = {
    "pod": PODS,
    "job": JOBS,
    "cron": CRON_JOBS,
    "access": ACCESS,
    "scaler": SCALERS,
    "platform": PLATFORM,
    "custom": CUSTOM,
    "deletion": DELETION,
}
CASES = [
    pytest.param(row[1], row[2], row[3], id=f"{table}: {row[0]}")
    for table, rows in TABLES.items()
    for row in rows
]


@pytest.mark.parametrize(("found", "status", "message"), CASES)
def test_kind(found: Json, status: HealthStatus | None, message: str) -> None:
    assert assess(found) == (None if status is None else Health(status, message))
