"""``fleet apply``: any number of Argo CD's documents, each refused or done by itself.

A document that cannot be applied never stops the others; what it failed on is its result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypedDict

from fleet.cluster import connection_from_argocd
from fleet.errors import AlreadyExists, FleetError
from fleet.model.access import parse_rbac_config
from fleet.model.applications import ApplicationDocument
from fleet.model.argo_secrets import ClusterSecret, RepoCredsSecret, RepositorySecret
from fleet.model.argo_settings import RBAC, SETTINGS, ArgoSettings
from fleet.model.global_projects import parse_settings_config
from fleet.model.objects import ref_of
from fleet.model.parsing import Document, flattened, parse_document
from fleet.model.plugins import KIND as PLUGIN
from fleet.model.plugins import Plugin
from fleet.model.projects import Project
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations import sources
from fleet.operations.access import put_policy
from fleet.operations.importing import import_settings
from fleet.operations.onboarding import add_cluster
from fleet.operations.plugins import put_plugin
from fleet.operations.projects import put_project
from fleet.operations.putting import Put, put_applications
from fleet.operations.runtime import Runtime
from fleet.operations.settings_config import put_settings
from fleet.registry import clusters, credentials, repositories
from fleet.registry.cluster_views import ClusterFilter
from fleet.registry.clusters import NewCluster
from fleet.registry.repositories import NewRepository
from fleet.source import parse_url

#: Asked with action, kind of object, name and project; raises Forbidden.
Permission: TypeAlias = Callable[[str, str, str, str], Awaitable[None]]

_Other: TypeAlias = (
    Plugin | Project | ClusterSecret | RepoCredsSecret | RepositorySecret | ArgoSettings
)


class _How(TypedDict):
    upsert: bool
    dry_run: bool


#: What others refer to comes first.
_ORDER: tuple[type, ...] = (
    ArgoSettings,
    Plugin,
    Project,
    ClusterSecret,
    RepoCredsSecret,
    RepositorySecret,
    ApplicationDocument,
)


@dataclass(frozen=True)
class Given:
    """One document of a request, and where its author finds it."""

    index: int
    document: Any
    file: str = ""
    line: int = 0
    item: str = ""


@dataclass(frozen=True)
class Result:
    """What became of it: ``created``, ``configured``, ``unchanged``, ``kept`` (for later:
    nothing is done with it yet) or ``failed``."""

    given: Given
    kind: str
    name: str
    action: str
    warnings: tuple[str, ...] = ()
    error: FleetError | None = None


async def apply_documents(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    given: Sequence[Given],
    *,
    upsert: bool,
    dry_run: bool,
    permit: Permission,
) -> tuple[Result, ...]:
    """Apply everything that can be, in an order in which references are there.

    Args:
        given: Lists among them are taken apart.
        upsert: whether what a document names may exist already.
        dry_run: change nothing; clusters and repositories are not asked.

    Returns:
        One result an object, in the order of ``given``.
    """
    work = _Apply(runtime, actor, scope, upsert=upsert, dry_run=dry_run, permit=permit)
    results: list[tuple[int, Result]] = []
    parsed: list[tuple[int, Given, Document]] = []
    for position, entry in enumerate(_apart(given)):
        try:
            found = parse_document(
                entry.document, file=entry.file, line=entry.line, item=entry.item
            )
            parsed.append((position, entry, found))
        except FleetError as error:
            results.append((position, _failed(entry, *_called(entry.document), error)))
    parsed.sort(key=lambda item: _ORDER.index(type(item[2])))
    applications: list[tuple[int, Given, ApplicationDocument]] = []
    for position, entry, document in parsed:
        if isinstance(document, ApplicationDocument):
            applications.append((position, entry, document))
        else:
            results.append((position, await work.apply(entry, document)))
    results += await work.apply_applications(applications)
    return tuple(result for _, result in sorted(results, key=lambda item: item[0]))


def _apart(given: Sequence[Given]) -> list[Given]:
    found: list[Given] = []
    for entry in given:
        is_object = isinstance(entry.document, dict)
        objects = flattened(entry.document) if is_object else [entry.document]
        is_list = objects[:1] != [entry.document]
        found += [
            replace(entry, document=object, item=f"items[{number}]" if is_list else "")
            for number, object in enumerate(objects)
        ]
    return found


def _called(document: Any) -> tuple[str, str]:
    """Kind and name of a document that may be anything."""
    ref = ref_of(document if isinstance(document, dict) else {})
    return ref.kind, ref.name


def _failed(given: Given, kind: str, name: str, error: FleetError) -> Result:
    return Result(given, kind, name, "failed", error=error)


@dataclass(frozen=True)
class _Apply:
    runtime: Runtime
    actor: Actor
    scope: Scope
    upsert: bool
    dry_run: bool
    permit: Permission

    async def apply(self, given: Given, document: _Other) -> Result:
        kind, name = _identity(document)
        try:
            put = await self._put(document)
        except FleetError as error:
            return _failed(given, kind, name, error)
        return Result(given, kind, put.name, put.action, put.warnings)

    async def apply_applications(
        self, wanted: Sequence[tuple[int, Given, ApplicationDocument]]
    ) -> list[tuple[int, Result]]:
        """All applications, many in one transaction; the results by position.

        Who may is asked before: a refusal is audited in a transaction of its own.
        """
        results: list[tuple[int, Result]] = []
        allowed: list[tuple[int, Given, ApplicationDocument]] = []
        for position, entry, document in wanted:
            try:
                await self._may("applications", document.name, document.spec.project)
                allowed.append((position, entry, document))
            except FleetError as error:
                results.append((position, _failed(entry, "Application", document.name, error)))
        answers = await put_applications(
            self.runtime,
            self.actor,
            self.scope,
            [document for _, _, document in allowed],
            upsert=self.upsert,
            dry_run=self.dry_run,
            early=True,
        )
        for (position, entry, document), answer in zip(allowed, answers, strict=True):
            if isinstance(answer, FleetError):
                result = _failed(entry, "Application", document.name, answer)
            else:
                result = Result(entry, "Application", answer.name, answer.action, answer.warnings)
            results.append((position, result))
        return results

    async def _put(self, document: _Other) -> Put:
        match document:
            case Plugin():
                return await self._plugin(document)
            case Project():
                return await self._project(document)
            case ClusterSecret():
                return await self._cluster(document)
            case RepoCredsSecret():
                return await self._template(document)
            case RepositorySecret():
                return await self._repository(document)
            case ArgoSettings():
                return await self._settings(document)

    async def _settings(self, found: ArgoSettings) -> Put:
        if found.kind != "ConfigMap" or found.name not in (RBAC, SETTINGS):
            await self._may("settings", found.name, "")
            return await import_settings(self.runtime, self.actor, found, dry_run=self.dry_run)
        # what holds for whoever asks from now on: the policy, global projects, scripts
        await self._may("policies", found.name, "")
        how: _How = {"upsert": self.upsert, "dry_run": self.dry_run}
        if found.name == RBAC:
            policy = parse_rbac_config(found.document)
            put = await put_policy(self.runtime, self.actor, policy, **how)
        else:
            settings = parse_settings_config(found.document)
            put = await put_settings(self.runtime, self.actor, settings, **how)
        return replace(put, warnings=(*found.warnings, *put.warnings))

    async def _may(self, kind: str, name: str, project: str) -> None:
        for action in ("create", "update") if self.upsert else ("create",):
            await self.permit(action, kind, name, project)

    def _rehearsed(self, name: str, *, known: bool, warnings: tuple[str, ...]) -> Put:
        if known and not self.upsert:
            raise AlreadyExists(f"{name} is registered already", object=name)
        return Put(name, "configured" if known else "created", warnings)

    async def _plugin(self, plugin: Plugin) -> Put:
        await self._may("plugins", plugin.spec.name, "")
        return await put_plugin(
            self.runtime, self.actor, plugin, upsert=self.upsert, dry_run=self.dry_run
        )

    async def _project(self, project: Project) -> Put:
        await self._may("projects", project.name, project.name)
        return await put_project(
            self.runtime,
            self.actor,
            project,
            upsert=self.upsert,
            dry_run=self.dry_run,
        )

    async def _cluster(self, found: ClusterSecret) -> Put:
        await self._may("clusters", found.name, found.project)
        allowed = frozenset(self.runtime.settings.allowed_exec_commands)
        connection = connection_from_argocd(found, allowed_exec=allowed)
        if self.dry_run:
            async with self.runtime.db.reading() as tx:
                page, _ = await clusters.list_clusters(
                    tx, self.scope, ClusterFilter(name=found.name), limit=1000
                )
            known = any(cluster.name == found.name for cluster in page)
            return self._rehearsed(found.name, known=known, warnings=found.warnings)
        new = NewCluster(
            name=found.name,
            connection=connection,
            labels=found.labels,
            annotations=found.annotations,
            project=found.project,
            namespaces=found.namespaces,
            cluster_resources=found.cluster_resources,
        )
        added = await add_cluster(self.runtime, self.actor, self.scope, new, upsert=self.upsert)
        return Put(found.name, added.action, found.warnings + added.warnings)

    async def _repository(self, found: RepositorySecret) -> Put:
        await self._may("repositories", found.url, found.project)
        if self.dry_run:
            async with self.runtime.db.reading() as tx:
                held = await repositories.find_by_url(
                    tx, self.scope, parse_url(found.url).canonical
                )
            return self._rehearsed(found.url, known=held is not None, warnings=found.warnings)
        new = NewRepository(
            found.url, "", found.type, found.name, found.project, found.auth, found.options
        )
        made = await sources.add_repository(
            self.runtime, self.actor, self.scope, new, upsert=self.upsert
        )
        return Put(found.url, made.action, found.warnings + made.warnings)

    async def _template(self, found: RepoCredsSecret) -> Put:
        await self._may("repocreds", found.url, "")
        if self.dry_run:
            async with self.runtime.db.reading() as tx:
                held = await credentials.list_credentials(tx, EVERYTHING)
            same = parse_url(found.url).canonical
            known = any(parse_url(entry.url).canonical == same for entry in held)
            return self._rehearsed(found.url, known=known, warnings=found.warnings)
        new = NewRepository(found.url, "", found.type, auth=found.auth, options=found.options)
        _, action = await sources.add_template(self.runtime, self.actor, new, upsert=self.upsert)
        return Put(found.url, action, found.warnings)


def _identity(document: _Other) -> tuple[str, str]:
    """Kind and name as results and errors call it."""
    match document:
        case Plugin():
            return PLUGIN, document.spec.name
        case Project():
            return "AppProject", document.name
        case ClusterSecret():
            return "Cluster", document.name
        case RepoCredsSecret():
            return "RepoCredential", document.url
        case RepositorySecret():
            return "Repository", document.url
        case ArgoSettings():
            return document.kind, document.name
