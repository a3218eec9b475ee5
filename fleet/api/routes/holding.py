"""What people hold back of an application: pause and resume."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body, Moment
from fleet.api.routes.applications import found, shown
from fleet.model.holds import Switch
from fleet.operations import holding
from fleet.operations.holding import Terms

router = guarded_router("applications")

Switches = Annotated[tuple[Switch, ...], Field(max_length=len(Switch))]


class PauseBody(Body):
    """``only``: which switches; none means all."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    until: Moment | None = None
    only: Switches = ()


class ResumeBody(Body):
    """``only``: which switches; none means all of them, and a pin."""

    only: Switches = ()


@router.post("/applications/{name}/pause", summary="Hold back what is done by itself")
async def post_pause(caller: Calling, name: str, body: PauseBody) -> dict[str, Any]:
    await found(caller, "sync", name)
    await holding.pause_application(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        body.only,
        Terms(body.reason, body.until),
    )
    return await shown(caller, name)


@router.post("/applications/{name}/resume", summary="Hold it back no longer")
async def post_resume(caller: Calling, name: str, body: ResumeBody | None = None) -> dict[str, Any]:
    await found(caller, "sync", name)
    only = () if body is None else body.only
    await holding.resume_application(caller.runtime, caller.actor, caller.scope, name, only)
    return await shown(caller, name)
