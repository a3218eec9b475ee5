"""What a source names and does not carry: charts that a chart depends on, remote bases of a
kustomization, value files at URLs, keys of
encrypted files. Fetched between two renders, through the same address rules as
everything that content names; the render itself reaches nothing.

Most sources carry all they need, so nobody asks beforehand: a render that lacks something says
what, and is made again with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from fleet.errors import FleetError, Forbidden, InputsMissing, RenderError, SpecInvalid
from fleet.model.decryption import DecryptionKey
from fleet.model.renders import FetchedBase, RenderRequest, RenderResult
from fleet.model.repositories import (
    Remote,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.model.scope import Scope
from fleet.operations.runtime import Runtime
from fleet.operations.verifying import unsigned
from fleet.registry import repositories
from fleet.registry.decryption_keys import usable_keys
from fleet.source import CHART_FOLDER, BaseReference, Demands, parse_base, parse_url

#: A fetched base may name others; nobody nests them deeper than this.
ROUNDS = 8
#: Of one render.
MOST_INPUTS = 100

Rendered = tuple[RenderRequest, RenderResult | FleetError]


#: Project, where from, its URL, chart → who has to have signed it.
Demanding = Callable[[str, Remote, str, str], Awaitable[Demands]]


async def render_complete(
    runtime: Runtime, requests: Sequence[RenderRequest], demands: Demanding
) -> list[Rendered]:
    """Render, fetch what is lacking, render again. One outcome a request, in their order, with
    the request that it answers."""
    done = list(zip(requests, await runtime.renderer.render_many(requests), strict=True))
    for _ in range(ROUNDS):
        again: dict[int, RenderRequest] = {}
        for index, (request, outcome) in enumerate(done):
            if not isinstance(outcome, InputsMissing):
                continue
            try:
                again[index] = await _supplied(runtime, request, outcome, demands)
            except FleetError as error:
                done[index] = (request, error)
        if not again:
            break
        outcomes = await runtime.renderer.render_many(list(again.values()))
        for (index, request), outcome in zip(again.items(), outcomes, strict=True):
            done[index] = (request, outcome)
    return done


async def _supplied(
    runtime: Runtime, request: RenderRequest, lack: InputsMissing, demands: Demanding
) -> RenderRequest:
    """The request with everything that it lacked fetched.

    Raises:
        RenderError: something names no repository that could be asked, or there is too much.
        SourceError: it could not be had.
    """
    had = len(request.dependencies) + len(request.bases)
    if had + len(lack.charts) + len(lack.bases) + len(lack.files) > MOST_INPUTS:
        raise RenderError(
            f"{request.source.path or '.'}: more than {MOST_INPUTS} things to fetch",
            object=f"Application/{request.application}",
        )
    charts = [await _chart(runtime, request, demands, *wanted) for wanted in lack.charts]
    bases = [await _base(runtime, request, entry) for entry in lack.bases]
    bases += [await _file(runtime, request, url) for url in lack.files]
    keys = await _keys(runtime, request) if lack.keys else request.keys
    return replace(
        request,
        keys=keys,
        dependencies=(*request.dependencies, *charts),
        bases=(*request.bases, *bases),
    )


async def _keys(runtime: Runtime, request: RenderRequest) -> tuple[DecryptionKey, ...]:
    """What the project may decrypt with."""
    async with runtime.db.reading() as tx:
        return await usable_keys(tx, runtime.ring, request.project)


async def _chart(
    runtime: Runtime,
    request: RenderRequest,
    demands: Demanding,
    name: str,
    wanted: str,
    repository: str,
) -> tuple[str, str]:
    if not repository:
        raise RenderError(
            f"{request.source.path}: chart dependency {name} has no repository and is"
            " not in charts/",
            hint="Name its repository in Chart.yaml, or commit charts/.",
            object=f"Application/{request.application}",
        )
    oci = repository.startswith("oci://")
    kind = RepositoryType.OCI if oci else RepositoryType.HELM
    remote = await _remote(runtime, repository, request.project, kind)
    version = await runtime.charts.resolve_chart(remote, name, wanted)
    demanded = await demands(request.project, remote, repository, name)
    try:
        tree = await runtime.charts.fetch_chart(remote, name, version, demands=demanded)
    except Forbidden as error:
        raise unsigned(request.application, request.project, error.message) from None
    return (name, f"{tree.root}/{CHART_FOLDER}")


async def _base(runtime: Runtime, request: RenderRequest, entry: str) -> FetchedBase:
    try:
        wanted = parse_base(entry)
    except SpecInvalid as error:
        raise RenderError(
            f"{request.source.path or '.'}: {error.message}",
            hint=error.hint or "A kustomization names paths, git URLs, or https URLs of files.",
            object=f"Application/{request.application}",
        ) from None
    remote = await _remote(runtime, wanted.url, request.project, RepositoryType.GIT)
    return await runtime.bases.obtain(remote, wanted, entry)


async def _file(runtime: Runtime, request: RenderRequest, url: str) -> FetchedBase:
    """A file at a URL; like everything that content names, from known hosts only."""
    remote = await _remote(runtime, url, request.project, RepositoryType.GIT)
    return await runtime.bases.obtain(remote, BaseReference(url, is_file=True), url)


async def _remote(runtime: Runtime, url: str, project: str, kind: RepositoryType) -> Remote:
    """The registered repository at ``url``, else an anonymous one that content named: the
    address rules say where it may be."""
    canonical = parse_url(url, link=True).canonical
    async with runtime.db.reading() as tx:
        # as the application's project sees it: no other project's credentials are used
        known = await repositories.find_by_url(tx, Scope(frozenset({project})), canonical)
        if known is not None:
            return await repositories.remote_of(tx, runtime.ring, known)
        hosts = await repositories.registered_hosts(tx, project)
    return Remote(
        url=url,
        type=kind,
        auth=RepositoryAuth(),
        options=RepositoryOptions(),
        cache_key=canonical,
        registered=False,
        allowed_hosts=hosts,
    )
