"""Plugins from their registration to what is deployed: rendered again when they change, and only
what they concern."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.parsing import new_application, parse_application, parse_plugin
from fleet.model.scope import EVERYTHING
from fleet.operations.plugins import put_plugin
from fleet.operations.putting import put_application
from fleet.registry import plugins
from fleet.render.sandbox import sandbox_status
from tests.cluster.kube import TestCluster
from tests.conftest import require
from tests.integration.operations.harness import (
    ADMIN,
    World,
    as_file,
    config_map,
    settings_for,
    world,
)
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

ANNOTATION = "argocd.argoproj.io/manifest-generate-paths"


@pytest.fixture
async def there(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    bare_clusters: list[TestCluster],
) -> AsyncIterator[World]:
    require(sandbox_status().is_safe, sandbox_status().message)
    settings = settings_for(tmp_path, plugin_paths="/usr/bin")
    async with world(settings, database, git_repo, bare_clusters[0]) as made:
        yield made


async def register(there: World, prefix: str, **spec: Any) -> str:
    """A plugin that puts ``prefix`` before the names of the objects in ``objects.txt``."""
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": "prefix"},
        "spec": {
            "generate": {"command": ["sed", f's/"name": "/&{prefix}/', "objects.txt"]},
            **spec,
        },
    }
    put = await put_plugin(there.runtime, ADMIN, parse_plugin(document), upsert=True)
    return put.action


async def add(there: World, name: str, annotations: dict[str, str], **source: Any) -> None:
    document = new_application(
        name,
        repo_url=there.repo.url,
        path=name,
        revision="main",
        dest_name="main",
        dest_namespace=there.namespace,
        automated=True,
        auto_prune=True,
        sync_options=("CreateNamespace=true",),
    )
    document["metadata"]["annotations"] = annotations
    document["spec"]["source"].update(source)
    parsed = parse_application(document)
    await put_application(there.runtime, ADMIN, EVERYTHING, parsed, upsert=False)


async def passes(there: World) -> None:
    assert await there.poll() is None
    await there.pass_()
    await there.pass_()


async def test_what_a_plugin_prints_is_deployed_and_follows_it(there: World) -> None:
    assert await register(there, "a-") == "created"
    await add(there, "web", {}, plugin={"name": "prefix"})
    there.repo.commit({"web/objects.txt": as_file((config_map("x"),))})
    await passes(there)
    assert set(await there.resources("web")) == {"ConfigMap/a-x"}
    assert await register(there, "a-") == "unchanged"
    assert await register(there, "b-") == "configured"
    await passes(there)
    assert set(await there.resources("web")) == {"ConfigMap/b-x"}


async def test_one_that_discovers_takes_over_what_it_finds_and_nothing_else(there: World) -> None:
    objects = as_file((config_map("x"),))
    there.repo.commit({"web/objects.yaml": objects, "web/objects.txt": objects})
    there.commit(api=(config_map("y"),))
    for name in ("web", "api"):
        await add(there, name, {})
    await passes(there)
    api = await there.app("api")
    assert set(await there.resources("web")) == {"ConfigMap/x"}
    await register(there, "a-", discover={"fileName": "objects.txt"})
    await passes(there)
    assert set(await there.resources("web")) == {"ConfigMap/a-x"}
    assert (await there.app("api"))["manifests_sha256"] == api["manifests_sha256"]
    async with there.runtime.db.transaction() as tx:
        await plugins.remove_plugin(tx, ADMIN, "prefix")
    await passes(there)
    assert set(await there.resources("web")) == {"ConfigMap/x"}


async def test_a_plugin_that_fails_leaves_what_is_deployed(there: World) -> None:
    await register(there, "a-")
    await add(there, "web", {}, plugin={"name": "prefix"})
    await there.add_app("api")
    there.repo.commit({"web/objects.txt": as_file((config_map("x"),))})
    there.commit(api=(config_map("y"),))
    await passes(there)
    there.repo.commit({"web/objects.txt": "neither: [yaml\n"})
    there.commit(api=(config_map("z"),))
    await passes(there)
    error = (await there.app("web"))["render_error"]
    assert error["type"] == "SpecInvalid"
    assert "output of plugin prefix" in error["message"]
    assert set(await there.resources("web")) == {"ConfigMap/a-x"}
    assert set(await there.resources("api")) == {"ConfigMap/z"}


async def test_an_application_that_says_what_it_reads_is_left_alone_by_other_commits(
    there: World,
) -> None:
    await register(there, "a-")
    await add(there, "web", {ANNOTATION: "."}, plugin={"name": "prefix"})
    there.repo.commit({"web/objects.txt": as_file((config_map("x"),))})
    await passes(there)
    before = await there.app("web")
    there.repo.commit({"other/file": "1"})
    await passes(there)
    after = await there.app("web")
    assert (after["rendered_at"], after["revisions"]) == (
        before["rendered_at"],
        before["revisions"],
    )
