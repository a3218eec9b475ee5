"""What is rendered, again, or not: after failures, after being overtaken, and how often."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.model.repositories import RepositoryType
from fleet.registry import desired
from fleet.registry.desired import Rendered
from fleet.render.batches import run_batch
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    World,
    config_map,
    register,
    settings_for,
    world,
)
from tests.servers.git_repo import GitRepo
from tests.servers.helm_repo import HelmRepo
from tests.servers.http import Fault
from tests.servers.postgres import TestDatabase
from tests.tools import tools_home

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\ndata: {x: '1'}\n"
)


def _with_tools(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "tools").symlink_to(tools_home() / "tools")


async def test_a_commit_whose_dependency_is_away_is_not_forgotten(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    helm_repo: HelmRepo,
    bare_clusters: list[TestCluster],
) -> None:
    _with_tools(tmp_path)
    helm_repo.add("part", "1.0.0", {"templates/part.yaml": TEMPLATE})
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as there:
        await register(there.runtime, helm_repo.url, RepositoryType.HELM)
        there.repo.commit({"web/Chart.yaml": CHART, "web/templates/own.yaml": TEMPLATE})
        await there.add_app("web")
        await there.deliver()
        first = (await there.app("web"))["revisions"]
        helm_repo.fault = Fault.ERROR
        needs = f"dependencies:\n- {{name: part, version: 1.0.0, repository: '{helm_repo.url}'}}\n"
        sha = there.repo.commit({"web/Chart.yaml": CHART + needs})
        await there.poll()
        app = await there.app("web")
        assert app["render_error"]["type"] == "SourceUnreachable"
        assert app["revisions"] == first
        helm_repo.fault = Fault.NONE
        await there.poll()
        app = await there.app("web")
        assert (app["render_error"], app["revisions"]) == (None, [sha])
        await there.poll()
        assert (await there.rows("select evaluated from repository_refs"))[0]["evaluated"] == sha


@pytest.mark.parametrize(
    ("kind", "again"), [("RenderTimeout", True), ("Forbidden", True), ("RenderError", False)]
)
async def test_a_failure_that_may_go_away_is_tried_again(
    bare: World, kind: str, again: bool
) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    error = json.dumps({"type": kind, "message": "was so"})
    await bare.run("update applications set render_error = cast(:error as jsonb)", error=error)
    await bare.poll()
    assert (await bare.app("web"))["render_error"] is not None  # it was just tried
    bare.clock.forward(desired.RETRY.total_seconds() + 1)
    await bare.poll()
    assert ((await bare.app("web"))["render_error"] is None) == again


async def test_the_same_failure_again_wakes_nobody(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await bare.put_project("default", sourceRepos=["https://elsewhere.example/*"])
    bare.commit(web=(config_map("a", x="2"),))
    await bare.poll()
    await bare.pass_()
    before = await bare.app("web")
    assert (before["render_error"]["type"], before["urgency"]) == ("Forbidden", 100)
    bare.clock.forward(desired.RETRY.total_seconds() + 1)
    await bare.poll()
    after = await bare.app("web")
    assert (after["urgency"], after["dirty_at"]) == (100, before["dirty_at"])
    assert after["rendered_at"] > before["rendered_at"]


@pytest.mark.parametrize("moved", ["ref", "document"])
async def test_a_render_that_was_overtaken_is_dropped(bare: World, moved: str) -> None:
    await bare.add_app("web")
    sha = await bare.deliver(web=(config_map("a"),))
    app = await bare.app("web")
    stale = Rendered(
        id=app["id"],
        generation=app["generation"],
        manifests_sha256="older",
        revisions=(sha,),
        inputs=({"reads": None},),
        seen=(sha,),
    )
    async with bare.runtime.db.transaction() as tx:
        assert await desired.record_rendered(tx, [stale])  # nothing moved: it counts
    await bare.run("update applications set manifests_sha256 = :sha", sha=app["manifests_sha256"])
    if moved == "ref":
        await bare.run("update repository_refs set revision = :sha", sha="f" * 40)
    else:
        await bare.run("update applications set generation = generation + 1")
    async with bare.runtime.db.transaction() as tx:
        assert await desired.record_rendered(tx, [stale]) == frozenset()
    assert (await bare.app("web"))["manifests_sha256"] == app["manifests_sha256"]


async def test_one_chart_for_many_applications_is_rendered_side_by_side(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    bare_clusters: list[TestCluster],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has a name of its own in the output; still it is two children, not one each."""
    _with_tools(tmp_path)
    children: list[int] = []

    async def counted(requests: object, *rest: object) -> object:
        children.append(len(requests))  # type: ignore[arg-type]
        return await run_batch(requests, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("fleet.render.rendering.run_batch", counted)
    git_repo.commit({"web/Chart.yaml": CHART, "web/templates/own.yaml": TEMPLATE})
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as there:
        for number in range(6):
            await there.add_app(f"web-{number}", path="web")
        for number in range(3):
            await there.add_app(
                f"same-{number}",
                path="web",
                helm={"releaseName": "same", "namespace": "somewhere"},
            )
        await there.poll()
        apps = await there.rows("select name, manifests_sha256 as sha from applications")
        assert len({app["sha"] for app in apps if app["name"].startswith("web")}) == 6
        assert len({app["sha"] for app in apps if app["name"].startswith("same")}) == 1
        assert sum(children) == 7
        assert len(children) <= 3


async def test_an_override_of_one_application_renders_that_one_alone(
    tmp_path: Path,
    database: TestDatabase,
    git_repo: GitRepo,
    bare_clusters: list[TestCluster],
) -> None:
    _with_tools(tmp_path)
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as there:
        for name in ("one", "two"):
            await there.add_app(name, path="web", namespace=f"{there.namespace}-{name}")
        there.repo.commit(
            {
                "web/kustomization.yaml": "resources: [cm.yaml]",
                "web/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
            }
        )
        await there.poll()
        assert (await there.rows("select count(*) from renders"))[0]["count"] == 1
        before = await there.app("one")
        there.repo.commit({"web/.argocd-source-two.yaml": "kustomize: {namePrefix: own-}"})
        await there.poll()
        await there.pass_()
        await there.pass_()
        assert (await there.app("one"))["rendered_at"] == before["rendered_at"]
        assert set(await there.resources("one")) == {"ConfigMap/a"}
        assert set(await there.resources("two")) == {"ConfigMap/own-a"}
