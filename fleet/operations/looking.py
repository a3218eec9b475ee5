"""Looking into objects that are not as recorded: their bodies, health, and what drifted.

A body is read once for each change. Where fields differ from what we applied, a dry run
says what an apply would make of the object; the difference, with who wrote it, is what
people see and what the drift history keeps. A call that fails leaves the object as it
was: it stays marked and is looked into again.

What ``ignoreDifferences`` of the application names is left out of all of it: of the fields
that we own, of the hash of their values, and of the differences shown.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fleet.cluster import (
    by_hand,
    field_paths,
    fields_hash,
    foreign_entries,
    get_object,
    lost_fields,
    meta_of,
    owned_fields,
    writers,
)
from fleet.diff import (
    NAMED,
    Reason,
    compare,
    is_as_applied,
    judge,
    remove_ignored,
    remove_ignored_fields,
    sha256_of,
    with_filled,
    without_husks,
    without_mutations,
)
from fleet.errors import ExpressionFailed, FleetError, KindUnknown
from fleet.model.applications import IgnoreDifference, LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.live import LiveMeta
from fleet.model.objects import Manifest, ObjectRef, annotations_of, metadata_of
from fleet.operations.applied import value_sha256
from fleet.operations.assessing import counted_health_of, health_of
from fleet.operations.hooks import hook_row
from fleet.operations.ignoring import known_fields, rules_about, spelling_rules
from fleet.operations.images import images_of
from fleet.operations.pruning import kept_by_option
from fleet.operations.sending import predict
from fleet.operations.server_side import as_moved
from fleet.operations.tasks import INTERRUPTIONS, Workplace, unknown_kind
from fleet.plan import DesiredObject, Method, Ssa, ignores_extraneous, includes_mutations
from fleet.registry import sightings

#: Fields of one drifted object that are kept; a replaced object differs in all of them.
FIELDS_KEPT = 50
MISSING = Health(HealthStatus.MISSING)
BY_HAND = "fields were written by hand (fleet.dev/ssa=Override)"


@dataclass(frozen=True, slots=True)
class Look:
    """An object's row after its body was read; None when it is gone and not wanted.

    ``failed``: it could not be read, and stays marked. ``is_known``: it is the very object, by
    its UID, that was recorded from this cluster.
    """

    ref: ObjectRef
    row: LiveResource | None
    failed: bool = False
    is_known: bool = False


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
        return Look(ref, replace(unknown, sync=SyncStatus.UNKNOWN, message=message), failed=True)
    if wanted is None and (live is None or _is_another(row, live)):
        return Look(ref, None)
    if live is None:
        return Look(ref, _missing(_base(ref, wanted, row)))
    if row is not None and row.hook and wanted is None:
        health = await health_of(place.runtime.scripts, place.customized, live)
        seen = hook_row(kind, ref, live, row.wave, health)
        return Look(ref, seen, is_known=bool(row.uid))
    try:
        seen = await _seen(place, kind, live, wanted, _base(ref, wanted, row))
    except ExpressionFailed as error:
        # what may differ cannot be told: nothing is said of the object until it can be
        unknown = replace(_base(ref, wanted, row), sync=SyncStatus.UNKNOWN, message=error.message)
        return Look(ref, unknown, failed=True)
    is_known = row is not None and bool(row.uid) and not _is_another(row, live)
    return Look(ref, seen, is_known=is_known)


def _is_another(row: LiveResource | None, live: Manifest) -> bool:
    """Whether it has the name of the object that we made, and is not that object.

    Nobody deletes it (``pruning``), so nobody may wait for it to go. The controller of aggregated
    ClusterRoles applies what it knew of one, which makes it anew after its deletion.
    """
    return row is not None and bool(row.uid) and row.uid != metadata_of(live).get("uid")


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
        resource_version=sightings.GONE if base.in_inventory else "",
        message="does not exist",
        drift=(),
        images=(),
    )


@dataclass(frozen=True, slots=True)
class _Live:
    """One object as it was read, and which of its fields count.

    Attributes:
        rules: those about the object, their jq made pointers into ``body``.
        before, now: our fields after the last apply and on it now; None: we own none.
    """

    meta: LiveMeta
    body: Manifest
    rules: tuple[IgnoreDifference, ...]
    before: dict[str, Any] | None
    now: dict[str, Any] | None

    @property
    def owned_before(self) -> str:
        return "" if self.before is None else fields_hash(self.before)

    @property
    def owned_now(self) -> str:
        return "" if self.now is None else fields_hash(self.now)

    def without(self, obj: Manifest, rules: Sequence[IgnoreDifference]) -> Manifest:
        return remove_ignored(obj, rules, managed_fields=self.meta.managed_fields)


async def _live(
    place: Workplace,
    kind: ApiKind,
    body: Manifest,
    base: LiveResource,
    wanted: DesiredObject | None,
) -> _Live:
    meta = meta_of(kind, body)
    rules = await rules_about(place.runtime.jq, place.ignored, body)
    if wanted is not None:
        rules += spelling_rules(place.runtime.resources, body, wanted.manifest)[0]

    def counted(fields: dict[str, Any] | None) -> dict[str, Any] | None:
        if fields is None or not rules:
            return fields
        managed = meta.managed_fields
        return remove_ignored_fields(fields, rules, meta.ref, managed_fields=managed, obj=body)

    # what a manifest named is ours as long as Git wants it, whoever wrote it last
    is_named = base.owned_fields is not None and NAMED in base.owned_fields
    held = base.owned_fields if is_named else owned_fields(meta)
    if held is not None and base.owned_fields is not None and not is_named:
        held = with_filled(held, base.owned_fields, meta.managed_fields)
    before, now = counted(base.owned_fields), counted(held)
    if rules and base.owned_fields and before is not None and now is not None:
        now = without_husks(now, base.owned_fields, before)
    return _Live(meta, body, rules, before, now)


async def _seen(
    place: Workplace,
    kind: ApiKind,
    body: Manifest,
    wanted: DesiredObject | None,
    base: LiveResource,
) -> LiveResource:
    live = await _live(place, kind, body, base, wanted)
    value = value_sha256(live.meta, body, base.owned_fields, live.rules)
    owned_before = live.owned_before if live.rules else base.owned
    desired_sha256 = base.applied_sha256
    if wanted is not None:
        rules = await rules_about(place.runtime.jq, place.ignored, wanted.manifest)
        desired_sha256 = _desired_sha256(wanted, base, rules)
    verdict = judge(
        desired_sha256=desired_sha256,
        recorded=replace(base, owned=owned_before),
        live=live.meta,
        owned_now=live.owned_now,
        value_before=base.value_sha256,
        value_now=value,
    )
    taken = bool(base.owned) and owned_before != live.owned_now
    drifted = taken or verdict.reason in (
        Reason.REPLACED,
        Reason.VALUE_CHANGED,
        Reason.NOT_APPLIED,
    )
    seen = replace(
        base,
        health=await counted_health_of(place.runtime.scripts, place.customized, body),
        resource_version=live.meta.resource_version,
        uid=base.uid if base.in_inventory and base.uid else live.meta.uid,
        images=images_of(body),
        ignore_extraneous=ignores_extraneous(live.meta.annotations),
    )
    if wanted is None:
        message = kept_by_option(place, live.meta.annotations) or verdict.message
        return replace(seen, sync=verdict.status, message=message, drift=())
    if wanted.options.ssa is Ssa.IF_NOT_PRESENT:
        there = replace(seen, uid=live.meta.uid)
        return replace(there, sync=SyncStatus.SYNCED, message="", drift=())
    if not drifted and (added := _added_by_hand(live, wanted)):
        return replace(seen, sync=SyncStatus.OUT_OF_SYNC, message=BY_HAND, drift=added)
    if not drifted:
        return replace(seen, sync=verdict.status, message=verdict.message, drift=())
    fields = await _fields(place, live, wanted)
    if fields == [] and verdict.reason is Reason.NOT_APPLIED:
        # what is there is what an apply would make of it: taken over without a write
        return replace(seen, sync=SyncStatus.SYNCED, message="", drift=())
    has_rules = live.rules or known_fields(place.runtime.resources, live.meta.ref)
    if fields == [] and verdict.reason is Reason.VALUE_CHANGED and has_rules:
        # the hash was made when other fields counted: from now on this one is compared with
        return replace(seen, sync=SyncStatus.SYNCED, message="", drift=(), value_sha256=value)
    if not fields:
        fields = _owners(live, is_refused=fields is None)
    return replace(seen, sync=SyncStatus.OUT_OF_SYNC, message=verdict.message, drift=tuple(fields))


def _added_by_hand(live: _Live, wanted: DesiredObject) -> tuple[dict[str, Any], ...]:
    """Fields that people wrote beside ours, where they are to go."""
    if wanted.options.ssa is not Ssa.OVERRIDE:
        return ()
    return tuple(
        {"path": path, "type": "owner", "manager": str(entry.get("manager", ""))}
        for entry in foreign_entries(live.meta.managed_fields, by_hand)
        for path in sorted(field_paths(entry.get("fieldsV1")))
    )[:FIELDS_KEPT]


def _desired_sha256(
    wanted: DesiredObject, base: LiveResource, rules: Sequence[IgnoreDifference]
) -> str:
    """What ``base.applied_sha256`` would be if that was applied."""
    if is_as_applied(base.applied_sha256, wanted.manifest, rules):
        return base.applied_sha256
    return sha256_of(wanted.manifest)


async def _fields(
    place: Workplace, live: _Live, wanted: DesiredObject
) -> list[dict[str, Any]] | None:
    """What an apply would change, masked, with who wrote the live values; None when the
    server would refuse it."""
    try:
        errand = place.errand(wanted, None)
        predicted = await predict(errand)
    except INTERRUPTIONS:
        raise
    except FleetError:
        return None
    after = predicted
    # a server-side apply alone tells what Fleet owns from what webhooks wrote
    is_told = wanted.options.method is Method.SERVER_SIDE
    if is_told and not includes_mutations(place.annotations, annotations_of(wanted.manifest)):
        # of what was applied before, the fields of others were moved then
        found = live.body if live.before else as_moved(errand, live.body)
        after = without_mutations(found, after)
    rules = await rules_about(place.runtime.jq, place.ignored, after)
    spellings = spelling_rules(place.runtime.resources, live.body, after)
    changes = compare(
        live.without(live.body, live.rules + spellings[0]),
        live.without(after, rules + spellings[1]),
        salt=secrets.token_bytes(16),
        sensitive_annotations=place.runtime.settings.sensitive_annotations,
        writers=writers(live.meta.managed_fields),
        keep_status=place.policy.keeps_status(live.meta.ref.group_kind),
    ).changes
    return [asdict(change) for change in changes[:FIELDS_KEPT]]


def _owners(live: _Live, *, is_refused: bool) -> list[dict[str, Any]]:
    """Which fields are meant, told by ownership alone: an apply would be refused, or would
    write the values that are there."""
    wrote = writers(live.meta.managed_fields)
    taken = sorted(lost_fields(live.before, live.now))[:FIELDS_KEPT]
    type = "changed" if is_refused else "owner"
    found = [{"path": path, "type": type, "manager": wrote.get(path, "")} for path in taken]
    if found or is_refused:
        return found
    return [{"path": "metadata.managedFields", "type": "owner", "manager": ""}]
