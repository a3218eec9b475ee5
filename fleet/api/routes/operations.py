"""Operations: what was asked of applications, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Limit, Moment
from fleet.api.shapes import operation_shape, page
from fleet.model.ids import OperationId
from fleet.model.operations import OperationPhase, Trigger
from fleet.registry import history
from fleet.registry.history import OperationFilter

router = guarded_router("operations")


@router.get("/operations", summary="Operations, the newest first, without what became of objects")
async def list_operations(
    caller: Calling,
    application: str = "",
    project: str = "",
    cluster: str = "",
    phase: Annotated[list[OperationPhase] | None, Query()] = None,
    trigger: Trigger | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Limit = PAGE,
    after: After = "",
) -> dict[str, Any]:
    await caller.require_some("applications")
    wanted = OperationFilter(
        application=application,
        project=project,
        cluster=cluster,
        phases=tuple(phase or ()),
        trigger=trigger,
        since=since,
        until=until,
    )
    async with caller.runtime.db.reading() as tx:
        found, cursor = await history.list_operations(
            tx, caller.scope, wanted, limit=limit, after=after
        )
    return page(map(operation_shape, found), cursor)


@router.get("/operations/{id}", summary="One operation, with what became of each object")
async def get_operation(caller: Calling, id: UUID) -> dict[str, Any]:
    async with caller.runtime.db.reading() as tx:
        operation = await history.get_operation(tx, caller.scope, OperationId(id))
    await caller.require("get", "applications", operation.application, operation.project)
    return operation_shape(operation)
