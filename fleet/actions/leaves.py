"""Leaves of patches, and objects that actions make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from fleet.actions.offers import Leaf, Request, at
from fleet.model.objects import metadata_of

_NAME = 63
_STAMP = "%Y%m%d%H%M%S"


def now(request: Request) -> str:
    """RFC 3339 in UTC."""
    return request.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(request: Request) -> str:
    return str(int(request.now.timestamp()))


def parameter(name: str) -> Leaf:
    return lambda request: request.values[name]


def next_step(request: Request) -> int:
    index = at(request.obj, "status.currentStepIndex")
    return index + 1 if isinstance(index, int) and not isinstance(index, bool) else 1


def flipped_auto_sync(request: Request) -> bool:
    automated = at(request.obj, "spec.syncPolicy.automated")
    return not isinstance(automated, Mapping) or automated.get("enabled") is False


def issuing(request: Request) -> list[Any]:
    """cert-manager takes a Certificate for due when this condition is there."""
    found = at(request.obj, "status.conditions")
    others = [
        entry
        for entry in (found if isinstance(found, list) else [])
        if isinstance(entry, Mapping) and entry.get("type") != "Issuing"
    ]
    condition = {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered",
        "lastTransitionTime": now(request),
        "observedGeneration": metadata_of(request.obj).get("generation"),
    }
    return [*others, condition]


def job_of_cron_job(request: Request) -> Any:
    template = _mapping(at(request.obj, "spec.jobTemplate"))
    marks = {"cronjob.kubernetes.io/instantiate": "manual"}
    made = _made(request, "batch/v1", "Job", _mapping(template.get("metadata")), marks)
    return {**made, "spec": template.get("spec")}


def workflow_of_cron_workflow(request: Request) -> Any:
    name = metadata_of(request.obj).get("name")
    given = _mapping(at(request.obj, "spec.workflowMetadata"))
    labels = {**_mapping(given.get("labels")), "workflows.argoproj.io/cron-workflow": name}
    made = _made(request, "argoproj.io/v1alpha1", "Workflow", {**given, "labels": labels})
    return {**made, "spec": at(request.obj, "spec.workflowSpec")}


def workflow_of_template(request: Request) -> Any:
    name = metadata_of(request.obj).get("name")
    labels = {"workflows.argoproj.io/workflow-template": name}
    made = _made(request, "argoproj.io/v1alpha1", "Workflow", {"labels": labels}, owned=False)
    return {**made, "spec": {"workflowTemplateRef": {"name": name}}}


def backup_of_schedule(request: Request) -> Any:
    template = _mapping(at(request.obj, "spec.template"))
    name = metadata_of(request.obj).get("name")
    given = _mapping(template.get("metadata"))
    labels = {**_mapping(given.get("labels")), "velero.io/schedule-name": name}
    made = _made(request, "velero.io/v1", "Backup", {"labels": labels}, owned=False)
    return {**made, "spec": {key: value for key, value in template.items() if key != "metadata"}}


def _made(
    request: Request,
    api_version: str,
    kind: str,
    given: Mapping[str, Any],
    marks: Mapping[str, str] | None = None,
    *,
    owned: bool = True,
) -> dict[str, Any]:
    """An object beside the one that it is made from, named after it and the second."""
    source = metadata_of(request.obj)
    stamp = request.now.astimezone(UTC).strftime(_STAMP)
    name = str(source.get("name", ""))[: _NAME - len(stamp) - 1].rstrip("-.")
    metadata: dict[str, Any] = {
        "name": f"{name}-{stamp}",
        "namespace": source.get("namespace"),
        "labels": dict(_mapping(given.get("labels"))),
        "annotations": {**_mapping(given.get("annotations")), **(marks or {})},
    }
    if owned:
        owner = {"apiVersion": request.obj.get("apiVersion"), "kind": request.obj.get("kind")}
        owner |= {"name": source.get("name"), "uid": source.get("uid")}
        # without blockOwnerDeletion, which takes rights over the owner's finalizers
        metadata["ownerReferences"] = [{**owner, "controller": True}]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
