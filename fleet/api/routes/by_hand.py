"""Live objects of an application, deleted or patched by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body
from fleet.api.routes.applications import found
from fleet.operations import by_hand
from fleet.operations.by_hand import Chosen

router = guarded_router("applications")

_Name = Annotated[str, Field(max_length=253)]


class ChosenBody(Body):
    """Which objects: empty fields match anything. ``all``: there may be several."""

    kind: Annotated[str, Field(min_length=1, max_length=253)]
    name: _Name = ""
    group: _Name = ""
    namespace: _Name = ""
    all: bool = False

    def chosen(self) -> Chosen:
        return Chosen(self.kind, self.name, self.group, self.namespace, self.all)


class DeleteObjectsBody(ChosenBody):
    """``force``: at once; ``orphan``: what they own stays."""

    force: bool = False
    orphan: bool = False


class PatchObjectsBody(ChosenBody):
    patch: dict[str, Any] | list[Any]
    patch_type: Literal["json", "merge", "strategic"] = "merge"


@router.post("/applications/{name}/resources/delete", summary="Delete live objects by hand")
async def post_delete(caller: Calling, name: str, body: DeleteObjectsBody) -> dict[str, Any]:
    await found(caller, "delete", name)
    done = await by_hand.delete_objects(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        body.chosen(),
        force=body.force,
        orphan=body.orphan,
    )
    return {"name": name, "objects": list(done)}


@router.post("/applications/{name}/resources/patch", summary="Patch live objects by hand")
async def post_patch(caller: Calling, name: str, body: PatchObjectsBody) -> dict[str, Any]:
    await found(caller, "update", name)
    done = await by_hand.patch_objects(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        body.chosen(),
        body.patch,
        body.patch_type,
    )
    return {"name": name, "objects": list(done)}
