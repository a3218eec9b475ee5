"""Actions on live objects of an application: restart, scale, pause, promote, …"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from fleet.actions import Offer
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body
from fleet.api.routes.applications import found
from fleet.model.objects import ObjectRef
from fleet.operations import acting
from fleet.operations.acting import Done, Offered, Selection

router = guarded_router("applications")

Part = Annotated[str, Query(max_length=253)]
Name = Annotated[str, Field(max_length=253)]


class ActionBody(Body):
    """Which objects are meant, as in the list; ``all``: it may be several. ``parameters`` are
    texts, as the action names them."""

    action: Annotated[str, Field(min_length=1, max_length=253)]
    group: Name | None = None
    kind: Name = ""
    namespace: Name = ""
    resource_name: Name = ""
    all: bool = False
    parameters: dict[str, str] = Field(default_factory=dict, max_length=100)

    def selection(self) -> Selection:
        return Selection(self.group, self.kind, self.namespace, self.resource_name, self.all)


@router.get("/applications/{name}/actions", summary="What may be done to an application's objects")
async def get_actions(
    caller: Calling,
    name: str,
    group: Annotated[str | None, Query(max_length=253)] = None,
    kind: Part = "",
    namespace: Part = "",
    resource_name: Annotated[str, Query(alias="resourceName", max_length=253)] = "",
) -> dict[str, Any]:
    await found(caller, "get", name)
    wanted = Selection(group, kind, namespace, resource_name, every=True)
    offered = await acting.list_actions(caller.runtime, caller.scope, name, wanted)
    return {"items": [_offered_shape(entry) for entry in offered], "next": ""}


@router.post("/applications/{name}/actions", summary="Run an action on objects of an application")
async def post_action(caller: Calling, name: str, body: ActionBody) -> dict[str, Any]:
    app = await found(caller, "get", name)
    refs = await acting.targets(caller.runtime, caller.scope, name, body.selection())
    for group, kind in sorted({(ref.group, ref.kind) for ref in refs}):
        right = f"action/{group}/{kind}/{body.action}"
        await caller.require(right, "applications", name, app.project)
    done = await acting.run_action(
        caller.runtime, caller.actor, caller.scope, name, refs, body.action, body.parameters
    )
    return {"action": body.action, "results": [_done_shape(entry) for entry in done]}


def _ref_shape(ref: ObjectRef) -> dict[str, Any]:
    return {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _offered_shape(entry: Offered) -> dict[str, Any]:
    return {**_ref_shape(entry.ref), "actions": [_offer_shape(offer) for offer in entry.offers]}


def _offer_shape(offer: Offer) -> dict[str, Any]:
    return {
        "name": offer.name,
        "displayName": offer.title,
        "disabled": offer.is_disabled,
        "params": [{"name": it.name, "default": it.default} for it in offer.parameters],
    }


def _done_shape(entry: Done) -> dict[str, Any]:
    shape = {
        **_ref_shape(entry.ref),
        "patched": entry.patched,
        "created": [_ref_shape(ref) for ref in entry.created],
    }
    return shape if entry.error is None else {**shape, "error": entry.error.as_dict()}
