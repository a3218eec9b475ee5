"""Scripts of ``argocd-cm``: put by people, read by every process that judges or acts by them.

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
    matches,
    read_customizations,
)
from fleet.model.objects import Manifest
from fleet.model.reading import Origin
from fleet.operations.runtime import Runtime
from fleet.registry import config_maps, queue, sightings
from fleet.registry.database import Tx
from fleet.render.yaml import load_one

log = logging.getLogger(__name__)


async def judge_anew(tx: Tx, before: Manifest | None, after: Manifest) -> None:
    """Have what one argocd-cm judges otherwise than another looked at again.

    Raises:
        SpecInvalid: a value of ``after`` that cannot be read.
    """
    patterns = changed_patterns(_of_document(before), _read(after.get("data") or {}))
    if not patterns:
        return
    seen = await sightings.kinds_seen(tx)
    kinds = [kind for kind in seen if any(matches(pattern, kind) for pattern in patterns)]
    clusters = await sightings.mark_kinds(tx, kinds)
    await queue.wake(tx, "reconcile", map(str, clusters))


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
