"""What holds for objects of every application: the setting ``resource_settings``, and above it,
key by key, the ``argocd-cm`` that people applied.

A pass learns with its applications which generation of that ConfigMap holds, and a watcher with
its clusters; nothing is asked while nobody changes it.
"""

from __future__ import annotations

from dataclasses import replace

from fleet.errors import SpecInvalid
from fleet.model.argo_settings import SETTINGS
from fleet.model.objects import Manifest
from fleet.model.resource_settings import (
    ResourceSettings,
    is_resource_key,
    read_in_force,
    read_resource_settings,
)
from fleet.operations.ignoring import why_wrong
from fleet.operations.runtime import Runtime
from fleet.registry import config_maps, instance, queue
from fleet.registry.database import Tx
from fleet.render.yaml import load_one

_ABOUT = f"ConfigMap/{SETTINGS}"


async def in_force(runtime: Runtime, generation: int) -> Runtime:
    """The runtime with the settings about resources of that generation, or newer ones.

    Args:
        generation: of ``argocd-cm``, read with something else; 0: there is none.
    """
    if generation == 0:
        return runtime
    found = runtime.resources_in_force.get(generation)
    if found is None:
        async with runtime.db.reading() as tx:
            found = of_document(runtime, await config_maps.config_map(tx, SETTINGS))
        runtime.resources_in_force.put(generation, found)
    if found == runtime.resources:
        return runtime
    return replace(runtime, resources=found, configured=_configured(runtime))


def _configured(runtime: Runtime) -> ResourceSettings:
    """What the setting says, also to a pass that goes on with what was in force before."""
    return runtime.resources if runtime.configured is None else runtime.configured


def of_document(runtime: Runtime, document: Manifest | None) -> ResourceSettings:
    """What the setting and an ``argocd-cm`` say together."""
    data = (document or {}).get("data") or {}
    if not any(map(is_resource_key, data)):
        return _configured(runtime)
    return read_in_force(runtime.settings.resource_settings, data, load_one, about=_ABOUT)


async def check(runtime: Runtime, document: Manifest) -> None:
    """Refuse what could not be put in force.

    Raises:
        SpecInvalid: names the key, and what is wrong with its value.
        ExpressionFailed: no jq can be asked now.
    """
    for key, value in (document.get("data") or {}).items():
        if not is_resource_key(key):
            continue
        try:
            found = read_resource_settings({key: value}, load_one)
        except SpecInvalid as error:
            raise SpecInvalid(f"data.{error.message}", hint=error.hint, object=_ABOUT) from None
        wrong = await why_wrong(runtime.jq, (*found.ignore_differences, *found.update_rules))
        if wrong:
            raise SpecInvalid(f"data.{key}: {wrong[0]}", object=_ABOUT)


async def look_anew(
    tx: Tx, runtime: Runtime, before: Manifest | None, after: Manifest | None
) -> None:
    """Have everything looked at with what holds now, if that is something else."""
    found = of_document(runtime, after)
    if of_document(runtime, before) == found:
        return
    await instance.put_resource_settings(tx, found.digest)
    clusters = await instance.look_at_everything(tx)
    await queue.wake(tx, "reconcile", map(str, clusters))


async def note_settings(tx: Tx, runtime: Runtime) -> bool:
    """Note at a start what is in force; says whether it is new, and looked at again then."""
    found = of_document(runtime, await config_maps.config_map(tx, SETTINGS))
    if not await instance.put_resource_settings(tx, found.digest):
        return False
    await instance.look_at_everything(tx)
    return True
