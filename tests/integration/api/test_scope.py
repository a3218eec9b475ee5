"""What an account may see and do: a project's own sees and does that project's alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.kube import TestCluster
from tests.integration.api.callers import Api, account, connection_to
from tests.integration.operations.harness import World, config_map


@dataclass
class Stage:
    """Projects ``shop`` and ``bank``, each with an application, a cluster and a repository
    of its own, on a Fleet that has a shared cluster and a shared repository too."""

    bare: World
    admin: Api
    shop: Api
    reader: Api


@pytest.fixture
async def stage(bare: World, operator: Api, bare_clusters: list[TestCluster]) -> Stage:
    await bare.put_project("shop")
    await bare.put_project("bank")
    await bare.add_app("web", project="shop")
    await bare.add_app("vault", project="bank")
    await bare.deliver(web=(config_map("w"),), vault=(config_map("v"),))
    for project, live in (("shop", bare_clusters[1]), ("bank", bare_clusters[2])):
        body = {"name": f"{project}-1", "connection": connection_to(live), "project": project}
        await operator.post("clusters", body, code=201)
        url = f"https://git.example.test/{project}.git"
        body = {"url": url, "project": project, "skipTest": True}
        # the address rules resolve names; example.test has none
        await operator.send("POST", "repositories", body)
    return Stage(
        bare,
        operator,
        await account(bare.runtime, "project:shop"),
        await account(bare.runtime, "readonly"),
    )


def names(listed: dict[str, Any], key: str = "name") -> list[str]:
    return [item[key] for item in listed["items"]]


async def test_lists_hold_what_is_ones_own_and_what_is_shared(stage: Stage) -> None:
    shop = stage.shop
    assert names(await shop.get("applications")) == ["web"]
    assert names(await shop.get("clusters")) == ["main", "shop-1"]
    assert [p["metadata"]["name"] for p in (await shop.get("projects"))["items"]] == ["shop"]
    assert stage.bare.repo.url in names(await shop.get("repositories"), "url")
    assert set(names(await shop.get("operations"), "application")) == {"web"}
    assert (await shop.get("clusters/main"))["applications"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "applications/vault",
        "applications/vault/resources",
        "applications/vault/manifests",
        "applications/vault/history",
        "applications/vault/events",
        "applications/vault/diff",
        "clusters/bank-1",
        "projects/bank",
    ],
)
async def test_what_is_anothers_does_not_exist(stage: Stage, path: str) -> None:
    error = await stage.shop.refused("GET", path, code=404, type="NotFound")
    assert "bank" not in error.get("hint", "")
    assert "vault" not in error.get("hint", "")


async def test_an_operation_of_another_project_does_not_exist(stage: Stage) -> None:
    theirs = (await stage.admin.get("operations", application="vault"))["items"][0]
    await stage.shop.refused("GET", f"operations/{theirs['id']}", code=404, type="NotFound")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "applications/vault/sync", {}),
        ("POST", "applications/vault/rollback", {"id": 1}),
        ("POST", "applications/vault/refresh", {}),
        ("POST", "applications/vault/terminate", {}),
        ("POST", "applications/vault/rename", {"name": "mine"}),
        ("POST", "applications/vault/diff", {}),
        ("POST", "applications/vault/pause", {"reason": "x"}),
        ("POST", "applications/vault/resume", {}),
        ("POST", "applications/vault/resources/delete", {"kind": "ConfigMap", "all": True}),
        ("POST", "applications/vault/resources/patch", {"kind": "ConfigMap", "patch": {}}),
        ("DELETE", "applications/vault", None),
    ],
)
async def test_nothing_is_done_to_what_is_anothers(
    stage: Stage, method: str, path: str, body: Any
) -> None:
    await stage.bare.pretend_worker()
    await stage.shop.refused(method, path, body, code=404, type="NotFound")
    assert (await stage.admin.get("applications/vault"))["metadata"]["name"] == "vault"


async def test_ones_own_applications_are_ones_own(stage: Stage) -> None:
    await stage.bare.pretend_worker()
    await stage.shop.get("applications/web/diff")
    await stage.shop.post("applications/web/refresh", code=202)
    await stage.shop.post("applications/web/sync", code=202)
    app = await stage.shop.get("applications/web")
    document = {key: app[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    moved = {**document, "spec": {**document["spec"], "project": "bank"}}
    await stage.shop.refused(
        "PUT", "applications/web", {"document": moved}, code=403, type="Forbidden"
    )
    taken = {**document, "metadata": {"name": "vault"}}
    await stage.shop.refused(
        "POST", "applications", {"document": taken, "upsert": True}, code=409, type="AlreadyExists"
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clusters", {"name": "x", "connection": {"server": "https://x", "token": "t"}}),
        ("PATCH", "clusters/shop-1", {"labels": {}}),
        ("POST", "clusters/main/pause", {"reason": "x"}),
        ("POST", "clusters/shop-1/test", {}),
        ("DELETE", "clusters/shop-1", None),
        ("POST", "projects/default/close", {}),
        ("GET", "repocreds", None),
        ("GET", "certificates", None),
        ("GET", "accounts", None),
        ("GET", "jobs", None),
        ("GET", "workers", None),
        ("GET", "audit/changes", None),
        ("POST", "audit/verify", {}),
    ],
)
async def test_what_is_fleets_is_an_administrators(
    stage: Stage, method: str, path: str, body: Any
) -> None:
    await stage.shop.refused(method, path, body, code=403, type="Forbidden")
    if method != "GET" or path.startswith("audit"):
        await stage.reader.refused(method, path, body, code=403, type="Forbidden")


async def test_a_reader_sees_everything_and_changes_nothing(stage: Stage) -> None:
    reader = stage.reader
    assert names(await reader.get("applications")) == ["vault", "web"]
    await reader.get("applications/vault/diff")
    await reader.get("clusters/bank-1")
    await reader.refused(
        "POST", "applications/web/pause", {"reason": "x"}, code=403, type="Forbidden"
    )
    for action, body in (("sync", {}), ("refresh", {}), ("rename", {"name": "x"})):
        await reader.refused("POST", f"applications/web/{action}", body, code=403, type="Forbidden")
    await reader.refused("DELETE", "applications/web", code=403, type="Forbidden")
    denied = await stage.admin.get("audit/changes", decision="denied", limit=4)
    assert {change["action"] for change in denied["items"]} == {
        "sync",
        "refresh",
        "update",
        "delete",
    }
