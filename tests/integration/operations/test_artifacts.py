"""Manifests from a registry: an OCI artifact with a path, followed by its tag."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from fleet.model.parsing import new_application, parse_application
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.scope import EVERYTHING
from fleet.operations.desiring import poll_repository
from fleet.operations.putting import put_application
from fleet.operations.sources import add_repository
from fleet.registry.repositories import NewRepository
from fleet.source.oci import CONTENT_LAYERS
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    ADMIN,
    as_file,
    config_map,
    settings_for,
    world,
)
from tests.servers.git_repo import GitRepo
from tests.servers.oci_registry import OciRegistry
from tests.servers.postgres import TestDatabase


def layer(path: str, text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(path)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


async def test_a_tag_that_moves_is_deployed(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    oci_registry: OciRegistry,
    bare_clusters: list[TestCluster],
) -> None:
    url = f"oci://{oci_registry.host}/configs/shop"

    def push(name: str) -> str:
        data = layer("web/objects.yaml", as_file((config_map(name),)))
        return oci_registry.push("configs/shop", "stable", {CONTENT_LAYERS[1]: data})

    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as there:
        options = RepositoryOptions(oci_force_http=True)
        new = NewRepository(url, "", RepositoryType.OCI, "", "", RepositoryAuth(), options)
        added = await add_repository(there.runtime, ADMIN, EVERYTHING, new, skip_test=True)
        document = new_application(
            "web",
            repo_url=url,
            path="web",
            revision="stable",
            dest_name="main",
            dest_namespace=there.namespace,
            automated=True,
            auto_prune=True,
            sync_options=("CreateNamespace=true",),
        )
        await put_application(
            there.runtime, ADMIN, EVERYTHING, parse_application(document), upsert=False
        )
        for name in ("a", "b"):
            digest = push(name)
            await poll_repository(there.runtime, added.repository.id)
            await there.pass_()
            await there.pass_()
            app = await there.app("web")
            assert (app["render_error"], app["revisions"]) == (None, [digest])
            assert set(await there.resources("web")) == {f"ConfigMap/{name}"}
