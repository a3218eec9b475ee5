"""What people do with applications: put, sync, roll back, refresh, delete.

Each is one transaction that checks, writes, audits and wakes; the passes do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.errors import Forbidden, NotFound, NoWorker, Place, Refused, SpecInvalid
from fleet.model.applications import (
    IN_CLUSTER_NAME,
    ApplicationDocument,
    Destination,
    Source,
)
from fleet.model.clusters import Cluster
from fleet.model.ids import RepositoryId
from fleet.model.names import DNS_SUBDOMAIN_RULE, is_dns_subdomain
from fleet.model.operations import (
    Operation,
    OperationKind,
    SyncOptions,
    Trigger,
)
from fleet.model.projects import Project
from fleet.model.repositories import RepositoryType
from fleet.model.scope import Actor, Scope
from fleet.operations.runtime import Runtime
from fleet.policy import may_deploy_to, may_use_source
from fleet.registry import (
    applications,
    clusters,
    history,
    projects,
    queue,
    repositories,
    work,
)
from fleet.registry.application_views import Freshness, get_application
from fleet.registry.applications import ApplicationRef
from fleet.registry.database import Tx, rehearsed
from fleet.registry.history import OperationRequest
from fleet.source import parse_url

RefreshMode = Literal["normal", "hard"]


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a document: ``created``, ``configured`` or ``unchanged``."""

    name: str
    action: str
    warnings: tuple[str, ...]


async def put_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    document: ApplicationDocument,
    *,
    upsert: bool,
    generation: int | None = None,
    dry_run: bool = False,
) -> Put:
    """Create an application, or change what is wanted of one.

    Args:
        upsert: whether one of this name may exist already.
        generation: the one that the change was made from; another by now is refused.
        dry_run: say what would become of it, and change nothing.

    Raises:
        NotFound: no such project, or no such cluster.
        Forbidden: the project does not allow a source or the destination.
        AlreadyExists: without ``upsert``, the name is taken.
        Refused: it would leave objects behind in another cluster; or somebody else changed
            it since ``generation``.
    """
    spec = document.spec
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        project = await projects.get_project(tx, scope, spec.project)
        cluster = await _destination(tx, scope, spec.destination)
        _check_project(document, project, cluster)
        project_id = await projects.project_id(tx, scope, spec.project)
        ids = [await _repository(tx, source) for source in spec.sources]
        known = await applications.exists_application(tx, scope, document.name)
        if known and upsert:
            held = await applications.find_application(tx, scope, document.name)
            _refuse_outdated(held, generation)
            await _refuse_to_orphan(tx, held, cluster)
            changed = await applications.replace_document(
                tx,
                actor,
                held.id,
                document,
                project_id=project_id,
                cluster_id=cluster.id,
                repository_ids=ids,
            )
            action = "configured" if changed else "unchanged"
        else:
            await applications.create_application(
                tx,
                actor,
                document,
                project_id=project_id,
                cluster_id=cluster.id,
                repository_ids=ids,
            )
            action = "created"
        if action != "unchanged":
            await queue.wake(tx, "poll", [str(id) for id in ids])
    return Put(document.name, action, document.warnings)


def _refuse_outdated(held: ApplicationRef, generation: int | None) -> None:
    if generation not in (None, held.generation):
        raise Refused(
            f"Application/{held.name} was changed meanwhile: it is at generation"
            f" {held.generation}, the change was made from {generation}",
            hint="Read it again and repeat the change.",
            object=f"Application/{held.name}",
        )


async def _destination(tx: Tx, scope: Scope, wanted: Destination) -> Cluster:
    if wanted.name:
        return await clusters.get_cluster(tx, scope, wanted.name)
    found = await clusters.find_by_server(tx, scope, wanted.server.rstrip("/"))
    if found is None:
        raise NotFound(
            f"no cluster at {wanted.server or IN_CLUSTER_NAME} is registered",
            hint="Register it with `fleet cluster add`, or name one of `fleet cluster list`.",
            object=f"Cluster/{wanted.server}",
        )
    return found


def _check_project(document: ApplicationDocument, project: Project, cluster: Cluster) -> None:
    about = f"Application/{document.name}"
    decisions = [may_use_source(project.spec, source.repo_url) for source in document.spec.sources]
    decisions.append(
        may_deploy_to(
            project.spec,
            server=cluster.server,
            cluster_name=cluster.name,
            namespace=document.spec.destination.namespace,
        )
    )
    for decision in decisions:
        if not decision:
            raise Forbidden(f"{about}: {decision.reason}", object=about)
    if cluster.project and cluster.project != project.name:
        raise Forbidden(
            f"{about}: cluster {cluster.name} belongs to project {cluster.project}", object=about
        )


async def _repository(tx: Tx, source: Source) -> RepositoryId:
    """The repository row of a source; made when nobody registered its URL."""
    url = parse_url(source.repo_url)
    if url.scheme == "oci":
        kind = RepositoryType.OCI
    else:
        kind = RepositoryType.HELM if source.chart else RepositoryType.GIT
    return await repositories.ensure_implicit(tx, str(url), url.canonical, kind)


async def _refuse_to_orphan(tx: Tx, held: ApplicationRef, cluster: Cluster) -> None:
    if held.cluster_id in (None, cluster.id):
        return
    rows = await work.resources_of(tx, [held.id])
    left = [row for row in rows[held.id] if row.live.in_inventory]
    if left:
        raise Refused(
            f"Application/{held.name}: moving it to cluster {cluster.name} would leave"
            f" {len(left)} objects behind where they are",
            hint="Delete the application with its objects first, then create it for the other"
            " cluster.",
            object=f"Application/{held.name}",
        )


async def sync_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, options: SyncOptions
) -> Operation:
    """Ask for a sync now.

    Raises:
        NotFound: no such application.
        Refused: an operation runs already, or nothing could be rendered yet.
        NoWorker: no worker is alive to do it.
    """
    async with runtime.db.transaction() as tx:
        app = await applications.find_application(tx, scope, name)
        await _require_worker(tx)
        operation = await history.create_operation(
            tx,
            actor,
            OperationRequest(app.id, OperationKind.SYNC, Trigger.MANUAL, options),
            runtime.now(),
        )
        await _wake(tx, app)
    return operation


async def rollback_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    number: int,
    *,
    prune: bool,
) -> Operation:
    """Apply the stored manifests of an earlier deployment, whatever Git holds by now.

    Raises:
        NotFound: no such application, or no deployment of this number.
        Refused: auto-sync would undo it at once; or an operation runs already.
        NoWorker: no worker is alive to do it.
    """
    fresh = Freshness(runtime.now(), runtime.settings.reconcile_interval_seconds)
    async with runtime.db.transaction() as tx:
        whole = await get_application(tx, scope, name, fresh=fresh)
        app = await applications.find_application(tx, scope, name)
        await _require_worker(tx)
        if whole.summary.auto_sync:
            raise Refused(
                f"Application/{name}: auto-sync is on and would undo the rollback at once",
                hint=f"Switch it off first: fleet app set {name} --sync-policy none",
                object=f"Application/{name}",
            )
        entry = await history.deployment_by_number(tx, scope, app.id, number)
        operation = await history.create_operation(
            tx,
            actor,
            OperationRequest(
                app.id,
                OperationKind.ROLLBACK,
                Trigger.ROLLBACK,
                SyncOptions(prune=prune, manifests_sha256=entry.manifests_sha256),
                revision=entry.revision,
                sources=entry.sources,
                manifests_sha256=entry.manifests_sha256,
            ),
            runtime.now(),
        )
        await _wake(tx, app)
    return operation


async def refresh_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, mode: RefreshMode
) -> None:
    """Ask for a look at Git and at live now; ``hard`` renders again, too.

    Raises:
        NotFound: no such application.
        NoWorker: no worker is alive to do it.
    """
    async with runtime.db.transaction() as tx:
        app = await applications.find_application(tx, scope, name)
        await _require_worker(tx)
        polled = await applications.request_refresh(tx, actor, app.id, mode)
        await queue.wake(tx, "poll", [str(id) for id in polled])


async def delete_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    *,
    cascade: bool,
    propagation: str,
) -> Operation | None:
    """Delete an application; with ``cascade`` everything that it applied goes first.

    Returns the running deletion, or None when the application is gone already.

    Raises:
        NotFound: no such application.
        Refused: an operation runs already.
        SpecInvalid: no such propagation policy.
        NoWorker: with ``cascade``, no worker is alive to do it.
    """
    if propagation not in ("foreground", "background", "orphan"):
        raise SpecInvalid(
            f"{propagation!r} is no propagation policy",
            place=Place(field="propagationPolicy"),
            hint="Use foreground, background or orphan.",
        )
    now = runtime.now()
    async with runtime.db.transaction() as tx:
        app = await applications.find_application(tx, scope, name)
        if not cascade or app.cluster_id is None:
            await applications.remove_application(tx, actor, app.id, now)
            return None
        await _require_worker(tx)
        await applications.mark_deleting(
            tx, actor, app.id, cascade=True, propagation=propagation, now=now
        )
        operation = await history.create_operation(
            tx,
            actor,
            OperationRequest(app.id, OperationKind.DELETE, Trigger.DELETE, SyncOptions(prune=True)),
            now,
        )
        await _wake(tx, app)
    return operation


async def terminate_application(runtime: Runtime, actor: Actor, scope: Scope, name: str) -> None:
    """End the running operation where it stands.

    Raises:
        NotFound: no such application.
        Refused: nothing runs.
    """
    async with runtime.db.transaction() as tx:
        app = await applications.find_application(tx, scope, name)
        await history.terminate_operation(tx, actor, app.id)
        await _wake(tx, app)


async def rename_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, new_name: str
) -> None:
    """Call an application something else; what it is, has and did stays its own.

    Raises:
        NotFound: no such application.
        SpecInvalid: no valid name.
        AlreadyExists: it is taken.
    """
    if not is_dns_subdomain(new_name):
        raise SpecInvalid(
            f"{new_name!r} is no valid name",
            place=Place(field="name"),
            hint=f"{DNS_SUBDOMAIN_RULE}.",
        )
    async with runtime.db.transaction() as tx:
        app = await applications.find_application(tx, scope, name)
        await applications.rename_application(tx, actor, app.id, new_name)
        await _wake(tx, app)


async def _require_worker(tx: Tx) -> None:
    if await queue.live_workers(tx) == 0:
        raise NoWorker(
            "no worker is running, so nothing would be done",
            hint="Start one with `fleet up` or `fleet worker`.",
        )


async def _wake(tx: Tx, app: ApplicationRef) -> None:
    if app.cluster_id is not None:
        await queue.wake(tx, "reconcile", [str(app.cluster_id)])
