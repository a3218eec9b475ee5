"""What renders read: where each file is, and which git id it has now.

The inputs of a source are the git ids of everything its last render read, and the facts of
its application and its cluster that entered it. Equal inputs mean an equal render.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from string import Template
from typing import Any

from fleet.model.ids import ApplicationId, RepositoryId
from fleet.model.renders import APPLICATION_OVERRIDES, Reads
from fleet.model.repositories import Remote, RepositoryType
from fleet.operations.cluster_values import NOTHING, Found, read_for
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec, project_spec
from fleet.registry import manifests, repositories
from fleet.registry.desired import FollowedSource, Pending

Hashes = dict[str, str | None]
Place = tuple[RepositoryId, str, str]


def place_of(follows: FollowedSource) -> Place:
    """Where a source's files are: repository, revision, chart."""
    return follows.repository_id, follows.revision, follows.chart


def reads_of(follows: FollowedSource) -> Reads | None:
    """What its last render read; None when there was none."""
    stored = follows.inputs.get("reads")
    return None if stored is None else manifests.reads_from_json(stored)


def facts_of(entry: Pending, reads: Reads) -> list[Any]:
    """The facts that enter a render beside files, where it reads them; and those that decide
    whether it may be used, where there are any."""
    policies = project_spec(entry.project_document).integrity
    signed = [repr(policies), entry.signing_keys] if policies else None
    facts = [
        entry.name if reads.application else None,
        entry.namespace if reads.namespace else None,
        entry.project if reads.project else None,
        [s.revision for s in entry.sources] if reads.revision else None,
        [entry.kube_version, list(entry.api_versions)] if reads.cluster else None,
        entry.plugins if reads.plugins else None,
        signed,
    ]
    if reads.keys:
        facts.append([key for key in reads.keys if key in entry.decryption_keys])
    return facts


def places_read(
    entry: Pending, follows: FollowedSource, reads: Reads
) -> Iterator[tuple[Place, str]]:
    """Every path in ``reads`` of one of its sources, and where it is."""
    for path in reads.paths:
        yield place_of(follows), _named(path, entry)
    lent = _lent(entry) if reads.ref_paths else {}
    for ref, path in reads.ref_paths:
        if ref in lent:
            yield place_of(lent[ref]), path


def _named(path: str, entry: Pending) -> str:
    """The file that ``path`` means for this application."""
    if not path.endswith(APPLICATION_OVERRIDES):
        return path
    own = Template(APPLICATION_OVERRIDES).substitute(ARGOCD_APP_NAME=entry.name)
    return path.removesuffix(APPLICATION_OVERRIDES) + own


def _lent(entry: Pending) -> dict[str, FollowedSource]:
    """The sources that lend files to others, by the name they lend them under."""
    sources = application_spec(entry.document).sources
    pairs = zip(sources, entry.sources, strict=True)
    return {source.ref: follows for source, follows in pairs if source.ref}


class Inputs:
    """The remotes of a chunk of applications, and the git ids that were asked for so far."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._hashes: dict[Place, Hashes] = defaultdict(dict)
        self.remotes: dict[RepositoryId, Remote] = {}
        self._values: Mapping[ApplicationId, Found] = {}

    async def open(self, pending: Iterable[Pending]) -> None:
        """Learn every remote, ask once a commit for the ids of all that was read, and the
        clusters for values that stand there."""
        entries = tuple(pending)
        async with self._runtime.db.reading() as tx:
            for id in {s.repository_id for entry in entries for s in entry.sources}:
                self.remotes[id] = await repositories.remote_of(tx, self._runtime.ring, id)
        self._values = await read_for(self._runtime, entries)
        sources = ((entry, follows) for entry in entries for follows in entry.sources)
        await self.learn(
            found
            for entry, follows in sources
            if (reads := reads_of(follows)) is not None
            for found in places_read(entry, follows, reads)
        )

    async def learn(self, wanted: Iterable[tuple[Place, str]]) -> None:
        """Learn git ids. A chart is one thing, so its version stands for all of it.

        Raises:
            SourceError: a commit is not here and cannot be had.
        """
        missing: dict[Place, set[str]] = defaultdict(set)
        for place, path in wanted:
            if place[1] and path not in self._hashes[place]:
                missing[place].add(path)
        for place, paths in missing.items():
            repository, revision, chart = place
            remote = self.remotes[repository]
            if chart or remote.type is not RepositoryType.GIT:
                self._hashes[place].update(dict.fromkeys(paths, revision))
                continue
            await self._runtime.mirrors.fetch(remote, [revision])
            ids = await self._runtime.mirrors.tree_hashes(remote, revision, sorted(paths))
            self._hashes[place].update(ids)

    def values(self, entry: Pending) -> Found:
        """What stood in its cluster for the application."""
        return self._values.get(entry.id, NOTHING)

    def hashes(self, entry: Pending, follows: FollowedSource, reads: Reads) -> Hashes:
        """What the ids of everything in ``reads`` are now; ``$ref/path`` for other sources'."""
        here = self._hashes[place_of(follows)]
        found: Hashes = {path: here.get(_named(path, entry)) for path in reads.paths}
        lent = _lent(entry) if reads.ref_paths else {}
        for ref, path in reads.ref_paths:
            there = self._hashes[place_of(lent[ref])] if ref in lent else {}
            found[f"${ref}/{path}"] = there.get(path)
        return found

    def are_unchanged(self, entry: Pending) -> bool:
        """Whether every input of the application is as at its last render."""
        if entry.error is not None or entry.refresh == "hard" or not entry.sources:
            return False
        if entry.rendered_generation != entry.generation:
            return False
        if entry.values_digest != self.values(entry).digest:
            return False
        return all(self._is_unchanged(entry, follows) for follows in entry.sources)

    def _is_unchanged(self, entry: Pending, follows: FollowedSource) -> bool:
        reads = reads_of(follows)
        before: Mapping[str, Any] = follows.inputs
        return (
            reads is not None
            and before["facts"] == facts_of(entry, reads)
            and before["hashes"] == self.hashes(entry, follows, reads)
        )
