"""``argocd-cm``: put by people, read by every process that judges or acts by it.

A pass learns with its applications which generation holds, so that nothing is asked while
nobody changes it.
"""

from __future__ import annotations

import logging

from fleet.errors import SpecInvalid
from fleet.model.argo_config import CONFIG_NAME, ArgoConfig
from fleet.model.customizations import (
    NONE,
    Customizations,
    changed_patterns,
    matches,
    read_customizations,
)
from fleet.model.objects import Manifest
from fleet.model.reading import Origin
from fleet.model.scope import Actor
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.registry import config_maps, queue, sightings
from fleet.registry.database import Tx, rehearsed
from fleet.render.yaml import load_one

log = logging.getLogger(__name__)


async def put_argocd_config(
    runtime: Runtime, actor: Actor, config: ArgoConfig, *, dry_run: bool = False
) -> Put:
    """Keep it in place of the one there is, and have what it judges judged again.

    Raises:
        SpecInvalid: a value that cannot be read.
    """
    warnings = list(config.warnings)
    after = _read(config.data, warnings)
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        held = await config_maps.config_map(tx, CONFIG_NAME)
        patterns = changed_patterns(_of_document(held), after)
        kinds = [
            kind
            for kind in (await sightings.kinds_seen(tx) if patterns else ())
            if any(matches(pattern, kind) for pattern in patterns)
        ]
        clusters = await sightings.mark_kinds(tx, kinds)
        await queue.wake(tx, "reconcile", map(str, clusters))
        action = await config_maps.put_config_map(tx, actor, CONFIG_NAME, config.document)
    return Put(config.name, action, tuple(warnings))


async def customizations_at(runtime: Runtime, generation: int) -> Customizations:
    """Those of a generation that was read with something else, or newer ones."""
    if generation == 0:
        return NONE
    known = runtime.customizations.get(generation)
    if known is None:
        async with runtime.db.reading() as tx:
            known = await current_customizations(tx)
        runtime.customizations.put(generation, known)
    return known


async def current_customizations(tx: Tx) -> Customizations:
    return _of_document(await config_maps.config_map(tx, CONFIG_NAME))


def _of_document(document: Manifest | None) -> Customizations:
    """What was accepted once; a version of Fleet that reads it no more goes on without it."""
    if document is None:
        return NONE
    try:
        return _read(document.get("data") or {}, [])
    except SpecInvalid as error:
        log.warning("%s is not acted on: %s", CONFIG_NAME, error.message)
        return NONE


def _read(data: dict[str, str], warnings: list[str]) -> Customizations:
    origin = Origin(object=f"ConfigMap/{CONFIG_NAME}")
    found = read_customizations(data, load_one, origin)
    warnings += origin.warnings
    return found
