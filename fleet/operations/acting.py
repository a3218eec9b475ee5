"""Actions on live objects of an application: which there are, and running one.

What may be done is told by scripts of an argocd-cm and by Fleet's own tables. What is sent
passes the project's gate; what was asked is in the audit log before anything is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fleet.actions import (
    Change,
    Creation,
    Offer,
    builtin_actions,
    changes_from_script,
    changes_of,
    offer_of,
    offers_from_script,
)
from fleet.cluster import get_object, make_new, merge
from fleet.errors import (
    ClusterAuthFailed,
    ClusterUnreachable,
    ExpressionFailed,
    FleetError,
    NotFound,
    Place,
    SpecInvalid,
)
from fleet.expressions import Told
from fleet.model.applications import Application, LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.customizations import ActionScripts, Customizations
from fleet.model.objects import Manifest, ObjectRef, group_version_of, ref_of
from fleet.model.scope import Actor, Scope
from fleet.operations.customizing import current_customizations
from fleet.operations.diffing import Site, application_of, site_of
from fleet.operations.owned import owned_objects
from fleet.operations.runtime import Runtime
from fleet.operations.tasks import unknown_kind
from fleet.registry import queue, sightings
from fleet.registry.audit import record_change

_SHOWN = 5  # objects in a message
#: What an object fails with, and every other one would, too.
_OF_ALL = (ClusterUnreachable, ClusterAuthFailed)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are meant; what is empty fits all. ``every``: it may be several."""

    group: str | None = None
    kind: str = ""
    namespace: str = ""
    name: str = ""
    every: bool = False

    def fits(self, ref: ObjectRef) -> bool:
        return (
            self.group in (None, ref.group)
            and self.kind in ("", ref.kind)
            and self.namespace in ("", ref.namespace)
            and self.name in ("", ref.name)
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """An object with what may be done to it."""

    ref: ObjectRef
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an action on an object: ``patched`` and ``created`` objects, or why not."""

    ref: ObjectRef
    patched: bool = False
    created: tuple[ObjectRef, ...] = ()
    error: FleetError | None = None


async def targets(
    runtime: Runtime, scope: Scope, name: str, wanted: Selection
) -> tuple[ObjectRef, ...]:
    """The live objects of an application that a selection means; where it names a kind, also
    those that others made of the application's.

    Raises:
        NotFound: no such application, or it has no such object.
        SpecInvalid: it means several, and not every one was asked for.
        ClusterError: its cluster did not answer.
    """
    app = await application_of(runtime, scope, name)
    found = tuple(row.ref for row in _chosen(app, wanted))
    if wanted.kind and not (found and wanted.name):
        found += await _made_of(await site_of(runtime, app), wanted)
    if not found:
        raise NotFound(
            f"Application/{name}: it has no such object on the cluster",
            hint=f"`fleet app resources {name}` lists them.",
            object=f"Application/{name}",
        )
    if len(found) > 1 and not wanted.every:
        shown = ", ".join(map(str, found[:_SHOWN]))
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise SpecInvalid(
            f"means {len(found)} objects: {shown}{more}",
            place=Place(field="resourceName"),
            hint="Name one with --resource-name and --namespace, or add --all.",
        )
    return found


def _chosen(app: Application, wanted: Selection) -> list[LiveResource]:
    return [row for row in app.resources if row.uid and not row.hook and wanted.fits(row.ref)]


async def _made_of(site: Site, wanted: Selection) -> tuple[ObjectRef, ...]:
    """What a selection means of the objects that others made; they are asked for by kind."""
    found = await owned_objects(
        site, group=wanted.group, kind=wanted.kind, namespace=wanted.namespace
    )
    return tuple(ref for ref in found if wanted.fits(ref))


async def list_actions(
    runtime: Runtime, scope: Scope, name: str, wanted: Selection
) -> tuple[Offered, ...]:
    """The objects of an application that something may be done to.

    Raises:
        NotFound: no such application.
        ClusterError: its cluster did not answer.
        ExpressionFailed: a script that should tell does not.
    """
    app = await application_of(runtime, scope, name)
    site = await site_of(runtime, app)
    custom = await _customized(runtime)
    meant = [row.ref for row in _chosen(app, wanted)]
    if wanted.kind and not (meant and wanted.name):
        meant += await _made_of(site, wanted)
    refs = [ref for ref in meant if _has_actions(custom, ref)]
    found = await asyncio.gather(*(_offered(site, custom, ref) for ref in refs))
    return tuple(entry for entry in found if entry.offers)


async def _customized(runtime: Runtime) -> Customizations:
    async with runtime.db.reading() as tx:
        return await current_customizations(tx)


def _has_actions(custom: Customizations, ref: ObjectRef) -> bool:
    kind = ref.group_kind
    return bool(builtin_actions(kind)) or custom.actions_of(kind) is not None


async def _offered(site: Site, custom: Customizations, ref: ObjectRef) -> Offered:
    _, live = await _live(site, ref)
    return Offered(ref, () if live is None else await _offers(site, custom, ref, live))


async def _offers(
    site: Site, custom: Customizations, ref: ObjectRef, live: Manifest
) -> tuple[Offer, ...]:
    """By name; scripts stand above Fleet's own, and alone unless they say otherwise."""
    scripts = custom.actions_of(ref.group_kind)
    found: dict[str, Offer] = {}
    if scripts is None or scripts.merge_builtin:
        found = {spec.name: offer_of(spec, live) for spec in builtin_actions(ref.group_kind)}
    if scripts is not None:
        found |= {offer.name: offer for offer in await _scripted(site, scripts, ref, live)}
    return tuple(found[name] for name in sorted(found))


async def _scripted(
    site: Site, scripts: ActionScripts, ref: ObjectRef, live: Manifest
) -> tuple[Offer, ...]:
    if not scripts.discovery.strip():
        return tuple(Offer(name) for name in sorted(scripts.definitions))
    told = await site.runtime.scripts.lua(scripts.discovery, live)
    return offers_from_script(_value(told, ref, "discovery of actions"), scripts.definitions)


def _value(told: Told, ref: ObjectRef, what: str) -> object:
    """Raises ExpressionFailed where there is none."""
    if told.error:
        raise ExpressionFailed(f"{ref}: {what}: {told.error}", object=str(ref))
    return told.value


async def run_action(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    refs: Sequence[ObjectRef],
    action: str,
    parameters: Mapping[str, str],
) -> tuple[Done, ...]:
    """Run an action on objects of an application, side by side.

    Args:
        refs: of ``targets``.

    Returns:
        One result an object; of a single one its failure is raised.

    Raises:
        Refused: the action is not possible as the object is.
        Forbidden: the project does not allow what would be written.
        NotFound: the object has no such action, or is gone.
        ClusterError: the cluster did not do it.
    """
    app = await application_of(runtime, scope, name)
    site = await site_of(runtime, app)
    custom = await _customized(runtime)
    planned = await _all(refs, (_plan(site, custom, ref, action, parameters) for ref in refs))
    written = [entry.ref.key for entry in planned if isinstance(entry, _Planned) and entry.changes]
    if written:
        after = {"action": action, "parameters": dict(parameters), "objects": written}
        async with runtime.db.transaction() as tx:
            await record_change(tx, actor, "action", "Application", name, after=after)
    done = await _all(refs, (_send(site, entry) for entry in planned))
    await _have_looked_at(runtime, app, done)
    if len(done) == 1 and done[0].error is not None:
        raise done[0].error
    return tuple(done)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What an action changes of an object as it was read."""

    ref: ObjectRef
    kind: ApiKind
    live: Manifest
    changes: tuple[Change, ...]


async def _all(
    refs: Sequence[ObjectRef], work: Iterable[Coroutine[Any, Any, _Result]]
) -> list[_Result | Done]:
    """Side by side; what fails for an object is its result.

    Raises:
        ClusterUnreachable, ClusterAuthFailed: then it fails for all of them.
    """
    answers = await asyncio.gather(*work, return_exceptions=True)
    found: list[_Result | Done] = []
    for ref, answer in zip(refs, answers, strict=True):
        if not isinstance(answer, BaseException):
            found.append(answer)
        elif isinstance(answer, FleetError) and not isinstance(answer, _OF_ALL):
            found.append(Done(ref, error=answer))
        else:
            raise answer
    return found


async def _plan(
    site: Site,
    custom: Customizations,
    ref: ObjectRef,
    action: str,
    parameters: Mapping[str, str],
) -> _Planned:
    kind, live = await _live(site, ref)
    if live is None:
        raise NotFound(f"{ref}: it is gone", object=str(ref))
    changes = await _changes(site, custom, ref, live, action, parameters)
    return _Planned(ref, kind, live, changes)


async def _send(site: Site, planned: _Planned | Done) -> Done:
    if isinstance(planned, Done):
        return planned
    live, created, patched = planned.live, [], False
    for change in planned.changes:
        if isinstance(change, Creation):
            created.append(await _create(site, change))
            continue
        live = await merge(
            site.link.client,
            planned.kind,
            live,
            change.body,
            gate=site.gate,
            subresource=change.subresource,
            is_exact=change.is_exact,
        )
        patched = True
    return Done(planned.ref, patched, tuple(created))


async def _changes(
    site: Site,
    custom: Customizations,
    ref: ObjectRef,
    live: Manifest,
    action: str,
    parameters: Mapping[str, str],
) -> tuple[Change, ...]:
    scripts = custom.actions_of(ref.group_kind)
    if scripts is not None and action in scripts.definitions:
        told = await site.runtime.scripts.run(scripts.definitions[action], live, parameters)
        return changes_from_script(_value(told, ref, f"action {action}"), live)
    if scripts is None or scripts.merge_builtin:
        for spec in builtin_actions(ref.group_kind):
            if spec.name == action:
                return changes_of(spec, live, parameters, site.runtime.now())
    raise NotFound(
        f"{ref}: there is no action {action!r}",
        hint=f"`fleet app actions list {site.app.summary.name}` lists them.",
        object=str(ref),
    )


async def _create(site: Site, change: Creation) -> ObjectRef:
    ref = ref_of(change.manifest)
    version = group_version_of(change.manifest)[1]
    kind = site.discovery.find(ref.group_kind, version)
    if kind is None or kind.version != version:
        raise unknown_kind(ref, version)
    return ref_of(await make_new(site.link.client, kind, change.manifest, gate=site.gate))


async def _live(site: Site, ref: ObjectRef) -> tuple[ApiKind, Manifest | None]:
    versions = {row.ref: row.version for row in site.app.resources}
    kind = site.discovery.find(ref.group_kind, versions.get(ref, ""))
    if kind is None:
        raise unknown_kind(ref)
    return kind, await get_object(site.link.client, kind, ref.namespace, ref.name)


async def _have_looked_at(runtime: Runtime, app: Application, done: Sequence[Done]) -> None:
    """Have what was changed looked at now, wherever its watch is."""
    cluster = app.summary.cluster_id
    refs = [entry.ref for entry in done if entry.patched or entry.created]
    if cluster is None or not refs:
        return
    async with runtime.db.transaction() as tx:
        await sightings.mark_seen(tx, cluster, [(ref, sightings.any_version()) for ref in refs])
        await queue.wake(tx, "reconcile", [str(cluster)])
