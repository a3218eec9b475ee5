"""Dry sources: rendered, committed to a branch of a real git server, and synced from there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.secret import Secret
from fleet.operations import hydrating
from fleet.operations.decrypting import keep_decryption_keys
from tests.cluster.kube import TestCluster
from tests.integration.operations.farms import BRANCH, Farm
from tests.integration.operations.harness import ADMIN, as_file, config_map, settings_for
from tests.integration.operations.harness import world as a_world
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import Symlink, git
from tests.servers.postgres import TestDatabase
from tests.servers.sops import AgeKey, encrypt


@pytest.fixture
async def farm(
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_http: GitHttpServer,
    tmp_path: Path,
) -> AsyncIterator[Farm]:
    repo = git_http.repository()
    async with a_world(settings_for(tmp_path), database, repo, bare_clusters[0]) as there:
        yield Farm(there)


async def test_a_dry_commit_is_rendered_pushed_and_synced_once(
    farm: Farm, git_http: GitHttpServer
) -> None:
    dry = farm.world.commit(web=(config_map("web", colour="blue"),))
    git_http.require_basic("ci", "push-password")
    for type in ("repository", "repository-write"):
        await farm.allow_push(type=type)
    await farm.add("web")
    await farm.poll()
    assert "colour: blue" in farm.written("apps/web/manifest.yaml")
    about = json.loads(farm.written("apps/web/hydrator.metadata"))
    assert (about["drySha"], about["repoURL"]) == (dry, farm.repo.url)
    assert dry in farm.written("README.md")
    assert f"Fleet-Dry-Sha: {dry}" in git("log", "-1", "--format=%B", BRANCH, cwd=farm.repo.path)
    state = await farm.state("web")
    assert state["current"]["phase"] == "Hydrated"
    assert state["last"]["hydratedSHA"] == farm.repo.sha(BRANCH)
    await farm.poll()
    await farm.world.pass_()
    live = farm.world.read("web")
    assert live is not None
    assert live["data"] == {"colour": "blue"}
    assert (await farm.world.app("web"))["revisions"] == [farm.repo.sha(BRANCH)]
    shown = (await farm.shown("web"))["sourceHydrator"]
    assert shown["currentOperation"]["phase"] == "Hydrated"
    assert shown["lastComparedDryRevision"] == shown["lastSuccessfulOperation"]["drySHA"] == dry
    assert (await farm.shown("web"))["sync"]["revision"] == farm.repo.sha(BRANCH)
    await farm.poll()
    assert (farm.commits(), git_http.counts()["push"]) == (1, 1)
    # a commit that changes no manifest makes none
    farm.repo.commit({"notes.txt": "nothing that is rendered"})
    await farm.poll()
    assert (farm.commits(), (await farm.state("web"))["last"]["drySHA"]) == (1, farm.repo.sha())


async def test_applications_of_one_branch_share_a_commit_and_leave_the_rest_alone(
    farm: Farm,
) -> None:
    farm.world.commit(web=(config_map("web"),), api=(config_map("api"),))
    await farm.allow_push()
    for name in ("web", "api"):
        await farm.add(name)
    await farm.poll()
    assert farm.commits() == 1
    farm.repo.commit({"kept/by-hand.yaml": "x: 1\n"}, branch=BRANCH)
    farm.world.commit(web=(config_map("web", colour="red"),))
    await farm.poll()
    assert "colour: red" in farm.written("apps/web/manifest.yaml")
    assert farm.written("apps/api/manifest.yaml")
    assert farm.written("kept/by-hand.yaml") == "x: 1"
    assert farm.commits() == 3


async def test_without_credentials_for_pushing_nothing_is_pushed_and_it_says_so(
    farm: Farm,
    git_http: GitHttpServer,
) -> None:
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push(project="another")
    await farm.add("web")
    await farm.poll()
    assert git_http.counts()["push"] == 0
    assert "nobody gave Fleet credentials" in (await farm.conditions("web"))["HydrationError"]
    await farm.allow_push()
    await farm.poll()
    assert "HydrationError" not in await farm.conditions("web")
    assert farm.commits() == 1
    stored = json.dumps(await farm.world.rows("select document from kept_documents"))
    assert "push-password" not in stored


async def test_who_commits_is_what_argocd_cm_says(farm: Farm) -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"commit.author.name": "Shop Bot", "commit.author.email": "bot@shop.example"},
    }
    await farm.apply(settings)
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push()
    await farm.add("web")
    await farm.poll()
    found = git("log", "-1", "--format=%an <%ae> %cn", BRANCH, cwd=farm.repo.path)
    assert found.strip() == "Shop Bot <bot@shop.example> Shop Bot"


async def test_what_stands_in_a_cluster_is_not_pushed(farm: Farm) -> None:
    chart = {"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"}
    farm.repo.commit({f"web/{name}": text for name, text in chart.items()})
    await farm.allow_push()
    dry = {"repoURL": farm.repo.url, "targetRevision": "main", "path": "web"}
    values = {"valuesFrom": [{"kind": "ConfigMap", "name": "shared"}]}
    await farm.add("web", drySource={**dry, "helm": values})
    await farm.poll()
    assert "helm.valuesFrom" in (await farm.conditions("web"))["HydrationError"]
    assert farm.world.requests()["get", "ConfigMap"] == 0
    assert BRANCH not in git("branch", "--list", "--all", cwd=farm.repo.path)


async def test_what_was_decrypted_is_not_pushed(farm: Farm, tmp_path: Path) -> None:
    key = AgeKey()
    await keep_decryption_keys(farm.world.runtime, ADMIN, Secret(key.private), "")
    text = as_file((config_map("web", note="hidden-note"),))
    farm.repo.commit({"web/a.yaml": encrypt(tmp_path, "a.yaml", text, key)})
    await farm.allow_push()
    await farm.add("web")
    await farm.poll()
    await farm.world.pass_()
    assert "were decrypted" in (await farm.conditions("web"))["HydrationError"]
    assert BRANCH not in git("--git-dir", str(farm.repo.path), "branch", "--list", BRANCH)


async def test_a_render_that_fails_leaves_branch_and_cluster_as_they_are(farm: Farm) -> None:
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push()
    await farm.add("web")
    for _ in range(2):
        await farm.poll()
    await farm.world.pass_()
    farm.repo.commit({"web/objects.yaml": "kind: [no manifest\n"})
    await farm.poll()
    await farm.world.pass_()
    assert "HydrationError" in await farm.conditions("web")
    assert farm.commits() == 1
    assert farm.world.read("web") is not None
    assert (await farm.state("web"))["last"]["hydratedSHA"] == farm.repo.sha(BRANCH)


async def test_a_branch_that_moves_meanwhile_is_pushed_to_where_it_is(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push()
    await farm.add("web")
    await farm.poll()
    push, raced = farm.world.runtime.mirrors.push, []

    async def late(*given: Any) -> bool:
        if not raced:
            raced.append(farm.repo.commit({"other.txt": "first"}, branch=BRANCH))
        return await push(*given)

    monkeypatch.setattr(farm.world.runtime.mirrors, "push", late)
    farm.world.commit(web=(config_map("web", colour="red"),))
    await farm.poll()
    assert (farm.commits(), farm.written("other.txt")) == (3, "first")
    assert "colour: red" in farm.written("apps/web/manifest.yaml")


async def test_what_was_pushed_and_not_written_down_is_not_pushed_again(
    farm: Farm, git_http: GitHttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push()
    await farm.add("web")

    async def dies(*_given: Any, **_more: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as dying:
        dying.setattr(hydrating, "_note", dies)
        with pytest.raises(ZeroDivisionError):
            await farm.poll()
    assert (await farm.state("web"))["current"]["phase"] == "Hydrating"
    await farm.poll()
    assert (await farm.state("web"))["current"]["phase"] == "Hydrated"
    assert (farm.commits(), git_http.counts()["push"]) == (1, 1)


async def test_a_staging_branch_begins_where_what_is_applied_is(farm: Farm) -> None:
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push()
    await farm.add("web")
    await farm.poll()
    await farm.add("web", hydrateTo={"targetBranch": "env/dev-next"})
    farm.world.commit(web=(config_map("web", colour="red"),))
    await farm.poll()
    assert "colour: red" in farm.written("apps/web/manifest.yaml", "env/dev-next")
    assert "colour: blue" in farm.written("apps/web/manifest.yaml")
    assert (farm.commits(), farm.commits("env/dev-next")) == (1, 2)


async def test_one_folder_of_two_applications_is_written_by_neither(
    farm: Farm, git_http: GitHttpServer
) -> None:
    farm.world.commit(web=(config_map("web"),), api=(config_map("api"),))
    await farm.allow_push()
    for name in ("web", "api"):
        await farm.add(name, syncSource={"targetBranch": BRANCH, "path": "apps/one"})
    await farm.poll()
    for name, other in (("web", "api"), ("api", "web")):
        assert f"is written by {other}, too" in (await farm.conditions(name))["HydrationError"]
    assert git_http.counts()["push"] == 0


@pytest.mark.parametrize("mark", ["fleet.dev/shadow", "argocd.argoproj.io/skip-reconcile"])
async def test_what_another_hydrates_is_not_pushed(
    farm: Farm, git_http: GitHttpServer, mark: str
) -> None:
    farm.world.commit(web=(config_map("web"),))
    await farm.allow_push()
    await farm.add("web", annotations={mark: "true"})
    await farm.poll()
    assert (git_http.counts()["push"], await farm.state("web")) == (0, {})
    await farm.add("web")
    await farm.poll()
    assert farm.commits() == 1


async def test_links_on_the_branch_lead_nowhere(farm: Farm) -> None:
    farm.world.commit(web=(config_map("web"),))
    farm.repo.commit({"apps": Symlink("../../etc")}, branch=BRANCH)
    await farm.allow_push()
    await farm.add("web")
    await farm.poll()
    assert "colour: blue" in farm.written("apps/web/manifest.yaml")
    assert git("ls-tree", BRANCH, "apps", cwd=farm.repo.path).startswith("040000 tree")
