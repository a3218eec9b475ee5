"""Config management plugins: registered, let go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fleet.errors import NotFound
from fleet.model.ids import ApplicationId
from fleet.model.plugins import Plugin
from fleet.model.scope import Actor
from fleet.operations.evaluating import Evaluation
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.registry import desired, plugins
from fleet.registry.database import rehearsed

_NO_FOLDERS = (
    "the setting plugin_paths is empty here: where it is on a worker too, no plugin finds its"
    " programs"
)


async def announced(runtime: Runtime, application: ApplicationId) -> tuple[dict[str, Any], ...]:
    """The parameters that the plugin of an application's first source knows.

    Raises:
        NotFound: the application was deleted meanwhile.
        RenderError: no plugin renders it, or its command fails.
        FleetError: as a render fails otherwise: SourceError, Forbidden.
    """
    async with runtime.db.reading() as tx:
        entry = await desired.inputs_of(tx, application)
    if entry is None:
        raise NotFound(f"the application {application} does not exist")
    work = Evaluation(runtime)
    await work.inputs.open([entry])
    job, *_ = await work.jobs_of(entry, {})
    result = await runtime.renderer.render(replace(job.request, announces=True))
    return tuple(result.manifests)


async def put_plugin(
    runtime: Runtime, actor: Actor, plugin: Plugin, *, upsert: bool, dry_run: bool = False
) -> Put:
    """Register a plugin, or change one.

    Raises:
        AlreadyExists: without ``upsert``, the name is taken.
    """
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        action = await plugins.put_plugin(tx, actor, plugin, upsert=upsert)
    missing = () if runtime.settings.plugin_paths else (_NO_FOLDERS,)
    return Put(plugin.spec.name, action, plugin.warnings + missing)
