"""Charts fetched for one project are not given to another, however alike the files are."""

from __future__ import annotations

from pathlib import Path

from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.registry import repositories
from fleet.registry.repositories import NewRepository
from fleet.source import parse_url
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import ADMIN, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.helm_repo import HelmRepo
from tests.servers.postgres import TestDatabase
from tests.tools import tools_home


async def test_a_render_with_a_private_chart_stays_in_its_project(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    helm_repo: HelmRepo,
    bare_clusters: list[TestCluster],
) -> None:
    helm_repo.add("part", "1.0.0")
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    chart = (
        "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n"
        f"- name: part\n  version: 1.0.0\n  repository: {helm_repo.url}\n"
    )
    one = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}}'
    git_repo.commit({"web/Chart.yaml": chart, "web/templates/own.yaml": one})
    async with world(settings, database, git_repo, bare_clusters[0]) as there:
        url = parse_url(helm_repo.url)
        private = NewRepository(
            url=str(url),
            canonical_url=url.canonical,
            type=RepositoryType.HELM,
            project="ours",
            auth=RepositoryAuth(),
            options=RepositoryOptions(),
        )
        async with there.runtime.db.transaction() as tx:
            await repositories.add_repository(tx, ADMIN, there.runtime.ring, private)
        for project in ("ours", "theirs"):
            await there.put_project(project)
        await there.add_app("a", path="web", project="ours", helm={"releaseName": "web"})
        await there.poll()
        assert (await there.app("a"))["render_error"] is None
        await there.add_app("b", path="web", project="theirs", helm={"releaseName": "web"})
        await there.poll()
        refused = (await there.app("b"))["render_error"]
        assert refused is not None
        assert refused["type"] == "AddressForbidden"
