"""``argocd-cm`` as people apply it: one document, one change, in force for all that reads it."""

from __future__ import annotations

from fleet.errors import UsageError
from fleet.model.argo_settings import SETTINGS
from fleet.model.global_projects import SettingsConfig, read_global_projects
from fleet.model.scope import Actor
from fleet.operations.customizing import judge_anew
from fleet.operations.inheriting import inherit
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.operations.settings_in_force import check, look_anew
from fleet.registry import instance
from fleet.registry.config_maps import config_map, put_config_map
from fleet.registry.database import rehearsed
from fleet.render.yaml import load_one


async def put_settings(
    runtime: Runtime, actor: Actor, config: SettingsConfig, *, upsert: bool, dry_run: bool = False
) -> Put:
    """Have its global projects, health scripts, actions and what it says about resources in
    force.

    Raises:
        SpecInvalid: a value cannot be read; what was said before stays.
        ExpressionFailed: its jq cannot be checked now.
        UsageError: without ``upsert``, something is said already.
    """
    await check(runtime, config.document)
    found = read_global_projects(config.text, load_one)
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        before = await config_map(tx, SETTINGS)
        if not upsert and before is not None:
            raise UsageError(f"{SETTINGS} is there already", hint="Add --upsert.")
        await instance.hold_passes(tx)
        await judge_anew(tx, before, config.document)
        await look_anew(tx, runtime, before, config.document)
        missing = await inherit(tx, found)
        action = await put_config_map(tx, actor, SETTINGS, config.document)
    warnings = tuple(f"globalProjects: there is no project {name} yet" for name in missing)
    return Put(SETTINGS, action, (*config.warnings, *warnings))
