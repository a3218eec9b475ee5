"""Repositories: who registered them, how they are read, when the remote last answered.

URLs come with their canonical form (``fleet.source.urls``), by which two spellings of one
repository are one row. Credentials leave through ``remote_of`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, and_, exists, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from fleet.errors import AlreadyExists, Refused
from fleet.model.clusters import ConnectionStatus
from fleet.model.ids import RepositoryId
from fleet.model.repositories import (
    Repository,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.registry.audit import record_change
from fleet.registry.credentials import (
    credential_columns,
    options_of,
)
from fleet.registry.database import Tx, constraint_of
from fleet.registry.keyring import KeyRing
from fleet.registry.refs import Ref, RefKey, record_refs, refs_followed
from fleet.registry.remotes import (
    gone,
    record_contact,
    registered_hosts,
    remote_of,
    repository_place,
)
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    in_scope,
    key_of,
    missing,
    named_like,
    page_of,
    sees,
)
from fleet.registry.tables import TABLES

__all__ = [
    "NewRepository",
    "Ref",
    "RefKey",
    "RepositoryChanges",
    "RepositoryFilter",
    "add_repository",
    "ensure_implicit",
    "find_by_url",
    "get_repository",
    "get_repository_by_id",
    "list_repositories",
    "record_contact",
    "record_refs",
    "refs_followed",
    "registered_hosts",
    "remote_of",
    "remove_repository",
    "set_remote",
    "update_repository",
]

REPOSITORIES = TABLES["repositories"]
SOURCES = TABLES["application_sources"]
APPLICATIONS = TABLES["applications"]
PROJECTS = TABLES["projects"]

_SHOWN_APPLICATIONS = 5


@dataclass(frozen=True)
class NewRepository:
    url: str
    canonical_url: str
    type: RepositoryType
    name: str = ""
    project: str = ""  # "" means any project may use it
    auth: RepositoryAuth = RepositoryAuth()
    options: RepositoryOptions = RepositoryOptions()


class RepositoryChanges(TypedDict, total=False):
    """What ``update_repository`` may change beside credentials; what is left out stays."""

    name: str
    project: str
    interval_seconds: int | None


@dataclass(frozen=True, slots=True)
class RepositoryFilter:
    url: str = ""  # part of the URL
    project: str | None = None
    type: RepositoryType | None = None
    status: ConnectionStatus | None = None


async def add_repository(tx: Tx, actor: Actor, ring: KeyRing, new: NewRepository) -> Repository:
    """Register a repository; a row that an application's URL made becomes this one.

    Raises:
        AlreadyExists: it is registered, however its URL is spelled.
    """
    implicit = select(REPOSITORIES.c.id).where(
        REPOSITORIES.c.canonical_url == new.canonical_url, REPOSITORIES.c.implicit
    )
    found: UUID | None = (await tx.execute(implicit.with_for_update())).scalar_one_or_none()
    id = found or uuid4()
    values = {
        "name": new.name,
        "project": new.project,
        "implicit": False,
        **_remote_columns(ring, id, new),
    }
    statement: Any = REPOSITORIES.insert().values(id=id, **values)
    if found is not None:
        statement = update(REPOSITORIES).where(REPOSITORIES.c.id == id).values(**values)
    try:
        async with tx.begin_nested():
            await tx.execute(statement)
    except IntegrityError as error:
        raise await _taken(tx, error, new.canonical_url) from error
    repository = await get_repository_by_id(tx, EVERYTHING, RepositoryId(id))
    after = _shown(repository)
    await record_change(tx, actor, "create", "Repository", repository.url, after=after)
    return repository


def _remote_columns(ring: KeyRing, id: UUID, new: NewRepository) -> dict[str, Any]:
    place = repository_place(id, new.canonical_url)
    return {
        "url": new.url,
        "canonical_url": new.canonical_url,
        "type": str(new.type),
        "changed_at": func.clock_timestamp(),
        **credential_columns(ring, place, new.auth, new.options),
    }


async def _taken(tx: Tx, error: IntegrityError, canonical_url: str) -> AlreadyExists:
    query = select(REPOSITORIES.c.url).where(REPOSITORIES.c.canonical_url == canonical_url)
    other = (await tx.execute(query)).scalar() or constraint_of(error)
    return AlreadyExists(
        f"the repository {other} is registered already",
        hint="Change it with `fleet repo add --upsert`, or remove it with `fleet repo rm`.",
        object=f"Repository/{other}",
    )


async def ensure_implicit(
    tx: Tx, url: str, canonical_url: str, type: RepositoryType
) -> RepositoryId:
    """The row for a URL that an application names; made without credentials if there is none."""
    made = (
        insert(REPOSITORIES)
        .values(url=url, canonical_url=canonical_url, type=str(type), implicit=True)
        .on_conflict_do_nothing()
        .returning(REPOSITORIES.c.id)
    )
    known = select(REPOSITORIES.c.id).where(
        or_(REPOSITORIES.c.canonical_url == canonical_url, REPOSITORIES.c.url == url)
    )
    found = (await tx.execute(known)).scalars().first()
    found = found or (await tx.execute(made)).scalar_one_or_none()
    found = found or (await tx.execute(known)).scalars().first()
    assert found is not None, "one of the two was there, or was made"
    return RepositoryId(found)


def _visible(scope: Scope) -> Select[Any]:
    return select(REPOSITORIES).where(_sees(scope))


def _sees(scope: Scope) -> Any:
    """Registered ones follow their project; one that only an application's URL made is
    seen by those who see such an application."""
    seen, c = scope.seen("repositories"), REPOSITORIES.c
    if seen.is_all:
        return true()
    joined = SOURCES.join(APPLICATIONS, APPLICATIONS.c.id == SOURCES.c.application_id).join(
        PROJECTS, PROJECTS.c.id == APPLICATIONS.c.project_id
    )
    named = exists(
        select(SOURCES.c.position)
        .select_from(joined)
        .where(
            SOURCES.c.repository_id == REPOSITORIES.c.id,
            in_scope(scope, PROJECTS.c.name, APPLICATIONS.c.name),
        )
    )
    registered = and_(~c.implicit, sees(seen, c.project, key_of(c.project, c.url)))
    return or_(registered, and_(REPOSITORIES.c.implicit, named))


async def list_repositories(
    tx: Tx,
    scope: Scope,
    wanted: RepositoryFilter | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[Repository, ...], str]:
    """A page by URL, and the cursor for the next ("" after the last)."""
    wanted = wanted or RepositoryFilter()
    query = _visible(scope).where(
        REPOSITORIES.c.url > after, named_like(REPOSITORIES.c.url, wanted.url)
    )
    if wanted.project is not None:
        query = query.where(REPOSITORIES.c.project == wanted.project)
    if wanted.type is not None:
        query = query.where(REPOSITORIES.c.type == str(wanted.type))
    if wanted.status is not None:
        query = query.where(REPOSITORIES.c.status == str(wanted.status))
    page, cursor = await page_of(tx, query.order_by(REPOSITORIES.c.url), limit, lambda row: row.url)
    return tuple(_repository_of(row) for row in page), cursor


async def get_repository(tx: Tx, scope: Scope, canonical_url: str) -> Repository:
    """Raises NotFound with the nearest URLs."""
    query = _visible(scope).where(REPOSITORIES.c.canonical_url == canonical_url)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        urls = select(REPOSITORIES.c.url).where(_sees(scope))
        raise await missing(tx, "Repository", canonical_url, urls)
    return _repository_of(row)


async def find_by_url(tx: Tx, scope: Scope, canonical_url: str) -> RepositoryId | None:
    """The registered repository at a URL that content names, if whoever the content belongs
    to may use it: the credentials of another project must not answer."""
    query = select(REPOSITORIES.c.id).where(
        REPOSITORIES.c.canonical_url == canonical_url, ~REPOSITORIES.c.implicit, _sees(scope)
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else RepositoryId(found)


async def get_repository_by_id(tx: Tx, scope: Scope, id: RepositoryId) -> Repository:
    row = (await tx.execute(_visible(scope).where(REPOSITORIES.c.id == id))).one_or_none()
    if row is None:
        raise gone(id)
    return _repository_of(row)


def _repository_of(row: Row[Any]) -> Repository:
    return Repository(
        id=RepositoryId(row.id),
        url=row.url,
        type=RepositoryType(row.type),
        name=row.name,
        project=row.project,
        username=row.username,
        auth=row.auth,
        options=options_of(row.options),
        status=ConnectionStatus(row.status),
        message=row.message,
        observed_at=row.observed_at,
        attempted_at=row.attempted_at,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )


def _shown(repository: Repository) -> dict[str, Any]:
    """What the audit log keeps: what people decide, no secret, no weather."""
    options = repository.options
    return {
        "url": repository.url,
        "type": str(repository.type),
        "name": repository.name,
        "project": repository.project,
        "username": repository.username,
        "auth": repository.auth,
        "insecure": options.insecure,
        "proxy": options.proxy,
        "enableLfs": options.enable_lfs,
        "enableSubmodules": options.enable_submodules,
        "enableOci": options.enable_oci,
        "ociForceHttp": options.oci_force_http,
        "depth": options.depth,
        "intervalSeconds": options.interval_seconds,
    }


async def update_repository(
    tx: Tx, actor: Actor, id: RepositoryId, changes: RepositoryChanges
) -> Repository:
    """Change what people decide about a repository; URL and credentials go together and
    are changed by ``set_remote``."""
    before = await _locked(tx, id)
    values: dict[str, Any] = {
        name: value for name, value in changes.items() if name != "interval_seconds"
    }
    if "interval_seconds" in changes:
        seconds = changes["interval_seconds"]
        rest = REPOSITORIES.c.options.op("-")("intervalSeconds")
        values["options"] = (
            rest
            if seconds is None
            else rest.op("||")(func.jsonb_build_object("intervalSeconds", seconds))
        )
    if not values:
        return before
    values["changed_at"] = func.clock_timestamp()
    await tx.execute(update(REPOSITORIES).where(REPOSITORIES.c.id == id).values(**values))
    return await _audited(tx, actor, "update", before)


async def set_remote(
    tx: Tx, actor: Actor, ring: KeyRing, id: RepositoryId, new: NewRepository
) -> Repository:
    """Replace URL, credentials and options as a whole: nothing that was bound to an older
    URL is ever sent to the new one.

    Raises:
        AlreadyExists: another repository has this URL.
    """
    before = await _locked(tx, id)
    values = {"name": new.name, "project": new.project, **_remote_columns(ring, id, new)}
    try:
        async with tx.begin_nested():
            await tx.execute(update(REPOSITORIES).where(REPOSITORIES.c.id == id).values(**values))
    except IntegrityError as error:
        raise await _taken(tx, error, new.canonical_url) from error
    return await _audited(tx, actor, "update", before)


async def remove_repository(tx: Tx, actor: Actor, id: RepositoryId) -> None:
    """Forget a repository that no application reads.

    Raises:
        Refused: names up to five applications that do.
    """
    before = await _locked(tx, id)
    query = (
        select(APPLICATIONS.c.name)
        .where(
            APPLICATIONS.c.id.in_(
                select(SOURCES.c.application_id).where(SOURCES.c.repository_id == id)
            )
        )
        .order_by(APPLICATIONS.c.name)
    )
    names = (await tx.execute(query)).scalars().all()
    if names:
        shown = ", ".join(names[:_SHOWN_APPLICATIONS])
        rest = len(names) - _SHOWN_APPLICATIONS
        raise Refused(
            f"{len(names)} application(s) read {before.url}: {shown}"
            + (f" and {rest} more" if rest > 0 else ""),
            hint="Delete them, or give them another source with `fleet app set`.",
            object=f"Repository/{before.url}",
        )
    await tx.execute(REPOSITORIES.delete().where(REPOSITORIES.c.id == id))
    await record_change(tx, actor, "delete", "Repository", before.url, before=_shown(before))


async def _locked(tx: Tx, id: RepositoryId) -> Repository:
    query = select(REPOSITORIES.c.id).where(REPOSITORIES.c.id == id).with_for_update()
    if (await tx.execute(query)).one_or_none() is None:
        raise gone(id)
    return await get_repository_by_id(tx, EVERYTHING, id)


async def _audited(tx: Tx, actor: Actor, action: str, before: Repository) -> Repository:
    after = await get_repository_by_id(tx, EVERYTHING, before.id)
    await record_change(
        tx, actor, action, "Repository", after.url, before=_shown(before), after=_shown(after)
    )
    return after
