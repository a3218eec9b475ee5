"""Gathering: everything that is recorded about a batch of applications, in few queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self, TypeAlias

from fleet.model.applications import ApplicationSpec, LiveResource, skips_reconciling
from fleet.model.clusters import Cluster, Discovery, is_itself
from fleet.model.customizations import NONE, Customizations
from fleet.model.ids import ApplicationId, ClusterId, OperationId
from fleet.model.objects import GroupKind, Manifest, ObjectRef
from fleet.model.operations import Operation
from fleet.model.projects import ProjectSpec
from fleet.operations.customizing import customizations_at
from fleet.operations.ignoring import NOTHING, Ignored, ignored_in, rules_for
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec, project_spec
from fleet.plan import DesiredHook, KindPolicy, Prepared, prepare, without_itself
from fleet.plan.desired import DiscoveryScope
from fleet.registry import manifests, syncs, work
from fleet.registry.database import Tx
from fleet.registry.work import DirtyApplication

#: What is recorded of applications' objects, by application.
Resources: TypeAlias = Mapping[ApplicationId, Sequence[work.ResourceRow]]


@dataclass(frozen=True)
class View:
    """One application as recorded. ``rows`` and ``seen`` are replaced, never changed.

    Attributes:
        prepared: None when nothing could be rendered yet, or nothing is wanted any more.
        seen: objects whose body has to be read again, with what was seen of them.
        owners: of objects and hooks that another application applied: its name.
        operation: the one that runs.
        hooks: what runs before, among and after its syncs, or its deletion.
        customized: how people judge kinds by scripts of their own.
        ignored: what may differ in each of the objects that are wanted.
        policy: which kinds are left out.
    """

    app: DirtyApplication
    spec: ApplicationSpec
    project: ProjectSpec
    prepared: Prepared | None
    rows: Mapping[ObjectRef, LiveResource]
    seen: Mapping[ObjectRef, str]
    owners: Mapping[ObjectRef, str] = field(default_factory=dict)
    operation: Operation | None = None
    hooks: tuple[DesiredHook, ...] = ()
    customized: Customizations = NONE
    ignored: Ignored = NOTHING
    policy: KindPolicy = KindPolicy()

    @property
    def is_skipped(self) -> bool:
        """Nothing of it is compared or synced; a deletion that somebody asks for is done."""
        return self.app.deleting is None and skips_reconciling(self.app.document)

    @property
    def manifests_sha256(self) -> str:
        """Of what is to be applied: Git's, or that of the rollback that runs."""
        if self.operation is not None and self.operation.options.manifests_sha256:
            return self.operation.options.manifests_sha256
        return self.app.manifests_sha256

    @property
    def is_apart(self) -> bool:
        """Whether what is compared is not what is wanted, but what the running operation
        applies."""
        return self.manifests_sha256 != self.app.manifests_sha256


def scope_of(discovery: Discovery) -> DiscoveryScope:
    def served(kind: GroupKind, version: str) -> bool | None:
        found = discovery.find(kind, version)
        return None if found is None or found.version != version else found.namespaced

    return served


def policy_for(runtime: Runtime, cluster: Cluster) -> KindPolicy:
    """What the settings say about kinds on the cluster."""
    return KindPolicy(runtime.resources, (cluster.server, cluster.name))


class _Asking:
    """A connection that is taken when something has to be asked, and not before."""

    def __init__(self, moment: Callable[[], AbstractAsyncContextManager[Tx]]) -> None:
        self._moment = moment
        self._stack = AsyncExitStack()
        self._tx: Tx | None = None

    async def __call__(self) -> Tx:
        if self._tx is None:
            self._tx = await self._stack.enter_async_context(self._moment())
        return self._tx

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        return await self._stack.__aexit__(*raised)


async def gather(
    runtime: Runtime,
    cluster: Cluster,
    discovery: Discovery,
    apps: Sequence[DirtyApplication],
    known: Resources,
) -> list[View]:
    """What is recorded of ``apps``, their manifests made ready to be applied.

    Args:
        known: resources that were read with the applications; the others' are read now.
    """
    running = [
        (app.operation_id, app.operation_created_at)
        for app in apps
        if app.operation_id is not None and app.operation_created_at is not None
    ]
    customized = await customizations_at(runtime, max((app.customized for app in apps), default=0))
    # one moment for an operation and what it did; else questions of their own, without BEGIN
    async with _Asking(runtime.db.reading if running else runtime.db.asking) as ask:
        operations = await syncs.operations_by_id(await ask(), running) if running else {}
        if unknown := [app.id for app in apps if app.id not in known]:
            known = {**known, **await work.resources_of(await ask(), unknown)}
        now, policy = runtime.now(), policy_for(runtime, cluster)
        views = [_view(_held(app, now), operations, known[app.id], policy) for app in apps]
        sets = await _manifests(runtime, ask, {view.manifests_sha256 for view in views} - {""})
        views = [_prepared(runtime, view, sets, cluster, discovery) for view in views]
        views = await _with_owners(ask, cluster.id, views)
    views = [replace(view, customized=customized) for view in views]
    return [await _with_ignored(runtime, view) for view in views]


async def _with_ignored(runtime: Runtime, view: View) -> View:
    if errors := runtime.resources.errors:
        # which objects count, and what of them, cannot be told
        return replace(view, ignored=Ignored(errors=errors))
    rules = rules_for(runtime, view.spec)
    if not rules or view.prepared is None:
        return view
    wanted = (object.manifest for object in view.prepared.objects)
    ignored = await ignored_in(runtime.jq, rules, wanted, own=view.spec.ignore_differences)
    return replace(view, ignored=ignored)


def _held(app: DirtyApplication, now: datetime) -> DirtyApplication:
    """The application with what is held back of it now. What is pinned is what is wanted, and
    it cannot fail to render."""
    if not app.holds:
        return app
    holds = app.holds.at(now)
    if holds.pin is None or app.deleting is not None:
        return replace(app, holds=holds)
    pin = holds.pin
    return replace(
        app,
        holds=holds,
        manifests_sha256=pin.manifests_sha256,
        revisions=pin.revisions,
        render_error=None,
        render_warnings=(),
    )


def _view(
    app: DirtyApplication,
    operations: Mapping[OperationId, Operation],
    resources: Iterable[work.ResourceRow],
    policy: KindPolicy,
) -> View:
    entries = tuple(resources)
    return View(
        app=app,
        spec=application_spec(app.document),
        project=project_spec(app.project_document),
        prepared=None,
        rows={entry.live.ref: entry.live for entry in entries},
        seen={entry.live.ref: entry.seen for entry in entries if entry.stale},
        operation=operations.get(app.operation_id) if app.operation_id else None,
        policy=policy,
    )


def _prepared(
    runtime: Runtime,
    view: View,
    sets: Mapping[str, tuple[Manifest, ...]],
    cluster: Cluster,
    discovery: Discovery,
) -> View:
    objects = sets.get(view.manifests_sha256)
    if objects is None:
        return view
    prepared = prepare(
        objects,
        application_id=view.app.id,
        instance=str(runtime.instance),
        namespace=view.app.namespace,
        discovery_scope=scope_of(discovery),
        sync_options=view.spec.sync_policy.options,
        policy=view.policy,
    )
    if is_itself(cluster.name, cluster.server):
        prepared = without_itself(prepared, view.app.name)
    if view.app.deleting is not None:
        return replace(view, hooks=prepared.hooks)  # nothing else of it is wanted any more
    return replace(view, prepared=prepared, hooks=prepared.hooks)


async def _manifests(
    runtime: Runtime, ask: _Asking, wanted: set[str]
) -> dict[str, tuple[Manifest, ...]]:
    found = {sha: kept for sha in wanted if (kept := runtime.manifests.get(sha)) is not None}
    missing = wanted - found.keys()
    if missing:
        loaded = await manifests.load_many(await ask(), runtime.ring, missing)
        for sha, objects in loaded.items():
            runtime.manifests.put(sha, objects)
        found |= loaded
    return found


async def _with_owners(ask: _Asking, cluster: ClusterId, views: Sequence[View]) -> list[View]:
    """Each view with the other applications that have its objects, or those of its hooks."""
    claimed = [
        {ref for ref in claims_of(view) if ref not in view.rows or not view.rows[ref].in_inventory}
        for view in views
    ]
    refs: set[ObjectRef] = set().union(*claimed)
    found = await work.owners(await ask(), cluster, refs) if refs else {}
    return [
        replace(
            view,
            owners={
                ref: found[ref][1]
                for ref in claims
                if ref in found and found[ref][0] != view.app.id
            },
        )
        for view, claims in zip(views, claimed, strict=True)
    ]


def claims_of(view: View) -> set[ObjectRef]:
    """What only one application on a cluster can have, and this one wants: its objects, and
    those of its hooks but where each run names them anew."""
    objects = view.prepared.objects if view.prepared else ()
    hooks = (hook.ref for hook in view.hooks if not hook.generated)
    return {*(object.ref for object in objects), *hooks}


def sources_of(view: View) -> tuple[dict[str, str], ...]:
    """URL, path or chart, and revision of each source, for the history."""
    found = []
    revisions = [*view.app.revisions, *[""] * len(view.spec.sources)]
    for source, revision in zip(view.spec.sources, revisions, strict=False):
        place = {"chart": source.chart} if source.chart else {"path": source.path}
        found.append(
            {
                "repoURL": source.repo_url,
                **place,
                "targetRevision": source.target_revision,
                "revision": revision,
            }
        )
    return tuple(found)
