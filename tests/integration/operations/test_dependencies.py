"""What sources name and do not carry: fetched under the rules, and for its project alone."""

from __future__ import annotations

from pathlib import Path

from fleet.model.parsing import new_application, parse_application
from fleet.model.repositories import RepositoryAuth, RepositoryType
from fleet.model.scope import EVERYTHING
from fleet.model.secret import Secret
from fleet.operations.desiring import poll_repository
from fleet.operations.putting import put_application
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import ADMIN, register, settings_for, world
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo
from tests.servers.helm_repo import HelmRepo
from tests.servers.http import HttpServer, Response
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
        await register(there.runtime, helm_repo.url, RepositoryType.HELM, project="ours")
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


async def test_a_chart_of_another_host_is_asked_for_with_credentials_when_that_is_said(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    helm_repo: HelmRepo,
    bare_clusters: list[TestCluster],
) -> None:
    with HelmRepo() as cdn:
        cdn.add("api", "1.0.0")
        helm_repo.add("api", "1.0.0", listed_url=f"{cdn.url}/api-1.0.0.tgz")
        host = cdn.url.removeprefix("http://")
        settings = settings_for(tmp_path, allowed_content_hosts=host)
        (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
        async with world(settings, database, git_repo, bare_clusters[0]) as there:
            auth = RepositoryAuth(username="ci", password=Secret("chart-password"))
            added = await register(there.runtime, helm_repo.url, RepositoryType.HELM, auth=auth)
            document = new_application(
                "api",
                repo_url=helm_repo.url,
                chart="api",
                revision="1.0.0",
                dest_name="main",
                dest_namespace=there.namespace,
                helm={"passCredentials": True},
            )
            parsed = parse_application(document)
            await put_application(there.runtime, ADMIN, EVERYTHING, parsed, upsert=False)
            await poll_repository(there.runtime, added)
            assert (await there.app("api"))["render_error"] is None
        assert "authorization" in cdn.requests[-1].headers


async def test_remote_bases_come_from_registered_hosts_alone(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    git_http: GitHttpServer,
    bare_clusters: list[TestCluster],
) -> None:
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    base = git_http.repository("base")
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
    base.commit({"web/kustomization.yaml": "resources: [cm.yaml]", "web/cm.yaml": one})
    kustomization = f"resources: ['{base.url}//web?ref=main']\nnamePrefix: own-\n"
    git_repo.commit({"web/kustomization.yaml": kustomization})
    async with world(settings, database, git_repo, bare_clusters[0]) as there:
        await there.put_project("shop")
        await there.add_app("web", project="shop")
        await there.poll()
        refused = (await there.app("web"))["render_error"]
        assert refused["type"] == "AddressForbidden"
        assert "not a registered or allowed host" in refused["message"]

        other = git_http.repository("other").url  # the host becomes known by another repository
        await register(there.runtime, other)
        await there.run("update applications set refresh = 'hard'")
        await there.poll()
        assert (await there.app("web"))["render_error"] is None
        await there.pass_()
        assert set(await there.resources("web")) == {"ConfigMap/own-one"}


async def test_value_files_come_from_urls_of_known_hosts_alone(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    bare_clusters: list[TestCluster],
) -> None:
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    chart = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
    one = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Values.called }}"}\n'
    git_repo.commit({"web/Chart.yaml": chart, "web/templates/cm.yaml": one})
    answers = {"/values": Response(200, b"called: remote"), "/gone": Response(404)}
    with HttpServer(lambda request: answers[request.path]) as files:
        async with world(settings, database, git_repo, bare_clusters[0]) as there:
            await there.put_project("shop")
            for name in ("values", "gone"):
                source = {"valueFiles": [f"{files.url}/{name}"]}
                await there.add_app(name, path="web", project="shop", helm=source)
            await there.poll()
            refused = (await there.app("values"))["render_error"]
            assert refused["type"] == "AddressForbidden"
            assert files.requests == []

            await register(there.runtime, f"{files.url}/charts", RepositoryType.HELM)
            await there.run("update applications set refresh = 'hard'")
            await there.poll()
            assert (await there.app("values"))["render_error"] is None
            assert (await there.app("gone"))["render_error"]["type"] != "AddressForbidden"
            await there.pass_()
            assert set(await there.resources("values")) == {"ConfigMap/remote"}


async def test_files_of_this_machine_are_no_bases(
    tmp_path: Path, database: TestDatabase, git_repo: GitRepo, bare_clusters: list[TestCluster]
) -> None:
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    secret = GitRepo(tmp_path / "secret.git")
    secret.commit({"kustomization.yaml": "resources: []"})
    git_repo.commit({"web/kustomization.yaml": f"resources: ['{secret.url}']"})
    async with world(settings, database, git_repo, bare_clusters[0]) as there:
        await there.add_app("web")  # its own repository is registered, by a file URL too
        await there.poll()
        refused = (await there.app("web"))["render_error"]
        assert (refused["type"], "may not name files" in refused["message"]) == (
            "AddressForbidden",
            True,
        )
