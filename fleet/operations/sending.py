"""One object on its way to a cluster, in the way that its sync options ask for.

Server-side apply is how Fleet works: one request, and the server says who owns what. Options
ask for other ways: a client-side apply, a replacement, an object deleted and made anew. None of
them remembers anything between two calls: whoever is killed in between, the next one looks at
what is there and goes on.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from fleet import cluster
from fleet.cluster import (
    create,
    get_metadata,
    meta_of,
)
from fleet.diff import compare, remove_ignored, three_way, without_field_set
from fleet.errors import (
    ImmutableField,
    ObjectRejected,
    Refused,
)
from fleet.model.objects import (
    MADE_FOR_ANNOTATION,
    TRACKING_ANNOTATION,
    Manifest,
    annotations_of,
    metadata_of,
)
from fleet.operations.crashpoints import writing
from fleet.operations.errands import SHOWN, TRIES, Errand, Held, Sent, both
from fleet.operations.ignoring import rules_about
from fleet.operations.last_applied import last_applied, with_last_applied
from fleet.operations.marks import claim_on
from fleet.operations.server_side import apply_server_side
from fleet.plan import Method, Ssa, TakeOver
from fleet.plan.remaking import HINT, why_not_remade

GOING = "is being deleted, to be made anew"
ANEW = "made anew"
_INSTRUCTION = "fleet.dev/"


async def send(errand: Errand) -> Sent | Held:
    """Write the object.

    Raises:
        Refused: somebody else made it, and it is not to be taken over.
        ClusterError: as ``apply``, ``create`` and ``replace``.
    """
    options = errand.options
    is_careful = options.ssa is Ssa.IF_NOT_PRESENT or options.take_over is not TakeOver.ALWAYS
    is_careful |= errand.takeover is not None
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


async def predict(errand: Errand, *, force: bool = True) -> Manifest:
    """What an apply would make of the object; nothing is stored.

    Args:
        force: take fields that others own.

    Raises:
        FieldConflict: without ``force``, others own some that are not to become ours.
        ClusterError: as ``send``.
    """
    tried = replace(errand, dry_run=True, force=force)
    return (await _WAYS[errand.options.method](tried)).live


# by us


async def _client_side(errand: Errand) -> Sent:
    """What ``kubectl apply`` does: three sides are merged here, and the result is written."""
    desired = with_last_applied(errand.wanted.manifest)

    def merge(live: Manifest) -> Manifest:
        merged = three_way(_before(errand, live), desired, live)
        return {**merged, "metadata": _unmanaged(merged)}

    return await _written(errand, desired, merge, "")


def _before(errand: Errand, live: Manifest) -> Manifest:
    """What was applied last; of what was not applied by us without Argo CD's marks, which are
    not in Git and stay."""
    found = last_applied(errand.kind, live)
    if TRACKING_ANNOTATION in annotations_of(found):
        return found
    return without_field_set(found, errand.tracking.kept_fields(errand.wanted.manifest))


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
        Method.SERVER_SIDE: apply_server_side,
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
    way = _client_side if options.method is Method.CLIENT_SIDE else apply_server_side
    return _noted(errand, await way(replace(errand, wanted=wanted)))


def _noted(errand: Errand, sent: Sent) -> Sent:
    """Says so where an object was applied before: who deleted it may have been killed since."""
    was_there = errand.row is not None and bool(errand.row.applied_sha256)
    return replace(sent, told=both(ANEW, sent.told)) if sent.created and was_there else sent


def _is_going(live: Manifest) -> bool:
    return bool(metadata_of(live).get("deletionTimestamp"))


# taking over


async def _without_ignored(errand: Errand, side: Manifest) -> Manifest:
    rules = tuple(errand.ignored)
    about = await rules_about(errand.jq, rules, side) if errand.jq else rules
    return remove_ignored(side, about)


def _uninstructed(side: Manifest) -> Manifest:
    """Without what Git tells Fleet about the object, such as to look for differences: whoever made
    it did not know of that."""
    metadata = {**metadata_of(side)}
    marks = annotations_of(side)
    kept = {key: text for key, text in marks.items() if not key.startswith(_INSTRUCTION)}
    metadata.pop("annotations", None)
    return {**side, "metadata": {**metadata, **({"annotations": kept} if kept else {})}}


async def _check_take_over(errand: Errand, live: Manifest) -> None:
    """Raises Refused when somebody else made the object and it is to stay theirs."""
    ours = annotations_of(errand.wanted.manifest).get(TRACKING_ANNOTATION)
    row, uid = errand.row, metadata_of(live).get("uid")
    is_known = row is not None and bool(row.applied_sha256) and row.uid == uid
    if is_known or annotations_of(live).get(TRACKING_ANNOTATION) == ours:
        return
    ref = errand.wanted.ref
    option, why = errand.options.take_over, "it is there already, and was not made by Fleet"
    if errand.takeover is not None and (
        told := errand.takeover.why_not(claim_on(errand.tracking, meta_of(errand.kind, live)))
    ):
        raise Refused(f"{ref}: is not taken over: {told}", object=str(ref))
    if option is TakeOver.ALWAYS:
        return
    if option is TakeOver.IF_NO_DIFF:
        predicted = await predict(errand)
        sides = [await _without_ignored(errand, _uninstructed(side)) for side in (live, predicted)]
        changes = compare(*sides, salt=secrets.token_bytes(16)).changes
        if not changes:
            return
        paths = ", ".join(change.path for change in changes[:SHOWN])
        why = f"it was not made by Fleet and differs from Git: {paths}"
        why += f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    raise Refused(
        f"{ref}: is not taken over (fleet.dev/take-over={option}): {why}", object=str(ref)
    )
