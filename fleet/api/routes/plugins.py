"""Config management plugins, as Argo CD's documents."""

from __future__ import annotations

from typing import Any

from pydantic.alias_generators import to_camel

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Limit
from fleet.api.routes.applications import found as found_application
from fleet.api.shapes import page
from fleet.operations.plugins import announced
from fleet.registry import plugins

router = guarded_router("plugins")


@router.get("/plugins", summary="Config management plugins, by name")
async def list_plugins(caller: Calling, limit: Limit = PAGE, after: After = "") -> dict[str, Any]:
    await caller.require("get", "plugins")
    async with caller.runtime.db.reading() as tx:
        found, cursor = await plugins.list_plugins(tx, limit=limit, after=after)
    return page(found, cursor)


@router.get("/plugins/{name}", summary="One plugin")
async def get_plugin(caller: Calling, name: str) -> dict[str, Any]:
    await caller.require("get", "plugins", name)
    async with caller.runtime.db.reading() as tx:
        return await plugins.get_plugin(tx, name)


@router.delete("/plugins/{name}", summary="Let a plugin go; what it rendered stays deployed")
async def delete_plugin(caller: Calling, name: str) -> dict[str, Any]:
    await caller.require("delete", "plugins", name)
    async with caller.runtime.db.transaction() as tx:
        await plugins.remove_plugin(tx, caller.actor, name)
    return {"name": name, "action": "deleted"}


@router.get("/applications/{name}/plugin-parameters", summary="What its plugin can be told")
async def get_parameters(caller: Calling, name: str) -> dict[str, Any]:
    """One page: what the plugin of the first source announces, its own command included."""
    app = await found_application(caller, "get", name)
    parameters = await announced(caller.runtime, app.id)
    return page(map(_parameter_shape, parameters), "")


def _parameter_shape(parameter: dict[str, Any]) -> dict[str, Any]:
    """As ``parameters.static`` of the plugin's document would say it."""
    pairs = parameter["map"]
    shape = {**parameter, "map": None if pairs is None else dict(pairs)}
    return {to_camel(key): value for key, value in shape.items() if value not in (None, "", False)}
