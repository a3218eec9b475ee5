"""Rendering a directory of this machine as an application's source, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleet.cli.app.page import sources_of
from fleet.cli.editing import desired_part
from fleet.cli.invocation import Invocation
from fleet.errors import UsageError
from fleet.model.applications import ApplicationSpec, Source
from fleet.model.objects import Manifest

LOCAL = "local"


def rendered(invocation: Invocation, name: str, folder: Path, root: Path | None) -> list[Manifest]:
    """The manifests that ``folder`` renders to with the application's own parameters.

    Args:
        root: of the repository that ``folder`` is in; None looks for its ``.git``.

    Raises:
        UsageError: no such folder, it is outside ``root``, or the source is no directory.
        RenderError: it does not render; names path and line.
    """
    from dataclasses import replace

    from fleet.model.parsing import parse_application

    document = invocation.api.get("applications", name)
    spec = parse_application(desired_part(document)).spec
    source = _only_source(spec, document)
    top, path = place_of(folder, root)
    if source.plugin is not None:
        raise UsageError(
            f"{name} is rendered by a plugin, which runs on Fleet's own machines only",
            hint="Commit to a branch and look with `fleet app diff --revision BRANCH`.",
        )
    if source.helm is not None and source.helm.values_from:
        raise UsageError(
            f"{name} takes values from its cluster (helm.valuesFrom), which Fleet itself reads",
            hint="Commit to a branch and look with `fleet app diff --revision BRANCH`.",
        )
    facts = _facts(invocation, spec)
    return asyncio.run(_render(invocation, name, replace(source, path=path), spec, top, facts))


def _only_source(spec: ApplicationSpec, document: Mapping[str, Any]) -> Source:
    if len(spec.sources) != 1 or spec.sources[0].chart:
        raise UsageError(
            f"--local is for an application with one source that is a directory;"
            f" this one has {len(sources_of(document))}",
        )
    return spec.sources[0]


def place_of(folder: Path, root: Path | None) -> tuple[Path, str]:
    """The root of the tree, and the folder's path in it.

    Raises:
        UsageError: no such folder, or it is not below ``root``.
    """
    here = folder.expanduser().resolve()
    if not here.is_dir():
        raise UsageError(f"--local {folder}: is no directory")
    if root is None:
        root = next((it for it in (here, *here.parents) if (it / ".git").exists()), here)
    top = root.expanduser().resolve()
    if not here.is_relative_to(top):
        raise UsageError(f"--local {folder}: is not below {root}")
    return top, str(here.relative_to(top)) or "."


def _facts(invocation: Invocation, spec: ApplicationSpec) -> tuple[str, tuple[str, ...]]:
    """Version and API versions of the target cluster, which charts ask for."""
    api, destination = invocation.api, spec.destination
    name = destination.name
    if not name:
        known = api.items("clusters")
        found = [it["name"] for it in known if it["server"] == destination.server]
        if not found:
            return "", ()
        name = found[0]
    cluster = api.get("clusters", name)
    return cluster["version"], tuple(cluster.get("apiVersions") or ())


async def _render(
    invocation: Invocation,
    name: str,
    source: Source,
    spec: ApplicationSpec,
    top: Path,
    facts: tuple[str, tuple[str, ...]],
) -> list[Manifest]:
    from fleet.model.renders import RenderRequest, SourceTree
    from fleet.render.batches import Limits
    from fleet.render.rendering import Renderer
    from fleet.render.tools import find_tools

    settings = invocation.settings
    renderer = Renderer(
        find_tools(settings.home),
        Limits(
            wall_seconds=settings.render_timeout_seconds,
            memory_bytes=settings.render_memory_bytes,
        ),
        concurrency=1,
    )
    request = RenderRequest(
        tree=SourceTree(str(top), LOCAL, source.repo_url),
        source=source,
        application=name,
        namespace=spec.destination.namespace,
        project=spec.project,
        kube_version=facts[0],
        api_versions=facts[1],
    )
    try:
        return list((await renderer.render(request)).manifests)
    finally:
        await renderer.aclose()
