"""Operations as rows: begun before anything is sent, advanced pass by pass, finished once.

The plan is committed before the first write to a cluster, and with it the inventory rows
of what will be applied: whatever is killed afterwards, the next pass knows what may be
there. Results are upserted by object, so that a step done twice is one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from fleet.model.ids import ApplicationId, ClusterId, OperationId
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    Operation,
    OperationKind,
    OperationPhase,
    Outcome,
    SyncPhase,
    Trigger,
)
from fleet.registry.database import Tx
from fleet.registry.operation_json import (
    hooks_from_json,
    hooks_to_json,
    options_from_json,
    options_to_json,
    plan_from_json,
    plan_to_json,
)
from fleet.registry.statements import text
from fleet.registry.together import Answer, Together, Writes


def operation_from_row(row: Mapping[Any, Any], outcomes: Sequence[Outcome] = ()) -> Operation:
    """A row of ``operations`` as the value that everyone else knows."""
    return Operation(
        id=OperationId(row["id"]),
        application_id=ApplicationId(row["application_id"]),
        application=row["application"],
        project=row["project"],
        cluster=row["cluster"],
        namespace=row["namespace"],
        kind=OperationKind(row["kind"]),
        trigger=Trigger(row["trigger"]),
        initiated_by=row["initiated_by"],
        revision=row["revision"],
        previous_revision=row["previous_revision"],
        sources=tuple(row["sources"]),
        manifests_sha256=row["manifests_sha256"],
        phase=OperationPhase(row["phase"]),
        message=row["message"],
        options=options_from_json(row["options"]),
        plan=plan_from_json(row["plan"]) if row["plan"] else None,
        outcomes=tuple(outcomes),
        attempt=row["attempt"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        next_attempt_at=row["next_attempt_at"],
    )


async def operations_by_id(
    tx: Tx, wanted: Sequence[tuple[OperationId, datetime]]
) -> dict[OperationId, Operation]:
    """Operations with the outcomes recorded so far; the dates find their partitions."""
    if not wanted:
        return {}
    keys = {"ids": [id for id, _ in wanted], "dates": [created for _, created in wanted]}
    results = await tx.execute(
        text(
            "select operation_id, api_group, kind, namespace, name, wave, action, message, error,"
            " phase from operation_results where (operation_id, created_at) in (select * from"
            " unnest(cast(:ids as uuid[]), cast(:dates as timestamptz[]))) order by 2, 3, 4, 5"
        ),
        keys,
    )
    outcomes: dict[UUID, list[Outcome]] = {}
    for id, group, kind, namespace, name, wave, action, message, error, phase in results:
        ref = ObjectRef(group, kind, namespace, name)
        outcomes.setdefault(id, []).append(
            Outcome(ref, Action(action), wave, message, error, SyncPhase(phase))
        )
    rows = await tx.execute(
        text(
            "select * from operations where (id, created_at) in (select * from"
            " unnest(cast(:ids as uuid[]), cast(:dates as timestamptz[])))"
        ),
        keys,
    )
    return {
        OperationId(row["id"]): operation_from_row(
            row, [*outcomes.get(row["id"], ()), *hooks_from_json(row["hooks"])]
        )
        for row in rows.mappings()
    }


_OPERATION_RECORD = (
    "id uuid, created_at timestamptz, application_id uuid, application text, project text,"
    " cluster text, namespace text, kind text, trigger text, initiated_by text, revision text,"
    " previous_revision text, sources jsonb, manifests_sha256 text, phase text, message text,"
    " options jsonb, plan jsonb, hooks jsonb, attempt integer, next_attempt_at timestamptz,"
    " started_at timestamptz, finished_at timestamptz, created integer, configured integer,"
    " unchanged integer, pruned integer, failed integer"
)


def _operation_row(operation: Operation) -> dict[str, Any]:
    counts = operation.counts()
    return {
        "id": operation.id,
        "created_at": operation.created_at,
        "application_id": operation.application_id,
        "application": operation.application,
        "project": operation.project,
        "cluster": operation.cluster,
        "namespace": operation.namespace,
        "kind": str(operation.kind),
        "trigger": str(operation.trigger),
        "initiated_by": operation.initiated_by,
        "revision": operation.revision,
        "previous_revision": operation.previous_revision,
        "sources": list(operation.sources),
        "manifests_sha256": operation.manifests_sha256,
        "phase": str(operation.phase),
        "message": operation.message,
        "options": options_to_json(operation.options),
        "plan": plan_to_json(operation.plan) if operation.plan else None,
        "hooks": hooks_to_json(operation.outcomes),
        "attempt": operation.attempt,
        "next_attempt_at": operation.next_attempt_at,
        "started_at": operation.started_at,
        "finished_at": operation.finished_at,
        "created": counts[Action.CREATED],
        "configured": counts[Action.CONFIGURED],
        "unchanged": counts[Action.UNCHANGED],
        "pruned": counts[Action.PRUNED],
        "failed": counts[Action.FAILED],
    }


@dataclass(frozen=True, slots=True)
class Begin:
    """An operation that Fleet starts by itself.

    ``key`` of what it applies is remembered with the application: whoever takes a running
    sync over has to see that it is the one wanted. ``after`` is the application's last
    attempt, from which the decision was made: when there was another since, it is void.
    """

    cluster_id: ClusterId
    operation: Operation
    key: str
    after: datetime | None


async def begin_operations(said: Together, operations: Sequence[Begin]) -> Answer:
    """Insert operations, each only if none runs for its application and none ran since it
    was decided; answers with the ids of those that were begun."""
    if not operations:
        return Answer()
    return await said.execute(
        text(
            "with wanted as (select * from jsonb_to_recordset(cast(:rows as jsonb)) as r("  # noqa: S608
            + _OPERATION_RECORD
            + ", cluster_id uuid, key text, after timestamptz)),"
            " held as (select id from applications where id = any(:ids) order by id"
            "  for no key update),"
            " taken as (update applications a set operation_id = w.id,"
            " operation_created_at = w.created_at, attempted_key = w.key,"
            " attempts = w.attempt, attempt_phase = w.phase, attempted_at = w.started_at"
            " from wanted w join held h on h.id = w.application_id"
            " where a.id = h.id and a.id = any(:ids) and a.operation_id is null"
            "   and a.attempted_at is not distinct from w.after returning w.id)"
            " insert into operations (id, created_at, application_id, cluster_id, application,"
            " project, cluster, namespace, kind, trigger, initiated_by, revision,"
            " previous_revision, sources, manifests_sha256, phase, message, options, plan,"
            " attempt, next_attempt_at, started_at)"
            " select id, created_at, application_id, cluster_id, application, project, cluster,"
            " namespace, kind, trigger, initiated_by, revision, previous_revision, sources,"
            " manifests_sha256, phase, message, options, plan, attempt, next_attempt_at,"
            " started_at from wanted where id in (select id from taken) returning id"
        ),
        {
            "rows": orjson.dumps(
                [
                    {
                        **_operation_row(one.operation),
                        "cluster_id": one.cluster_id,
                        "key": one.key,
                        "after": one.after,
                    }
                    for one in operations
                ]
            ).decode(),
            "ids": [one.operation.application_id for one in operations],
        },
    )


async def put_operations(tx: Writes, operations: Sequence[Operation]) -> None:
    """Write what a pass changed of operations: plan, phase, counts, times."""
    if not operations:
        return
    await tx.execute(
        text(
            "update operations o set revision = r.revision,"  # noqa: S608
            " previous_revision = r.previous_revision, sources = r.sources,"
            # a person's wish to end it is not overwritten by a pass that did not see it
            " manifests_sha256 = r.manifests_sha256, phase = case when o.phase = 'Terminating'"
            "   and r.finished_at is null then o.phase else r.phase end,"
            " message = case when o.phase = 'Terminating' and r.finished_at is null"
            "   then o.message else r.message end,"
            " plan = r.plan, hooks = r.hooks, attempt = r.attempt, options = r.options,"
            " next_attempt_at = r.next_attempt_at,"
            " started_at = r.started_at, finished_at = r.finished_at, created = r.created,"
            " configured = r.configured, unchanged = r.unchanged, pruned = r.pruned,"
            " failed = r.failed from jsonb_to_recordset(cast(:rows as jsonb)) as r("
            + _OPERATION_RECORD
            + ") where o.id = r.id and o.created_at = r.created_at and o.finished_at is null"
            # said twice, so that they are looked up, in their months alone
            " and o.id = any(:ids) and o.created_at = any(:dates)"
        ),
        {
            "rows": orjson.dumps([_operation_row(op) for op in operations]).decode(),
            "ids": [operation.id for operation in operations],
            "dates": [operation.created_at for operation in operations],
        },
    )


async def put_results(
    tx: Writes, operations: Sequence[tuple[Operation, Sequence[Outcome]]]
) -> None:
    """Record outcomes, one row an object and operation; a later one replaces an earlier. Those
    of hooks are kept with the operation.

    What the first attempt created stays ``created`` though a second finds it there.
    """
    rows = [
        {
            "operation_id": operation.id,
            "created_at": operation.created_at,
            "api_group": outcome.ref.group,
            "kind": outcome.ref.kind,
            "namespace": outcome.ref.namespace,
            "name": outcome.ref.name,
            "phase": str(outcome.phase),
            "wave": outcome.wave,
            "action": str(outcome.action),
            "message": outcome.message,
            "error": outcome.error,
        }
        for operation, outcomes in operations
        for outcome in outcomes
        if outcome.action is not None and outcome.hook is None
    ]
    if not rows:
        return
    await tx.execute(
        text(
            "insert into operation_results (operation_id, created_at, api_group, kind, namespace,"
            " name, phase, wave, action, message, error)"
            " select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(operation_id uuid,"
            " created_at timestamptz, api_group text, kind text, namespace text, name text,"
            " phase text, wave integer, action text, message text, error text)"
            " on conflict (operation_id, created_at, api_group, kind, namespace, name)"
            " do update set wave = excluded.wave, message = excluded.message,"
            " error = excluded.error, action = case"
            "   when operation_results.action in ('created', 'configured')"
            "     and excluded.action = 'unchanged'"
            "   then operation_results.action else excluded.action end"
        ),
        {"rows": orjson.dumps(rows).decode()},
    )


async def forget_results(tx: Writes, operation: Operation) -> None:
    """Drop what became of the tasks of the plan in an earlier try: they are open again."""
    if operation.plan is None:
        return
    await tx.execute(
        text(
            "delete from operation_results where operation_id = :id and created_at = :created"
            " and (api_group, kind, namespace, name) in (select * from unnest("
            "cast(:groups as text[]), cast(:kinds as text[]), cast(:namespaces as text[]),"
            " cast(:names as text[])))"
        ),
        {
            "id": operation.id,
            "created": operation.created_at,
            "groups": [task.ref.group for task in operation.plan.tasks],
            "kinds": [task.ref.kind for task in operation.plan.tasks],
            "namespaces": [task.ref.namespace for task in operation.plan.tasks],
            "names": [task.ref.name for task in operation.plan.tasks],
        },
    )


async def end_operations(tx: Tx, application: ApplicationId, why: str, now: datetime) -> None:
    """What is at work on an application ends where it stands, as failed."""
    await tx.execute(
        text(
            "update operations o set phase = 'Failed', message = :why, finished_at = :now"
            " from applications a where a.id = :id and o.finished_at is null"
            " and (o.id, o.created_at) in ((a.operation_id, a.operation_created_at),"
            "  (a.next_operation_id, a.next_operation_created_at))"
        ),
        {"id": application, "why": why, "now": now},
    )


async def release_operations(tx: Writes, operations: Sequence[OperationId]) -> None:
    """Applications whose running operation was ended by Fleet may begin another; what somebody
    asked for meanwhile goes first."""
    if operations:
        await tx.execute(
            text(
                "update applications set operation_id = next_operation_id,"
                " operation_created_at = next_operation_created_at,"
                " next_operation_id = null, next_operation_created_at = null"
                " where operation_id = any(:ids)"
            ),
            {"ids": list(operations)},
        )
