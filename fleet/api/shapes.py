"""Model values → the JSON that people see: Argo CD's shapes where it has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from fleet.model.applications import Application, ApplicationSummary, LiveResource
from fleet.model.health import Health
from fleet.model.holds import Holds, Stay
from fleet.model.hydration import HydrationPhase
from fleet.model.objects import GroupKind, ObjectRef
from fleet.model.operations import (
    Action,
    HistoryEntry,
    Operation,
    OperationKind,
    Outcome,
)
from fleet.model.windows import SyncWindow
from fleet.operations.windowing import WindowStanding

#: Names in ``operation.info`` that Fleet writes itself.
OWN_INFO = ("kind", "break-glass")
#: What happened to an object → what Argo CD calls it in ``syncResult.resources[].status``.
_RESULT_STATUS = {
    Action.CREATED: "Synced",
    Action.CONFIGURED: "Synced",
    Action.UNCHANGED: "Synced",
    Action.PRUNED: "Pruned",
    Action.SKIPPED: "PruneSkipped",
    Action.FAILED: "SyncFailed",
}


_NONE: Mapping[GroupKind, str] = MappingProxyType({})


def time_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with a Z, as Kubernetes writes times."""
    if moment is None:
        return None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def without_nothing(value: dict[str, Any]) -> dict[str, Any]:
    """Keys with None, "" or an empty collection left out, as Go's omitempty does."""
    return {k: v for k, v in value.items() if v not in (None, "", [], {}, ())}


def page(items: Iterable[dict[str, Any]], cursor: str) -> dict[str, Any]:
    """A page of a list; ``next`` is "" after the last."""
    return {"items": list(items), "next": cursor}


def application_document(app: Application, windows: WindowStanding | None) -> dict[str, Any]:
    """The Application as Argo CD would print it: the document word for word, and status."""
    summary = app.summary
    document = app.document.document
    metadata = {
        **document.get("metadata", {}),
        "uid": str(summary.id),
        "generation": app.generation,
        "creationTimestamp": time_text(summary.created_at),
    }
    status = _status(app)
    if windows is not None:
        status["syncWindow"] = window_standing_shape(windows)
    return {**document, "metadata": metadata, "status": status}


def _status(app: Application) -> dict[str, Any]:
    summary = app.summary
    sources = app.document.document.get("spec", {})
    revision = {"revisions": list(app.revisions)} if app.document.spec.multi_source else {}
    images = sorted({image for resource in app.resources for image in resource.images})
    return without_nothing(
        {
            "sync": without_nothing(
                {
                    "status": str(summary.sync),
                    "revision": summary.revision,
                    **revision,
                    "comparedTo": without_nothing(
                        {
                            "source": sources.get("source"),
                            "sources": sources.get("sources"),
                            "destination": sources.get("destination"),
                        }
                    ),
                }
            ),
            "health": without_nothing(
                {**health_shape(summary.health), "lastTransitionTime": time_text(app.health_since)}
            ),
            "operationState": operation_state(app.operation, _versions(app))
            if app.operation
            else None,
            "history": [history_shape(entry) for entry in app.history],
            "resources": [resource_shape(resource) for resource in app.resources],
            "conditions": [
                without_nothing(
                    {
                        "type": c.type,
                        "message": c.message,
                        "lastTransitionTime": time_text(c.last_transition_at),
                    }
                )
                for c in summary.conditions
            ],
            "summary": without_nothing({"images": images}),
            "holds": holds_shape(app.holds),
            "reconciledAt": time_text(app.reconciled_at),
            "staleSince": time_text(summary.stale_since),
            "sourceHydrator": hydration_shape(app.hydration),
            "pending": app.pending or None,
            "refreshing": app.refreshing or None,
        }
    )


def hydration_shape(hydration: Mapping[str, Any]) -> dict[str, Any]:
    """``status.sourceHydrator``, in Argo CD's words."""
    current = dict(hydration.get("current") or {})
    if hydration.get("asked"):
        current["phase"] = str(HydrationPhase.HYDRATING)  # it is about to be
    return without_nothing(
        {
            "currentOperation": current,
            "lastSuccessfulOperation": hydration.get("last"),
            "lastComparedDryRevision": hydration.get("tried"),
        }
    )


def holds_shape(holds: Holds) -> dict[str, Any]:
    """``status.holds``, which is ours: what people hold back, why, and until when."""
    paused = {str(switch): _stay_shape(stay) for switch, stay in sorted(holds.paused.items())}
    pin = holds.pin
    return without_nothing(
        {
            "paused": paused,
            "pin": None
            if pin is None
            else {"what": pin.what, "revision": pin.revision, **_stay_shape(pin.stay)},
        }
    )


def _stay_shape(stay: Stay) -> dict[str, Any]:
    return without_nothing({"by": stay.by, "reason": stay.reason, "until": time_text(stay.until)})


def window_standing_shape(standing: WindowStanding) -> dict[str, Any]:
    """``status.syncWindow``, which is ours; ``state`` in argocd's words."""
    verdict, window = standing.verdict, standing.verdict.window
    return {
        "state": _WINDOW_STATES[verdict.automated, verdict.manual],
        "automatedSync": verdict.automated,
        "manualSync": verdict.manual,
        **without_nothing(
            {
                "reason": standing.fault or verdict.reason,
                "window": None if window is None else window_shape(window),
                "changesAt": time_text(standing.changes_at),
                "assignedWindows": [
                    f"{it.kind}:{it.schedule}:{it.duration}" for it in standing.assigned
                ],
            }
        ),
    }


#: May Fleet, may people sync → what argocd calls it.
_WINDOW_STATES = {
    (True, True): "Sync Allowed",
    (False, True): "Manual Allowed",
    (False, False): "Sync Denied",
}


def window_shape(window: SyncWindow) -> dict[str, Any]:
    """One of ``spec.syncWindows`` with its number."""
    return {
        "id": window.id,
        "kind": str(window.kind),
        "schedule": window.schedule,
        "duration": window.duration,
        "timeZone": window.time_zone,
        **without_nothing(
            {
                "applications": list(window.applications),
                "namespaces": list(window.namespaces),
                "clusters": list(window.clusters),
                "andOperator": window.and_operator or None,
                "manualSync": window.manual_sync or None,
                "syncOverrun": window.sync_overrun or None,
                "description": window.description,
            }
        ),
    }


def health_shape(health: Health) -> dict[str, Any]:
    return without_nothing({"status": str(health.status), "message": health.message})


def resource_shape(resource: LiveResource) -> dict[str, Any]:
    """One of ``status.resources``; ``drift`` and ``message`` are ours. A hook is not compared,
    and has no ``status``."""
    ref = resource.ref
    return without_nothing(
        {
            "group": ref.group,
            "version": resource.version,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "status": None if resource.hook else str(resource.sync),
            "health": health_shape(resource.health) if resource.health else None,
            "syncWave": resource.wave,
            "hook": resource.hook or None,
            "requiresPruning": resource.requires_pruning or None,
            "message": resource.message,
            "drift": list(resource.drift),
        }
    )


def ref_shape(ref: ObjectRef) -> dict[str, Any]:
    """An object by its name alone."""
    return without_nothing(
        {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    )


def _versions(app: Application) -> dict[GroupKind, str]:
    """In which version each kind of the application's objects is asked for."""
    return {resource.ref.group_kind: resource.version for resource in app.resources}


def operation_state(
    operation: Operation, versions: Mapping[GroupKind, str] = _NONE
) -> dict[str, Any]:
    """Argo CD's ``operationState``. It has no operations but syncs: that it is a rollback or
    a deletion is said in ``info``.

    Args:
        versions: of the objects in the results; those of other kinds come without one.
    """
    return without_nothing(
        {
            "operation": without_nothing(
                {
                    "initiatedBy": _initiated_by(operation.initiated_by),
                    "info": _info(operation),
                }
            )
            | {"sync": _asked(operation)},
            "phase": str(operation.phase),
            "message": operation.message,
            "startedAt": time_text(operation.started_at),
            "finishedAt": time_text(operation.finished_at),
            "retryCount": max(operation.attempt - 1, 0) or None,
            "syncResult": without_nothing(
                {
                    **sources_shape(operation.revision, operation.sources),
                    "resources": [
                        outcome_shape(outcome, versions.get(outcome.ref.group_kind, ""))
                        for outcome in operation.outcomes
                    ],
                }
            ),
        }
    )


def _info(operation: Operation) -> list[dict[str, str]]:
    kind = "" if operation.kind is OperationKind.SYNC else str(operation.kind)
    said = dict(zip(OWN_INFO, (kind, operation.options.break_glass), strict=True))
    pairs = [*((name, value) for name, value in said.items() if value), *operation.options.info]
    return [{"name": name, "value": value} for name, value in pairs]


def _asked(operation: Operation) -> dict[str, Any]:
    """Argo CD's ``operation.sync``."""
    options = operation.options
    return without_nothing(
        {
            "revision": operation.revision,
            "prune": options.prune or None,
            "dryRun": options.dry_run or None,
            "syncStrategy": {"apply": {}} if options.hookless else None,
            "syncOptions": list(options.sync_options),
            "resources": [
                without_nothing(
                    {
                        "group": ref.group,
                        "kind": ref.kind,
                        "namespace": ref.namespace,
                        "name": ref.name,
                    }
                )
                for ref in options.resources
            ],
        }
    )


def sources_shape(revision: str, sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was applied and from where: ``source`` of one, ``sources`` and ``revisions`` of
    several, as Argo CD has it."""
    plain = [without_nothing({**source, "revision": None}) for source in sources]
    if len(plain) == 1:
        return {"revision": revision, "source": plain[0]}
    revisions = [source.get("revision", "") for source in sources]
    return {"revision": revision, "revisions": revisions, "sources": plain}


def _initiated_by(name: str) -> dict[str, Any]:
    return {"automated": True} if name.startswith("fleet:") else {"username": name}


def outcome_shape(outcome: Outcome, version: str = "") -> dict[str, Any]:
    """One of ``syncResult.resources``; ``action`` and ``error`` are ours."""
    ref, done = outcome.ref, outcome.action
    return without_nothing(
        {
            "group": ref.group,
            "version": version,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "status": _RESULT_STATUS.get(done) if done else None,
            "action": str(done) if done else None,
            "message": outcome.message,
            "error": outcome.error,
            "syncPhase": str(outcome.phase),
            "hookType": str(outcome.phase) if outcome.hook is not None else None,
            "hookPhase": _hook_phase(outcome),
        }
    )


def _hook_phase(outcome: Outcome) -> str:
    """Argo CD says of every object, hook or not, how far it is."""
    if outcome.hook is not None:
        return str(outcome.hook)
    if outcome.action is None:
        return "Running"
    return "Failed" if outcome.has_failed else "Succeeded"


def history_shape(entry: HistoryEntry) -> dict[str, Any]:
    """One of ``status.history``; the hash names the stored manifests that a rollback applies."""
    return without_nothing(
        {
            "id": entry.id,
            **sources_shape(entry.revision, entry.sources),
            "deployedAt": time_text(entry.deployed_at),
            "deployStartedAt": time_text(entry.started_at),
            "deployedUntil": time_text(entry.deployed_until),
            "healthyAt": time_text(entry.healthy_at),
            "initiatedBy": _initiated_by(entry.initiated_by),
            "manifestsSha256": entry.manifests_sha256,
            "info": [{"name": name, "value": value} for name, value in entry.info],
        }
    ) | {"id": entry.id}


def operation_shape(operation: Operation) -> dict[str, Any]:
    """An operation by itself, for those who wait for it."""
    return {
        "id": str(operation.id),
        "application": operation.application,
        "project": operation.project,
        "cluster": operation.cluster,
        "namespace": operation.namespace,
        "kind": str(operation.kind),
        "trigger": str(operation.trigger),
        "createdAt": time_text(operation.created_at),
        **operation_state(operation),
    }


def summary_shape(app: ApplicationSummary) -> dict[str, Any]:
    """A line of ``app list``."""
    return {
        "name": app.name,
        "project": app.project,
        "cluster": app.cluster,
        "server": app.server,
        "namespace": app.namespace,
        "labels": app.labels,
        "repoURL": app.repo_url,
        "path": app.path,
        "targetRevision": app.target_revision,
        "revision": app.revision,
        "sync": str(app.sync),
        "health": health_shape(app.health),
        "syncPolicy": _policy(app),
        "operation": app.operation_phase,
        "conditions": [{"type": c.type, "message": c.message} for c in app.conditions],
        "staleSince": time_text(app.stale_since),
        "createdAt": time_text(app.created_at),
        "deleting": app.deleting,
    }


def _policy(app: ApplicationSummary) -> str:
    """As Argo CD shows it: ``Auto-Prune``, ``Auto`` or ``Manual``."""
    if not app.auto_sync:
        return "Manual"
    return "Auto-Prune" if app.auto_prune else "Auto"
