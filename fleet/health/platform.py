"""What extends or divides the cluster: definitions, API services, namespaces, Applications.

Source of rules and messages: Argo CD, gitops-engine ``pkg/health``; for Applications the
rule that its documentation gives for apps of apps.
"""

from __future__ import annotations

from fleet.health.reading import condition, text
from fleet.health.verdicts import degraded, healthy, progressing
from fleet.model.health import Health, HealthStatus
from fleet.model.objects import Manifest

_STATUSES = {status.value: status for status in HealthStatus}


def custom_resource_definition(obj: Manifest) -> Health:
    terminating = condition(obj, "Terminating")
    accepted = condition(obj, "NamesAccepted")
    established = condition(obj, "Established")
    violations = condition(obj, "NonStructuralSchema")
    if not (terminating or accepted or established or violations):
        return progressing("Status conditions not found")
    if terminating and terminating.is_true:
        return progressing(f"CRD is being terminated: {terminating.message}")
    if accepted and accepted.is_false:
        return degraded(f"CRD names have not been accepted: {accepted.message}")
    if not (established and established.is_true):
        return degraded(f"CRD is not established: {established.message if established else ''}")
    if violations and violations.is_true:
        return degraded(f"Schema violations found: {violations.message}")
    return healthy("CRD is healthy")


def api_service(obj: Manifest) -> Health:
    available = condition(obj, "Available")
    if available is None:
        return progressing("Waiting to be processed")
    message = f"{available.reason}: {available.message}"
    return healthy(message) if available.is_true else progressing(message)


def namespace(obj: Manifest) -> Health | None:
    """A namespace has no health, until it goes away: then what keeps it is worth telling."""
    if text(obj, "status", "phase") != "Terminating":
        return None
    for held in ("NamespaceFinalizersRemaining", "NamespaceContentRemaining"):
        found = condition(obj, held)
        if found and found.is_true:
            return progressing(found.message)
    return progressing("Namespace is terminating")


def application(obj: Manifest) -> Health:
    """An Application that is a resource of another: whatever it says of itself."""
    status = _STATUSES.get(text(obj, "status", "health", "status"))
    if status is None:
        return progressing("Waiting for application to be reconciled")
    return Health(status, text(obj, "status", "health", "message"))
