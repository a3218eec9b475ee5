"""Trees written for one test, rendered by the real programs in the real sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.model.applications import Source
from fleet.model.renders import RenderRequest, RenderResult, SourceTree
from fleet.render.batches import Limits
from fleet.render.rendering import Renderer
from fleet.render.sandbox import sandbox_status
from fleet.render.tools import Tools, find_tools
from tests.conftest import require
from tests.tools import tools_home

REVISION = "0123456789abcdef0123456789abcdef01234567"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"

Write = Callable[[Mapping[str, str | bytes]], SourceTree]


@pytest.fixture(scope="session")
def tools() -> Tools:
    return find_tools(tools_home())


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files into the test's tree; ``-> target`` makes a symlink."""
    root = tmp_path / "tree"
    root.mkdir()

    def into(files: Mapping[str, str | bytes]) -> SourceTree:
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("-> "):
                path.symlink_to(content.removeprefix("-> "))
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return SourceTree(str(root), REVISION, "https://git.example.com/shop.git")

    return into


def request_for(tree: SourceTree, path: str = "", **changes: Any) -> RenderRequest:
    """A request for one source; what is no field of the request is one of the source."""
    fields = {
        "application": "shop",
        "namespace": "shop-ns",
        "project": "team-a",
        "kube_version": "1.31.2",
        "api_versions": ("v1", "apps/v1"),
    }
    for name in (*fields, "refs", "dependencies", "bases", "plugins", "only_paths", "announces"):
        if name in changes:
            fields[name] = changes.pop(name)
    source = Source(repo_url=tree.url, path=path, target_revision="main", **changes)
    return RenderRequest(tree=tree, source=source, **fields)


@dataclass
class Kitchen:
    """A renderer and a tree: what most tests need."""

    renderer: Renderer
    write: Write

    async def render(
        self, files: Mapping[str, str | bytes], path: str = "app", **changes: Any
    ) -> RenderResult:
        return await self.renderer.render(request_for(self.write(files), path, **changes))


@pytest.fixture
async def renderer(tools: Tools) -> AsyncIterator[Renderer]:
    require(sandbox_status().is_safe, sandbox_status().message)
    made = Renderer(tools, Limits(wall_seconds=30))
    yield made
    await made.aclose()


@pytest.fixture
def kitchen(renderer: Renderer, write: Write) -> Kitchen:
    return Kitchen(renderer, write)


def names(result: RenderResult) -> list[str]:
    return [f"{m['kind']}/{m['metadata']['name']}" for m in result.manifests]


def facts_of(result: RenderResult) -> set[str]:
    """Facts that entered the output, by name."""
    facts = ("application", "namespace", "project", "revision", "cluster")
    return {fact for fact in facts if getattr(result.reads, fact)}
