"""Looking into objects that are not as recorded: their bodies, health, and what drifted.

A body is read once for each change. Where fields differ from what we applied, a dry run
says what an apply would make of the object; the difference, with who wrote it, is what
people see and what the drift history keeps. A call that fails leaves the object as it
was: it stays marked and is looked into again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fleet.cluster import (
    apply,
    get_object,
    lost_fields,
    meta_of,
    owned_fields,
    ownership,
    writers,
)
from fleet.diff import Reason, compare, judge, projection_sha256, sha256_of
from fleet.errors import FleetError, KindUnknown
from fleet.health import assess, counts_for_application
from fleet.model.applications import LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.live import LiveMeta
from fleet.model.objects import Manifest, ObjectRef
from fleet.operations.applying import INTERRUPTIONS, Workplace, images_of, unknown_kind
from fleet.plan import DesiredObject

#: Fields of one drifted object that are kept; a replaced object differs in all of them.
FIELDS_KEPT = 50
MISSING = Health(HealthStatus.MISSING)


@dataclass(frozen=True, slots=True)
class Look:
    """An object's row after its body was read; None when it is gone and not wanted."""

    ref: ObjectRef
    row: LiveResource | None


async def look_into(
    place: Workplace,
    refs: Sequence[ObjectRef],
    desired: Mapping[ObjectRef, DesiredObject],
    rows: Mapping[ObjectRef, LiveResource],
) -> tuple[tuple[Look, ...], FleetError | None]:
    """Read objects whole and say where each stands; the error is what cut the rest short."""
    answers = await asyncio.gather(
        *(_look(place, ref, desired.get(ref), rows.get(ref)) for ref in refs),
        return_exceptions=True,
    )
    looks: list[Look] = []
    interrupted: FleetError | None = None
    for answer in answers:
        if isinstance(answer, Look):
            looks.append(answer)
        elif isinstance(answer, FleetError):
            interrupted = answer
        else:
            raise answer
    return tuple(looks), interrupted


async def _look(
    place: Workplace,
    ref: ObjectRef,
    wanted: DesiredObject | None,
    row: LiveResource | None,
) -> Look:
    version = wanted.version if wanted else row.version if row else ""
    kind = place.discovery.find(ref.group_kind, version)
    try:
        if kind is None:
            raise unknown_kind(ref)
        live = await get_object(place.link.client, kind, ref.namespace, ref.name)
    except INTERRUPTIONS:
        raise
    except FleetError as error:
        is_dropped = isinstance(error, KindUnknown) and wanted is None
        if is_dropped and await place.link.has_dropped(ref.group_kind):
            return Look(ref, None)
        # unknown is not absent: nothing follows from it but that it is shown as unknown
        unknown = _base(ref, wanted, row)
        message = f"could not be read: {error.message}"
        return Look(ref, replace(unknown, sync=SyncStatus.UNKNOWN, message=message))
    if live is None:
        if wanted is None:
            return Look(ref, None)
        return Look(ref, _missing(_base(ref, wanted, row)))
    return Look(ref, await _seen(place, kind, live, wanted, _base(ref, wanted, row)))


def _base(ref: ObjectRef, wanted: DesiredObject | None, row: LiveResource | None) -> LiveResource:
    if row is not None:
        return row
    version = wanted.version if wanted else ""
    return LiveResource(ref, version, SyncStatus.UNKNOWN, None, wave=wanted.wave if wanted else 0)


def _missing(base: LiveResource) -> LiveResource:
    return replace(
        base,
        sync=SyncStatus.OUT_OF_SYNC,
        health=MISSING,
        uid="",
        resource_version="gone" if base.in_inventory else "",
        message="does not exist",
        drift=(),
        images=(),
    )


async def _seen(
    place: Workplace,
    kind: ApiKind,
    live: Manifest,
    wanted: DesiredObject | None,
    base: LiveResource,
) -> LiveResource:
    meta = meta_of(kind, live)
    verdict = judge(
        desired_sha256=base.applied_sha256 if wanted is None else sha256_of(wanted.manifest),
        recorded=base,
        live=meta,
        owned_now=ownership(meta).owned,
        value_before=base.value_sha256,
        value_now=projection_sha256(live, base.owned_fields or {}),
    )
    taken = bool(base.owned) and base.owned != ownership(meta).owned
    drifted = taken or verdict.reason in (
        Reason.REPLACED,
        Reason.VALUE_CHANGED,
        Reason.NOT_APPLIED,
    )
    seen = replace(
        base,
        health=assess(live) if counts_for_application(live) else None,
        resource_version=meta.resource_version,
        uid=base.uid if base.in_inventory and base.uid else meta.uid,
        images=images_of(live),
    )
    if not drifted or wanted is None:
        return replace(seen, sync=verdict.status, message=verdict.message, drift=())
    fields = await _fields(place, kind, live, meta, wanted, base)
    if not fields and verdict.reason is Reason.NOT_APPLIED:
        # what is there is what an apply would make of it: taken over without a write
        return replace(seen, sync=SyncStatus.SYNCED, message="", drift=())
    return replace(seen, sync=SyncStatus.OUT_OF_SYNC, message=verdict.message, drift=tuple(fields))


async def _fields(
    place: Workplace,
    kind: ApiKind,
    live: Manifest,
    meta: LiveMeta,
    wanted: DesiredObject,
    base: LiveResource,
) -> list[dict[str, Any]]:
    """What an apply would change, masked, with who wrote the live values."""
    wrote = writers(meta.managed_fields)
    try:
        predicted = await apply(
            place.link.client, kind, wanted.manifest, force=True, dry_run=True, gate=place.gate
        )
    except INTERRUPTIONS:
        raise
    except FleetError:
        # the server would refuse it: then ownership tells at least which fields are meant
        taken = sorted(lost_fields(base.owned_fields, owned_fields(meta)))
        return [
            {"path": path, "type": "changed", "manager": wrote.get(path, "")}
            for path in taken[:FIELDS_KEPT]
        ]
    changes = compare(
        live,
        predicted.object,
        salt=secrets.token_bytes(16),
        sensitive_annotations=place.runtime.settings.sensitive_annotations,
        writers=wrote,
    ).changes
    if not changes and base.applied_sha256:
        taken = sorted(lost_fields(base.owned_fields, owned_fields(meta)))
        return [
            {"path": path, "type": "owner", "manager": wrote.get(path, "")}
            for path in taken[:FIELDS_KEPT]
        ] or [{"path": "metadata.managedFields", "type": "owner", "manager": ""}]
    return [asdict(change) for change in changes[:FIELDS_KEPT]]
