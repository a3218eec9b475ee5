"""``POST /apply``: many documents, each by itself."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from fleet.model.parsing import new_application
from tests.cluster.kube import TestCluster
from tests.integration.api.callers import Api, account
from tests.integration.operations.harness import World
from tests.servers.git_repo import GitRepo

LABEL = "argocd.argoproj.io/secret-type"


def project(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            **spec,
        },
    }


def secret(type: str, called: str, /, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": called, "labels": {LABEL: type, "env": "prod"}},
        "stringData": data,
    }


def cluster_secret(live: TestCluster, name: str = "eu-1", **config: Any) -> dict[str, Any]:
    ca = base64.b64encode(live.ca_pem.encode()).decode()
    whole = {"bearerToken": live.admin_token, "tlsClientConfig": {"caData": ca}, **config}
    return secret("cluster", name, name=name, server=live.server, config=json.dumps(whole))


def application(name: str, repo: GitRepo, **fields: Any) -> dict[str, Any]:
    values = {"path": name, "dest_name": "eu-1", "dest_namespace": "shop", "project": "shop"}
    return new_application(name, repo_url=repo.url, **(values | fields))


def request(*documents: Any, **fields: Any) -> dict[str, Any]:
    items = [
        {"document": document, "file": "all.yaml", "line": 10 * index + 1}
        for index, document in enumerate(documents)
    ]
    return {"documents": items, **fields}


async def apply(api: Api, *documents: Any, **fields: Any) -> list[dict[str, Any]]:
    answer = await api.post("apply", request(*documents, **fields))
    found: list[dict[str, Any]] = answer["results"]
    return found


def actions(results: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(result["kind"], result["name"], result["action"]) for result in results]


async def test_a_whole_fleet_is_applied_in_an_order_that_works(
    api: Api, bare_clusters: list[TestCluster], git_repo: GitRepo
) -> None:
    documents = [
        application("web", git_repo),
        secret("repository", "repo", url=git_repo.url, project="shop"),
        secret("repo-creds", "creds", url="https://git.example.test/", password="p", username="u"),
        cluster_secret(bare_clusters[1]),
        project("shop"),
    ]
    expected = [
        ("Application", "web", "created"),
        ("Repository", git_repo.url, "created"),
        ("RepoCredential", "https://git.example.test/", "created"),
        ("Cluster", "eu-1", "created"),
        ("AppProject", "shop", "created"),
    ]
    results = await apply(api, *documents)
    assert actions(results) == expected
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4]
    cluster = await api.get("clusters/eu-1")
    assert (cluster["labels"], cluster["applications"]) == ({"env": "prod"}, 1)
    again = [action for _, _, action in actions(await apply(api, *documents))]
    assert again == ["unchanged"] * 5


async def test_a_bad_document_stops_no_other(api: Api, git_repo: GitRepo) -> None:
    results = await apply(
        api,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
        "just text",
        project("shop", sourceRepos="*"),
        project("good"),
        application("web", git_repo),
    )
    assert [result["action"] for result in results] == [
        "failed",
        "failed",
        "failed",
        "created",
        "created",
    ]
    errors = [result.get("error") for result in results]
    assert errors[0]["type"] == "SpecInvalid"
    assert errors[0]["message"].startswith("all.yaml:1: ")
    assert "not a mapping" in errors[1]["message"]
    assert errors[2]["field"] == "spec.sourceRepos"
    assert errors[3] is None
    assert results[4]["warnings"] == [
        "AppProject/shop does not exist yet",
        "cluster eu-1 is not registered yet",
    ]


async def test_lists_are_taken_apart(api: Api) -> None:
    many = {"apiVersion": "v1", "kind": "List", "items": [project("a"), project("b"), "text"]}
    results = await apply(api, many, project("c"))
    assert actions(results)[:2] == [
        ("AppProject", "a", "created"),
        ("AppProject", "b", "created"),
    ]
    assert [result["index"] for result in results] == [0, 0, 0, 1]
    assert results[2]["action"] == "failed"
    assert "items[2]: the document has no apiVersion and kind" in results[2]["error"]["message"]


async def test_a_dry_run_says_the_same_and_changes_nothing(
    api: Api, bare_clusters: list[TestCluster], git_repo: GitRepo
) -> None:
    await apply(api, project("shop"))
    documents = [
        project("shop", description="changed"),
        project("new"),
        cluster_secret(bare_clusters[1]),
        secret("repository", "repo", url=git_repo.url),
        secret("repo-creds", "creds", url="https://git.example.test/"),
        application("web", git_repo),
    ]
    before = await api.get("audit/changes")
    results = await apply(api, *documents, dryRun=True)
    assert [result["action"] for result in results] == [
        "configured",
        "created",
        "created",
        "created",
        "created",
        "created",
    ]
    assert await api.get("audit/changes") == before
    assert (await api.get("clusters"))["items"] == []
    assert "description" not in (await api.get("projects/shop"))["spec"]


async def test_a_dry_run_of_an_application_asks_what_a_real_one_asks(
    bare: World, operator: Api
) -> None:
    web = application("web", bare.repo, project="default", dest_name="main")
    assert [r["action"] for r in await apply(operator, web, dryRun=True)] == ["created"]
    assert (await operator.get("applications"))["items"] == []
    await apply(operator, web)
    assert [r["action"] for r in await apply(operator, web, dryRun=True)] == ["unchanged"]


async def test_without_upsert_what_exists_is_left_alone(
    api: Api, bare_clusters: list[TestCluster], git_repo: GitRepo
) -> None:
    documents = [
        project("shop"),
        cluster_secret(bare_clusters[1]),
        secret("repository", "repo", url=git_repo.url),
        secret("repo-creds", "creds", url="https://git.example.test/"),
        application("web", git_repo),
    ]
    await apply(api, *documents)
    for dry_run in (False, True):
        results = await apply(api, *documents, upsert=False, dryRun=dry_run)
        assert {result["error"]["type"] for result in results} == {"AlreadyExists"}


async def test_each_document_asks_for_what_it_needs(bare: World, operator: Api) -> None:
    await bare.put_project("shop")
    await bare.put_project("other")
    limited = await account(bare.runtime, "project:shop")
    results = await apply(
        limited,
        application("web", bare.repo, dest_name="main"),
        application("api", bare.repo, dest_name="main", project="other"),
        project("shop"),
        secret("repository", "repo", url="https://git.example.test/x"),
    )
    assert [result.get("error", {}).get("type") for result in results] == [
        None,
        "Forbidden",
        "Forbidden",
        "Forbidden",
    ]
    denied = await operator.get("audit/changes", decision="denied")
    assert len(denied["items"]) == 3


@pytest.mark.parametrize("upsert", [True, False])
async def test_a_cluster_that_does_not_answer_fails_alone(
    api: Api, bare_clusters: list[TestCluster], upsert: bool
) -> None:
    dead = cluster_secret(bare_clusters[1], "dead")
    dead["stringData"]["server"] = "https://127.0.0.1:1"
    results = await apply(api, dead, project("shop"), upsert=upsert)
    assert results[0]["error"]["type"] == "ClusterUnreachable"
    assert results[0]["error"]["transient"] is True
    assert results[1]["action"] == "created"


async def test_nothing_to_apply_is_nothing(api: Api) -> None:
    assert await apply(api) == []
