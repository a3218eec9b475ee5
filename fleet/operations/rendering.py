"""One application rendered at a revision that nobody deployed, for a person to look at.

Nothing is stored and no row changes: the same machinery as for a commit, its result handed
back instead of recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fleet.errors import (
    FleetError,
    NotFound,
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
from fleet.registry.desired import FollowedSource
from fleet.source import resolve


@dataclass(frozen=True)
class RenderedAt:
    """What the application would want at ``revisions``, one a source."""

    manifests: tuple[Manifest, ...]
    revisions: tuple[str, ...]
    warnings: tuple[str, ...] = ()


async def render_at(runtime: Runtime, application: ApplicationId, revision: str) -> RenderedAt:
    """Render an application with its first source at ``revision``, the others where they are.

    Args:
        revision: a branch, tag, commit, range or chart version.

    Raises:
        NotFound: the application was deleted meanwhile.
        RevisionNotFound: the repository has no such revision.
        RenderError: it does not render, or a file in it is wrong.
        FleetError: as a render fails otherwise: SourceError, Forbidden.
    """
    async with runtime.db.reading() as tx:
        entry = await desired.inputs_of(tx, application)
        if entry is None or not entry.sources:
            raise NotFound(f"the application {application} does not exist")
        first = entry.sources[0]
        remote = await repositories.remote_of(tx, runtime.ring, first.repository_id)
    sha = await _resolved(runtime, remote, first, revision)
    entry = replace(entry, sources=(replace(first, revision=sha), *entry.sources[1:]))
    work = Evaluation(runtime)
    await work.inputs.open([entry])
    jobs = await work.jobs_of(entry, {})
    answers = await work.render(jobs)
    for answer in answers:
        if isinstance(answer, FleetError):
            raise _of_repository(answer)
    rendered = work.combine(entry, jobs, answers)
    objects = tuple(work.sets[rendered.manifests_sha256].objects)
    return RenderedAt(objects, rendered.revisions, rendered.warnings)


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
