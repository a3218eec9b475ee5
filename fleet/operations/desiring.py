"""Desired: from what a remote says to what each application wants.

One ``ls-remote`` a poll, one fetch when something moved, one render a distinct input. An
application whose inputs have the same git ids at the new commit is not rendered and none
of its rows is written. A remote that fails leaves everything as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from fleet import metrics
from fleet.errors import FleetError, RenderTimeout, RevisionNotFound, SourceUnreachable
from fleet.logs import fields
from fleet.model.applications import followed
from fleet.model.ids import RepositoryId
from fleet.model.repositories import Remote, RepositoryType
from fleet.operations.crashpoints import committing
from fleet.operations.evaluating import evaluate
from fleet.operations.hydrating import hydrate
from fleet.operations.itself.telling import tell_of
from fleet.operations.runtime import Runtime
from fleet.registry import desired, queue, repositories
from fleet.registry.desired import Pending
from fleet.source import resolve

log = logging.getLogger(__name__)

#: Applications that are evaluated and committed together: the first are being synced
#: while the last are still rendered.
CHUNK = 250


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the followed refs of one repository are now, or why not."""

    revisions: dict[tuple[str, str], str]
    errors: dict[tuple[str, str], FleetError]


async def poll_repository(runtime: Runtime, repository: RepositoryId) -> None:
    """Ask the remote, and bring every application that follows it up to date.

    Raises:
        SourceError: the remote could not be asked; recorded, nothing else changed but that
            applications somebody asked to refresh are compared again.
    """
    async with runtime.db.reading() as tx:
        remote = await repositories.remote_of(tx, runtime.ring, repository)
        refs = await repositories.refs_followed(tx, repository)
    wanted = [(ref.chart, ref.target_revision) for ref in refs]
    try:
        found = await _resolve(runtime, remote, wanted)
        if remote.type is RepositoryType.GIT:
            await _fetch(runtime, remote, found)
    except FleetError as error:
        metrics.POLLS.labels(error.type).inc()
        await _record_failure(runtime, repository, error)
        raise
    metrics.POLLS.labels("answered").inc()
    now = runtime.now()
    async with committing(runtime.db, "poll") as tx:
        await repositories.record_contact(tx, repository, None, now)
        await repositories.record_refs(tx, repository, {**found.revisions, **found.errors}, now)
    await _evaluate(runtime, repository, found)
    if any(ref.hydrates for ref in refs):
        await hydrate(runtime, repository, found.errors)


async def _evaluate(runtime: Runtime, repository: RepositoryId, found: _Found) -> None:
    async with runtime.db.reading() as tx:
        pending = await desired.pending_renders(tx, repository, runtime.now())
    postponed: set[tuple[str, str]] = set()
    for chunk in in_turn(pending):
        for entry in await evaluate(runtime, chunk, found.errors):
            postponed |= {(source.chart, source.target_revision) for source in entry.sources}
    # a ref counts as evaluated when all who follow it were; the next poll has the others again
    done = [(*ref, sha) for ref, sha in found.revisions.items() if ref not in postponed]
    async with committing(runtime.db, "evaluated") as tx:
        await desired.mark_evaluated(tx, repository, done)
    # what its parent waits for may have been just that
    await tell_of(runtime.db, [entry.id for entry in pending], waiting=True)


def in_turn(pending: Sequence[Pending]) -> list[Sequence[Pending]]:
    """Chunks, to be evaluated one after the other. What did not end the last time comes last, and
    by itself: nobody waits for another one's loop."""
    groups: tuple[list[Pending], list[Pending]] = ([], [])
    for entry in pending:
        groups[(entry.error or {}).get("type") == RenderTimeout.__name__].append(entry)
    return [group[at : at + CHUNK] for group in groups for at in range(0, len(group), CHUNK)]


async def _record_failure(runtime: Runtime, repository: RepositoryId, error: FleetError) -> None:
    """Note since when the remote fails; whoever asked to refresh still gets a comparison."""
    log.warning("%s", error.message, extra=fields(repository=repository, error=error.type))
    async with runtime.db.transaction() as tx:
        await repositories.record_contact(tx, repository, error, runtime.now())
        pending = await desired.pending_renders(tx, repository, runtime.now())
        asked = [entry.id for entry in pending if entry.refresh in ("normal", "hard")]
        clusters = await desired.look_again(tx, asked)
        await queue.wake(tx, "reconcile", [str(cluster) for cluster in clusters])


async def _resolve(runtime: Runtime, remote: Remote, wanted: Sequence[tuple[str, str]]) -> _Found:
    if remote.type is not RepositoryType.GIT:
        return await _resolve_charts(runtime, remote, wanted)
    named = [followed(target)[1] for _, target in wanted]
    also = [revision for revision in named if revision.startswith("refs/")]
    refs = await runtime.mirrors.ls_remote(remote, also)
    found = _Found({}, {})
    for chart, target in wanted:
        prefix, revision = followed(target)
        sha = resolve(refs, revision, prefix)
        if sha is None:
            sha = await runtime.mirrors.find_commit(remote, revision)
        if sha is None:
            found.errors[chart, target] = RevisionNotFound(
                f"{remote.url} has no branch, tag or commit {revision or 'HEAD'}",
                hint="Check targetRevision; the last good revision stays deployed.",
                object=remote.url,
            )
        else:
            found.revisions[chart, target] = sha
    return found


async def _resolve_charts(
    runtime: Runtime, remote: Remote, wanted: Sequence[tuple[str, str]]
) -> _Found:
    answers = await asyncio.gather(
        *(runtime.charts.resolve(remote, chart, target) for chart, target in wanted),
        return_exceptions=True,
    )
    found = _Found({}, {})
    for key, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, SourceUnreachable):
            raise answer  # the repository as a whole does not answer
        if isinstance(answer, FleetError):
            found.errors[key] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.revisions[key] = answer
    return found


async def _fetch(runtime: Runtime, remote: Remote, found: _Found) -> None:
    """Bring the commits here. One that cannot be had is that ref's error alone."""
    wanted = sorted(set(found.revisions.values()))
    if not wanted:
        return
    try:
        await runtime.mirrors.fetch(remote, wanted)
        metrics.FETCHES.labels("done").inc()
    except RevisionNotFound:
        for key, sha in tuple(found.revisions.items()):
            try:
                await runtime.mirrors.fetch(remote, [sha])
            except RevisionNotFound as error:
                found.errors[key] = error
                del found.revisions[key]


async def sweep(runtime: Runtime) -> None:
    """Keep what this machine caches of repositories within its bounds: the trees that were not
    used for longest go, and mirrors that nobody asks any more."""
    await runtime.mirrors.sweep(runtime.settings.cache_max_bytes)
