"""Applications created, and changed as a whole: one by one, or many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fleet.errors import FleetError, Forbidden, NotFound, Refused
from fleet.model.applications import ApplicationDocument, Destination, Source
from fleet.model.clusters import IN_CLUSTER_NAME, IN_CLUSTER_SERVER, Cluster, is_itself
from fleet.model.ids import ApplicationId, ProjectId, RepositoryId
from fleet.model.projects import Project, is_awaited
from fleet.model.repositories import RepositoryType
from fleet.model.scope import EVERYTHING, MOVABLE, Actor, Scope
from fleet.operations.crashpoints import committing
from fleet.operations.itself.telling import tell_of
from fleet.operations.moving import Fate, Move, arrive, take_leave
from fleet.operations.runtime import Runtime
from fleet.policy import (
    is_seen,
    may_come_from,
    may_deploy_to,
    may_use_cluster,
    may_use_source,
)
from fleet.registry import applications, clusters, projects, queue, repositories
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.database import Tx, rehearsed
from fleet.source import parse_url

#: Applications put in one transaction. It holds the head of the audit log, for which every
#: other change waits, so it has to stay short.
TOGETHER = 100


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
    fate: Fate | None = None,
    dry_run: bool = False,
    early: bool = False,
) -> Put:
    """Create an application, or change what is wanted of one.

    Args:
        upsert: whether one of this name may exist already.
        early: its project and its cluster may come later; until then it waits, and says so.
        generation: the one that the change was made from; another by now is refused.
        fate: of its objects in a cluster that it leaves; None as its finalizer says.
        dry_run: say what would become of it, and change nothing.

    Raises:
        NotFound: no such project, or no such cluster.
        Forbidden: the project does not allow a source or the destination.
        AlreadyExists: without ``upsert``, the name is taken.
        Refused: it would leave objects behind in another cluster; or somebody else changed
            it since ``generation``.
    """
    async with committing(runtime.db, "put") as tx:
        desk = Desk(tx, actor, scope, runtime.now(), runtime.settings.control_namespace)
        async with rehearsed(tx, undo=dry_run):
            put = await desk.put(
                document, upsert=upsert, generation=generation, early=early, fate=fate
            )
            await desk.wake()
    await tell_of(runtime.db, () if dry_run else desk.children)
    return put


async def put_applications(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    documents: Sequence[ApplicationDocument],
    *,
    upsert: bool,
    dry_run: bool = False,
    early: bool = False,
) -> list[Put | FleetError]:
    """``put_application`` for many: one answer each, in order; none stops the others.

    They are committed ``TOGETHER`` at a time, so that a thousand cost a few commits and wake
    each repository a few times.

    Args:
        upsert: whether applications of these names may exist already.
        early: as ``put_application``.
        dry_run: say what would become of each, and change nothing.
    """
    answers: list[Put | FleetError] = []
    for start in range(0, len(documents), TOGETHER):
        chunk = documents[start : start + TOGETHER]
        try:
            async with committing(runtime.db, "put") as tx:
                desk = Desk(tx, actor, scope, runtime.now(), runtime.settings.control_namespace)
                found = [
                    await desk.try_to_put(one, upsert=upsert, undo=dry_run, early=early)
                    for one in chunk
                ]
                if not dry_run:
                    await desk.wake()
            await tell_of(runtime.db, () if dry_run else desk.children)
        except FleetError as error:
            # the transaction as a whole: what was answered inside it is void
            found = [error] * len(chunk)
        answers += found
    return answers


class Desk:
    """Puts applications in one transaction, and asks for what they share once.

    Args:
        home: the namespace from which any project takes applications; None: from all, as
            what an application has in Git stands where that application may write.
    """

    def __init__(
        self, tx: Tx, actor: Actor, scope: Scope, now: datetime, home: str | None = None
    ) -> None:
        self._tx = tx
        self._now = now
        self._actor = actor
        self._scope = scope
        self._home = home
        self._projects: dict[str, tuple[Project, ProjectId]] = {}
        self._clusters: dict[tuple[str, Destination], Cluster] = {}
        self._repositories: dict[tuple[str, bool], RepositoryId] = {}
        #: changed, and another application has them in Git
        self.children: list[ApplicationId] = []
        #: repositories to poll
        self.touched: set[RepositoryId] = set()

    async def try_to_put(
        self, document: ApplicationDocument, *, upsert: bool, undo: bool, early: bool = False
    ) -> Put | FleetError:
        """``put`` by itself: refused, it leaves nothing behind in the transaction."""
        known = dict(self._repositories)
        try:
            async with rehearsed(self._tx, undo=undo):
                put = await self.put(document, upsert=upsert, early=early)
        except FleetError as error:
            self._repositories = known  # a row that it made is gone again
            return error
        if undo:
            self._repositories = known
        return put

    async def put(
        self,
        document: ApplicationDocument,
        *,
        upsert: bool,
        generation: int | None = None,
        early: bool = False,
        fate: Fate | None = None,
    ) -> Put:
        tx, actor, spec = self._tx, self._actor, document.spec
        steps: tuple[str, ...] = ()
        project, project_id = await self._project(spec.project, early=early)
        cluster = await self._cluster(spec.destination, spec.project, project, early=early)
        missing = _missing(document, project, cluster)
        if project is not None:
            _check_project(document, project, cluster, self._home)
        ids = [await self._repository(source) for _, source in spec.followed]
        known = await applications.exists_application(tx, self._scope, document.name)
        if known and upsert:
            held = await applications.find_application(tx, self._scope, document.name)
            _refuse_outdated(held, generation)
            self._refuse_to_take(held, spec.project)
            move = Move(held, document, cluster, project)
            steps = await take_leave(tx, actor, move, fate, self._now)
            changed = await applications.replace_document(
                tx,
                actor,
                held.id,
                document,
                project_id=project_id,
                cluster_id=cluster.id if cluster else None,
                repository_ids=ids,
            )
            steps += await arrive(tx, actor, move, self._now)
            action = "configured" if changed else "unchanged"
            self.children += [held.id] if changed and held.is_child else []
        else:
            await applications.create_application(
                tx,
                actor,
                document,
                project_id=project_id,
                cluster_id=cluster.id if cluster else None,
                repository_ids=ids,
            )
            action = "created"
        if action != "unchanged":
            self.touched.update(ids)
        if missing and cluster is None:
            # no pass will ever look at it, until there is a cluster
            await applications.note_missing(tx, document.name, missing)
        return Put(document.name, action, (*document.warnings, *missing, *steps))

    def _refuse_to_take(self, held: ApplicationRef, project: str) -> None:
        """Out of a project only by who may change it there; into one is asked before."""
        movable = self._scope.seen(MOVABLE)
        if held.project != project and not is_seen(
            movable, "applications", held.name, held.project
        ):
            about = f"Application/{held.name}"
            raise Forbidden(
                f"{about}: {self._actor.name} may not update applications of project"
                f" {held.project}, in which it is",
                object=about,
            )

    async def wake(self) -> None:
        """Have the repositories of what was put polled, once this commits."""
        await queue.wake(self._tx, "poll", [str(id) for id in self.touched])

    async def _project(self, name: str, *, early: bool) -> tuple[Project | None, ProjectId]:
        """The project, with what it inherits; None while it is awaited. Whoever may put
        applications in it need not see what else it says."""
        if name in self._projects:
            return self._projects[name]
        try:
            project = await projects.get_project(self._tx, EVERYTHING, name)
            if is_awaited(project.document):
                raise NotFound(f"AppProject/{name} does not exist", object=f"AppProject/{name}")
        except NotFound:
            id = await projects.ensure_awaited(self._tx, self._actor, name) if early else None
            if id is None:
                raise
            return None, id
        id = await projects.project_id(self._tx, EVERYTHING, name)
        project = replace(project, spec=await projects.rules_of(self._tx, name))
        self._projects[name] = project, id
        return project, id

    async def _cluster(
        self, wanted: Destination, name: str, project: Project | None, *, early: bool
    ) -> Cluster | None:
        """The cluster; None where it may come later."""
        place = name, replace(wanted, namespace="")
        if place not in self._clusters:
            try:
                self._clusters[place] = await self._destination(wanted, project)
            except NotFound:
                if not early:
                    raise
                return None
        return self._clusters[place]

    async def _destination(self, wanted: Destination, project: Project | None) -> Cluster:
        """What the caller may see, or the project may deploy to: whoever puts applications
        in a project need not be allowed to look at clusters."""
        try:
            return await _destination(self._tx, self._scope, wanted)
        except NotFound:
            if project is None:
                raise
            shared = Scope(projects=frozenset({project.name}))
            found = await _known(self._tx, shared, wanted)
            if found is None or not _may_reach(project, found, wanted):
                raise
            return found

    async def _repository(self, source: Source) -> RepositoryId:
        key = source.repo_url, bool(source.chart)
        if key not in self._repositories:
            self._repositories[key] = await _repository(self._tx, source)
        return self._repositories[key]


def _refuse_outdated(held: ApplicationRef, generation: int | None) -> None:
    if generation not in (None, held.generation):
        raise Refused(
            f"Application/{held.name} was changed meanwhile: it is at generation"
            f" {held.generation}, the change was made from {generation}",
            hint="Read it again and repeat the change.",
            object=f"Application/{held.name}",
        )


async def _destination(tx: Tx, scope: Scope, wanted: Destination) -> Cluster:
    if is_itself(wanted.name, wanted.server):
        return await _itself(tx, scope, wanted)
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


async def _itself(tx: Tx, scope: Scope, wanted: Destination) -> Cluster:
    """The cluster that is called as Argo CD calls its own, by its name or by its address; made
    where nobody registered one, for what Fleet itself holds."""
    named = await clusters.find_by_name(tx, scope, IN_CLUSTER_NAME)
    there = await clusters.find_by_server(tx, scope, IN_CLUSTER_SERVER)
    found = (named or there) if wanted.name else (there or named)
    return found or await clusters.ensure_itself(tx)


async def _known(tx: Tx, scope: Scope, wanted: Destination) -> Cluster | None:
    if wanted.name:
        return await clusters.find_by_name(tx, scope, wanted.name)
    return await clusters.find_by_server(tx, scope, wanted.server.rstrip("/"))


def _may_reach(project: Project, cluster: Cluster, wanted: Destination) -> bool:
    return may_deploy_to(
        project.spec,
        server=cluster.server,
        cluster_name=cluster.name,
        namespace=wanted.namespace,
    ).allowed


def _missing(
    document: ApplicationDocument, project: Project | None, cluster: Cluster | None
) -> tuple[str, ...]:
    """What the document names and what is not there yet."""
    wanted = document.spec.destination
    found = []
    if project is None:
        found.append(f"AppProject/{document.spec.project} does not exist yet")
    if cluster is None:
        found.append(f"cluster {wanted.name or wanted.server} is not registered yet")
    return tuple(found)


def _check_project(
    document: ApplicationDocument, project: Project, cluster: Cluster | None, home: str | None
) -> None:
    about = f"Application/{document.name}"
    decisions = [
        may_use_source(project.spec, source.repo_url) for _, source in document.spec.followed
    ]
    if cluster is not None:  # else each object is asked about once there is one
        decisions.append(
            may_deploy_to(
                project.spec,
                server=cluster.server,
                cluster_name=cluster.name,
                namespace=document.spec.destination.namespace,
            )
        )
        decisions.append(
            may_use_cluster(
                project.spec,
                project_name=project.name,
                cluster_name=cluster.name,
                cluster_project=cluster.project,
            )
        )
    if home is not None:
        namespace = (document.document.get("metadata") or {}).get("namespace", "")
        decisions.append(may_come_from(project.spec, namespace, home=home))
    for decision in decisions:
        if not decision:
            raise Forbidden(f"{about}: {decision.reason}", object=about)


async def _repository(tx: Tx, source: Source) -> RepositoryId:
    """The repository row of a source; made when nobody registered its URL."""
    url = parse_url(source.repo_url)
    if url.scheme == "oci":
        kind = RepositoryType.OCI
    else:
        kind = RepositoryType.HELM if source.chart else RepositoryType.GIT
    return await repositories.ensure_implicit(tx, str(url), url.canonical, kind)
