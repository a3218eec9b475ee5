"""Hydration: a dry source rendered, committed to a branch, and synced from there.

Level-triggered, as a part of the poll of the dry source's repository: what has to be done
follows from what was done last and from what is on the branch. A render comes from the cache
where there is one; a commit is made where the branch does not have those manifests; one made
twice is the same commit. So a process may die anywhere between render, commit and push, and
the next poll does what is left, once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from fleet.errors import FleetError, Forbidden, Refused, SourceUnreachable
from fleet.logs import fields
from fleet.model.applications import Source, SourceHydrator, is_shadow, skips_reconciling
from fleet.model.argo_settings import SETTINGS
from fleet.model.hydration import (
    MANIFEST,
    SUBJECT_LENGTH,
    DryCommit,
    Folder,
    HydrationPhase,
    author_of,
    files_of,
    message_of,
)
from fleet.model.ids import RepositoryId
from fleet.model.objects import Manifest
from fleet.model.repositories import Remote
from fleet.operations.cluster_values import references as values_wanted
from fleet.operations.crashpoints import committing, writing
from fleet.operations.evaluating import Evaluation, failed
from fleet.operations.push_credentials import write_remote
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec, project_spec
from fleet.policy import may_use_source
from fleet.registry import desired, hydrations, manifests, queue, repositories
from fleet.registry.config_maps import config_map
from fleet.registry.desired import Pending, Rendered
from fleet.registry.hydrations import DueHydration, Hydration
from fleet.render.yaml import dump
from fleet.source import NewCommit, blob_id

log = logging.getLogger(__name__)

#: How often a push is tried anew on a branch that others move at the same time.
PUSHES = 5
_LASTING = ("RenderError", "SpecInvalid")


@dataclass(frozen=True)
class _Work:
    """One application that is hydrated. ``entry`` is as if the dry source were applied."""

    due: DueHydration
    entry: Pending
    wet: Source
    hydrator: SourceHydrator
    block: Mapping[str, Any]
    started: datetime

    @property
    def batch(self) -> tuple[RepositoryId, str, str, str]:
        """What is committed together: repository, branch, dry commit, project."""
        due = self.due
        return due.target, self.hydrator.branch, due.dry.revision, self.entry.project


@dataclass(frozen=True)
class _Rendered:
    """What a dry source came to, or why not."""

    work: _Work
    rendered: Rendered
    objects: Sequence[Manifest]


async def hydrate(
    runtime: Runtime, repository: RepositoryId, errors: Mapping[tuple[str, str], FleetError]
) -> None:
    """Render and push all that is due from a dry source's repository, and note how it went.

    Args:
        errors: of refs that could not be resolved, by (chart, target revision).
    """
    now = runtime.now()
    async with runtime.db.reading() as tx:
        due = await hydrations.due(tx, repository, now)
        found = [(one, await desired.inputs_of(tx, one.id)) for one in due]
    work = [
        _work(one, entry, now)
        for one, entry in found
        if entry is not None and not _is_somebody_elses(entry)
    ]
    if not work:
        return
    async with committing(runtime.db, "hydrate") as tx:
        await hydrations.record(tx, [_begun(one) for one in work], begins=True)
    batches: dict[tuple[RepositoryId, str, str, str], list[_Rendered]] = defaultdict(list)
    for one in await _render(runtime, work, errors):
        if one.rendered.error is None:
            batches[one.work.batch].append(one)
        else:
            await _note(runtime, [one], error=one.rendered.error)
    for batch in batches.values():
        try:
            sha = await _push(runtime, batch)
        except FleetError as error:
            log.warning("%s", error.message, extra=fields(error=error.type))
            await _note(runtime, batch, error=error.as_dict())
        else:
            await _note(runtime, batch, sha=sha)


def _is_somebody_elses(entry: Pending) -> bool:
    """Whether nothing is to be written for an application: its branch, too, is another's."""
    return is_shadow(entry.document) or skips_reconciling(entry.document)


def _work(due: DueHydration, entry: Pending, now: datetime) -> _Work:
    spec = application_spec(entry.document)
    assert spec.hydrator is not None, "only its application has a dry source"
    written = dict(entry.document["spec"])
    block = written.pop("sourceHydrator")
    document = {**entry.document, "spec": {**written, "source": block["drySource"]}}
    entry = replace(entry, document=document, sources=(due.dry,))
    return _Work(due, entry, spec.sources[0], spec.hydrator, block, now)


async def _render(
    runtime: Runtime, work: Sequence[_Work], errors: Mapping[tuple[str, str], FleetError]
) -> list[_Rendered]:
    """What each dry source renders to, stored for whoever renders the same again."""
    evaluation = Evaluation(runtime)
    found: list[_Rendered] = []
    fit: list[_Work] = []
    for one in work:
        try:
            _check(one)
            fit.append(one)
        except FleetError as error:
            found.append(_Rendered(one, failed(one.entry, error), ()))
    await evaluation.inputs.open([one.entry for one in fit])
    jobs = []
    for one in fit:
        try:
            jobs.append((one, await evaluation.jobs_of(one.entry, errors)))
        except FleetError as error:
            found.append(_Rendered(one, failed(one.entry, error), ()))
    answers = iter(await evaluation.render([job for _, group in jobs for job in group]))
    for one, group in jobs:
        rendered = evaluation.combine(one.entry, group, [next(answers) for _ in group])
        if any(source["reads"].get("keys") for source in rendered.inputs):
            found.append(_Rendered(one, failed(one.entry, _in_the_clear(one)), ()))
            continue
        kept = evaluation.sets.get(rendered.manifests_sha256)
        # as stored, and so the same text whether it was rendered now or before
        found.append(_Rendered(one, rendered, orjson.loads(kept.canonical) if kept else ()))
    async with runtime.db.transaction() as tx:
        await manifests.put(tx, runtime.ring, list(evaluation.sets.values()))
        await manifests.record_renders(tx, evaluation.renders)
    return found


def _check(work: _Work) -> None:
    """Raises Refused for a folder that two applications would write, and for values that no
    commit says."""
    if values_wanted(work.hydrator.dry):
        raise Refused(
            "helm.valuesFrom of spec.sourceHydrator.drySource reads from the cluster: a branch"
            " would show that to whoever reads it, and no commit says when it changes",
            hint="Let the application sync from its source, without sourceHydrator.",
            object=f"Application/{work.entry.name}",
        )
    if work.due.rivals:
        names = ", ".join(work.due.rivals[:3])
        raise Refused(
            f"{work.wet.path} of branch {work.hydrator.branch} is written by {names}, too",
            hint="Give each application a folder of its own in syncSource.path.",
            object=f"Application/{work.entry.name}",
        )


def _in_the_clear(work: _Work) -> Refused:
    return Refused(
        f"{work.hydrator.dry.path} holds files that were decrypted: a branch would show them to"
        " whoever reads it",
        hint="Let the application that needs them sync from its source, without sourceHydrator.",
        object=f"Application/{work.entry.name}",
    )


async def _push(runtime: Runtime, batch: Sequence[_Rendered]) -> str:
    """Have the branch hold what was rendered; the commit that does."""
    first = batch[0].work
    remote, author = await _target(runtime, first), await _author(runtime)
    commit = await _dry_commit(runtime, first)
    folders = [
        Folder(
            one.work.wet.path,
            one.work.entry.name,
            one.work.hydrator.dry.path,
            "---\n".join(dump(object) for object in one.objects).encode(),
        )
        for one in batch
    ]
    for _ in range(PUSHES):
        sha = await _push_once(runtime, remote, first, commit, folders, author)
        if sha:
            return sha
    raise SourceUnreachable(
        f"{remote.url}: branch {first.hydrator.branch} moved each of {PUSHES} times that it was"
        " pushed to",
        hint="Who else writes it? It is tried again.",
    )


async def _target(runtime: Runtime, work: _Work) -> Remote:
    """Where it is pushed, with what may push there.

    Raises:
        Forbidden: the project may not use the repository, or nobody gave credentials for it.
    """
    about, project = f"Application/{work.entry.name}", work.entry.project
    allowed = may_use_source(project_spec(work.entry.project_document), work.wet.repo_url)
    if not allowed:
        raise Forbidden(f"{about}: {allowed.reason}", object=about)
    async with runtime.db.reading() as tx:
        remote = await repositories.remote_of(tx, runtime.ring, work.due.target)
    if remote.project not in ("", project):
        raise Forbidden(f"{about}: {remote.url} belongs to project {remote.project}", object=about)
    return await write_remote(runtime, remote, project)


async def _author(runtime: Runtime) -> str:
    async with runtime.db.reading() as tx:
        document = await config_map(tx, SETTINGS)
    return author_of((document or {}).get("data") or {})


async def _dry_commit(runtime: Runtime, work: _Work) -> DryCommit:
    async with runtime.db.reading() as tx:
        remote = await repositories.remote_of(tx, runtime.ring, work.due.dry.repository_id)
    sha = work.due.dry.revision
    author, seconds, subject = await runtime.mirrors.describe(remote, sha)
    date = datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    url = work.hydrator.dry.repo_url
    return DryCommit(url, sha, author[:SUBJECT_LENGTH], subject[:SUBJECT_LENGTH], seconds, date)


async def _push_once(
    runtime: Runtime,
    remote: Remote,
    work: _Work,
    dry: DryCommit,
    folders: Sequence[Folder],
    author: str,
) -> str:
    """The commit that the branch has now; "" when it moved on the way."""
    refs = await runtime.mirrors.ls_remote(remote)
    branch = work.hydrator.branch
    tip = refs.refs.get(f"refs/heads/{branch}", "")
    # a staging branch begins where what is applied is
    parent = tip or refs.refs.get(f"refs/heads/{work.wet.target_revision}", "")
    if known := parent or refs.head:
        await runtime.mirrors.fetch(remote, [known], depth=1)
    changed = await _changed(runtime, remote, parent, folders)
    if not changed:
        return parent
    new = NewCommit(
        parent=parent,
        files=files_of(dry, changed),
        message=message_of(dry),
        author=author,
        seconds=dry.seconds,
    )
    sha = await runtime.mirrors.commit(remote, new)
    with writing("push"):
        is_there = await runtime.mirrors.push(remote, sha, branch)
    return sha if is_there else ""


async def _changed(
    runtime: Runtime, remote: Remote, parent: str, folders: Sequence[Folder]
) -> list[Folder]:
    """Those whose manifests the branch does not have as they are."""
    if not parent:
        return list(folders)
    paths = [f"{folder.path}/{MANIFEST}" for folder in folders]
    there = await runtime.mirrors.tree_hashes(remote, parent, paths)
    pairs = zip(folders, paths, strict=True)
    return [
        folder for folder, path in pairs if there[path] != blob_id(folder.manifests, like=parent)
    ]


def _begun(work: _Work) -> Hydration:
    state = {**work.due.hydration, "current": _operation(work, HydrationPhase.HYDRATING)}
    state.pop("asked", None)
    return Hydration(work.due.id, state)


async def _note(
    runtime: Runtime,
    batch: Sequence[_Rendered],
    *,
    sha: str = "",
    error: dict[str, Any] | None = None,
) -> None:
    """Write how it went; what was pushed is looked for at once."""
    now = runtime.now()
    found = []
    for one in batch:
        work, before = one.work, one.work.due.hydration
        phase = HydrationPhase.HYDRATED if error is None else HydrationPhase.FAILED
        current = _operation(work, phase) | {"finishedAt": _moment(now)}
        current |= {"hydratedSHA": sha} if error is None else {"message": error["message"]}
        done = {key: current.get(key) for key in ("drySHA", "hydratedSHA", "sourceHydrator")}
        state = {
            "tried": work.due.dry.revision,
            "triedAt": now.isoformat(),
            "generation": work.entry.generation,
            "retry": error is not None and error["type"] not in _LASTING,
            "current": current,
            "last": done if error is None else before.get("last"),
        }
        inputs = one.rendered.inputs[0] if one.rendered.inputs else None
        found.append(Hydration(work.due.id, state, inputs))
    async with committing(runtime.db, "hydrate") as tx:
        await hydrations.record(tx, found, begins=False)
        if error is None:
            await queue.wake(tx, "poll", sorted({str(one.work.due.target) for one in batch}))


def _operation(work: _Work, phase: HydrationPhase) -> dict[str, Any]:
    return {
        "phase": str(phase),
        "startedAt": _moment(work.started),
        "drySHA": work.due.dry.revision,
        "sourceHydrator": work.block,
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
