"""Which applications a commit touches, and what those render to now.

An application whose inputs are as at its last render is left alone. What has to be rendered
is looked up by its key first: equal inputs render once, for however many clusters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet import metrics
from fleet.diff import canonical, sorted_manifests
from fleet.errors import FleetError, Forbidden, NotFound, SourceUnreachable
from fleet.model.applications import Source
from fleet.model.generate_paths import paths_read
from fleet.model.objects import Manifest
from fleet.model.plugins import PluginSpec
from fleet.model.projects import is_awaited
from fleet.model.renders import Reads, RenderRequest, RenderResult, SourceTree
from fleet.model.repositories import Remote, RepositoryType
from fleet.operations.cluster_values import references as values_wanted
from fleet.operations.crashpoints import committing
from fleet.operations.dependencies import render_complete
from fleet.operations.inputs import Inputs, Place, facts_of, place_of, places_read, reads_of
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec, project_spec
from fleet.operations.verifying import Verifier, demands_content, unsigned
from fleet.policy import may_use_source
from fleet.registry import desired, manifests, queue
from fleet.registry.desired import FollowedSource, Pending, Rendered
from fleet.registry.plugins import plugin_specs
from fleet.render.keys import render_key
from fleet.source import CHART_FOLDER, Demands


@dataclass(frozen=True, slots=True)
class _Job:
    """One source of one application. ``only_lends``: it renders nothing itself."""

    entry: Pending
    follows: FollowedSource
    only_lends: bool
    request: RenderRequest

    @property
    def holds_secrets(self) -> bool:
        """Whether values of a Secret enter it, and no manifest shows which."""
        return any(wanted.is_secret for wanted in values_wanted(self.request.source))

    def places(self, reads: Reads) -> Iterator[tuple[Place, str]]:
        """Every path that it read, and where it is."""
        return places_read(self.entry, self.follows, reads)


@dataclass(frozen=True, slots=True)
class _Done:
    """What a source rendered to, and what it read."""

    key: str
    objects: tuple[Manifest, ...]
    reads: Reads
    warnings: tuple[str, ...] = ()
    tool: str = ""


_NOTHING = _Done("", (), Reads(()))


async def evaluate(
    runtime: Runtime,
    pending: Sequence[Pending],
    errors: Mapping[tuple[str, str], FleetError],
) -> tuple[Pending, ...]:
    """Render what changed among ``pending``, record it, and wake the clusters concerned.

    Returns those to be tried again at the next poll: their files, or what those need, are
    not to be had now.

    Args:
        errors: of refs that could not be resolved, by (chart, target revision).
    """
    work = Evaluation(runtime)
    rendered: list[Rendered] = []
    unchanged: list[Pending] = []
    postponed: list[Pending] = []
    jobs: dict[int, list[_Job]] = {}
    await work.inputs.open(pending)
    for index, entry in enumerate(pending):
        if work.inputs.are_unchanged(entry):
            unchanged.append(entry)
            continue
        try:
            jobs[index] = await work.jobs_of(entry, errors)
        except SourceUnreachable:
            postponed.append(entry)
        except FleetError as error:
            rendered.append(failed(entry, error, work.inputs.values(entry).digest))
    answers = iter(await work.render([job for group in jobs.values() for job in group]))
    for index, group in jobs.items():
        mine = [next(answers) for _ in group]
        rendered.append(work.combine(pending[index], group, mine))
        if any(isinstance(answer, FleetError) and answer.transient for answer in mine):
            postponed.append(pending[index])
    await _record(runtime, work, rendered, unchanged)
    return tuple(postponed)


async def _record(
    runtime: Runtime,
    work: Evaluation,
    rendered: Sequence[Rendered],
    unchanged: Sequence[Pending],
) -> None:
    refreshed = [entry.id for entry in unchanged if entry.refresh in ("normal", "hard")]
    checked = [entry.id for entry in unchanged if entry.refresh == "facts"]
    if not (rendered or refreshed or checked):
        return
    async with committing(runtime.db, "evaluate") as tx:
        await manifests.put(tx, runtime.ring, list(work.sets.values()))
        await manifests.record_renders(tx, work.renders)
        clusters = await desired.record_rendered(tx, rendered)
        clusters |= await desired.look_again(tx, refreshed)
        await desired.facts_checked(tx, checked)
        await queue.wake(tx, "reconcile", [str(cluster) for cluster in clusters])


def failed(entry: Pending, error: FleetError, values_digest: str | None = None) -> Rendered:
    return Rendered(
        id=entry.id,
        generation=entry.generation,
        manifests_sha256=entry.manifests_sha256,
        revisions=entry.revisions,
        inputs=(),
        error=error.as_dict(),
        seen=entry.seen,
        values_digest=values_digest,
    )


class Evaluation:
    """One chunk of applications on their way from a moved ref to new manifests.

    ``inputs`` has to be opened first. ``sets`` and ``renders`` gather what has to be stored
    before applications refer to it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.inputs = Inputs(runtime)
        self._trees: dict[tuple[Place, Demands], SourceTree] = {}
        self._verifier = Verifier(runtime)
        self._plugins: tuple[PluginSpec, ...] | None = None
        self._done: dict[str, _Done] = {}
        self.sets: dict[str, manifests.ManifestSet] = {}
        self.renders: list[manifests.StoredRender] = []

    async def jobs_of(
        self, entry: Pending, errors: Mapping[tuple[str, str], FleetError]
    ) -> list[_Job]:
        """What has to be rendered for one application, one job a source.

        Raises:
            SourceUnreachable: files are not to be had now.
            FleetError: the application cannot be rendered as it stands.
        """
        spec = application_spec(entry.document)
        pairs = list(zip(spec.sources, entry.sources, strict=True))
        for source, follows in pairs:
            remote = self.inputs.remotes[follows.repository_id]
            _check_source(entry, source, follows, remote, errors)
            await self._verifier.require_signed(entry, source, remote, follows.revision)
        trees = [await self._tree(entry, source, follows) for source, follows in pairs]
        lent = tuple(
            (source.ref, tree) for (source, _), tree in zip(pairs, trees, strict=True) if source.ref
        )
        values = self.inputs.values(entry)
        jobs = []
        for position, ((source, follows), tree) in enumerate(zip(pairs, trees, strict=True)):
            request = RenderRequest(
                tree=tree,
                source=replace(source, path=CHART_FOLDER) if source.chart else source,
                application=entry.name,
                namespace=entry.namespace,
                project=entry.project,
                kube_version=entry.kube_version,
                api_versions=entry.api_versions,
                refs=lent,
                plugins=await self._known_plugins(entry),
                only_paths=paths_read(entry.document, source),
                key_ids=entry.decryption_keys,
                values=values.of(position),
            )
            jobs.append(_Job(entry, follows, source.only_ref, request))
        return jobs

    async def _known_plugins(self, entry: Pending) -> tuple[PluginSpec, ...]:
        """All that are registered, asked for where there are any."""
        if not entry.plugins:
            return ()
        if self._plugins is None:
            async with self._runtime.db.reading() as tx:
                self._plugins = await plugin_specs(tx)
        return self._plugins

    async def _tree(self, entry: Pending, source: Source, follows: FollowedSource) -> SourceTree:
        """Its files, asked for once a place and what is demanded of it.

        Raises:
            Forbidden: it is not signed as the project demands.
        """
        remote = self.inputs.remotes[follows.repository_id]
        demands = await self._verifier.demands(
            entry.project_document, remote, source.repo_url, follows.chart
        )
        place = (place_of(follows), demands)
        if place not in self._trees:
            try:
                self._trees[place] = await self._fetched(source, follows, remote, demands)
            except Forbidden as error:
                raise unsigned(entry.name, entry.project, error.message) from None
        return self._trees[place]

    async def _fetched(
        self, source: Source, follows: FollowedSource, remote: Remote, demands: Demands
    ) -> SourceTree:
        if remote.type is not RepositoryType.GIT:
            return await self._runtime.charts.fetch(
                remote,
                follows.chart,
                follows.revision,
                pass_credentials=bool(source.helm and source.helm.pass_credentials),
                demands=demands,
            )
        await self._runtime.mirrors.fetch(remote, [follows.revision])
        return await self._runtime.mirrors.checkout(remote, follows.revision)

    async def render(self, jobs: Sequence[_Job]) -> list[_Done | FleetError]:
        """One answer a job, in order. Looks up before it renders; renders equals once."""
        answers: dict[int, _Done | FleetError] = {
            index: _NOTHING for index, job in enumerate(jobs) if job.only_lends
        }
        waiting = [index for index in range(len(jobs)) if index not in answers]
        waiting = await self._look_up(jobs, waiting, answers)
        if waiting:
            first = {_likeness(jobs[index]): index for index in reversed(waiting)}
            await self._render_now(jobs, sorted(first.values()), answers)
            waiting = [index for index in waiting if index not in answers]
            for index in tuple(waiting):
                same = answers[first[_likeness(jobs[index])]]
                if isinstance(same, _Done) and await self._shares(jobs[index], same):
                    answers[index] = same
                    waiting.remove(index)
            # what reads a fact of its application is not shared: the rest goes side by side,
            # and the renderer finds those among it that are equal after all
            await self._render_now(jobs, waiting, answers)
        return [answers[index] for index in range(len(jobs))]

    async def _look_up(
        self, jobs: Sequence[_Job], waiting: list[int], answers: dict[int, _Done | FleetError]
    ) -> list[int]:
        """Answer from renders made before; returns the jobs that remain."""
        likely: dict[int, Reads] = {}
        for index in waiting:
            entry, reads = jobs[index].entry, reads_of(jobs[index].follows)
            if reads is None or entry.refresh == "hard":
                continue
            # what may hold fetched charts is fetched again, to be verified
            if not (reads.project and demands_content(entry.project_document)):
                likely[index] = reads
        await self.inputs.learn(
            found for i, reads in likely.items() for found in jobs[i].places(reads)
        )
        keys = {index: self._key(jobs[index], reads) for index, reads in likely.items()}
        if not keys:
            return waiting
        async with self._runtime.db.reading() as tx:
            known = await manifests.find_renders(tx, keys.values())
            bodies = await manifests.load_many(
                tx, self._runtime.ring, [entry.manifests_sha256 for entry in known.values()]
            )
        for index, key in keys.items():
            if key in known and known[key].manifests_sha256 in bodies:
                found = known[key]
                objects = bodies[found.manifests_sha256]
                answers[index] = _Done(key, objects, found.reads, found.warnings, found.tool)
        return [index for index in waiting if index not in answers]

    async def _render_now(
        self, jobs: Sequence[_Job], chosen: list[int], answers: dict[int, _Done | FleetError]
    ) -> None:
        projects = {jobs[i].entry.project: jobs[i].entry.project_document for i in chosen}

        async def demands(project: str, remote: Remote, url: str, chart: str) -> Demands:
            return await self._verifier.demands(projects[project], remote, url, chart)

        rendered = await render_complete(
            self._runtime, [jobs[index].request for index in chosen], demands
        )
        results = [
            (index, _bound(request, result))
            for index, (request, result) in zip(chosen, rendered, strict=True)
        ]
        await self.inputs.learn(
            found
            for index, result in results
            if isinstance(result, RenderResult)
            for found in jobs[index].places(result.reads)
        )
        for index, result in results:
            if isinstance(result, RenderResult):
                answers[index] = self._keep(jobs[index], result)
            else:
                answers[index] = result

    def _keep(self, job: _Job, result: RenderResult) -> _Done:
        """Note a fresh render, to be stored with the applications that refer to it."""
        key = self._key(job, result.reads)
        if key not in self._done:
            metrics.RENDERS.labels(result.tool).inc()
            is_secret = bool(result.reads.keys) or job.holds_secrets
            stored = self.store(result.manifests, is_secret=is_secret)
            self.renders.append(
                manifests.StoredRender(
                    key, stored.sha256, result.tool, result.reads, result.warnings
                )
            )
            self._done[key] = _Done(
                key, tuple(stored.objects), result.reads, result.warnings, result.tool
            )
        return self._done[key]

    def store(
        self, objects: Sequence[Manifest], *, is_secret: bool = False
    ) -> manifests.ManifestSet:
        """The set under its hash; sorted, so that equal sets are one. What was decrypted, or
        stood in a Secret, is sealed, whatever objects it went into."""
        ordered = sorted_manifests(objects)
        body = canonical(list(ordered))
        entry = manifests.ManifestSet(
            hashlib.sha256(body).hexdigest(), body, ordered, is_secret=is_secret
        )
        return self.sets.setdefault(entry.sha256, entry)

    def _key(self, job: _Job, reads: Reads) -> str:
        hashes = self.inputs.hashes(job.entry, job.follows, reads)
        return render_key(job.request, reads, hashes, self._runtime.tools)

    async def _shares(self, job: _Job, done: _Done) -> bool:
        await self.inputs.learn(job.places(done.reads))
        return self._key(job, done.reads) == done.key

    def combine(
        self, entry: Pending, jobs: Sequence[_Job], answers: Sequence[_Done | FleetError]
    ) -> Rendered:
        """What all sources of an application came to: manifests, or the first failure."""
        for answer in answers:
            if isinstance(answer, FleetError):
                return failed(entry, answer, self.inputs.values(entry).digest)
        done = [answer for answer in answers if isinstance(answer, _Done)]
        is_secret = any(answer.reads.keys for answer in done)
        is_secret |= any(job.holds_secrets for job in jobs)
        # of an object that two sources hold, the later source's stands last and is used
        objects = [o for answer in done for o in answer.objects]
        return Rendered(
            id=entry.id,
            generation=entry.generation,
            manifests_sha256=self.store(objects, is_secret=is_secret).sha256,
            revisions=tuple(follows.revision for follows in entry.sources),
            inputs=tuple(
                {
                    "reads": manifests.reads_to_json(answer.reads),
                    "hashes": self.inputs.hashes(entry, job.follows, answer.reads),
                    "facts": facts_of(entry, answer.reads),
                    "tool": answer.tool,
                }
                for job, answer in zip(jobs, done, strict=True)
            ),
            warnings=tuple(warning for answer in done for warning in answer.warnings),
            seen=entry.seen,
            values_digest=self.inputs.values(entry).digest,
        )


def _bound(request: RenderRequest, result: RenderResult | FleetError) -> RenderResult | FleetError:
    """What holds charts or bases that were fetched with one project's credentials is its alone:
    the project enters the key, so that no other project is given the render."""
    if isinstance(result, FleetError) or not (request.dependencies or request.bases):
        return result
    return replace(result, reads=replace(result.reads, project=True))


def _check_source(
    entry: Pending,
    source: Source,
    follows: FollowedSource,
    remote: Remote,
    errors: Mapping[tuple[str, str], FleetError],
) -> None:
    about = f"Application/{entry.name}"
    if is_awaited(entry.project_document):
        raise NotFound(
            f"{about}: AppProject/{entry.project} does not exist",
            hint=f"Create it, or name one of `fleet proj list`: `fleet app set {entry.name}"
            " --project NAME`.",
            object=about,
        )
    allowed = may_use_source(project_spec(entry.project_document), source.repo_url)
    if not allowed:
        raise Forbidden(f"{about}: {allowed.reason}", object=about)
    if remote.project not in ("", entry.project):
        # it may have been given to a project after the application was made
        raise Forbidden(
            f"{about}: {source.repo_url} belongs to project {remote.project}", object=about
        )
    if not follows.revision:
        raise errors.get((follows.chart, follows.target_revision)) or SourceUnreachable(
            f"{source.repo_url} was not reached yet", object=about
        )


def _likeness(job: _Job) -> tuple[str, str]:
    """Jobs of one likeness may turn out equal; those of different ones never do."""
    return job.request.tree.root, repr(job.request.source)
