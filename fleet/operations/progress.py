"""One application on its way through a pass: what was recorded, what changed, what is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fleet.model.applications import LiveResource
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.ids import OperationId
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Operation,
    OperationKind,
    OperationPhase,
    Outcome,
    TaskKey,
    Trigger,
)
from fleet.model.windows import Hold
from fleet.operations.judging import sync_key
from fleet.operations.standing import conditions_of, health_of, standing_rows, sync_status
from fleet.operations.tasks import Result
from fleet.operations.views import View
from fleet.plan import recent_heals
from fleet.plan.auto import EMPTIED
from fleet.registry.deployments import Deployed
from fleet.registry.drift import Drifted
from fleet.registry.standings import Standing

#: A running sync that waits is looked at again after this, should no watch tell before.
WAITING = timedelta(seconds=5)
#: What waits for people, or for an end that is not in sight, is looked at again after this:
#: should nobody say when that is over, it goes on all the same.
AT_LATEST = timedelta(minutes=5)
#: CustomResourceDefinitions are Established within a second or so, and all else waits.
ESTABLISHING = timedelta(seconds=1)


@dataclass(frozen=True)
class _Judged:
    """``rows`` as they should be recorded, of a view with what may change in it: the manifests
    of the operation that runs (None: there is none), and the objects."""

    view: View
    made_from: tuple[str | None, Mapping[ObjectRef, LiveResource]]
    rows: Mapping[ObjectRef, LiveResource]


@dataclass
class Progress:
    """Collects, for one application, what the record of the pass will say.

    Attributes:
        rows: resources as far as they are known now.
        operation: the one that runs, with its outcomes so far.
        looked: objects whose body was read.
        fresh: outcomes that are not recorded yet.
        finished: the operation that ended in this pass.
        due_at: when time alone makes it worth another look.
        interrupted: something could not be asked; the mark stays.
        drifted, settled: differences that appeared, and objects whose difference is gone.
        healed_by: who took differences back; "" when they went away by themselves.
        removed: the application itself is to be removed.
        held: the operation that the application's row names, as far as we know.
        window: what sync windows have against a sync that would begin or go on.
        backoff: why drift that came back is not taken back yet.
        refusal: why nothing is synced by itself, where a person has to say something first.
        postponed: tasks that have to be tried again later, with the reason; hooks that were
            to be ended and are not there.
        noted: how many of ``fresh`` were recorded before the end of the pass.
        is_superseded: the running operation is ended because something newer is wanted.
        is_given_up: somebody ended it: it does not begin again by itself.
    """

    view: View
    rows: dict[ObjectRef, LiveResource]
    operation: Operation | None
    attempted_key: str
    attempts: int
    attempt_phase: str
    attempted_at: datetime | None
    heals: int
    healed_at: datetime | None
    synced_revision: str
    looked: set[ObjectRef] = field(default_factory=set)
    fresh: list[Outcome] = field(default_factory=list)
    finished: Operation | None = None
    superseded: Operation | None = None
    deployed: Deployed | None = None
    due_at: datetime | None = None
    interrupted: bool = False
    drifted: list[Drifted] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    healed_by: str = "reverted"
    removed: bool = False
    held: OperationId | None = None
    window: str = ""
    backoff: str = ""
    refusal: str = ""
    postponed: dict[TaskKey, str] = field(default_factory=dict)
    noted: int = 0
    is_superseded: bool = False
    is_given_up: bool = False
    _judged: _Judged | None = None

    @classmethod
    def of(cls, view: View) -> Progress:
        app = view.app
        return cls(
            view=view,
            rows=dict(view.rows),
            operation=view.operation,
            attempted_key=app.attempted_key,
            attempts=app.attempts,
            attempt_phase=app.attempt_phase,
            attempted_at=app.attempted_at,
            heals=app.heals,
            healed_at=app.healed_at,
            synced_revision=app.synced_revision,
            held=app.operation_id,
            due_at=app.holds.ends_at,
        )

    @property
    def current(self) -> View:
        """The view with the rows, the operation and the memory of syncs as they are now."""
        app = replace(
            self.view.app,
            attempted_key=self.attempted_key,
            attempts=self.attempts,
            attempt_phase=self.attempt_phase,
            attempted_at=self.attempted_at,
            heals=self.heals,
            healed_at=self.healed_at,
        )
        return replace(self.view, app=app, rows=self.rows, operation=self.operation)

    def judged(self) -> Mapping[ObjectRef, LiveResource]:
        """``standing_rows`` of the current view, made once as long as nothing changes that
        they are made from."""
        view, last, operation = self.view, self._judged, self.operation
        applied = operation.options.manifests_sha256 if operation is not None else None
        made_from = (applied, dict(self.rows))
        if last is None or last.view is not view or last.made_from != made_from:
            last = self._judged = _Judged(view, made_from, standing_rows(self.current))
        return last.rows

    def healths(self) -> dict[ObjectRef, Health | None]:
        """Of the objects that the running operation applied, and of its hooks."""
        if self.operation is None:
            return {}
        found = {}
        for ref in {outcome.ref for outcome in self.operation.outcomes}:
            # of a kind that turned out to have no namespaces, the object is without one
            row = self.rows.get(ref) or self.rows.get(replace(ref, namespace=""))
            if row is not None:
                found[ref] = row.health
        return found

    def wait(self, until: datetime) -> None:
        self.due_at = until if self.due_at is None else min(self.due_at, until)

    def stay_awake(self, now: datetime) -> None:
        """See that an operation that is not through is looked at again, whatever it waits for."""
        if self.operation is not None and self.due_at is None:
            self.wait(now + AT_LATEST)

    def hold(self, hold: Hold, now: datetime) -> None:
        """The operation waits until sync windows let it begin or go on."""
        assert self.operation is not None
        self.window = str(hold)
        self.operation = replace(self.operation, message=f"waits for a sync window: {hold}")
        self.wait(hold.until or now + AT_LATEST)

    def take(self, results: Iterable[Result]) -> None:
        """Add what became of tasks to the operation and the rows."""
        if self.operation is None:
            return
        for result in results:
            if result.outcome.action is None:
                self.postponed[result.task.key] = result.outcome.message
                if result.resource is None:
                    self.rows.pop(result.task.ref, None)
                continue
            self.note([result.outcome])
            if self.operation.options.dry_run:
                continue
            self.rows.pop(result.task.ref, None)
            if result.resource is not None:
                self.rows[result.resource.ref] = result.resource

    def note(self, found: Iterable[Outcome]) -> None:
        """Add outcomes to the operation; a later one of a task replaces the earlier."""
        if self.operation is None:
            return
        outcomes = {outcome.key: outcome for outcome in self.operation.outcomes}
        for outcome in found:
            outcomes[outcome.key] = outcome
            self.fresh.append(outcome)
        self.operation = replace(self.operation, outcomes=tuple(outcomes.values()))

    def finish(self, phase: OperationPhase, message: str, now: datetime) -> None:
        """End the running operation, and remember how for the next decision."""
        operation = self.operation
        if operation is None:
            return
        self.finished = replace(operation, phase=phase, message=message, finished_at=now)
        self.operation = None
        if operation.options.dry_run or operation.kind is OperationKind.DELETE:
            return
        stored = operation.options.manifests_sha256
        is_wanted = stored in ("", self.view.app.manifests_sha256)
        if is_wanted and not operation.options.resources and not self.is_superseded:
            key = sync_key(self.view)
            self.attempts = self.attempts if self.attempted_key == key else 1
            ended = OperationPhase.TERMINATING if self.is_given_up else phase
            self.attempted_key, self.attempt_phase = key, str(ended)
            self.attempted_at = now
        if not is_wanted:
            self.wait(now)  # everything was compared with a rollback; compare it with Git again
        if operation.trigger is Trigger.SELF_HEAL:
            self.heals = recent_heals(self.heals, self.healed_at, now) + 1
            self.healed_at = now
        if phase is OperationPhase.SUCCEEDED:
            self.synced_revision = operation.revision
            self._deployed(self.finished, now)

    def _deployed(self, operation: Operation, now: datetime) -> None:
        if operation.options.resources:
            return  # a part of an application is no deployment of it
        self.healed_by = (
            "self-heal" if operation.trigger is Trigger.SELF_HEAL else operation.initiated_by
        )
        healthy = health_of(self.judged()).status is HealthStatus.HEALTHY
        started = operation.started_at or operation.created_at
        self.deployed = Deployed(operation, started, now, healthy)

    def standing(self, rows: Mapping[ObjectRef, LiveResource]) -> Standing:
        """Where the application stands with these rows."""
        app, view = self.view.app, self.current
        sync = sync_status(view, rows.values())
        is_known = not view.is_skipped and (bool(rows) or self.view.prepared is not None)
        health = health_of(rows) if is_known else Health(HealthStatus.UNKNOWN)
        images = tuple(sorted({image for row in rows.values() for image in row.images}))
        conditions = conditions_of(view, self.refusal or self._failure(), self.window, self.backoff)
        operation = self.operation
        standing = Standing(
            id=app.id,
            taken_dirty_at=app.dirty_at,
            more=self.interrupted,
            due_at=self.due_at,
            changed=True,
            sync=sync,
            health=health,
            conditions=conditions,
            images=images,
            taken_operation_id=self.held,
            operation_id=operation.id if operation else None,
            operation_created_at=operation.created_at if operation else None,
            attempted_key=self._tried(sync),
            attempts=self.attempts,
            attempt_phase=self.attempt_phase,
            attempted_at=self.attempted_at,
            heals=self.heals,
            healed_at=self.healed_at,
            synced_revision=self.synced_revision,
            judged_key=sync_key(view),
        )
        return replace(standing, changed=self._differs(standing))

    def _tried(self, sync: SyncStatus) -> str:
        """Key of what was synced last: that of what is wanted now, where it came after a sync that
        went well and changes nothing. What differs later is drift then, and no new attempt."""
        is_through = self.operation is None and self.attempt_phase == OperationPhase.SUCCEEDED
        return (
            sync_key(self.view) if is_through and sync is SyncStatus.SYNCED else self.attempted_key
        )

    def _failure(self) -> str:
        """Message of the sync that failed last; kept until one succeeds."""
        if self.finished is not None:
            failed = self.finished.phase in (OperationPhase.FAILED, OperationPhase.ERROR)
            return self.finished.message if failed else ""
        for condition in self.view.app.conditions:
            if condition.get("type") == "SyncError" and condition.get("message") != EMPTIED:
                return str(condition.get("message", ""))
        return ""

    def _differs(self, standing: Standing) -> bool:
        app = self.view.app
        return (
            standing.sync,
            standing.health,
            standing.conditions,
            standing.images,
            standing.operation_id,
            standing.attempted_key,
            standing.attempts,
            standing.attempt_phase,
            standing.heals,
            standing.synced_revision,
            standing.judged_key,
        ) != (
            app.sync,
            app.health,
            app.conditions,
            app.images,
            app.operation_id,
            app.attempted_key,
            app.attempts,
            app.attempt_phase,
            app.heals,
            app.synced_revision,
            app.judged_key,
        )

    def became_healthy(self, rows: Mapping[ObjectRef, LiveResource]) -> bool:
        healthy = HealthStatus.HEALTHY
        return health_of(rows).status is healthy and (
            self.view.app.health.status is not healthy or self.deployed is not None
        )

    def note_drift(self, cluster: str, ref: ObjectRef, after: LiveResource | None) -> None:
        """Compare an object's row with what a look found, for the drift history."""
        before = self.view.rows.get(ref)
        if before is None or not before.in_inventory or after is None or self._is_underway(ref):
            return
        if before.hook:
            return
        missing = after.health is not None and after.health.status is HealthStatus.MISSING
        if after.drift or missing:
            fields = after.drift or ({"path": "", "type": "removed"},)
            managers = [str(f.get("manager", "")) for f in fields if f.get("manager")]
            app = self.view.app
            self.drifted.append(
                Drifted(
                    app.id, app.name, cluster, str(ref), fields, managers[0] if managers else ""
                )
            )

    def _is_underway(self, ref: ObjectRef) -> bool:
        """Whether the running sync has still to do something about an object: what differs
        then does so by plan, or was written by whoever was killed before recording it."""
        operation = self.view.operation
        if operation is None or operation.plan is None:
            return False
        done = {outcome.ref for outcome in operation.outcomes}
        return any(task.ref == ref and ref not in done for task in operation.plan.tasks)

    def note_settled(self, rows: Mapping[ObjectRef, LiveResource]) -> None:
        """Objects that differed when the pass began or during it, and are in sync now."""
        seen = {entry.object for entry in self.drifted}
        for ref, row in rows.items():
            before = self.view.rows.get(ref)
            was = before is not None and before.sync is not SyncStatus.SYNCED
            if row.sync is SyncStatus.SYNCED and (was or str(ref) in seen):
                self.settled.append(str(ref))
