"""The row of an object that was just written, and what that was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.cluster import fields_hash, meta_of, owned_fields
from fleet.diff import applied_sha256, named_fields, projection_sha256, remove_ignored_fields
from fleet.model.applications import IgnoreDifference, LiveResource
from fleet.model.customizations import Customizations
from fleet.model.health import SyncStatus
from fleet.model.live import LiveMeta
from fleet.model.objects import Manifest
from fleet.model.operations import Action
from fleet.operations.assessing import counted_health_of
from fleet.operations.errands import Errand
from fleet.operations.ignoring import rules_about, spelling_rules
from fleet.operations.images import images_of
from fleet.operations.runtime import Runtime
from fleet.plan import Method, ignores_extraneous, outliving_options


async def applied_row(
    runtime: Runtime,
    errand: Errand,
    wanted: Manifest,
    live: Manifest,
    customized: Customizations,
) -> LiveResource:
    """The row of an object that was just applied, from the server's own answer.

    What it owns is all that was applied: that decides who has to give way later. The hashes
    of contents leave out what may differ.

    Args:
        wanted: the manifest of Git, from which what was sent may differ.
        customized: how people judge kinds by scripts of their own.
    """
    meta = meta_of(errand.kind, live)
    is_ssa = errand.options.method is Method.SERVER_SIDE
    fields = owned_fields(meta) if is_ssa else named_fields(wanted)
    jq, rules = runtime.jq, tuple(errand.ignored)
    counted = await rules_about(jq, rules, live)
    counted += spelling_rules(runtime.resources, live, wanted)[0]
    return LiveResource(
        ref=errand.wanted.ref,
        version=errand.wanted.version,
        sync=SyncStatus.SYNCED,
        health=await counted_health_of(runtime.scripts, customized, live),
        wave=errand.wanted.wave,
        uid=meta.uid,
        resource_version=meta.resource_version,
        owned="" if fields is None else fields_hash(fields),
        owned_fields=fields,
        value_sha256=value_sha256(meta, live, fields, counted),
        applied_sha256=applied_sha256(wanted, await rules_about(jq, rules, wanted)),
        in_inventory=True,
        images=images_of(live),
        sync_options=outliving_options(wanted),
        ignore_extraneous=ignores_extraneous(meta.annotations),
    )


def value_sha256(
    meta: LiveMeta,
    live: Manifest,
    owned: Mapping[str, Any] | None,
    ignored: Sequence[IgnoreDifference],
) -> str:
    """Hash of the live values of the fields in ``owned`` that count."""
    counted = remove_ignored_fields(
        owned or {}, ignored, meta.ref, managed_fields=meta.managed_fields, obj=live
    )
    return projection_sha256(live, counted)


def action_of(row: LiveResource | None, after: LiveResource) -> Action:
    """What an apply did to an object that was there before.

    Nothing new in it, and a manifest that was not recorded as applied: then it was applied
    by whoever was killed before writing that down.
    """
    held = row is not None and (row.uid, row.resource_version, row.applied_sha256) == (
        after.uid,
        after.resource_version,
        after.applied_sha256,
    )
    return Action.UNCHANGED if held else Action.CONFIGURED
