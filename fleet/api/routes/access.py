"""The RBAC policy: read, tried out, and asked about oneself. ``apply`` puts it in force."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body, Document
from fleet.model.decisions import Decision
from fleet.operations import access
from fleet.policy import Rights, object_of

router = guarded_router("access")

_LONGEST = 2048
Word = Annotated[str, Field(max_length=_LONGEST)]


class QuestionBody(Body):
    """``document``: ask of this policy instead of the one in force."""

    subject: Word
    action: Word
    resource: Word
    object: Word = "*"
    document: Document | None = None


class PolicyBody(Body):
    document: Document


@router.get("/policy", summary="The RBAC policy in force, as Argo CD's ConfigMap")
async def get_policy(caller: Calling) -> dict[str, Any]:
    await caller.require("get", "policies", "*")
    async with caller.runtime.db.reading() as tx:
        return await access.shown_policy(tx)


@router.post("/policy/validate", summary="Whether a policy can be read, and what is doubtful")
async def post_validate(caller: Calling, body: PolicyBody) -> dict[str, Any]:
    caller.anyone()  # nothing of what is in force is told
    policy, doubts = access.tried(body.document)
    return {"rules": len(policy.rules), "grants": len(policy.grants), "warnings": list(doubts)}


@router.post("/policy/can", summary="Whether somebody may do something, and why not")
async def post_can(caller: Calling, body: QuestionBody) -> dict[str, Any]:
    await caller.require("get", "policies", "*")
    policy = None if body.document is None else access.tried(body.document)[0]
    async with caller.runtime.db.reading() as tx:
        subject = await access.subject_named(tx, body.subject)
        rights = await access.rights(tx, subject, policy)
    return _answer(_decided(rights, body.action, body.resource, body.object))


@router.get("/session/can", summary="Whether the caller may do something, and why not")
async def get_can(
    caller: Calling,
    action: Annotated[str, Query(max_length=_LONGEST)],
    resource: Annotated[str, Query(max_length=_LONGEST)],
    object: Annotated[str, Query(max_length=_LONGEST)] = "*",
) -> dict[str, Any]:
    caller.anyone()
    return _answer(_decided(caller.rights, action, resource, object))


def _decided(rights: Rights, action: str, resource: str, object: str) -> Decision:
    name, project = object_of(resource, object)
    return rights.may(action, resource, name, project)


def _answer(decision: Decision) -> dict[str, Any]:
    return {"allowed": decision.allowed, "reason": decision.reason}
