"""One application rendered at a revision that it does not follow, for a person to look at, or
to have applied all the same.

Nothing is stored and no row changes: the same machinery as for a commit, its result handed
back instead of recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fleet.errors import (
    FleetError,
    NotFound,
    Place,
    RenderError,
    RevisionNotFound,
    SpecInvalid,
)
from fleet.model.applications import followed
from fleet.model.ids import ApplicationId
from fleet.model.objects import Manifest
from fleet.model.repositories import Remote, RepositoryType
from fleet.operations.evaluating import Evaluation
from fleet.operations.runtime import Runtime
from fleet.registry import desired, repositories
from fleet.registry.desired import FollowedSource, Pending
from fleet.registry.manifests import ManifestSet
from fleet.source import resolve


@dataclass(frozen=True)
class RenderedAt:
    """What the application would want at ``revisions``, one a source. ``stored`` is the set as
    it would be stored."""

    stored: ManifestSet
    revisions: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        return tuple(self.stored.objects)


async def render_at(
    runtime: Runtime, application: ApplicationId, revisions: Mapping[int, str]
) -> RenderedAt:
    """Render an application with some of its sources at other revisions, the others where they
    are.

    Args:
        revisions: a branch, tag, commit, range or chart version by the source's position,
            from 0.

    Raises:
        NotFound: the application was deleted meanwhile.
        SpecInvalid: it has no source at a position.
        RevisionNotFound: the repository has no such revision.
        RenderError: it does not render, or a file in it is wrong.
        FleetError: as a render fails otherwise: SourceError, Forbidden.
    """
    async with runtime.db.reading() as tx:
        entry = await desired.inputs_of(tx, application)
        if entry is None or not entry.sources:
            raise NotFound(f"the application {application} does not exist")
        _require_sources(entry, revisions)
        remotes = {
            position: await repositories.remote_of(
                tx, runtime.ring, entry.sources[position].repository_id
            )
            for position in revisions
        }
    sources = list(entry.sources)
    for position, revision in revisions.items():
        moved = sources[position]
        sha = await _resolved(runtime, remotes[position], moved, revision)
        sources[position] = replace(moved, revision=sha)
    entry = replace(entry, sources=tuple(sources))
    work = Evaluation(runtime)
    await work.inputs.open([entry])
    jobs = await work.jobs_of(entry, {})
    answers = await work.render(jobs)
    for answer in answers:
        if isinstance(answer, FleetError):
            raise _of_repository(answer)
    rendered = work.combine(entry, jobs, answers)
    stored = work.sets[rendered.manifests_sha256]
    return RenderedAt(stored, rendered.revisions, rendered.warnings)


def _require_sources(entry: Pending, revisions: Mapping[int, str]) -> None:
    count = len(entry.sources)
    if beyond := [position for position in revisions if not 0 <= position < count]:
        raise SpecInvalid(
            f"application {entry.name!r} has {count} sources, and no source {beyond[0] + 1}",
            place=Place(field="revisions"),
            object=f"Application/{entry.name}",
        )


def _of_repository(error: FleetError) -> FleetError:
    """A wrong file in the repository is no wrong request of whoever asks to render it."""
    if isinstance(error, SpecInvalid):
        return RenderError(error.message, hint=error.hint, object=error.object)
    return error


async def _resolved(runtime: Runtime, remote: Remote, source: FollowedSource, revision: str) -> str:
    """What ``revision`` is now: a commit, or a chart's version."""
    if remote.type is not RepositoryType.GIT:
        return await runtime.charts.resolve(remote, source.chart, revision)
    prefix, _ = followed(source.target_revision)
    refs = await runtime.mirrors.ls_remote(remote)
    sha = resolve(refs, revision, prefix) or await runtime.mirrors.find_commit(remote, revision)
    if sha is None:
        raise RevisionNotFound(
            f"{remote.url} has no branch, tag or commit {revision}",
            hint="Push it first, or check its spelling.",
            object=remote.url,
        )
    return sha
