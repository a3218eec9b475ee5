"""Server-side apply of one object: how Fleet works.

What others applied client-side before becomes ours with it, so that a field which leaves Git
goes; and fields that the kind does not have are left out, where that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fleet.cluster import (
    APPLIERS,
    apply,
    by_hand,
    foreign_entries,
    get_metadata,
    migrated,
    paths_owned,
    put_managed_fields,
    readable_path,
    without_kept,
)
from fleet.cluster import replace as replace_object
from fleet.diff import alone, without_field_set, without_fields
from fleet.errors import FieldConflict, FieldUnknown, ObjectRejected
from fleet.model.applications import LiveResource
from fleet.model.live import Applied
from fleet.model.objects import FIELD_MANAGER, Manifest, metadata_of
from fleet.operations.errands import SHOWN, TRIES, Errand, Sent, both
from fleet.plan import Method, Ssa

_LEFT_OUT_MOST = 100  # fields; each level of them costs a request


async def apply_server_side(errand: Errand) -> Sent:
    manifest, left_out = errand.wanted.manifest, dict[str, None]()
    while True:
        try:
            sent = await _applied(errand, manifest)
        except FieldUnknown as unknown:
            # the server names those of one level at a time, and one that is gone never again
            is_news = unknown.fields and left_out.keys().isdisjoint(unknown.fields)
            if errand.options.validate or not is_news or len(left_out) >= _LEFT_OUT_MOST:
                raise
            left_out |= dict.fromkeys(unknown.fields)
            manifest = without_fields(manifest, unknown.fields)
        else:
            return replace(sent, told=both(sent.told, _without(tuple(left_out))))


def _without(fields: Sequence[str]) -> str:
    if not fields:
        return ""
    more = " …" if len(fields) > SHOWN else ""
    return f"without fields that the kind does not have: {', '.join(fields[:SHOWN])}{more}"


async def _applied(errand: Errand, manifest: Manifest) -> Sent:
    force = errand.force or errand.options.ssa in (Ssa.OVERRIDE, Ssa.MERGE)
    try:
        applied = await _apply(errand, manifest, force=force)
    except FieldConflict as conflict:
        if _was_ours(conflict, errand.row):
            # every field in dispute was ours before: that is drift, and it is taken back
            applied = await _apply(errand, manifest, force=True)
        elif not all(_may_move(errand, manager) for manager, _ in conflict.conflicts):
            raise
        elif errand.dry_run:
            applied = await _apply(errand, manifest, force=True)
        else:
            await _move(errand)
            applied = await _apply(errand, manifest, force=force)
    others = _foreign(errand, metadata_of(applied.object).get("managedFields"))
    if not others:
        return Sent(applied.object, applied.created)
    if errand.dry_run:
        return Sent(await _left_by(errand, applied.object, others), applied.created)
    await _move(errand)
    again = await _apply(errand, manifest, force=force)
    names = ", ".join(sorted({str(entry.get("manager", "")) for entry in others}))
    return Sent(again.object, applied.created, f"took over what {names} wrote")


async def _apply(errand: Errand, manifest: Manifest, *, force: bool) -> Applied:
    return await apply(
        errand.client,
        errand.kind,
        manifest,
        force=force,
        gate=errand.gate,
        dry_run=errand.dry_run,
    )


def _was_ours(conflict: FieldConflict, row: LiveResource | None) -> bool:
    if row is None or not row.owned_fields or not conflict.conflicts:
        return False
    fields = {readable_path(path) for _, path in conflict.conflicts}
    return paths_owned(row.owned_fields, conflict.conflicts) >= fields


def _may_move(errand: Errand, manager: str) -> bool:
    """Whether a manager's fields become ours, so that those that are not in Git go."""
    options = errand.options
    applied = options.migrate and manager in {FIELD_MANAGER, *APPLIERS, options.migration_manager}
    return applied or (options.ssa is Ssa.OVERRIDE and by_hand(manager))


def _foreign(errand: Errand, managed_fields: object) -> list[dict[str, Any]]:
    found = managed_fields if isinstance(managed_fields, list) else []
    return foreign_entries(found, lambda manager: _may_move(errand, manager), _kept(errand))


def _kept(errand: Errand) -> dict[str, Any]:
    """Argo CD's marks stay its own: who goes back to it is known there."""
    return errand.tracking.kept_fields(errand.wanted.manifest)


def as_moved(errand: Errand, live: Manifest) -> Manifest:
    """A live object whose fields are owned as an apply finds them: what is to be ours is. Other
    ways of writing move nothing."""
    if errand.options.method is not Method.SERVER_SIDE:
        return live
    others = _foreign(errand, metadata_of(live).get("managedFields"))
    if not others:
        return live
    metadata = metadata_of(live)
    entries = migrated(metadata["managedFields"], others, _kept(errand))
    return {**live, "metadata": {**metadata, "managedFields": entries}}


async def _left_by(errand: Errand, tried: Manifest, others: Sequence[dict[str, Any]]) -> Manifest:
    """What is left of an object once the fields of ``others`` are ours: those that Git does not
    hold go. A dry run of the apply cannot show it, as it does not move them; and of what goes,
    the server alone knows what it puts in its place."""
    entries = metadata_of(tried).get("managedFields") or []
    rest = [entry.get("fieldsV1") or {} for entry in entries if entry not in others]
    found = tried
    for entry in others:
        theirs = without_kept(entry.get("fieldsV1"), _kept(errand))
        gone = alone(theirs, rest, keys=False)
        found = without_field_set(found, gone) if gone else found
    if found == tried:
        return tried
    metadata = {k: v for k, v in metadata_of(found).items() if k != "managedFields"}
    put = await replace_object(
        errand.client,
        errand.kind,
        {**found, "metadata": metadata},
        gate=errand.gate,
        dry_run=True,
        validate=errand.options.validate,
    )
    # who owns what is as the apply said
    return {**put.object, "metadata": {**metadata_of(put.object), "managedFields": entries}}


async def _move(errand: Errand) -> None:
    """Make ours what others wrote, as far as that may be; the next apply decides on it."""
    ref = errand.wanted.ref
    for attempt in range(1, TRIES + 1):
        meta = await get_metadata(errand.client, errand.kind, ref.namespace, ref.name)
        others = _foreign(errand, meta.managed_fields) if meta else []
        if meta is None or not others:
            return
        entries = migrated(meta.managed_fields, others, _kept(errand))
        try:
            await put_managed_fields(errand.client, errand.kind, meta, entries, gate=errand.gate)
        except ObjectRejected as refused:
            if refused.reason != "Conflict" or attempt == TRIES:
                raise
        else:
            return
