"""Plans and what became of them: the sync as a row that each pass advances."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from fleet.model.argo_tracking import Takeover
from fleet.model.ids import ApplicationId, OperationId
from fleet.model.objects import ObjectRef
from fleet.model.retries import Retry


class OperationPhase(StrEnum):
    """Argo CD's ``operationState.phase``."""

    PENDING = "Pending"
    RUNNING = "Running"
    TERMINATING = "Terminating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"

    @property
    def is_final(self) -> bool:
        return self in (self.SUCCEEDED, self.FAILED, self.ERROR)


class OperationKind(StrEnum):
    SYNC = "sync"
    ROLLBACK = "rollback"
    DELETE = "delete"


class Trigger(StrEnum):
    """Why an operation began: a person, a new revision, drift, or a retry of either."""

    MANUAL = "manual"
    AUTOMATED = "automated"
    SELF_HEAL = "self-heal"
    ROLLBACK = "rollback"
    DELETE = "delete"


class SyncPhase(StrEnum):
    """When a hook runs; objects that are no hooks belong to ``SYNC``. Words: Argo CD."""

    PRE_SYNC = "PreSync"
    SYNC = "Sync"
    POST_SYNC = "PostSync"
    SYNC_FAIL = "SyncFail"
    PRE_DELETE = "PreDelete"
    POST_DELETE = "PostDelete"


class HookState(StrEnum):
    """How far a hook is. Argo CD's ``hookPhase``."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Step(StrEnum):
    """What a task does to its object."""

    CREATE_NAMESPACE = "create-namespace"
    APPLY = "apply"
    AWAIT = "await"  # it is as wanted and not Healthy yet: nothing is sent, later waves wait
    HOOK = "hook"  # run it
    END_HOOK = "end-hook"  # let go of it, and delete it where its policy says so
    PRUNE = "prune"
    SKIP = "skip"  # recorded with its reason, nothing is sent


class Action(StrEnum):
    """What happened to an object. Words: Flux ``ssa.Action`` plus failed."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    PRUNED = "pruned"
    SKIPPED = "skipped"
    FAILED = "failed"


#: A hook may have several phases: then it is one task in each.
TaskKey: TypeAlias = tuple[SyncPhase, ObjectRef]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do to one object. Tasks are total and disjoint: one per object, and one
    per phase of a hook."""

    ref: ObjectRef
    step: Step
    wave: int = 0
    reason: str = ""  # of a SKIP: why nothing is sent
    force: bool = False  # take fields from other managers (heal of what we owned, or asked)
    warning: bool = False  # of a SKIP: the object stays out of sync
    phase: SyncPhase = SyncPhase.SYNC
    last: bool = False  # of a PRUNE: once all that was applied is Healthy

    @property
    def key(self) -> TaskKey:
        return self.phase, self.ref

    @property
    def is_hook(self) -> bool:
        return self.step in (Step.HOOK, Step.END_HOOK)


@dataclass(frozen=True)
class Plan:
    """All tasks in the order they run: phase by phase, wave by wave, kind by kind.

    ``refused`` holds the reason why nothing at all may be done; then ``tasks`` is empty.
    ``prune_last``: prunes wait until everything that was applied is Healthy.
    ``approved``: somebody agreed to the deletions that wait for that.
    """

    tasks: tuple[Task, ...]
    refused: str = ""
    prune_last: bool = False
    approved: bool = False

    def waves(self) -> tuple[tuple[Task, ...], ...]:
        """Consecutive tasks that run side by side."""
        groups: list[list[Task]] = []
        for task in self.tasks:
            same = groups and (groups[-1][0].wave, _is_prune(groups[-1][0])) == (
                task.wave,
                _is_prune(task),
            )
            if same:
                groups[-1].append(task)
            else:
                groups.append([task])
        return tuple(tuple(group) for group in groups)


def _is_prune(task: Task) -> bool:
    return task.step is Step.PRUNE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task. ``action`` None means not done yet."""

    ref: ObjectRef
    action: Action | None
    wave: int = 0
    message: str = ""
    error: str = ""  # error type, e.g. FieldConflict; "" when it went well
    phase: SyncPhase = SyncPhase.SYNC
    hook: HookState | None = None  # None: it is no hook
    ended: bool = False  # of a hook that is through: its object was let go, or deleted

    @property
    def key(self) -> TaskKey:
        return self.phase, self.ref

    @property
    def has_failed(self) -> bool:
        return self.action is Action.FAILED or bool(self.error) or self.hook is HookState.FAILED


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What the person (or the controller) asked of this one sync."""

    prune: bool = False
    dry_run: bool = False
    force_conflicts: bool = False
    resources: tuple[ObjectRef, ...] = ()  # () means all
    sync_options: tuple[str, ...] = ()
    retry: Retry | None = None  # None: as the application says
    manifests_sha256: str = ""  # of a rollback: the stored manifests to apply
    break_glass: str = ""  # why sync windows do not hold for it; "": they do
    approved: bool = False  # to the deletions that wait for somebody who agrees
    hookless: bool = False  # apply, and run no hook (Argo CD's strategy "apply")
    info: tuple[tuple[str, str], ...] = ()  # what whoever asked wants to be kept with it
    takeover: Takeover | None = None  # take over what Argo CD's applications have


@dataclass(frozen=True)
class Operation:
    """One sync, rollback or delete of one application."""

    id: OperationId
    application_id: ApplicationId
    application: str
    project: str
    cluster: str
    namespace: str
    kind: OperationKind
    trigger: Trigger
    initiated_by: str
    revision: str
    previous_revision: str
    sources: tuple[dict[str, Any], ...]  # {"repoURL", "path"|"chart", "targetRevision", "revision"}
    manifests_sha256: str
    phase: OperationPhase
    message: str
    options: SyncOptions
    plan: Plan | None
    outcomes: tuple[Outcome, ...]
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None = None

    def counts(self) -> dict[Action, int]:
        """Of objects; hooks are not among them."""
        found = dict.fromkeys(Action, 0)
        for outcome in self.outcomes:
            if outcome.action is not None and outcome.hook is None:
                found[outcome.action] += 1
        return found

    @property
    def run(self) -> str:
        """Names this try of the operation: what its hooks are marked with."""
        return f"{self.id}/{max(self.attempt, 1)}"

    def with_phase(self, phase: OperationPhase, message: str) -> Operation:
        return replace(self, phase=phase, message=message)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A deployment: what ran from when. ``id`` is the number users type for a rollback."""

    id: int
    operation_id: OperationId
    revision: str
    sources: tuple[dict[str, Any], ...]
    manifests_sha256: str
    initiated_by: str
    started_at: datetime
    deployed_at: datetime
    deployed_until: datetime | None
    healthy_at: datetime | None = None
    info: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Condition:
    """Argo CD's application condition, e.g. ``ComparisonError``."""

    type: str
    message: str
    last_transition_at: datetime | None = field(default=None, compare=False)
