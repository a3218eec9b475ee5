"""Plans, options and hooks of operations as JSON, and back. What the version before wrote is
read, too: operations go on over an update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from fleet.model.argo_tracking import Takeover
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    HookState,
    Outcome,
    Plan,
    Step,
    SyncOptions,
    SyncPhase,
    Task,
)
from fleet.model.retries import Retry


def plan_to_json(plan: Plan) -> dict[str, Any]:
    return {
        "refused": plan.refused,
        "pruneLast": plan.prune_last,
        **({"approved": True} if plan.approved else {}),
        "tasks": [_task_to_json(task) for task in plan.tasks],
    }


def _task_to_json(task: Task) -> list[Any]:
    """What stands behind the first six only does where it says something: plans without it are
    read by the version before, and its plans are read here."""
    stored = [task.ref.key, str(task.step), task.wave, task.reason, task.force, task.warning]
    if task.last:
        return [*stored, str(task.phase), task.last]
    return stored if task.phase is SyncPhase.SYNC else [*stored, str(task.phase)]


def plan_from_json(stored: Mapping[str, Any]) -> Plan:
    return Plan(
        tasks=tuple(
            Task(
                ObjectRef.from_key(key),
                Step(step),
                wave,
                reason,
                force,
                warning,
                SyncPhase(rest[0]) if rest else SyncPhase.SYNC,
                last=len(rest) > 1 and bool(rest[1]),
            )
            for key, step, wave, reason, force, warning, *rest in stored["tasks"]
        ),
        refused=stored["refused"],
        prune_last=bool(stored.get("pruneLast")),
        approved=bool(stored.get("approved")),
    )


def hooks_to_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Those of hooks: there may be several of one object, and there are few."""
    return [
        {
            "object": outcome.ref.key,
            "phase": str(outcome.phase),
            "wave": outcome.wave,
            "action": str(outcome.action),
            "state": str(outcome.hook),
            "message": outcome.message,
            "error": outcome.error,
            "ended": outcome.ended,
        }
        for outcome in outcomes
        if outcome.hook is not None and outcome.action is not None
    ]


def hooks_from_json(stored: Iterable[Mapping[str, Any]]) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(
            ObjectRef.from_key(entry["object"]),
            Action(entry["action"]),
            entry["wave"],
            entry["message"],
            entry["error"],
            SyncPhase(entry["phase"]),
            HookState(entry["state"]),
            entry["ended"],
        )
        for entry in stored
    )


def options_to_json(options: SyncOptions) -> dict[str, Any]:
    return {
        "prune": options.prune,
        "dryRun": options.dry_run,
        "forceConflicts": options.force_conflicts,
        "resources": [ref.key for ref in options.resources],
        "syncOptions": list(options.sync_options),
        "retry": _retry_to_json(options.retry),
        "manifests": options.manifests_sha256,
        "breakGlass": options.break_glass,
        **({"approved": True} if options.approved else {}),
        **({"hookless": True} if options.hookless else {}),
        **({"info": [list(pair) for pair in options.info]} if options.info else {}),
        **_takeover_to_json(options.takeover),
    }


def _takeover_to_json(takeover: Takeover | None) -> dict[str, Any]:
    if takeover is None:
        return {}
    told = {"applications": list(takeover.applications), "installation": takeover.installation}
    leftovers = [ref.key for ref in takeover.leftovers]
    return {"takeover": {**told, **({"leftovers": leftovers} if leftovers else {})}}


def _takeover_from_json(stored: Mapping[str, Any] | None) -> Takeover | None:
    if stored is None:
        return None
    leftovers = tuple(ObjectRef.from_key(key) for key in stored.get("leftovers", ()))
    return Takeover(tuple(stored["applications"]), stored["installation"], leftovers)


def options_from_json(stored: Mapping[str, Any]) -> SyncOptions:
    return SyncOptions(
        prune=bool(stored.get("prune")),
        dry_run=bool(stored.get("dryRun")),
        force_conflicts=bool(stored.get("forceConflicts")),
        resources=tuple(ObjectRef.from_key(key) for key in stored.get("resources", ())),
        sync_options=tuple(stored.get("syncOptions", ())),
        retry=_retry_from_json(stored.get("retry")),
        manifests_sha256=str(stored.get("manifests", "")),
        break_glass=str(stored.get("breakGlass", "")),
        approved=bool(stored.get("approved")),
        hookless=bool(stored.get("hookless")),
        info=tuple((name, value) for name, value in stored.get("info", ())),
        takeover=_takeover_from_json(stored.get("takeover")),
    )


def _retry_to_json(retry: Retry | None) -> dict[str, Any] | None:
    if retry is None:
        return None
    return {
        "limit": retry.limit,
        "seconds": retry.duration.total_seconds(),
        "factor": retry.factor,
        "longestSeconds": retry.max_duration.total_seconds(),
        "refresh": retry.refresh,
    }


def _retry_from_json(stored: Mapping[str, Any] | None) -> Retry | None:
    if stored is None:
        return None
    return Retry(
        limit=stored["limit"],
        duration=timedelta(seconds=stored["seconds"]),
        factor=stored["factor"],
        max_duration=timedelta(seconds=stored["longestSeconds"]),
        refresh=bool(stored.get("refresh")),
    )
