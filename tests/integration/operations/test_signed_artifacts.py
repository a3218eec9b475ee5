"""Charts and artifacts that a project wants signed: what is not is not rendered, and what runs
stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.model.ids import RepositoryId
from fleet.model.parsing import new_application, parse_application
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.scope import EVERYTHING
from fleet.operations.desiring import poll_repository
from fleet.operations.putting import put_application
from fleet.operations.sources import add_repository
from fleet.operations.verifying import add_signing_keys
from fleet.registry import signing_keys
from fleet.registry.desired import RETRY
from fleet.registry.repositories import NewRepository
from fleet.source.oci import CONTENT_LAYERS
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    ADMIN,
    World,
    as_file,
    config_map,
    register,
    settings_for,
    world,
)
from tests.integration.operations.test_artifacts import layer
from tests.servers import cosign
from tests.servers.charts import SAMPLE
from tests.servers.cosign import CosignKey
from tests.servers.git_repo import GitRepo
from tests.servers.helm_repo import HelmRepo
from tests.servers.oci_registry import OciRegistry
from tests.servers.postgres import TestDatabase
from tests.servers.signing import GpgKey, provenance
from tests.tools import tools_home


@dataclass
class Deployed:
    """One world, and applications of it that come from a registry or a Helm repository."""

    there: World

    async def repository(self, url: str) -> RepositoryId:
        if not url.startswith("oci://"):
            return await register(self.there.runtime, url, RepositoryType.HELM)
        options = RepositoryOptions(oci_force_http=True)
        new = NewRepository(url, "", RepositoryType.OCI, "", "", RepositoryAuth(), options)
        made = await add_repository(self.there.runtime, ADMIN, EVERYTHING, new, skip_test=True)
        return made.repository.id

    async def add(self, name: str, url: str, revision: str, **more: Any) -> None:
        document = new_application(
            name,
            repo_url=url,
            revision=revision,
            dest_name="main",
            dest_namespace=self.there.namespace,
            automated=True,
            sync_options=("CreateNamespace=true",),
            **more,
        )
        parsed = parse_application(document)
        await put_application(self.there.runtime, ADMIN, EVERYTHING, parsed, upsert=False)

    async def fault(self, repository: RepositoryId, name: str = "web") -> str:
        """Poll and pass, later than a failure is tried again; what the render failed with."""
        self.there.clock.forward(RETRY.total_seconds() + 1)
        await poll_repository(self.there.runtime, repository)
        await self.there.pass_()
        await self.there.pass_()
        error = (await self.there.app(name))["render_error"]
        return str(error["message"]) if error else ""

    def live(self, name: str) -> Any:
        found = self.there.read(name)
        return found["data"] if found else None


@pytest.fixture
async def deployed(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    bare_clusters: list[TestCluster],
) -> AsyncIterator[Deployed]:
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    async with world(settings, database, git_repo, bare_clusters[0]) as there:
        yield Deployed(there)


def strict(of: str, signer: str, *keys: str) -> dict[str, Any]:
    return {of: {"policies": [{"repos": ["*"], signer: {"mode": "strict", "keys": list(keys)}}]}}


async def test_only_what_cosign_signed_is_deployed(
    deployed: Deployed, oci_registry: OciRegistry
) -> None:
    there, key = deployed.there, CosignKey()
    await add_signing_keys(there.runtime, ADMIN, key.public)
    await there.put_project("shop", sourceIntegrity=strict("oci", "cosign", key.id))
    url = f"oci://{oci_registry.host}/configs/shop"

    def push(value: str) -> str:
        data = layer("web/objects.yaml", as_file((config_map("a", x=value),)))
        return oci_registry.push("configs/shop", "stable", {CONTENT_LAYERS[1]: data})

    first = push("1")
    known = await deployed.repository(url)
    await deployed.add("web", url, "stable", path="web", project="shop")
    told = await deployed.fault(known)
    assert "Application/web" in told
    assert f"configs/shop@{first} is not signed by cosign (wanted: {key.id})" in told
    assert deployed.live("a") is None

    cosign.sign(oci_registry, "configs/shop", first, key)  # as it is done: pushed, then signed
    assert (await deployed.fault(known), deployed.live("a")) == ("", {"x": "1"})

    second = push("2")
    cosign.sign(oci_registry, "configs/shop", second, key, about=first)
    assert f"a signature of another artifact, {first}" in await deployed.fault(known)
    assert deployed.live("a") == {"x": "1"}
    cosign.refer(oci_registry, "configs/shop", second, key)
    assert (await deployed.fault(known), deployed.live("a")) == ("", {"x": "2"})

    async with there.runtime.db.transaction() as tx:
        await signing_keys.remove_signing_key(tx, ADMIN, key.id)
    assert "does not know" in await deployed.fault(known)
    assert deployed.live("a") == {"x": "2"}
    await there.put_project("shop", sourceIntegrity={})
    assert await deployed.fault(known) == ""


async def test_a_policy_that_comes_later_asks_for_provenance(
    deployed: Deployed, helm_repo: HelmRepo
) -> None:
    there, key = deployed.there, GpgKey()
    await add_signing_keys(there.runtime, ADMIN, key.public)
    await there.put_project("shop")
    chart = helm_repo.add("api", "1.0.0")
    known = await deployed.repository(helm_repo.url)
    await deployed.add("web", helm_repo.url, "1.0.0", chart="api", project="shop")
    assert (await deployed.fault(known), deployed.live("web")) == ("", {"greeting": "hello"})

    await there.put_project("shop", sourceIntegrity=strict("helm", "gpg", key.id))
    told = await deployed.fault(known)
    assert f"api 1.0.0 (sha256:{chart.digest}) has no provenance" in told
    assert key.id in told
    assert deployed.live("web") == {"greeting": "hello"}
    helm_repo.provenance["api-1.0.0.tgz"] = provenance(chart, key)
    assert await deployed.fault(known) == ""


async def test_a_render_of_what_was_not_signed_is_not_used(
    deployed: Deployed, oci_registry: OciRegistry
) -> None:
    """A tag held something else before, which another project has rendered."""
    there, key = deployed.there, CosignKey()
    await add_signing_keys(there.runtime, ADMIN, key.public)
    await there.put_project("open")
    await there.put_project("shop", sourceIntegrity=strict("oci", "cosign", key.id))
    url = f"oci://{oci_registry.host}/charts"
    evil = {**SAMPLE, "values.yaml": "greeting: evil\n"}
    oci_registry.push_chart("api", "1.0.0", evil)
    known = await deployed.repository(url)
    await deployed.add("other", url, "1.0.0", chart="api", project="open")
    assert (await deployed.fault(known, "other"), deployed.live("other")) == (
        "",
        {"greeting": "evil"},
    )
    cosign.sign(oci_registry, "charts/api", oci_registry.push_chart("api", "1.0.0"), key)
    await deployed.add("web", url, "1.0.0", chart="api", project="shop")
    assert (await deployed.fault(known), deployed.live("web")) == ("", {"greeting": "hello"})

    # the tag moves back: what was verified runs on, and is verified anew when it is read
    moved = oci_registry.push_chart("api", "1.0.0", evil)
    assert (await deployed.fault(known), deployed.live("web")) == ("", {"greeting": "hello"})
    await there.run("update applications set refresh = 'hard' where name = 'web'")
    assert f"charts/api@{moved} is not signed" in await deployed.fault(known)
    assert deployed.live("web") == {"greeting": "hello"}


async def test_the_charts_that_a_chart_names_are_asked_too(
    deployed: Deployed, helm_repo: HelmRepo
) -> None:
    there, key = deployed.there, GpgKey()
    await add_signing_keys(there.runtime, ADMIN, key.public)
    await there.put_project("shop")
    part = helm_repo.add("part", "1.0.0")
    await deployed.repository(helm_repo.url)
    chart = (
        "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n"
        f"- name: part\n  version: 1.0.0\n  repository: {helm_repo.url}\n"
    )
    there.repo.commit({"web/Chart.yaml": chart})
    await there.add_app("web", project="shop")
    assert await deployed.fault(there.repository) == ""

    await there.put_project("shop", sourceIntegrity=strict("helm", "gpg", key.id))
    told = await deployed.fault(there.repository)
    assert "Application/web" in told
    assert "part 1.0.0" in told
    assert "has no provenance" in told
    helm_repo.provenance["part-1.0.0.tgz"] = provenance(part, key)
    assert await deployed.fault(there.repository) == ""
