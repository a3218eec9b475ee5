"""Argo, Flux, Flagger, Tekton, Knative, Kargo, OLM: what delivers other things."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words
from fleet.model.health import HealthStatus

_RUN = words(
    healthy=("Successful",),
    progressing=("Pending", "Running"),
    degraded=("Failed", "Error"),
    suspended=("Inconclusive",),
)
#: Every condition of the kinds of Argo Events and Knative is one that has to be true.
_FLUX = Rule(
    suspended=("spec.suspend",),
    failing=("Stalled",),
    doing=("Reconciling",),
    wanted=("Ready",),
    pending=frozenset({"Progressing", "ProgressingWithRetry", "DependencyNotReady"}),
)
#: Flux's static objects (a registry as a HelmRepository, alerts and providers) have no status.
_FLUX_OR_STATIC = Rule(
    suspended=("spec.suspend",),
    failing=("Stalled",),
    doing=("Reconciling",),
    wanted=("Ready",),
    absent=HealthStatus.HEALTHY,
)
_KNATIVE = Rule(wanted=("Ready",))
_TEKTON_RUN = Rule(wanted=("Succeeded",))
_READY = Rule(wanted=("Ready",))

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "argoproj.io": {
        "AnalysisRun": Rule(said=(_RUN,)),
        "ApplicationSet": Rule(
            failing=("ErrorOccurred",), wanted=("ResourcesUpToDate",), pending=frozenset({"*"})
        ),
        "CronWorkflow": Rule(
            suspended=("spec.suspend",),
            failing=("SubmissionError", "SpecError"),
            absent=HealthStatus.HEALTHY,
        ),
        "EventBus": Rule(wanted=("Deployed", "Configured")),
        "EventSource": Rule(wanted=("SourcesProvided", "Deployed")),
        "Experiment": Rule(said=(_RUN,)),
        "Rollout": Rule(
            suspended=("spec.paused",),
            failing=("InvalidSpec",),
            said=(
                words(
                    healthy=("Healthy",),
                    progressing=("Progressing",),
                    degraded=("Degraded",),
                    suspended=("Paused",),
                ),
            ),
        ),
        "Sensor": Rule(wanted=("DependenciesProvided", "TriggersProvided", "Deployed")),
    },
    "promoter.argoproj.io": {"*": _READY},
    "numaflow.numaproj.io": {
        "*": Rule(
            said=(
                words(
                    healthy=("Running", "Succeeded"),
                    progressing=("Pending", "Unknown", "Deleting", "Pausing"),
                    degraded=("Failed",),
                    suspended=("Paused",),
                ),
            ),
        ),
    },
    "kargo.akuity.io": {
        "Promotion": Rule(
            said=(
                words(
                    healthy=("Succeeded",),
                    progressing=("Pending", "Running"),
                    degraded=("Failed", "Errored", "Aborted"),
                ),
            )
        ),
        "Stage": Rule(wanted=("Ready",), pending=frozenset({"*"})),
        "Warehouse": Rule(doing=("Reconciling",), wanted=("Ready",)),
    },
    "kustomize.toolkit.fluxcd.io": {"Kustomization": _FLUX},
    "helm.toolkit.fluxcd.io": {"HelmRelease": _FLUX},
    "source.toolkit.fluxcd.io": {"HelmRepository": _FLUX_OR_STATIC, "*": _FLUX},
    "image.toolkit.fluxcd.io": {"*": _FLUX},
    "notification.toolkit.fluxcd.io": {"Receiver": _FLUX, "*": _FLUX_OR_STATIC},
    "source.extensions.fluxcd.io": {"*": _FLUX},
    "fluxcd.controlplane.io": {
        "*": Rule(doing=("Reconciling",), failing=("Stalled",), wanted=("Ready",))
    },
    "infra.contrib.fluxcd.io": {"Terraform": _FLUX},
    "flagger.app": {
        "Canary": Rule(
            suspended=("spec.suspend",),
            said=(
                words(
                    healthy=("Initialized", "Succeeded"),
                    progressing=(
                        "Initializing",
                        "Waiting",
                        "Progressing",
                        "Promoting",
                        "Finalising",
                    ),
                    degraded=("Failed",),
                    suspended=("WaitingPromotion",),
                    message="status.failedReason",
                ),
            ),
        ),
    },
    "tekton.dev": {
        "CustomRun": _TEKTON_RUN,
        "PipelineRun": _TEKTON_RUN,
        "TaskRun": _TEKTON_RUN,
    },
    "operator.tekton.dev": {"*": _READY},
    ".knative.dev": {"*": _KNATIVE},
    "operators.coreos.com": {
        "CatalogSource": Rule(
            said=(
                words(
                    path="status.connectionState.lastObservedState",
                    healthy=("READY",),
                    progressing=("CONNECTING", "IDLE"),
                    degraded=("TRANSIENT_FAILURE", "SHUTDOWN"),
                ),
            ),
        ),
        "ClusterServiceVersion": Rule(
            said=(
                words(
                    healthy=("Succeeded",),
                    progressing=("Pending", "InstallReady", "Installing", "Replacing", "Deleting"),
                    degraded=("Failed",),
                ),
            ),
        ),
        "InstallPlan": Rule(
            said=(
                words(
                    healthy=("Complete",),
                    progressing=("Planning", "Installing"),
                    degraded=("Failed",),
                    suspended=("RequiresApproval",),
                ),
            ),
        ),
        "OperatorCondition": Rule(wanted=("Upgradeable",), absent=None),
        "Subscription": Rule(
            failing=("CatalogSourcesUnhealthy", "InstallPlanFailed", "ResolutionFailed"),
            said=(
                words(
                    path="status.state",
                    healthy=("AtLatestKnown",),
                    progressing=("UpgradeAvailable", "UpgradePending"),
                    degraded=("UpgradeFailed",),
                ),
            ),
        ),
    },
    "olm.operatorframework.io": {
        "ClusterCatalog": Rule(wanted=("Serving",), pending=frozenset({"*"})),
        "ClusterExtension": Rule(
            failing=("Degraded",), wanted=("Installed",), pending=frozenset({"*"})
        ),
    },
    "helm.cattle.io": {
        "HelmChart": Rule(
            failing=("Failed",), wanted=("JobCreated",), absent=HealthStatus.PROGRESSING
        ),
    },
    "app.terraform.io": {
        "*": Rule(
            said=(
                words(
                    path="status.runStatus.status",
                    healthy=("applied", "planned_and_finished"),
                    degraded=("errored", "canceled", "discarded", "force_canceled"),
                    suspended=("planned", "cost_estimated", "policy_checked", "policy_override"),
                ),
            ),
            wanted=("Ready",),
            absent=HealthStatus.HEALTHY,
        ),
    },
    "pulumi.com": {
        "Stack": Rule(failing=("Stalled",), doing=("Reconciling",), wanted=("Ready",)),
    },
}
