"""Deployment, ReplicaSet, StatefulSet, DaemonSet, and the budget that guards their Pods.

Source of rules and messages: Argo CD, gitops-engine ``pkg/health``, which follows
``kubectl rollout status``; for PodDisruptionBudget its bundled health rule.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.reading import at, condition, conditions, integer, maybe_integer, name_of, text
from fleet.health.verdicts import degraded, healthy, progressing, suspended
from fleet.model.health import Health
from fleet.model.objects import Manifest


def _is_unobserved(obj: Manifest) -> bool:
    return integer(obj, "metadata", "generation") > integer(obj, "status", "observedGeneration")


def _rollout(message: str) -> Health:
    return progressing(f"Waiting for rollout to finish: {message}")


def deployment(obj: Manifest) -> Health:
    spec, status = obj.get("spec"), obj.get("status")
    if isinstance(spec, dict) and spec.get("paused") is True:
        return suspended("Deployment is paused")
    if _is_unobserved(obj):
        return _rollout("observed deployment generation less than desired generation")
    rollout = condition(obj, "Progressing")
    if rollout and rollout.reason == "ProgressDeadlineExceeded":
        return degraded(f'Deployment "{name_of(obj)}" exceeded its progress deadline')
    wanted = maybe_integer(spec, "replicas")
    replicas = integer(status, "replicas")
    updated = integer(status, "updatedReplicas")
    available = integer(status, "availableReplicas")
    if wanted is not None and updated < wanted:
        return _rollout(f"{updated} out of {wanted} new replicas have been updated...")
    if replicas > updated:
        return _rollout(f"{replicas - updated} old replicas are pending termination...")
    if available < updated:
        return _rollout(f"{available} of {updated} updated replicas are available...")
    return healthy()


def replica_set(obj: Manifest) -> Health:
    if _is_unobserved(obj):
        return _rollout("observed replica set generation less than desired generation")
    failure = condition(obj, "ReplicaFailure")
    if failure and failure.is_true:
        return degraded(failure.message)
    wanted = maybe_integer(obj, "spec", "replicas")
    available = integer(obj, "status", "availableReplicas")
    if wanted is not None and available < wanted:
        return _rollout(f"{available} out of {wanted} new replicas are available...")
    return healthy()


def stateful_set(obj: Manifest) -> Health:
    spec, status = obj.get("spec"), obj.get("status")
    if not integer(status, "observedGeneration") or _is_unobserved(obj):
        return progressing("Waiting for statefulset spec update to be observed...")
    wanted = maybe_integer(spec, "replicas")
    ready = integer(status, "readyReplicas")
    if wanted is not None and ready < wanted:
        return progressing(f"Waiting for {wanted - ready} pods to be ready...")
    strategy = text(spec, "updateStrategy", "type")
    rolling = at(spec, "updateStrategy", "rollingUpdate")
    updated = integer(status, "updatedReplicas")
    if strategy == "RollingUpdate" and isinstance(rolling, Mapping):
        return _partitioned(updated, wanted, maybe_integer(rolling, "partition"))
    if strategy == "OnDelete":
        return healthy(f"statefulset has {ready} ready pods")
    current_revision = text(status, "currentRevision")
    update_revision = text(status, "updateRevision")
    if update_revision != current_revision:
        return progressing(
            f"waiting for statefulset rolling update to complete {updated} pods"
            f" at revision {update_revision}..."
        )
    current = integer(status, "currentReplicas")
    return healthy(
        f"statefulset rolling update complete {current} pods at revision {current_revision}..."
    )


def _partitioned(updated: int, wanted: int | None, partition: int | None) -> Health:
    if wanted is not None and partition is not None and updated < wanted - partition:
        return progressing(
            f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition}"
            " new pods have been updated..."
        )
    return healthy(f"partitioned roll out complete: {updated} new pods have been updated...")


def daemon_set(obj: Manifest) -> Health:
    spec, status = obj.get("spec"), obj.get("status")
    if _is_unobserved(obj):
        return _rollout("observed daemon set generation less than desired generation")
    wanted = integer(status, "desiredNumberScheduled")
    updated = integer(status, "updatedNumberScheduled")
    available = integer(status, "numberAvailable")
    if text(spec, "updateStrategy", "type") == "OnDelete":
        return healthy(f"daemon set {updated} out of {wanted} new pods have been updated")
    waiting = f'Waiting for daemon set "{name_of(obj)}" rollout to finish'
    if updated < wanted:
        return progressing(f"{waiting}: {updated} out of {wanted} new pods have been updated...")
    if available < wanted:
        return progressing(f"{waiting}: {available} of {wanted} updated pods are available...")
    return healthy()


def pod_disruption_budget(obj: Manifest) -> Health:
    found = list(conditions(obj))
    if not found:
        return progressing("Waiting for status")
    for entry in found:
        # Too few Pods is how a budget looks that does its work; anything else is a fault.
        if entry.is_false and entry.reason != "InsufficientPods":
            return degraded(f"PodDisruptionBudget has {entry.reason}")
    return healthy(f"PodDisruptionBudget has {found[-1].reason}")
