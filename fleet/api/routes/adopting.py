"""Taking over what Argo CD deployed: the plan, and doing it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from fleet.api.answers import accepted
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body
from fleet.api.routes.actions import failure_shape, shown_shape
from fleet.api.routes.applications import found
from fleet.api.shapes import operation_shape, ref_shape
from fleet.operations.adopting import (
    Adoption,
    AdoptionPlan,
    Candidate,
    Leftover,
    adopt_application,
    plan_adoption,
)
from fleet.plan import TakeOver

router = guarded_router("applications")

Names = Annotated[tuple[str, ...], Field(max_length=100)]


class AdoptBody(Body):
    """``from``: applications of Argo CD whose objects are meant beside those of the same name;
    ``*`` stands for all. ``installation``: id of that Argo CD; none as the stored argocd-cm
    says. ``prune``: delete what they have and Git does not hold, as far as it is prunable."""

    policy: TakeOver = TakeOver.ALWAYS
    origins: Annotated[Names, Field(alias="from")] = ()
    installation: Annotated[str, Field(max_length=253)] | None = None
    prune: bool = False


@router.get("/applications/{name}/adoption", summary="What taking over from Argo CD comes to")
async def get_adoption(
    caller: Calling,
    name: str,
    policy: TakeOver = TakeOver.ALWAYS,
    origins: Annotated[list[str] | None, Query(alias="from", max_length=100)] = None,
    installation: Annotated[str | None, Query(max_length=253)] = None,
) -> dict[str, Any]:
    await found(caller, "get", name)
    adoption = Adoption(policy, tuple(origins or ()), installation)
    plan = await plan_adoption(caller.runtime, caller.scope, name, adoption)
    return _plan_shape(plan, policy)


@router.post("/applications/{name}/adopt", summary="Take over what Argo CD deployed")
async def post_adopt(caller: Calling, name: str, body: AdoptBody) -> Response:
    await found(caller, "sync", name)
    adoption = Adoption(body.policy, body.origins, body.installation, body.prune)
    operation = await adopt_application(caller.runtime, caller.actor, caller.scope, name, adoption)
    return accepted(operation_shape(operation))


def _plan_shape(plan: AdoptionPlan, policy: TakeOver) -> dict[str, Any]:
    return {
        "policy": str(policy),
        "refused": plan.why_not(policy),
        "revisions": list(plan.revisions),
        "items": [_candidate_shape(it) for it in plan.candidates],
        "leftovers": [_leftover_shape(it) for it in plan.leftovers],
        "errors": [failure_shape(it) for it in plan.failures],
        "unread": list(plan.unread),
        "next": "",
    }


def _candidate_shape(it: Candidate) -> dict[str, Any]:
    return {
        **ref_shape(it.ref),
        "exists": it.exists,
        "owned": it.is_ours,
        "trackedBy": _claim_text(it),
        "managers": list(it.managers),
        "refused": it.refused,
        "diff": None if it.shown is None else shown_shape(it.shown),
    }


def _leftover_shape(it: Leftover) -> dict[str, Any]:
    return {
        **ref_shape(it.ref),
        "trackedBy": _claim_text(it),
        "prunable": not it.kept,
        "message": it.kept,
    }


def _claim_text(it: Candidate | Leftover) -> str:
    return "" if it.claim is None else str(it.claim)
