"""Clusters that are reserved for workers that select them: what is said while there is none,
and of what this process does not reach itself."""

from __future__ import annotations

import pytest

from fleet.model.clusters import RESERVED
from tests.cluster.kube import TestCluster
from tests.integration.api.callers import Api, connection_to
from tests.integration.operations.harness import World, config_map

RESERVE = {"annotations": {RESERVED: "true"}}
NOBODY = "cluster main is reserved, and no live worker selects it"


@pytest.fixture
async def reserved(bare: World, operator: Api) -> World:
    """An application on a reserved cluster, beside a worker that selects nothing."""
    await bare.add_worker()
    await operator.ask("PATCH", "clusters/main", RESERVE)
    await bare.add_app("web", auto=False)
    bare.commit(web=(config_map("a"),))
    assert await bare.poll() is None
    return bare


async def test_cluster_and_applications_say_that_nobody_serves_them(
    reserved: World, operator: Api
) -> None:
    cluster = await operator.get("clusters/main")
    assert (cluster["reserved"], cluster["unserved"], cluster["workers"]) == (True, True, None)
    (condition,) = (await operator.get("applications/web"))["status"]["conditions"]
    assert (condition["type"], condition["message"]) == (
        "NoWorker",
        f"{NOBODY}: nothing is seen or done there",
    )
    (listed,) = (await operator.get("applications"))["items"]
    assert [it["type"] for it in listed["conditions"]] == ["NoWorker"]
    await reserved.add_worker("!edge")
    cluster = await operator.get("clusters/main")
    assert cluster["workers"] == {"selector": "!edge", "live": 1}
    assert not cluster["unserved"]
    assert "conditions" not in (await operator.get("applications/web"))["status"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "applications/web/sync", {}),
        ("POST", "applications/web/refresh", {}),
        ("DELETE", "applications/web?cascade=true", None),
    ],
)
async def test_what_nobody_would_do_is_refused(
    reserved: World, operator: Api, method: str, path: str, body: object
) -> None:
    error = await operator.refused(method, path, body, code=503, type="NoWorker")
    assert error["object"] == "Cluster/main"
    assert "`fleet worker --select LABELS`" in error["hint"]
    assert await reserved.operations("web") == []


async def test_the_hint_for_a_cluster_that_is_not_reserved_is_another(
    bare: World, operator: Api
) -> None:
    await bare.add_app("web", auto=False)
    await bare.add_worker("region=mars")
    error = await operator.refused("POST", "applications/web/sync", {}, code=503, type="NoWorker")
    assert "reserved" not in error["hint"]
    assert "`fleet worker`" in error["hint"]
    # and nobody would ask the repositories
    refresh = "applications/web/refresh"
    error = await operator.refused("POST", refresh, {}, code=503, type="NoWorker")
    assert "do not ask repositories" in error["message"]


async def test_one_that_does_not_answer_here_is_asked_from_elsewhere(
    bare: World, operator: Api
) -> None:
    far = await bare.add_dead_cluster("far")
    await operator.ask("PATCH", "clusters/far", RESERVE)
    await bare.run("update clusters set status = 'Successful' where id = :id", id=far.id)
    for path, body in (("clusters/far/test", None), ("clusters", _at(far.server))):
        error = await operator.refused("POST", path, body, code=502, type="ClusterUnreachable")
        assert "FLEET_DATABASE_URL" in error["hint"]
    # its own workers know better
    cluster = await operator.get("clusters/far")
    assert cluster["connectionState"]["status"] == "Successful"


def _at(server: str) -> dict[str, object]:
    connection = {"server": server.replace("127.0.0.1", "localhost"), "token": "t"}
    return {"name": "farther", "connection": connection, **RESERVE}


async def test_a_diff_says_from_where_it_can_be_made(bare: World, operator: Api) -> None:
    await bare.add_dead_cluster("far")
    await operator.ask("PATCH", "clusters/far", RESERVE)
    await bare.add_app("web", cluster="far", auto=False)
    bare.commit(web=(config_map("a"),))
    assert await bare.poll() is None
    diff = ("GET", "applications/web/diff")
    error = await operator.refused(*diff, code=502, type="ClusterUnreachable")
    assert "FLEET_DATABASE_URL" in error["hint"]


async def test_an_annotation_that_means_nothing_is_refused(
    bare: World, operator: Api, bare_clusters: list[TestCluster]
) -> None:
    wrong = {RESERVED: "yes"}
    change = ("PATCH", "clusters/main", {"annotations": wrong})
    error = await operator.refused(*change, code=422, type="SpecInvalid")
    assert error["field"] == f"annotations.{RESERVED}"
    body = {"name": "x", "connection": connection_to(bare_clusters[1]), "annotations": wrong}
    await operator.refused("POST", "clusters", body, code=422, type="SpecInvalid")
    await operator.ask("PATCH", "clusters/main", {"annotations": {RESERVED: "false"}})
    assert not (await operator.get("clusters/main"))["reserved"]
