"""One object → its health, by a table from kind to rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleet.health.conditions import by_conditions
from fleet.health.jobs import cron_job, job, workflow
from fleet.health.operators import rule_of
from fleet.health.platform import (
    api_service,
    application,
    custom_resource_definition,
    namespace,
)
from fleet.health.pods import pod
from fleet.health.reading import at, text
from fleet.health.services import (
    horizontal_pod_autoscaler,
    ingress,
    persistent_volume_claim,
    service,
)
from fleet.health.verdicts import progressing
from fleet.health.workloads import (
    daemon_set,
    deployment,
    pod_disruption_budget,
    replica_set,
    stateful_set,
)
from fleet.model.health import Health
from fleet.model.objects import HOOK_FINALIZER, GroupKind, Manifest, group_kind_of

#: All versions of a kind share its rule: the fields read here are the same in all of them.
_RULES: Mapping[GroupKind, Callable[[Manifest], Health | None]] = {
    GroupKind("", "Namespace"): namespace,
    GroupKind("", "PersistentVolumeClaim"): persistent_volume_claim,
    GroupKind("", "Pod"): pod,
    GroupKind("", "Service"): service,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
    GroupKind("apiregistration.k8s.io", "APIService"): api_service,
    GroupKind("apps", "DaemonSet"): daemon_set,
    GroupKind("apps", "Deployment"): deployment,
    GroupKind("apps", "ReplicaSet"): replica_set,
    GroupKind("apps", "StatefulSet"): stateful_set,
    GroupKind("argoproj.io", "Application"): application,
    GroupKind("argoproj.io", "Workflow"): workflow,
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): horizontal_pod_autoscaler,
    GroupKind("batch", "CronJob"): cron_job,
    GroupKind("batch", "Job"): job,
    GroupKind("extensions", "Ingress"): ingress,
    GroupKind("networking.k8s.io", "Ingress"): ingress,
    GroupKind("policy", "PodDisruptionBudget"): pod_disruption_budget,
}


def assess(obj: Manifest) -> Health | None:
    """The health of a live object; None where its kind has none. Never raises.

    No rule depends on the time: an unchanged object keeps its verdict and its message, so
    that nothing is written for it.
    """
    if is_going(obj):
        return progressing("Pending deletion")
    kind = group_kind_of(obj)
    rule = _RULES.get(kind) or rule_of(kind) or by_conditions
    return rule(obj)


def is_going(obj: Manifest) -> bool:
    """Whether it is being deleted, and not a hook that is cleaned up."""
    if not text(obj, "metadata", "deletionTimestamp"):
        return False
    finalizers = at(obj, "metadata", "finalizers")
    return not (isinstance(finalizers, list) and HOOK_FINALIZER in finalizers)
