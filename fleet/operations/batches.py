"""One batch of a cluster pass: look, begin, carry out, record.

Plans are committed before anything is sent; results, rows and standings afterwards, each
in one transaction for the whole batch. Whatever is killed in between, the next pass finds
a running operation with its plan, and inventory rows for everything that may be there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from fleet.errors import ClusterError, WindowClosed
from fleet.model.applications import is_shadow
from fleet.model.clusters import Cluster, Discovery
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    HookState,
    Operation,
    OperationPhase,
    Step,
    Task,
    Trigger,
)
from fleet.model.scope import FLEET
from fleet.model.windows import Hold
from fleet.operations.applying import carry_out
from fleet.operations.connections import Link
from fleet.operations.fencing import Fence
from fleet.operations.hooks import carry_out_hooks, run_of
from fleet.operations.judging import (
    auto_decision,
    next_try,
    owes_hooks,
    plan_for,
    sync_key,
    would_act,
)
from fleet.operations.kinds import Steps, lacks_kinds, wait_for_kinds
from fleet.operations.looking import look_into
from fleet.operations.namespaces import has_namespace
from fleet.operations.outliving import awaiting_approval, is_approved
from fleet.operations.progress import AT_LATEST, Progress
from fleet.operations.recognizing import recognize
from fleet.operations.recording import record_batch, record_hooks, record_plans
from fleet.operations.runtime import Runtime
from fleet.operations.standing import SKIPPED, desired_of
from fleet.operations.starting import automated_sync, first_revision, is_new, not_yet
from fleet.operations.stepping import SUPERSEDED, hooks_left, next_step, resume_ending, terminate
from fleet.operations.tasks import Batch, DryRun
from fleet.operations.views import Resources, View, claims_of, gather, sources_of
from fleet.operations.windowing import hold_of, hold_of_automation
from fleet.operations.workplaces import workplace_of
from fleet.plan import SyncDecision, skipped
from fleet.plan.auto import EMPTIED
from fleet.registry.work import DirtyApplication

#: An application with a kind that the cluster does not serve is tried again after this.
UNSERVED = timedelta(seconds=60)
#: An application whose objects another one has asks again after this whether it still does.
SHARED = timedelta(seconds=60)
#: An object that could not be read is looked into again after this.
UNREAD = timedelta(seconds=60)


class Pass:
    """A pass over one cluster, at one epoch.

    Args:
        recognized: whether it was asked just now who it is.
    """

    def __init__(
        self,
        runtime: Runtime,
        cluster: Cluster,
        link: Link,
        discovery: Discovery,
        epoch: int,
        *,
        recognized: bool = False,
    ) -> None:
        self.runtime = runtime
        self.cluster = cluster
        self.link = link
        self.discovery = discovery
        self.epoch = epoch
        self.fence = Fence(runtime.db, cluster.id, epoch)
        self._recognized = recognized
        link.namespaces.forget_missing()
        self._claims: dict[ObjectRef, str] = {}

    async def reconcile(
        self, apps: Sequence[DirtyApplication], known: Resources = MappingProxyType({})
    ) -> Sequence[DirtyApplication]:
        """Bring a batch as far as can be done now; returns the applications it looked at.

        Args:
            known: resources that were read with the applications.

        Raises:
            ClusterUnreachable, ClusterAuthFailed: after what was done has been recorded.
            IdentityChanged: another cluster answers; nothing it said was recorded.
            LeaseLost: a newer pass owns the cluster; nothing of this step was recorded.
        """
        await self.fence.ask()
        batch = [Progress.of(view) for view in await self._gather(apps, known)]
        interrupted = await self._look(batch)
        if not self._recognized:
            if interrupted is not None:
                raise interrupted  # a dead one costs one timeout, and told nothing to record
            await recognize(self.runtime, self.cluster, self.link.client)
            self._recognized = True
        if interrupted is None:
            await self._begin(batch)
            interrupted = await self._advance(batch)
            self._look_ahead(batch)
        else:
            for one in batch:
                one.interrupted = True  # nothing was decided about any of them
        await record_batch(self, batch)
        if interrupted is not None:
            raise interrupted
        return apps

    async def _gather(self, apps: Sequence[DirtyApplication], known: Resources) -> list[View]:
        views = await gather(self.runtime, self.cluster, self.discovery, apps, known)
        if not any(lacks_kinds(view) for view in views):
            return views
        # a definition may have come since the cluster was asked
        self.discovery = await self.link.discovery(fresh=True)
        return await gather(self.runtime, self.cluster, self.discovery, apps, known)

    # look

    async def _look(self, batch: Sequence[Progress]) -> ClusterError | None:
        found = await asyncio.gather(*(self._look_at(one) for one in batch))
        return next((error for error in found if error is not None), None)

    async def _look_at(self, one: Progress) -> ClusterError | None:
        refs = self._worth_a_look(one)
        if not refs:
            return None
        looks, error = await look_into(
            workplace_of(self, one.view), refs, desired_of(one.view), one.view.rows
        )
        for look in looks:
            self._recognized |= look.is_known
            if look.failed:
                one.wait(self.runtime.now() + UNREAD)
            else:
                one.looked.add(look.ref)
            one.note_drift(self.cluster.name, look.ref, look.row)
            if look.row is None:
                one.rows.pop(look.ref, None)
            else:
                one.rows[look.ref] = look.row
        if isinstance(error, ClusterError):
            one.interrupted = True
            return error
        if error is not None:
            raise error
        return None

    def _worth_a_look(self, one: Progress) -> list[ObjectRef]:
        """What changed; what a running operation waits for; and, where nothing will be
        applied by itself, what is there already in place of what is wanted."""
        view = one.view
        if view.is_skipped:
            return []
        refs = {ref for ref in view.seen if not view.policy.excludes(ref.group_kind)}
        refs |= self._children_to_ask(view)
        if view.operation is not None and view.operation.plan is not None:
            asked = (o for o in view.operation.outcomes if o.hook in (None, HookState.RUNNING))
            refs |= {outcome.ref for outcome in asked if outcome.ref in view.rows}
        elif view.operation is None and not _applies_by_itself(view):
            rows = view.rows
            refs |= {
                ref
                for ref in desired_of(view)
                if ref not in view.owners and not (ref in rows and rows[ref].in_inventory)
            }
        return sorted(refs)

    def _children_to_ask(self, view: View) -> set[ObjectRef]:
        """Applications that this one has in Git, when a sync of something new is about to wait
        for them: how they were when they changed last may be about an earlier commit."""
        begins = view.operation is not None and view.operation.plan is None
        if not (begins or view.app.judged_key != sync_key(view)):
            return set()
        own = self.link.client.own_kinds
        return {ref for ref in view.rows if own and str(ref.group_kind) in own}

    # begin

    async def _begin(self, batch: Sequence[Progress]) -> None:
        """Decide what starts, make its plan, and commit both before anything is sent."""
        now = self.runtime.now()
        for one in batch:
            if lacks_kinds(one.view):
                one.wait(now + UNSERVED)
            await self._begin_one(one, now)
            if one.view.owners:
                one.wait(now + SHARED)
        await record_plans(self, [one for one in batch if is_new(one)])

    async def _begin_one(self, one: Progress, now: datetime) -> None:
        operation = one.operation
        if operation is not None and operation.phase is OperationPhase.TERMINATING:
            resume_ending(one, operation)
            return
        if operation is not None and one.view.is_skipped:
            terminate(one, SKIPPED)
            return
        if operation is not None and self._is_held(one, now, anew=True):
            return
        again_at = operation.next_attempt_at if operation is not None else None
        if operation is not None and again_at is not None and again_at <= now:
            one.operation = await self._planned(one, next_try(operation), now)
            return
        if operation is not None and (held := awaiting_approval(one.view, operation, now)):
            one.operation = held
            one.wait(now + AT_LATEST)
            return
        if operation is not None and operation.phase is OperationPhase.PENDING:
            if waits := await not_yet(self.runtime, one.view):
                one.operation = operation.with_phase(operation.phase, waits[0])
                one.wait(now + waits[1])
                return
            one.operation = await self._planned(one, operation, now)
            return
        one.view = self._with_claims(one.view)
        decision = self._decision(one, now)
        if decision.not_before is not None:
            one.wait(decision.not_before)
        if not decision.start or decision.trigger is None:
            return
        if operation is not None:
            message = f"{SUPERSEDED} revision {first_revision(one.view)[:12]}"
            if hooks_left(operation) or one.view.is_apart:
                one.is_superseded = True
                terminate(one, message)  # the next begins once it is ended with its hooks
                return
            one.superseded = replace(
                operation, phase=OperationPhase.FAILED, message=message, finished_at=now
            )
        one.operation = await self._planned(
            one, automated_sync(one.view, self.cluster, decision, now), now
        )
        one.attempts = decision.attempt

    def _decision(self, one: Progress, now: datetime) -> SyncDecision:
        """Whether a sync begins by itself now; never one that would leave all as it is."""
        view, one.window, one.backoff, one.refusal = one.current, "", "", ""
        rows = one.judged()
        decision = auto_decision(view, rows, now)
        is_yes = decision.start or decision.not_before is not None
        approved = is_approved(view, None, now)
        is_known = not (view.is_apart or owes_hooks(view))
        if is_yes and is_known and not would_act(view, rows, self.cluster, approved=approved):
            return SyncDecision(start=False, reason="a sync would leave everything as it is")
        if decision.start:
            # asked last: when windows open next takes milliseconds to tell
            hold = hold_of_automation(view, self.cluster, now)
            decision = auto_decision(view, rows, now, hold) if hold else decision
            one.window = decision.reason if decision.held else ""
        one.refusal = EMPTIED if decision.reason == EMPTIED else ""
        if decision.backs_off:
            one.backoff = str(Hold(decision.reason, decision.not_before))
        return decision

    async def _planned(self, one: Progress, operation: Operation, now: datetime) -> Operation:
        """The operation with its plan, ready to be carried out."""
        one.view = self._with_claims(one.view)
        view = one.current
        plan = plan_for(
            view,
            one.judged(),
            self.cluster,
            operation.options,
            automated=operation.initiated_by == FLEET.name,
            namespace_ready=await has_namespace(self.link, self.discovery, view, operation.options),
            # a heal is a sync of what drifted, as in Argo CD: it runs no hooks
            run="" if operation.trigger is Trigger.SELF_HEAL else operation.run,
            approved=is_approved(view, operation, now),
        )
        if not operation.options.dry_run:  # which leaves nothing behind
            made = (task.ref for task in plan.tasks if task.step in (Step.APPLY, Step.HOOK))
            self._claims |= dict.fromkeys(made, view.app.name)
        stored = operation.options.manifests_sha256
        return replace(
            operation,
            revision=operation.revision or first_revision(view),
            previous_revision=view.app.synced_revision,
            sources=operation.sources or sources_of(view),
            manifests_sha256=stored or view.app.manifests_sha256,
            phase=OperationPhase.RUNNING,
            message="",
            plan=plan,
            outcomes=skipped(plan),
            next_attempt_at=None,
            started_at=operation.started_at or now,
        )

    def _with_claims(self, view: View) -> View:
        """The view with those as owners that began with one of its objects in this pass."""
        claimed = self._claims.keys() & claims_of(view) - view.owners.keys()
        others = {ref: self._claims[ref] for ref in claimed if self._claims[ref] != view.app.name}
        return replace(view, owners={**view.owners, **others}) if others else view

    # carry out

    async def _advance(self, batch: Sequence[Progress]) -> ClusterError | None:
        """Step by step, until every operation waits, ended, or was cut short."""
        running = [one for one in batch if one.operation is not None]
        if running:
            await self.fence.ask()
        error: ClusterError | None = None
        while running and error is None:
            now = self.runtime.now()
            steps: Steps = [(one, self._next(one, now)) for one in running]
            running = [one for one, tasks in steps if tasks]
            try:
                self.discovery, steps = await wait_for_kinds(
                    self.link, self.discovery, [step for step in steps if step[1]], now
                )
            except ClusterError as refused:
                error = refused
                break
            answers = await asyncio.gather(*(self._carry_out(one, t) for one, t in steps))
            error = next((e for e in answers if e is not None), None)
            running = [one for one, _ in steps]
        for one in running:
            one.interrupted = True
        return error

    def _look_ahead(self, batch: Sequence[Progress]) -> None:
        """When a sync that ended just now is to be followed by another: a retry, a heal."""
        now = self.runtime.now()
        for one in batch:
            if one.finished is None or one.removed:
                continue
            decision = self._decision(one, now)
            if decision.start or decision.not_before is not None:
                one.wait(decision.not_before or now)

    def _next(self, one: Progress, now: datetime) -> tuple[Task, ...]:
        """The tasks to do now; none when the operation ended, has to wait, or is held."""
        tasks = next_step(one, now, self.runtime.settings.sync_timeout_seconds)
        return () if tasks and self._is_held(one, now) else tasks

    def _is_held(self, one: Progress, now: datetime, *, anew: bool = False) -> bool:
        """Whether sync windows keep the operation from what it would do now.

        Args:
            anew: it would begin, or be tried again; else go on.
        """
        operation = one.operation
        if operation is None or (anew and not _begins(operation, now)):
            return False
        hold = hold_of(one.view, operation, self.cluster, now, anew=anew)
        if hold is not None:
            one.hold(hold, now)
        return hold is not None

    async def _carry_out(self, one: Progress, tasks: Sequence[Task]) -> ClusterError | None:
        assert one.operation is not None
        assert one.operation.plan is not None
        desired, dry = desired_of(one.view), one.operation.options.dry_run
        if any(task.step is Step.END_HOOK for task in tasks):
            await record_hooks(self, one)
        place = workplace_of(self, one.view, carries_out=one.operation)
        dry_run = DryRun.of(one.operation.plan, desired) if dry else None
        hooks = [task for task in tasks if task.is_hook]
        others = [task for task in tasks if not task.is_hook]
        done = await carry_out(place, others, desired, one.rows, dry_run=dry_run)
        if hooks:
            run = run_of(one.view, one.operation, one.rows, dry_run)
            made = await carry_out_hooks(place, hooks, run)
            interrupted = done.interrupted or made.interrupted
            done = Batch((*done.results, *made.results), interrupted)
        one.take(done.results)
        for result in () if dry else done.results:
            failed = result.outcome.action is Action.FAILED
            if failed:
                self.link.namespaces.forget()
            if result.task.step is Step.CREATE_NAMESPACE:
                self.link.namespaces.note(result.task.ref.name, is_there=not failed)
        if done.interrupted is None or isinstance(done.interrupted, WindowClosed):
            return None  # what is left to do is held when it comes up next
        one.interrupted = True
        if isinstance(done.interrupted, ClusterError):
            return done.interrupted
        raise done.interrupted


def _begins(operation: Operation, now: datetime) -> bool:
    """Whether an operation is to be planned now: for the first time, or once more."""
    if operation.next_attempt_at is not None:
        return operation.next_attempt_at <= now
    return operation.phase is OperationPhase.PENDING


def _applies_by_itself(view: View) -> bool:
    return view.spec.sync_policy.auto_sync and not is_shadow(view.app.document)
