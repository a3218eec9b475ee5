"""What a sync would change, and what an application has, for a person to look at.

Each wanted object is sent as a server-side dry run through the same gate as a real apply;
the server's own answer is compared with live. Everything that leaves here is masked.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.cluster import get_object, meta_of, writers
from fleet.diff import compare, mask_object, remove_ignored, unified, without_mutations
from fleet.errors import (
    ClusterAuthFailed,
    ClusterUnreachable,
    FleetError,
    Forbidden,
    KindUnknown,
    ObjectRejected,
    Place,
    Refused,
    SpecInvalid,
)
from fleet.model.applications import Application, LiveResource
from fleet.model.argo_tracking import ArgoTracking
from fleet.model.clusters import ApiKind, Cluster, Discovery, is_itself
from fleet.model.diffs import ObjectDiff
from fleet.model.live import LiveMeta
from fleet.model.objects import GroupKind, Manifest, ObjectRef, annotations_of, metadata_of
from fleet.model.projects import ProjectSpec
from fleet.model.scope import Scope
from fleet.operations.allowing import check_shadow, gate_of
from fleet.operations.connections import Link
from fleet.operations.errands import Errand
from fleet.operations.ignoring import rules_about, rules_for, spelling_rules
from fleet.operations.reaching import told_where
from fleet.operations.rendering import render_at
from fleet.operations.runtime import Runtime
from fleet.operations.sending import predict
from fleet.operations.server_side import as_moved
from fleet.operations.settings_in_force import in_force
from fleet.operations.views import policy_for, scope_of
from fleet.plan import (
    DesiredObject,
    Method,
    Prepared,
    Ssa,
    includes_mutations,
    kinds_brought,
    prepare,
    read_application_options,
    without_itself,
)
from fleet.policy import acts_as
from fleet.registry import clusters, manifests, projects
from fleet.registry.application_views import Freshness, get_application

_ANY_TRACKING = ArgoTracking()


@dataclass(frozen=True)
class Failure:
    """An object that could not be compared, and why."""

    ref: ObjectRef
    error: FleetError


@dataclass(frozen=True)
class Shown:
    """One object that differs; ``action`` is create, change or prune."""

    diff: ObjectDiff
    action: str
    text: str  # unified


@dataclass(frozen=True)
class ApplicationDiff:
    """``shown`` in the order in which a sync would go; objects that are equal are left out."""

    shown: tuple[Shown, ...]
    failures: tuple[Failure, ...]
    revisions: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifests:
    """What is wanted or live, masked, and the revision that it is of."""

    items: tuple[Manifest, ...]
    revisions: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """An application where it is: its cluster, what that serves, what the project allows."""

    runtime: Runtime
    app: Application
    cluster: Cluster
    project: ProjectSpec
    link: Link
    discovery: Discovery

    def gate(self, kind: ApiKind, namespace: str, name: str, verb: str) -> None:
        """The project's rules, as a pass asks them."""
        ref = ObjectRef(kind.group, kind.kind, namespace, name)
        check_shadow(self.app.document.document, ref, verb)
        decision = gate_of(self.project, self.cluster, self.app.summary.project)(
            ref, kind.namespaced, verb
        )
        if not decision:
            raise Forbidden(f"{ref}: {decision.reason}", object=str(ref))


async def diff_application(
    runtime: Runtime,
    scope: Scope,
    name: str,
    *,
    revisions: Mapping[int, str] | None = None,
    given: Sequence[Manifest] | None = None,
) -> ApplicationDiff:
    """What a sync would change now.

    Args:
        revisions: render at these, by the source's position from 0, instead of taking what is
            wanted now.
        given: compare these instead, as rendered on somebody's own machine.

    Raises:
        NotFound: no such application, or no such revision.
        Refused: it has no cluster, or nothing could be rendered yet.
        ClusterError: the cluster did not answer.
    """
    if revisions and given is not None:
        raise SpecInvalid("give a revision or manifests, not both", place=Place(field="revision"))
    app = await application_of(runtime, scope, name)
    wanted = await _wanted(runtime, app, revisions or {}, given)
    site = await site_of(runtime, app)
    prepared = prepared_at(site, wanted.items)
    pruned = _pruned(app, prepared)
    answers = await asyncio.gather(
        *(compared(site, object, prepared) for object in prepared.objects),
        *(_prune(site, row) for row in pruned),
        return_exceptions=True,
    )
    refs = [object.ref for object in prepared.objects] + [row.ref for row in pruned]
    problems = problems_of(prepared)
    shown, failures = _sorted_out(refs, answers)
    warnings = tuple(condition.message for condition in prepared.conditions)
    return ApplicationDiff(shown, failures + problems, wanted.revisions, warnings)


def prepared_at(
    site: Site, manifests: Sequence[Manifest], sync_options: Sequence[str] = ()
) -> Prepared:
    """Manifests as they would be applied at the site.

    Args:
        sync_options: for once, above those of the application.
    """
    app, runtime = site.app, site.runtime
    prepared = prepare(
        manifests,
        application_id=app.summary.id,
        instance=str(runtime.instance),
        namespace=app.summary.namespace,
        discovery_scope=scope_of(site.discovery),
        sync_options=(*app.document.spec.sync_policy.options, *sync_options),
        policy=policy_for(runtime, site.cluster),
    )
    if is_itself(site.cluster.name, site.cluster.server):
        prepared = without_itself(prepared, app.summary.name)
    return prepared


def problems_of(prepared: Prepared) -> tuple[Failure, ...]:
    """Objects that cannot be applied at all."""
    return tuple(
        Failure(problem.ref, KindUnknown(problem.message, object=str(problem.ref)))
        for problem in prepared.problems
    )


async def manifests_of(runtime: Runtime, app: Application) -> Manifests:
    """What an application wants now, not masked yet.

    Raises:
        Refused: nothing was rendered yet.
    """
    return await _wanted(runtime, app, {}, None)


def _sorted_out(
    refs: Sequence[ObjectRef], answers: Sequence[Shown | BaseException | None]
) -> tuple[tuple[Shown, ...], tuple[Failure, ...]]:
    """What differs, and what could not be compared.

    Raises:
        ClusterError: the cluster as a whole does not answer: then nothing is known.
    """
    shown, failures = [], []
    for ref, answer in zip(refs, answers, strict=True):
        if isinstance(answer, Shown):
            shown.append(answer)
        elif isinstance(answer, ClusterUnreachable | ClusterAuthFailed):
            raise answer
        elif isinstance(answer, FleetError):
            failures.append(Failure(ref, answer))
        elif answer is not None:
            raise answer
    return tuple(shown), tuple(failures)


async def application_of(runtime: Runtime, scope: Scope, name: str) -> Application:
    fresh = Freshness(runtime.now(), runtime.settings.reconcile_interval_seconds)
    async with runtime.db.reading() as tx:
        return await get_application(tx, scope, name, fresh=fresh)


async def _wanted(
    runtime: Runtime,
    app: Application,
    revisions: Mapping[int, str],
    given: Sequence[Manifest] | None,
) -> Manifests:
    """What to compare with, not masked yet."""
    if given is not None:
        return Manifests(tuple(given), ())
    if revisions:
        rendered = await render_at(runtime, app.summary.id, revisions)
        return Manifests(rendered.manifests, rendered.revisions)
    if not app.manifests_sha256:
        conditions = "; ".join(c.message for c in app.summary.conditions)
        raise Refused(
            f"Application/{app.summary.name}: nothing was rendered yet"
            + (f": {conditions}" if conditions else ""),
            hint=f"Ask for it now: fleet app refresh {app.summary.name}",
            object=f"Application/{app.summary.name}",
        )
    async with runtime.db.reading() as tx:
        objects = await manifests.load(tx, runtime.ring, app.manifests_sha256)
    return Manifests(objects, app.revisions)


async def site_of(runtime: Runtime, app: Application) -> Site:
    cluster_id = app.summary.cluster_id
    if cluster_id is None:
        raise Refused(
            f"Application/{app.summary.name}: its destination names no registered cluster",
            hint="Register it with `fleet cluster add`.",
            object=f"Application/{app.summary.name}",
        )
    async with runtime.db.reading() as tx:
        # the application was visible, so what it is deployed to may be asked about it
        said = await clusters.get_with_settings(tx, runtime.ring, cluster_id)
        project = await projects.rules_of(tx, app.summary.project)
    cluster, connection, generation = said
    runtime = await in_force(runtime, generation)
    shared = await runtime.connections.link(cluster_id, cluster.name, connection)
    link = shared.on_behalf(app.summary.id)
    with told_where(reserved=cluster.is_reserved):
        discovery = await link.discovery()
    acting = acts_as(project, server=cluster.server, namespace=app.summary.namespace)
    return Site(runtime, app, cluster, project, link.acting_as(acting.user), discovery)


def _pruned(app: Application, prepared: Prepared) -> list[LiveResource]:
    """What was applied and is no longer wanted."""
    wanted = {object.ref for object in prepared.objects} | prepared.ignored
    return [row for row in app.resources if row.in_inventory and row.ref not in wanted]


def kind_at(site: Site, ref: ObjectRef, version: str) -> ApiKind | None:
    found = site.discovery.find(ref.group_kind, version)
    return found if found is None or not version or found.version == version else None


async def compared(
    site: Site,
    wanted: DesiredObject,
    prepared: Prepared,
    *,
    force: bool = True,
    tracking: ArgoTracking = _ANY_TRACKING,
) -> Shown | None:
    """What an apply would change of one object; None: nothing.

    Raises:
        FieldConflict: without ``force``, others own fields of it.
        KindUnknown, ClusterError: it cannot be told.
    """
    kind = kind_at(site, wanted.ref, wanted.version)
    if kind is None:
        if (wanted.ref.group_kind, wanted.version) in kinds_brought(prepared.objects):
            return await _shown(site, None, wanted.manifest, None)
        raise KindUnknown(
            f"{wanted.ref}: the cluster does not serve {wanted.ref.group_kind} in version"
            f" {wanted.version}",
            hint="Install its CustomResourceDefinition first, or use a version that is served.",
            object=str(wanted.ref),
        )
    client = site.link.client
    live = await get_object(client, kind, wanted.ref.namespace, wanted.ref.name)
    if live is not None and wanted.options.ssa is Ssa.IF_NOT_PRESENT:
        return None
    errand = Errand(client, kind, wanted, wanted.options, site.gate, tracking=tracking)
    try:
        predicted = await predict(errand, force=force)
    except ObjectRejected as refused:
        if live is None and _awaits_namespace(site, wanted, prepared, refused):
            return await _shown(site, None, wanted.manifest, None)
        raise
    after = predicted
    own = annotations_of(wanted.manifest)
    # a server-side apply alone tells what Fleet owns from what webhooks wrote
    is_told = wanted.options.method is Method.SERVER_SIDE
    shows_all = not is_told or includes_mutations(site.app.document.annotations, own)
    if live is not None and not shows_all:
        after = without_mutations(as_moved(errand, live), after)
    return await _shown(site, live, after, meta_of(kind, live) if live else None)


def _awaits_namespace(
    site: Site, wanted: DesiredObject, prepared: Prepared, refused: ObjectRejected
) -> bool:
    """The dry run only failed because the sync would make the namespace first."""
    options = read_application_options(site.app.document.spec.sync_policy.options)
    namespace = wanted.ref.namespace
    own = options.create_namespace and namespace == site.app.summary.namespace
    listed = any(
        o.ref.group_kind == GroupKind("", "Namespace") and o.ref.name == namespace
        for o in prepared.objects
    )
    return refused.reason == "NotFound" and bool(namespace) and (own or listed)


async def _prune(site: Site, row: LiveResource) -> Shown | None:
    kind = kind_at(site, row.ref, row.version)
    if kind is None:
        return None  # with its kind the object went, too
    live = await get_object(site.link.client, kind, row.ref.namespace, row.ref.name)
    return None if live is None else await _shown(site, live, None, None)


async def _shown(
    site: Site, live: Manifest | None, predicted: Manifest | None, meta: LiveMeta | None
) -> Shown | None:
    rules = rules_for(site.runtime, site.app.document.spec)
    fields = meta.managed_fields if meta else []
    spellings = spelling_rules(site.runtime.resources, live or {}, predicted or {})
    sides = [
        side
        and remove_ignored(
            side,
            await rules_about(site.runtime.jq, rules, side) + spelling,
            managed_fields=fields,
        )
        for side, spelling in zip((live, predicted), spellings, strict=True)
    ]
    diff = compare(
        *sides,
        salt=secrets.token_bytes(16),
        sensitive_annotations=site.runtime.settings.sensitive_annotations,
        writers=writers(fields) if meta else {},
        keep_status=meta is not None
        and policy_for(site.runtime, site.cluster).keeps_status(meta.ref.group_kind),
    )
    if not diff.is_different:
        return None
    action = "prune" if predicted is None else "create" if live is None else "change"
    return Shown(diff, action, unified(diff))


async def wanted_manifests(
    runtime: Runtime, scope: Scope, name: str, revision: str = ""
) -> Manifests:
    """What an application wants, now or at a revision; Secrets masked.

    Raises:
        NotFound, Refused, SourceError, RenderError: as ``diff_application``.
    """
    app = await application_of(runtime, scope, name)
    wanted = await _wanted(runtime, app, {0: revision} if revision else {}, None)
    return Manifests(_masked(runtime, wanted.items), wanted.revisions)


async def live_manifests(runtime: Runtime, scope: Scope, name: str) -> Manifests:
    """What the cluster has of an application's objects; Secrets masked.

    Raises:
        ClusterError: an object could not be read: an incomplete answer is none.
    """
    app = await application_of(runtime, scope, name)
    site = await site_of(runtime, app)
    kinds = [(row.ref, kind_at(site, row.ref, row.version)) for row in app.resources]
    found = await asyncio.gather(
        *(
            get_object(site.link.client, kind, ref.namespace, ref.name)
            for ref, kind in kinds
            if kind is not None
        )
    )
    return Manifests(_masked(runtime, [o for o in found if o is not None]), app.revisions)


def _masked(runtime: Runtime, objects: Sequence[Manifest]) -> tuple[Manifest, ...]:
    salt = secrets.token_bytes(16)
    hidden = runtime.settings.sensitive_annotations
    return tuple(
        mask_object(_without_managed_fields(object), salt, sensitive_annotations=hidden)
        for object in objects
    )


def _without_managed_fields(object: Manifest) -> Manifest:
    metadata = {k: v for k, v in metadata_of(object).items() if k != "managedFields"}
    return {**object, "metadata": metadata}
