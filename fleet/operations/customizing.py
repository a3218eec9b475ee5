"""``argocd-cm``: put by people, read by every process that judges or acts by it.

A pass learns with its applications which generation holds, so that nothing is asked while
nobody changes it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fleet.errors import SpecInvalid
from fleet.model.argo_settings import SETTINGS
from fleet.model.customizations import (
    NONE,
    Customizations,
    changed_patterns,
    is_customization,
    matches,
    read_customizations,
)
from fleet.model.objects import Manifest
from fleet.model.reading import Origin
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime
from fleet.registry import config_maps, queue, sightings
from fleet.registry.database import Tx, rehearsed
from fleet.render.yaml import load_one

log = logging.getLogger(__name__)


async def put_customizations(
    runtime: Runtime, actor: Actor, entries: Mapping[str, str], *, dry_run: bool = False
) -> bool:
    """Keep those of an argocd-cm's keys that are acted upon, in place of those that there are,
    and have what they judge judged again; whether anything changed.

    Raises:
        SpecInvalid: a value that cannot be read.
    """
    kept = {key: text for key, text in entries.items() if is_customization(key)}
    after = _read(kept)
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        held = await config_maps.config_map(tx, SETTINGS)
        if held is None and not kept:
            return False
        patterns = changed_patterns(_of_document(held), after)
        kinds = [
            kind
            for kind in (await sightings.kinds_seen(tx) if patterns else ())
            if any(matches(pattern, kind) for pattern in patterns)
        ]
        clusters = await sightings.mark_kinds(tx, kinds)
        await queue.wake(tx, "reconcile", map(str, clusters))
        document = {"metadata": {"name": SETTINGS}, "data": kept}
        action = await config_maps.put_config_map(tx, actor, SETTINGS, document)
    return action != "unchanged"


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
    return _of_document(await config_maps.config_map(tx, SETTINGS))


def _of_document(document: Manifest | None) -> Customizations:
    """What was accepted once; a version of Fleet that reads it no more goes on without it."""
    if document is None:
        return NONE
    try:
        return _read(document.get("data") or {})
    except SpecInvalid as error:
        log.warning("%s is not acted on: %s", SETTINGS, error.message)
        return NONE


def _read(data: Mapping[str, str]) -> Customizations:
    return read_customizations(data, load_one, Origin(object=f"ConfigMap/{SETTINGS}"))
