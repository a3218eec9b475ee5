"""Autoscalers, batch systems, machine learning, virtual machines and OpenShift's workloads."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, first_of, words
from fleet.model.health import HealthStatus

_ANY = frozenset({"*"})
_KEDA = Rule(held=("Paused",), wanted=("Ready",))
#: A training job that runs is what it was made for: nobody waits for its end.
_TRAINING_JOB = first_of(
    Rule(failing=("Failed",), held=("Suspended",), wanted=("Succeeded",), absent=None),
    Rule(wanted=("Running",), pending=_ANY),
)
_SERVED_MODEL = Rule(wanted=("Ready",), pending=_ANY)
_OPERATOR = Rule(failing=("Degraded",), doing=("Progressing",), wanted=("Available",))

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "keda.sh": {
        "ScaledJob": _KEDA,
        "ScaledObject": _KEDA,
        "*": Rule(absent=None),
    },
    "http.keda.sh": {"HTTPScaledObject": Rule(wanted=("Ready",))},
    "apps.openshift.io": {
        "DeploymentConfig": Rule(
            suspended=("spec.paused",),
            wanted=("Available", "Progressing"),
            pending=frozenset({"FoundNewReplicationController", "NewReplicationControllerCreated"}),
        ),
    },
    "build.openshift.io": {
        "Build": Rule(
            said=(
                words(
                    healthy=("Complete",),
                    progressing=("New", "Pending", "Running"),
                    degraded=("Failed", "Error", "Cancelled"),
                ),
            ),
        ),
        "BuildConfig": Rule(absent=None),
    },
    "template.openshift.io": {
        "TemplateInstance": Rule(failing=("InstantiateFailure",), wanted=("Ready",), pending=_ANY),
    },
    "config.openshift.io": {
        "ClusterOperator": _OPERATOR,
        "ClusterVersion": Rule(failing=("Failing",), doing=("Progressing",), wanted=("Available",)),
        "*": Rule(absent=None),
    },
    "machineconfiguration.openshift.io": {
        "MachineConfigPool": Rule(
            suspended=("spec.paused",),
            failing=("Degraded",),
            doing=("Updating",),
            wanted=("Updated",),
            pending=_ANY,
        ),
        "*": Rule(absent=None),
    },
    "kubevirt.io": {
        "KubeVirt": _OPERATOR,
        "VirtualMachine": Rule(
            held=("Paused",),
            failing=("Failure",),
            said=(
                words(
                    path="status.printableStatus",
                    healthy=("Running",),
                    degraded=(
                        "CrashLoopBackOff",
                        "DataVolumeError",
                        "ErrImagePull",
                        "ErrorDataVolumeNotFound",
                        "ErrorPvcNotFound",
                        "ErrorUnschedulable",
                        "ImagePullBackOff",
                        "Unschedulable",
                    ),
                    suspended=("Paused", "Stopped"),
                ),
            ),
        ),
        "VirtualMachineInstance": Rule(
            held=("Paused",),
            said=(words(degraded=("Failed",), healthy=("Succeeded",)),),
            otherwise=None,
            wanted=("Ready",),
            pending=_ANY,
        ),
        "*": Rule(absent=None),
    },
    "ray.io": {
        "RayCluster": Rule(
            suspended=("spec.suspend",),
            said=(
                words(
                    path="status.state",
                    healthy=("ready",),
                    degraded=("failed",),
                    suspended=("suspended",),
                    message="status.reason",
                ),
            ),
        ),
        "RayJob": Rule(
            suspended=("spec.suspend",),
            said=(
                words(
                    path="status.jobDeploymentStatus",
                    healthy=("Complete", "Running"),
                    degraded=("Failed", "ValidationFailed"),
                    suspended=("Suspended", "Suspending"),
                ),
            ),
        ),
        "RayService": Rule(
            said=(words(path="status.serviceStatus", healthy=("Running",)),),
            wanted=("Ready",),
            pending=_ANY,
        ),
    },
    "jobset.x-k8s.io": {
        "JobSet": Rule(
            suspended=("spec.suspend",),
            failing=("Failed",),
            held=("Suspended",),
            wanted=("Completed",),
            pending=_ANY,
        ),
    },
    "kueue.x-k8s.io": {
        "AdmissionCheck": Rule(wanted=("Active",)),
        "ClusterQueue": Rule(wanted=("Active",)),
        "LocalQueue": Rule(wanted=("Active",)),
        "*": Rule(absent=None),
    },
    "leaderworkerset.x-k8s.io": {
        "LeaderWorkerSet": Rule(doing=("Progressing",), wanted=("Available",), pending=_ANY),
    },
    "kubeflow.org": {
        "Notebook": Rule(wanted=("Ready",), pending=_ANY),
        "Profile": Rule(failing=("Failed",), absent=HealthStatus.HEALTHY),
        "*": _TRAINING_JOB,
    },
    "trainer.kubeflow.org": {
        "TrainJob": Rule(
            suspended=("spec.suspend",),
            failing=("Failed",),
            held=("Suspended",),
            wanted=("Complete",),
            pending=_ANY,
        ),
    },
    "serving.kserve.io": {"*": _SERVED_MODEL},
    "machinelearning.seldon.io": {
        "SeldonDeployment": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Available",),
                    progressing=("Creating",),
                    degraded=("Failed",),
                    message="status.description",
                ),
            ),
        ),
    },
    "batch.volcano.sh": {
        "Job": Rule(
            said=(
                words(
                    path="status.state.phase",
                    healthy=("Completed", "Running"),
                    degraded=("Failed", "Aborted", "Terminated"),
                    message="status.state.message",
                ),
            ),
        ),
    },
    "scheduling.volcano.sh": {
        "Queue": Rule(said=(words(path="status.state", healthy=("Open",), suspended=("Closed",)),)),
        "*": Rule(absent=None),
    },
    "apps.kruise.io": {
        "BroadcastJob": Rule(
            suspended=("spec.paused",),
            said=(
                words(
                    healthy=("completed",),
                    progressing=("running",),
                    degraded=("failed",),
                    suspended=("paused",),
                ),
            ),
        ),
        "CloneSet": Rule(
            suspended=("spec.updateStrategy.paused",),
            failing=("FailedScale", "FailedUpdate"),
            absent=HealthStatus.HEALTHY,
        ),
    },
    "rollouts.kruise.io": {
        "Rollout": Rule(
            suspended=("spec.strategy.paused", "spec.disabled"),
            said=(words(healthy=("Healthy",), suspended=("Disabled",)),),
        ),
    },
    "core.oam.dev": {
        "Application": Rule(
            said=(
                words(
                    path="status.status",
                    healthy=("running",),
                    degraded=("workflowFailed", "unhealthy"),
                    suspended=("workflowSuspending", "workflowTerminated"),
                ),
            ),
        ),
        "*": Rule(absent=None),
    },
    "camel.apache.org": {
        "Build": Rule(said=(words(healthy=("Succeeded",), degraded=("Failed", "Error")),)),
        "Integration": Rule(
            said=(words(healthy=("Running",), degraded=("Error",)),),
        ),
        "IntegrationKit": Rule(said=(words(healthy=("Ready",), degraded=("Error",)),)),
        "IntegrationPlatform": Rule(said=(words(healthy=("Ready",), degraded=("Error",)),)),
        "Pipe": Rule(said=(words(healthy=("Ready",), degraded=("Error",)),)),
    },
    "agones.dev": {
        "GameServer": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Ready", "Allocated", "Reserved"),
                    degraded=("Error", "Unhealthy"),
                ),
            ),
        ),
        "*": Rule(absent=None),
    },
    "chaos-mesh.org": {
        "*": Rule(held=("Paused",), wanted=("AllInjected",), pending=_ANY, absent=None)
    },
}
