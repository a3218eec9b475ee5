"""One object on its way to a cluster, in the way that its sync options ask for.

Server-side apply is how Fleet works: one request, and the server says who owns what. Options
ask for other ways: a client-side apply, a replacement, an object deleted and made anew. None of
them remembers anything between two calls: whoever is killed in between, the next one looks at
what is there and goes on.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from fleet import cluster
from fleet.cluster import (
    APPLIERS,
    ClusterClient,
    Gate,
    apply,
    by_hand,
    create,
    foreign_entries,
    get_metadata,
    get_object,
    meta_of,
    migrated,
    owned_fields,
    paths_owned,
    put_managed_fields,
    readable_path,
)
from fleet.diff import compare, remove_ignored, three_way, without_fields
from fleet.errors import (
    FieldConflict,
    FieldUnknown,
    ImmutableField,
    ObjectRejected,
    Refused,
)
from fleet.model.applications import IgnoreDifference, LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.live import Applied
from fleet.model.objects import (
    FIELD_MANAGER,
    MADE_FOR_ANNOTATION,
    TRACKING_ANNOTATION,
    Manifest,
    annotations_of,
    metadata_of,
)
from fleet.operations.crashpoints import writing
from fleet.operations.last_applied import last_applied, with_last_applied
from fleet.plan import DesiredObject, Method, ObjectOptions, Ssa, TakeOver
from fleet.plan.remaking import HINT, why_not_remade

#: Others may write an object between a look at it and our write.
TRIES = 4
GOING = "is being deleted, to be made anew"
ANEW = "made anew"
_SHOWN = 3
_LEFT_OUT_MOST = 100  # fields; each level of them costs a request


@dataclass(frozen=True)
class Errand:
    """One object, and how it is to be written.

    Attributes:
        kind: as the cluster serves it.
        options: of the object, under those of the application and of this sync.
        row: what is recorded of the object.
        force: take fields from other managers.
        run: names the try of the sync that asks; "" for none.
    """

    client: ClusterClient
    kind: ApiKind
    wanted: DesiredObject
    options: ObjectOptions
    gate: Gate
    row: LiveResource | None = None
    force: bool = False
    dry_run: bool = False
    run: str = ""
    ignored: Sequence[IgnoreDifference] = ()

    async def live(self) -> Manifest | None:
        ref = self.wanted.ref
        return await get_object(self.client, self.kind, ref.namespace, ref.name)


@dataclass(frozen=True, slots=True)
class Sent:
    """An object as the server has it now, or would after a dry run. ``told`` is what was done
    beside what an ordinary apply does."""

    live: Manifest
    created: bool
    told: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing is sent: for good, as what is there is let be; or for ``now``."""

    why: str
    live: Manifest | None = None
    now: bool = False


async def send(errand: Errand) -> Sent | Held:
    """Write the object.

    Raises:
        Refused: somebody else made it, and it is not to be taken over.
        ClusterError: as ``apply``, ``create`` and ``replace``.
    """
    options = errand.options
    is_careful = options.ssa is Ssa.IF_NOT_PRESENT or options.take_over is not TakeOver.ALWAYS
    live = await errand.live() if is_careful else None
    if live is not None and options.ssa is Ssa.IF_NOT_PRESENT:
        return Held("is there already (fleet.dev/ssa=IfNotPresent)", live)
    if live is not None:
        await _check_take_over(errand, live)
    if options.is_made_anew:
        return await _anew(errand)
    try:
        sent = await _WAYS[options.method](errand)
    except ImmutableField as refused:
        if not options.force:
            raise
        return await _in_its_place(errand, refused)
    return _noted(errand, sent) if options.force else sent


async def predict(errand: Errand) -> Manifest:
    """What an apply by force would make of the object; nothing is stored.

    Raises:
        ClusterError: as ``send``.
    """
    tried = replace(errand, dry_run=True, force=True)
    return (await _WAYS[errand.options.method](tried)).live


# by the server


async def _server_side(errand: Errand) -> Sent:
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
            return replace(sent, told=_both(sent.told, _without(tuple(left_out))))


def _without(fields: Sequence[str]) -> str:
    if not fields:
        return ""
    more = " …" if len(fields) > _SHOWN else ""
    return f"without fields that the kind does not have: {', '.join(fields[:_SHOWN])}{more}"


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
    if not others or errand.dry_run:
        return Sent(applied.object, applied.created)
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
    return foreign_entries(found, lambda manager: _may_move(errand, manager))


async def _move(errand: Errand) -> None:
    """Make ours what others wrote, as far as that may be; the next apply decides on it."""
    ref = errand.wanted.ref
    for attempt in range(1, TRIES + 1):
        meta = await get_metadata(errand.client, errand.kind, ref.namespace, ref.name)
        others = _foreign(errand, meta.managed_fields) if meta else []
        if meta is None or not others:
            return
        entries = migrated(meta.managed_fields, others)
        try:
            await put_managed_fields(errand.client, errand.kind, meta, entries, gate=errand.gate)
        except ObjectRejected as refused:
            if refused.reason != "Conflict" or attempt == TRIES:
                raise
        else:
            return


# by us


async def _client_side(errand: Errand) -> Sent:
    """What ``kubectl apply`` does: three sides are merged here, and the result is written."""
    desired = with_last_applied(errand.wanted.manifest)

    def merge(live: Manifest) -> Manifest:
        merged = three_way(last_applied(errand.kind, live), desired, live)
        return {**merged, "metadata": _unmanaged(merged)}

    return await _written(errand, desired, merge, "")


async def _replace(errand: Errand) -> Sent:
    """Nothing stays that Git does not hold, but what keeps the object, and whose it is."""
    manifest = errand.wanted.manifest

    def put(live: Manifest) -> Manifest:
        held = metadata_of(live)
        names = ("resourceVersion", "finalizers", "ownerReferences")
        kept = {name: held[name] for name in names if name in held}
        return {**manifest, "metadata": {**kept, **metadata_of(manifest)}}

    return await _written(errand, manifest, put, "replaced")


async def _written(
    errand: Errand, made: Manifest, changed: Callable[[Manifest], Manifest], told: str
) -> Sent:
    """Create ``made``, or put in the place of what is there what ``changed`` makes of it."""
    client, kind, gate = errand.client, errand.kind, errand.gate
    dry_run, validate = errand.dry_run, errand.options.validate
    for attempt in range(1, TRIES + 1):
        live = await errand.live()
        try:
            if live is None:
                fresh = await create(
                    client, kind, made, gate=gate, dry_run=dry_run, validate=validate
                )
                return Sent(fresh.object, created=True)
            put = await cluster.replace(
                client, kind, changed(live), gate=gate, dry_run=dry_run, validate=validate
            )
        except ObjectRejected as refused:
            if refused.reason not in _CHANGED_MEANWHILE or attempt == TRIES:
                raise
            continue
        versions = {metadata_of(side).get("resourceVersion") for side in (live, put.object)}
        return Sent(put.object, created=False, told=told if len(versions) > 1 else "")
    raise AssertionError("the last attempt returns or raises")


_CHANGED_MEANWHILE = frozenset({"Conflict", "AlreadyExists", "NotFound"})
_WAYS: Mapping[Method, Callable[[Errand], Awaitable[Sent]]] = MappingProxyType(
    {
        Method.SERVER_SIDE: _server_side,
        Method.CLIENT_SIDE: _client_side,
        Method.REPLACE: _replace,
    }
)


def _unmanaged(manifest: Manifest) -> Manifest:
    return {key: value for key, value in metadata_of(manifest).items() if key != "managedFields"}


# anew


async def _anew(errand: Errand) -> Sent | Held:
    """Deleted and made, once in each try of a sync: what was made for it carries its mark."""
    live = await errand.live()
    if live is None:
        return await _made(errand)
    is_made = annotations_of(live).get(MADE_FOR_ANNOTATION) == errand.run
    if is_made and errand.run and not _is_going(live):
        return Sent(live, created=True, told=ANEW)
    why = why_not_remade(errand.options, live)
    if not why:
        return await _remade(errand, live)
    try:
        return await _replace(errand)
    except ImmutableField as refused:
        raise _kept(refused, why) from None


async def _in_its_place(errand: Errand, refused: ImmutableField) -> Sent | Held:
    """Of an object that cannot be changed as wanted: the wanted one in its place."""
    live = await errand.live()
    if live is None:
        return await _made(errand)
    if why := why_not_remade(errand.options, live):
        raise _kept(refused, why)
    return await _remade(errand, live)


def _kept(refused: ImmutableField, why: str) -> ImmutableField:
    return ImmutableField(
        f"{refused.message}; it is not deleted to be made anew: {why}",
        reason=refused.reason,
        hint=HINT,
        object=refused.object,
    )


async def _remade(errand: Errand, live: Manifest) -> Sent | Held:
    predicted = await _check_made(errand)
    if errand.dry_run:
        return Sent(predicted, created=False, told="would be made anew")
    ref, meta = errand.wanted.ref, meta_of(errand.kind, live)
    if not _is_going(live):
        with writing("remake"):
            await cluster.delete(
                errand.client,
                errand.kind,
                ref.namespace,
                ref.name,
                uid=meta.uid,
                gate=errand.gate,
                propagation="background",
            )
    if await get_metadata(errand.client, errand.kind, ref.namespace, ref.name) is not None:
        return Held(GOING, live, now=True)
    return await _made(errand)


async def _check_made(errand: Errand) -> Manifest:
    """Before anything is deleted: would the server take the new one? It checks an object
    whole before it says that there is one of its name.

    Raises:
        ObjectRejected: it would not.
    """
    try:
        made = await create(
            errand.client,
            errand.kind,
            errand.wanted.manifest,
            gate=errand.gate,
            dry_run=True,
            validate=errand.options.validate,
        )
    except ObjectRejected as refused:
        if refused.reason != "AlreadyExists":
            raise
        return errand.wanted.manifest
    return made.object


async def _made(errand: Errand) -> Sent:
    """The object made where there is none, with the mark of this try if it has to be known."""
    wanted, options = errand.wanted, errand.options
    if options.is_made_anew and errand.run and not errand.dry_run:
        metadata = metadata_of(wanted.manifest)
        marks = {**annotations_of(wanted.manifest), MADE_FOR_ANNOTATION: errand.run}
        manifest = {**wanted.manifest, "metadata": {**metadata, "annotations": marks}}
        wanted = replace(wanted, manifest=manifest)
    way = _client_side if options.method is Method.CLIENT_SIDE else _server_side
    return _noted(errand, await way(replace(errand, wanted=wanted)))


def _noted(errand: Errand, sent: Sent) -> Sent:
    """Says so where an object was applied before: who deleted it may have been killed since."""
    was_there = errand.row is not None and bool(errand.row.applied_sha256)
    return replace(sent, told=_both(ANEW, sent.told)) if sent.created and was_there else sent


def _is_going(live: Manifest) -> bool:
    return bool(metadata_of(live).get("deletionTimestamp"))


# taking over


async def _check_take_over(errand: Errand, live: Manifest) -> None:
    """Raises Refused when somebody else made the object and it is to stay theirs."""
    ours = annotations_of(errand.wanted.manifest).get(TRACKING_ANNOTATION)
    if annotations_of(live).get(TRACKING_ANNOTATION) == ours or owned_fields(
        meta_of(errand.kind, live)
    ):
        return
    option, why = errand.options.take_over, "it is there already, and was not made by Fleet"
    if option is TakeOver.IF_NO_DIFF:
        predicted = await predict(errand)
        sides = [remove_ignored(side, errand.ignored) for side in (live, predicted)]
        changes = compare(*sides, salt=secrets.token_bytes(16)).changes
        if not changes:
            return
        paths = ", ".join(change.path for change in changes[:_SHOWN])
        why = f"it was not made by Fleet and differs from Git: {paths}"
        why += f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    ref = errand.wanted.ref
    raise Refused(
        f"{ref}: is not taken over (fleet.dev/take-over={option}): {why}", object=str(ref)
    )


def _both(one: str, other: str) -> str:
    return "; ".join(part for part in (one, other) if part)
