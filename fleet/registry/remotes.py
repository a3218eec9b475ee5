"""Reaching a repository: its credentials opened, and whether it answered."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, func, select, update

from fleet.errors import FleetError, NotFound
from fleet.model.clusters import ConnectionStatus
from fleet.model.ids import RepositoryId
from fleet.model.repositories import (
    Remote,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.registry.certificates import trusted_for
from fleet.registry.credentials import (
    CREDENTIALS,
    Opened,
    auth_word,
    inherited,
    longest_prefix,
    open_credentials,
    options_of,
    template_place,
)
from fleet.registry.database import Tx
from fleet.registry.envelopes import fingerprint
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import Place
from fleet.registry.tables import TABLES

REPOSITORIES = TABLES["repositories"]


def repository_place(id: UUID, canonical_url: str) -> Place:
    return Place("repositories", str(id), "sealed", canonical_url)


def gone(id: RepositoryId) -> NotFound:
    return NotFound(f"the repository {id} does not exist", object=f"Repository/{id}")


async def remote_of(tx: Tx, ring: KeyRing, id: RepositoryId) -> Remote:
    """All that is needed to read the repository, opened: its own credentials, else those of
    the template with the longest URL above it, else none.

    Raises:
        NotFound: it was removed meanwhile.
        SealBroken: an envelope was sealed for another row or URL, or its key is missing.
    """
    row = await _row(tx, id)
    template = None
    found = open_credentials(ring, repository_place(row.id, row.canonical_url), row)
    identity = _identity(row) if found.auth else ""
    if not found.auth:
        template = await _template_for(tx, row.canonical_url)
        if template is not None:
            found, identity = _by_template(ring, found, template)
    ca_pem, known_hosts = await trusted_for(tx, row.canonical_url)
    return Remote(
        url=row.url,
        type=RepositoryType(row.type),
        auth=found.auth,
        options=found.options,
        cache_key=_cache_key(row, identity),
        ca_pem=ca_pem,
        known_hosts=known_hosts,
        # an administrator's credentials for a prefix register what is below it
        registered=not row.implicit or template is not None,
        project=row.project,
        allowed_hosts=await registered_hosts(tx, row.project),
        public_hosts=(_host_of(row.canonical_url),) if row.implicit else (),
    )


async def registered_hosts(tx: Tx, project: str) -> tuple[str, ...]:
    """``host`` or ``host:port`` of every repository that an administrator registered for all
    projects or for this one: what content of the project's repositories may name."""
    query = select(REPOSITORIES.c.canonical_url).where(
        ~REPOSITORIES.c.implicit, REPOSITORIES.c.project.in_(["", project])
    )
    found = {_host_of(url) for url in (await tx.execute(query)).scalars()}
    return tuple(sorted(found - {""}))


def _host_of(canonical_url: str) -> str:
    """Of a canonical URL, "" for a file's."""
    return canonical_url.partition("://")[2].partition("/")[0].rpartition("@")[2]


async def unopened_of(tx: Tx, id: RepositoryId) -> Remote:
    """The remote without what is sealed: it cannot be asked, but its mirror can be found, also
    when its credentials cannot be opened any more.

    Raises:
        NotFound: it was removed meanwhile.
    """
    row = await _row(tx, id)
    own = row.auth != auth_word(RepositoryAuth()) or bool(row.credentials)
    by = row if own else await _template_for(tx, row.canonical_url)
    return Remote(
        url=row.url,
        type=RepositoryType(row.type),
        auth=RepositoryAuth(),
        options=options_of(row.options),
        cache_key=_cache_key(row, "" if by is None else _identity(by)),
        registered=not row.implicit,
        project=row.project,
    )


async def _row(tx: Tx, id: RepositoryId) -> Row[Any]:
    query = select(REPOSITORIES).where(REPOSITORIES.c.id == id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise gone(id)
    return row


def _cache_key(row: Row[Any], identity: str) -> str:
    return hashlib.sha256(f"{row.canonical_url}\0{identity}".encode()).hexdigest()


async def remote_before(
    tx: Tx,
    ring: KeyRing,
    *,
    url: str,
    canonical_url: str,
    type: RepositoryType,
    auth: RepositoryAuth,
    options: RepositoryOptions,
) -> Remote:
    """What ``remote_of`` would say of a repository that is not registered yet.

    It shares no cache with any other remote: what it can read proves what it may read.
    """
    found = Opened(auth, options)
    template = None if auth else await _template_for(tx, canonical_url)
    if template is not None:
        found, _ = _by_template(ring, found, template)
    ca_pem, known_hosts = await trusted_for(tx, canonical_url)
    return Remote(
        url=url,
        type=type,
        auth=found.auth,
        options=found.options,
        cache_key=hashlib.sha256(f"{canonical_url}\0{uuid4()}".encode()).hexdigest(),
        ca_pem=ca_pem,
        known_hosts=known_hosts,
    )


async def _template_for(tx: Tx, canonical_url: str) -> Row[Any] | None:
    urls = (await tx.execute(select(CREDENTIALS.c.canonical_url))).scalars().all()
    best = longest_prefix(urls, canonical_url)
    if best is None:
        return None
    query = select(CREDENTIALS).where(CREDENTIALS.c.canonical_url == best)
    return (await tx.execute(query)).one_or_none()


def _by_template(ring: KeyRing, own: Opened, template: Row[Any]) -> tuple[Opened, str]:
    place = template_place(template.id, template.canonical_url)
    given = open_credentials(ring, place, template)
    return Opened(given.auth, inherited(own.options, given.options)), _identity(template)


def _identity(row: Row[Any]) -> str:
    """Whose credentials these are, without telling what they are."""
    plain = sorted(row.credentials.items())
    return f"{row.id}:{hashlib.sha256(f'{plain}{fingerprint(row.sealed)}'.encode()).hexdigest()}"


async def record_contact(
    tx: Tx, id: RepositoryId, failure: FleetError | None, now: datetime
) -> None:
    """The remote answered (None), or why not: the one row by which freshness is known."""
    ok = failure is None
    c = REPOSITORIES.c
    values: dict[str, Any] = {
        "attempted_at": now,
        "status": str(ConnectionStatus.SUCCESSFUL if ok else ConnectionStatus.FAILED),
        "message": "" if failure is None else failure.message,
        "observed_at": now if ok else c.observed_at,
        "failing_since": None if ok else func.coalesce(c.failing_since, now),
    }
    await tx.execute(update(REPOSITORIES).where(c.id == id).values(**values))
