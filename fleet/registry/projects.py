"""Projects: what the applications in them may use, as the AppProject says it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError

from fleet.errors import AlreadyExists, NotFound, Refused
from fleet.model.applications import Urgency
from fleet.model.documents import ARGO_API_VERSION
from fleet.model.ids import ClusterId, ProjectId
from fleet.model.objects import Manifest
from fleet.model.project_spec import parse_project
from fleet.model.projects import (
    DEFAULT_PROJECT,
    DEFAULT_PROJECT_SPEC,
    Project,
    ProjectSpec,
    awaited_project,
    is_awaited,
)
from fleet.model.scope import EVERYTHING, FLEET, Actor, Scope
from fleet.registry import queue
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.desired import check_all
from fleet.registry.project_roles import revoke_lost
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    missing,
    named_like,
    page_of,
    project_in_scope,
)
from fleet.registry.standings import mark_dirty
from fleet.registry.statements import text
from fleet.registry.tables import TABLES

PROJECTS = TABLES["projects"]
APPLICATIONS = TABLES["applications"]
#: The document with what it inherits of global projects: what the project's rules are.
EFFECTIVE = func.coalesce(PROJECTS.c.effective, PROJECTS.c.document, type_=JSONB)

_SHOWN_APPLICATIONS = 5


async def create_project(tx: Tx, actor: Actor, project: Project) -> ProjectId:
    """Raises AlreadyExists when the name is taken."""
    try:
        async with tx.begin_nested():
            made = await tx.execute(
                PROJECTS.insert()
                .values(name=project.name, document=project.document)
                .returning(PROJECTS.c.id)
            )
    except IntegrityError as error:
        raise AlreadyExists(
            f"a project named {project.name!r} exists already",
            hint="Change it with `fleet proj set` or `fleet proj edit`.",
            object=f"AppProject/{project.name}",
        ) from error
    await record_change(tx, actor, "create", "AppProject", project.name, after=project.document)
    return ProjectId(made.scalar_one())


async def upsert_project(tx: Tx, actor: Actor, project: Project) -> bool:
    """Make it, or give it this document and the next generation; False when it was so already."""
    query = select(PROJECTS).where(PROJECTS.c.name == project.name)
    # whoever puts an application in it at the same time, and locks that first, is not in the way
    row = (await tx.execute(query.with_for_update(key_share=True))).one_or_none()
    if row is None:
        await create_project(tx, actor, project)
        return True
    if row.document == project.document:
        return False
    await tx.execute(
        update(PROJECTS)
        .where(PROJECTS.c.id == row.id)
        .values(
            document=project.document,
            generation=PROJECTS.c.generation + 1,
            changed_at=func.clock_timestamp(),
        )
    )
    if is_awaited(row.document):
        await _render_again(tx, row.id)
    clusters: frozenset[ClusterId] = frozenset()
    if _windows(row.document) != _windows(project.document):
        clusters = await _mark_applications(tx, row.id)
    await revoke_lost(tx, actor, row.id, [role.name for role in project.spec.roles])
    if _integrity(row.document) != _integrity(project.document):
        await queue.wake(tx, "poll", map(str, await check_all(tx, row.id)))
    await record_change(
        tx,
        actor,
        "update",
        "AppProject",
        project.name,
        before=row.document,
        after=project.document,
    )
    await queue.wake(tx, "reconcile", map(str, clusters))
    return True


async def _render_again(tx: Tx, project: UUID) -> None:
    """The applications that waited for the project may be rendered by now."""
    polled = await tx.execute(
        text(
            "with waiting as (update applications set refresh = 'hard' where project_id = :id"
            "   returning id)"
            " select distinct s.repository_id from application_sources s"
            "   join waiting w on w.id = s.application_id"
        ),
        {"id": project},
    )
    await queue.wake(tx, "poll", [str(id) for id in polled.scalars()])


async def ensure_awaited(tx: Tx, actor: Actor, name: str) -> ProjectId:
    """The id of a project, which may not exist yet: then something stands for it that allows
    nothing."""
    made = await tx.execute(
        insert(PROJECTS)
        .values(name=name, document=awaited_project(name))
        .on_conflict_do_nothing()
        .returning(PROJECTS.c.id)
    )
    id = made.scalar_one_or_none()
    if id is None:
        return await project_id(tx, EVERYTHING, name)
    await record_change(tx, actor, "await", "AppProject", name, after=awaited_project(name))
    return ProjectId(id)


def _windows(document: Manifest) -> Any:
    return (document.get("spec") or {}).get("syncWindows") or []


def _integrity(document: Manifest) -> Any:
    spec = document.get("spec") or {}
    return spec.get("sourceIntegrity"), spec.get("signatureKeys")


async def _mark_applications(tx: Tx, project: UUID) -> frozenset[ClusterId]:
    """Have each application ask anew what the windows say; returns the clusters to wake."""
    members = select(APPLICATIONS.c.id).where(APPLICATIONS.c.project_id == project)
    return await mark_dirty(tx, (await tx.execute(members)).scalars().all(), Urgency.REFRESH)


async def mark_held(tx: Tx, project: UUID) -> frozenset[ClusterId]:
    """Have the applications of a project that wait for a sync window looked at; returns the
    clusters to wake."""
    c = APPLICATIONS.c
    waiting = select(c.id).where(
        c.project_id == project, c.conditions.contains([{"type": "SyncWindow"}])
    )
    return await mark_dirty(tx, (await tx.execute(waiting)).scalars().all(), Urgency.DESIRED)


@dataclass(frozen=True, slots=True)
class Inheriting:
    """A project, and its document with what it inherits as far as that is written."""

    id: UUID
    name: str
    document: Manifest
    effective: Manifest | None


async def inheriting(tx: Tx, name: str = "") -> tuple[Inheriting, ...]:
    """One project, or every one, held until the transaction ends."""
    c = PROJECTS.c
    query = select(c.id, c.name, c.document, c.effective).order_by(c.name)
    if name:
        query = query.where(c.name == name)
    rows = await tx.execute(query.with_for_update(key_share=True))
    return tuple(Inheriting(*row) for row in rows)


async def documents_of(tx: Tx, names: Iterable[str]) -> dict[str, Manifest]:
    """The own documents of those of ``names`` that are projects."""
    query = select(PROJECTS.c.name, PROJECTS.c.document).where(PROJECTS.c.name.in_(sorted(names)))
    return {row.name: row.document for row in await tx.execute(query)}


async def set_effective(
    tx: Tx, row: Inheriting, effective: Manifest | None
) -> frozenset[ClusterId]:
    """Write down what a project inherits; returns the clusters to wake."""
    await tx.execute(
        update(PROJECTS)
        .where(PROJECTS.c.id == row.id)
        .values(
            effective=null() if effective is None else effective,
            generation=PROJECTS.c.generation + 1,
            changed_at=func.clock_timestamp(),
        )
    )
    if _windows(row.effective or row.document) == _windows(effective or row.document):
        return frozenset()
    return await _mark_applications(tx, row.id)


async def get_project(tx: Tx, scope: Scope, name: str) -> Project:
    """Raises NotFound with the nearest names, as if what may not be seen did not exist."""
    return _project_of(await _row(tx, scope, name))


async def rules_of(tx: Tx, name: str) -> ProjectSpec:
    """What a project that is there allows, with what it inherits: for those who ask on
    behalf of an application in it, whatever else they may see."""
    query = select(EFFECTIVE).where(PROJECTS.c.name == name)
    return parse_project((await tx.execute(query)).scalar_one(), stored=True).spec


async def project_id(tx: Tx, scope: Scope, name: str) -> ProjectId:
    """Raises NotFound like ``get_project``."""
    return ProjectId((await _row(tx, scope, name)).id)


async def _row(tx: Tx, scope: Scope, name: str) -> Row[Any]:
    visible = project_in_scope(scope, PROJECTS.c.name)
    query = select(PROJECTS).where(PROJECTS.c.name == name, visible)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise await missing(tx, "AppProject", name, select(PROJECTS.c.name).where(visible))
    return row


@dataclass(frozen=True, slots=True)
class WindowsRow:
    """A project that has sync windows, and which version of its document has them."""

    id: ProjectId
    name: str
    generation: int


async def with_windows(tx: Tx) -> tuple[WindowsRow, ...]:
    """Every project with sync windows, by name."""
    windows = EFFECTIVE["spec"]["syncWindows"]
    query = (
        select(PROJECTS.c.id, PROJECTS.c.name, PROJECTS.c.generation)
        .where(func.jsonb_typeof(windows) == "array", windows != literal([], JSONB))
        .order_by(PROJECTS.c.name)
    )
    return tuple(WindowsRow(ProjectId(id), name, at) for id, name, at in await tx.execute(query))


async def document_of(tx: Tx, id: ProjectId) -> Manifest:
    """The document of a project that is there, with what it inherits."""
    query = select(EFFECTIVE).where(PROJECTS.c.id == id)
    document: Manifest = (await tx.execute(query)).scalar_one()
    return document


async def list_projects(
    tx: Tx, scope: Scope, name: str = "", *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[Project, ...], str]:
    """A page by name, and the cursor for the next; ``name`` is a part of the name."""
    query = (
        select(PROJECTS)
        .where(project_in_scope(scope, PROJECTS.c.name), PROJECTS.c.name > after)
        .where(named_like(PROJECTS.c.name, name))
        .order_by(PROJECTS.c.name)
    )
    page, cursor = await page_of(tx, query, limit, lambda row: row.name)
    return tuple(_project_of(row) for row in page), cursor


async def remove_project(tx: Tx, actor: Actor, name: str) -> None:
    """Forget a project that nothing is in.

    Raises:
        Refused: names up to five applications, clusters, repositories or accounts that are
            in the way; or it is the default project, which documents that name none fall
            into.
    """
    if name == DEFAULT_PROJECT:
        raise Refused(
            "the default project stays: applications that name no project are in it",
            hint="`fleet proj close default` makes it allow nothing.",
            object=f"AppProject/{name}",
        )
    query = select(PROJECTS).where(PROJECTS.c.name == name).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"AppProject {name!r} does not exist", object=f"AppProject/{name}")
    for kind, query in _users(row.id, name):
        names = (await tx.execute(query)).scalars().all()
        if names:
            raise _in_use(name, kind, names)
    await tx.execute(PROJECTS.delete().where(PROJECTS.c.id == row.id))
    await record_change(tx, actor, "delete", "AppProject", name, before=row.document)


def _users(id: UUID, name: str) -> tuple[tuple[str, Select[Any]], ...]:
    """What a project cannot go before: by word, the query of their names."""
    clusters, repositories, accounts = (
        TABLES[table].c for table in ("clusters", "repositories", "accounts")
    )
    apps = APPLICATIONS.c
    return (
        ("application", select(apps.name).where(apps.project_id == id).order_by(apps.name)),
        ("cluster", select(clusters.name).where(clusters.project == name)),
        ("repository", select(repositories.url).where(repositories.project == name)),
        ("account", select(accounts.name).where(accounts.role == f"project:{name}")),
    )


#: How to go about what is in the way.
_HINTS = {
    "application": "Delete them, or move them with `fleet app set NAME --project OTHER`.",
    "cluster": "Give them another project with `fleet cluster set NAME --project OTHER`.",
    "repository": "Forget them with `fleet repo rm URL`, or add them again for another project.",
    "account": "Give them another role with `fleet account set NAME --role ROLE`.",
}


def _in_use(name: str, kind: str, users: Sequence[str]) -> Refused:
    shown = ", ".join(users[:_SHOWN_APPLICATIONS])
    rest = len(users) - _SHOWN_APPLICATIONS
    words = "repositories" if kind == "repository" else f"{kind}(s)"
    are = "have the role of" if kind == "account" else "are in"
    return Refused(
        f"{len(users)} {words} {are} project {name!r}: {shown}"
        + (f" and {rest} more" if rest > 0 else ""),
        hint=_HINTS[kind],
        object=f"AppProject/{name}",
    )


async def ensure_default(tx: Tx) -> None:
    """Make the project ``default`` at the first start; one that exists is left as it is."""
    made = await tx.execute(
        insert(PROJECTS)
        .values(name=DEFAULT_PROJECT, document=default_document())
        .on_conflict_do_nothing()
        .returning(PROJECTS.c.id)
    )
    if made.one_or_none() is not None:
        await record_change(
            tx, FLEET, "create", "AppProject", DEFAULT_PROJECT, after=default_document()
        )


def default_document() -> Manifest:
    """``DEFAULT_PROJECT_SPEC`` as a person would write it."""
    spec = DEFAULT_PROJECT_SPEC
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": "AppProject",
        "metadata": {"name": DEFAULT_PROJECT},
        "spec": {
            "description": spec.description,
            "sourceRepos": list(spec.source_repos),
            "destinations": [
                {"server": entry.server, "namespace": entry.namespace}
                for entry in spec.destinations
            ],
            "clusterResourceWhitelist": [
                {"group": rule.group, "kind": rule.kind} for rule in spec.cluster_allow
            ],
        },
    }


def _project_of(row: Row[Any]) -> Project:
    return parse_project(row.document, stored=True)
