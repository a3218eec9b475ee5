"""The audit log: what was changed or refused, and whether the log is whole."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit, Moment
from fleet.api.shapes import page, time_text
from fleet.registry import chain
from fleet.registry.changes import Change, ChangeFilter, list_changes

router = guarded_router("audit")


class HeadBody(Body):
    """A head as ``GET /audit/head`` exported it."""

    instance: str
    seq: int
    chain_hash: str
    exported_at: str
    signature: str

    model_config = ConfigDict(alias_generator=None)


class VerifyBody(Body):
    """``head``: also check that the log still contains what was exported then."""

    head: HeadBody | None = None


@router.get("/audit/changes", summary="Who did, or was refused, what: the newest first")
async def get_changes(
    caller: Calling,
    actor: str = "",
    action: str = "",
    kind: str = "",
    object: str = "",
    decision: Literal["", "allowed", "denied"] = "",
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Limit = PAGE,
    after: After = "",
) -> dict[str, Any]:
    await caller.require("get", "audit")
    wanted = ChangeFilter(actor, action, kind, object, decision, since, until)
    async with caller.runtime.db.reading() as tx:
        found, cursor = await list_changes(tx, caller.scope, wanted, limit=limit, after=after)
    return page(map(_change_shape, found), cursor)


def _change_shape(change: Change) -> dict[str, Any]:
    return {
        "seq": change.seq,
        "at": time_text(change.at),
        "actor": change.actor,
        "sourceIp": change.source_ip,
        "action": change.action,
        "decision": change.decision,
        "kind": change.object_kind,
        "object": change.object,
        "before": change.before,
        "after": change.after,
        "requestId": change.request_id,
        "chainHash": change.chain_hash,
    }


@router.post("/audit/verify", summary="Follow the chain, and look for an exported head in it")
async def post_verify(caller: Calling, body: VerifyBody | None = None) -> dict[str, Any]:
    await caller.require("get", "audit")
    runtime = caller.runtime
    async with runtime.db.reading() as tx:
        if body is None or body.head is None:
            found = await chain.verify(tx, runtime.ring)
        else:
            found = await chain.verify_against(tx, runtime.ring, body.head.model_dump())
    return {
        "ok": found.ok,
        "checked": found.checked,
        "badSeq": found.first_bad_seq,
        "message": found.message,
    }


@router.get("/audit/head", summary="The newest link, signed, to keep somewhere else")
async def get_head(caller: Calling) -> dict[str, Any]:
    await caller.require("get", "audit")
    async with caller.runtime.db.reading() as tx:
        return await chain.export_head(tx, caller.runtime.ring)
