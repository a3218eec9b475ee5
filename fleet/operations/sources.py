"""Repositories, credential templates and certificates: registered, tested, let go."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from uuid import UUID

from fleet.errors import FleetError, Place, SealBroken, SourceUnreachable, SpecInvalid
from fleet.model.ids import RepositoryId
from fleet.model.repositories import (
    KnownCertificate,
    Remote,
    RepoCredential,
    Repository,
    RepositoryAuth,
    RepositoryType,
)
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.opening import address_rules
from fleet.operations.runtime import Runtime
from fleet.registry import certificates, credentials, projects, queue, remotes, repositories
from fleet.registry.database import Tx
from fleet.registry.repositories import NewRepository, RepositoryChanges
from fleet.source import check, parse_certificates, parse_known_hosts, parse_url

_UNVERIFIED = (
    "TLS and host keys are not verified (insecure): whoever sits between Fleet and this"
    " repository reads its credentials and decides what is deployed"
)
_PLAIN_HTTP = "http is not encrypted: credentials and content can be read and changed on the way"


@dataclass(frozen=True)
class Registered:
    """What became of a repository: ``created``, ``configured`` or ``unchanged``."""

    repository: Repository
    action: str
    tested: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """A remote that answered, after how many seconds: with how many refs or charts (None:
    a registry, which tells no number)."""

    url: str
    type: RepositoryType
    seconds: float
    found: int | None


async def add_repository(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    new: NewRepository,
    *,
    upsert: bool = False,
    skip_test: bool = False,
) -> Registered:
    """Register a repository; with ``upsert`` replace URL spelling, credentials and options.

    Args:
        new: its ``canonical_url`` is found out here.
        skip_test: do not ask the remote first; its address is judged all the same.

    Raises:
        SpecInvalid: no acceptable URL.
        AddressForbidden: the address rules do not allow it.
        SourceError: the remote did not answer as it should; nothing was stored.
        AlreadyExists: it is registered, however its URL is spelled.
        NotFound: no such project.
    """
    if new.project:
        async with runtime.db.reading() as tx:
            await projects.get_project(tx, scope, new.project)
    new = await _judged(runtime, new)
    async with runtime.db.reading() as tx:
        known = await repositories.find_by_url(tx, EVERYTHING, new.canonical_url)
        if known is not None and upsert:
            same = await _same(runtime, tx, known, new)
            if same is not None:
                return Registered(same, "unchanged", tested=False)
    if not skip_test:
        await _try(runtime, await _remote_before(runtime, new))
    async with runtime.db.transaction() as tx:
        if known is not None and upsert:
            repository = await repositories.set_remote(tx, actor, runtime.ring, known, new)
        else:
            repository = await repositories.add_repository(tx, actor, runtime.ring, new)
        if not skip_test:
            await repositories.record_contact(tx, repository.id, None, runtime.now())
        await queue.wake(tx, "poll", [str(repository.id)])
    async with runtime.db.reading() as tx:
        repository = await repositories.get_repository_by_id(tx, EVERYTHING, repository.id)
    action = "configured" if known is not None else "created"
    return Registered(repository, action, not skip_test, warnings_about(repository))


def warnings_about(repository: Repository) -> tuple[str, ...]:
    """What whoever registers the repository has to know."""
    plain = repository.url.startswith("http://") and repository.auth != "anonymous"
    found = (
        _UNVERIFIED if repository.options.insecure else "",
        _PLAIN_HTTP if plain or repository.options.oci_force_http else "",
    )
    return tuple(text for text in found if text)


async def _judged(runtime: Runtime, new: NewRepository) -> NewRepository:
    """The repository with its URL judged and in canonical form."""
    url = parse_url(new.url)
    if new.type is RepositoryType.GIT and (url.bare or url.scheme == "oci"):
        raise SpecInvalid(
            f"{url} is no git repository",
            place=Place(field="type"),
            hint="Use type helm with enableOci, or type oci.",
        )
    await check(address_rules(runtime.settings), new.url, registered=True)
    return replace(new, canonical_url=url.canonical)


async def _same(
    runtime: Runtime, tx: Tx, id: RepositoryId, new: NewRepository
) -> Repository | None:
    """The registered repository, if ``new`` changes nothing about it."""
    known = await repositories.get_repository_by_id(tx, EVERYTHING, id)
    described = (known.url, known.type, known.name, known.project)
    if described != (new.url, new.type, new.name, new.project):
        return None
    anonymous = known.auth == "anonymous" and not new.auth
    try:
        remote = await repositories.remote_of(tx, runtime.ring, id)
    except SealBroken:
        return None  # what cannot be opened is what has to be replaced
    options = known.options if anonymous else remote.options
    same_auth = anonymous or remote.auth == new.auth
    return known if same_auth and options == new.options else None


async def _remote_before(runtime: Runtime, new: NewRepository) -> Remote:
    async with runtime.db.reading() as tx:
        return await remotes.remote_before(
            tx,
            runtime.ring,
            url=new.url,
            canonical_url=new.canonical_url,
            type=new.type,
            auth=new.auth,
            options=new.options,
        )


async def _try(runtime: Runtime, remote: Remote) -> Contact:
    """Ask the remote what it has.

    Raises:
        SourceError: no answer, or not the one of a repository of this type.
    """
    began = monotonic()
    found: int | None
    if remote.type is RepositoryType.GIT:
        found = len((await runtime.mirrors.ls_remote(remote)).refs)
    else:
        found = len(await runtime.charts.list_charts(remote)) or None
    return Contact(remote.url, remote.type, monotonic() - began, found)


async def find_repository(tx: Tx, scope: Scope, text: str) -> Repository:
    """The repository with this id or URL, however that is spelled.

    Raises:
        NotFound: names the nearest URLs.
        SpecInvalid: no acceptable URL.
    """
    with suppress(ValueError):
        return await repositories.get_repository_by_id(tx, scope, RepositoryId(UUID(text)))
    return await repositories.get_repository(tx, scope, parse_url(text).canonical)


async def test_repository(runtime: Runtime, scope: Scope, text: str) -> Contact:
    """Ask a registered repository what it has, and write down whether it answered.

    Raises:
        SourceError: it did not; recorded.
    """
    async with runtime.db.reading() as tx:
        known = await find_repository(tx, scope, text)
        remote = await repositories.remote_of(tx, runtime.ring, known.id)
    failure: FleetError | None = None
    contact = None
    try:
        contact = await _try(runtime, remote)
    except FleetError as error:
        failure = error
    async with runtime.db.transaction() as tx:
        await repositories.record_contact(tx, known.id, failure, runtime.now())
        if failure is None:
            await queue.wake(tx, "poll", [str(known.id)])
    if contact is None:
        assert failure is not None
        raise failure
    return contact


async def change_repository(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    text: str,
    changes: RepositoryChanges,
    *,
    url: str | None = None,
) -> Repository:
    """Change what people decide about a repository; a new URL voids its credentials.

    Raises:
        AddressForbidden: the address rules do not allow the new URL.
        AlreadyExists: another repository has it.
        NotFound: no such repository or project.
    """
    async with runtime.db.reading() as tx:
        known = await find_repository(tx, scope, text)
        if changes.get("project"):
            await projects.get_project(tx, scope, changes["project"])
    moved = None
    if url is not None and parse_url(url).canonical != parse_url(known.url).canonical:
        moved = await _judged(
            runtime,
            NewRepository(
                url, "", known.type, known.name, known.project, RepositoryAuth(), known.options
            ),
        )
    async with runtime.db.transaction() as tx:
        if moved is not None:
            await repositories.set_remote(tx, actor, runtime.ring, known.id, moved)
        changed = await repositories.update_repository(tx, actor, known.id, changes)
        await queue.wake(tx, "poll", [str(known.id)])
    return changed


async def remove_repository(runtime: Runtime, actor: Actor, scope: Scope, text: str) -> str:
    """Forget a repository and its mirror here; returns its URL.

    Raises:
        Refused: applications read it.
    """
    async with runtime.db.transaction() as tx:
        known = await find_repository(tx, scope, text)
        remote = await remotes.unopened_of(tx, known.id)
        await repositories.remove_repository(tx, actor, known.id)
    await runtime.mirrors.forget(remote)
    return known.url


async def add_template(
    runtime: Runtime, actor: Actor, new: NewRepository, *, upsert: bool = False
) -> tuple[RepoCredential, str]:
    """Keep credentials for every repository below a URL; and ``created``, ``configured`` or
    ``unchanged``.

    Raises:
        AddressForbidden: the address rules do not allow the URL.
        AlreadyExists: there are some for this URL.
    """
    url = parse_url(new.url)
    # a prefix need not be a host that answers today
    with suppress(SourceUnreachable):
        await check(address_rules(runtime.settings), new.url, registered=True)
    async with runtime.db.transaction() as tx:
        known = await credentials.list_credentials(tx, EVERYTHING)
        held = any(parse_url(entry.url).canonical == url.canonical for entry in known)
        same = await credentials.same_credential(
            tx,
            runtime.ring,
            url=new.url,
            canonical_url=url.canonical,
            type=new.type,
            auth=new.auth,
            options=new.options,
        )
        if upsert and same is not None:
            return same, "unchanged"
        if held and upsert:
            await credentials.remove_credential(tx, actor, url.canonical)
        template = await credentials.add_credential(
            tx,
            actor,
            runtime.ring,
            url=new.url,
            canonical_url=url.canonical,
            type=new.type,
            auth=new.auth,
            options=new.options,
        )
    return template, "configured" if held else "created"


async def remove_template(runtime: Runtime, actor: Actor, url: str) -> None:
    """Raises NotFound with the nearest URLs."""
    canonical = parse_url(url).canonical
    async with runtime.db.transaction() as tx:
        await credentials.remove_credential(tx, actor, canonical)


async def trust_hosts(
    runtime: Runtime, actor: Actor, known_hosts: str
) -> tuple[tuple[KnownCertificate, ...], int]:
    """Trust every key of a known_hosts text: those that are new, and how many it has.

    Raises:
        SpecInvalid: names the line.
    """
    return await _trust(runtime, actor, parse_known_hosts(known_hosts))


async def trust_authority(
    runtime: Runtime, actor: Actor, host: str, pem: str
) -> tuple[tuple[KnownCertificate, ...], int]:
    """Trust the certificates of a PEM bundle for one host (``git.example`` or with a port).

    Raises:
        SpecInvalid: no host, or no certificates.
    """
    name = host.strip().lower()
    if not name or any(letter in name for letter in "/@ *?"):
        raise SpecInvalid(f"{host!r} is no host", place=Place(field="host"))
    entries = await asyncio.to_thread(parse_certificates, name, pem)
    return await _trust(runtime, actor, entries)


async def _trust(
    runtime: Runtime, actor: Actor, entries: tuple[KnownCertificate, ...]
) -> tuple[tuple[KnownCertificate, ...], int]:
    async with runtime.db.transaction() as tx:
        added = await certificates.add_certificates(tx, actor, entries)
    return added, len(entries)
