"""Charts that a chart depends on and does not carry: fetched before the render, through
the same address rules as everything that content names."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from fleet.errors import RenderError
from fleet.model.renders import RenderRequest
from fleet.model.repositories import (
    Remote,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.model.scope import Scope
from fleet.operations.runtime import Runtime
from fleet.registry import repositories
from fleet.source import CHART_FOLDER, parse_url


async def with_dependencies(runtime: Runtime, request: RenderRequest) -> RenderRequest:
    """The request with every missing chart dependency fetched and mounted.

    Raises:
        RenderError: a dependency names no repository that could be asked.
        SourceError: it could not be had.
    """
    if not _is_chart(request):
        return request
    missing = await runtime.renderer.chart_dependencies(request.tree, request.source.path)
    if not missing:
        return request
    fetched = []
    for wanted in missing:
        if not wanted.repository:
            raise RenderError(
                f"{request.source.path}: chart dependency {wanted.name} has no repository and is"
                " not in charts/",
                hint="Name its repository in Chart.yaml, or commit charts/.",
                object=f"Application/{request.application}",
            )
        remote = await _remote(runtime, wanted.repository, request.project)
        version = await runtime.charts.resolve_chart(remote, wanted.name, wanted.version)
        tree = await runtime.charts.fetch_chart(remote, wanted.name, version)
        fetched.append((wanted.name, f"{tree.root}/{CHART_FOLDER}"))
    return replace(request, dependencies=tuple(fetched))


def _is_chart(request: RenderRequest) -> bool:
    """Whether Helm will render it, as far as a look at names can tell."""
    source = request.source
    if source.kustomize is not None or source.directory is not None or source.plugin:
        return False
    return os.path.lexists(Path(request.tree.root, source.path, "Chart.yaml"))


async def _remote(runtime: Runtime, url: str, project: str) -> Remote:
    """The registered repository at ``url``, else an anonymous one that content named."""
    canonical = parse_url(url).canonical
    async with runtime.db.reading() as tx:
        # as the application's project sees it: no other project's credentials are used
        known = await repositories.find_by_url(tx, Scope(frozenset({project})), canonical)
        if known is not None:
            return await repositories.remote_of(tx, runtime.ring, known)
    oci = url.startswith("oci://")
    return Remote(
        url=url,
        type=RepositoryType.OCI if oci else RepositoryType.HELM,
        auth=RepositoryAuth(),
        options=RepositoryOptions(),
        cache_key=canonical,
        registered=False,
    )
