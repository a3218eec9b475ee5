"""Watches: a hand edit is seen and undone without any poll of the cluster."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from fleet import metrics
from fleet.daemon.watchers import Watchers
from fleet.daemon.worker import run_worker
from fleet.model.scope import EVERYTHING
from fleet.model.selectors import parse_selector
from fleet.operations.clusters import confirm_cluster, describe_cluster
from fleet.registry import queue
from fleet.registry.clusters import ClusterChanges
from tests.cluster.kube import TestCluster
from tests.integration.daemon.conftest import Start
from tests.integration.operations.harness import ADMIN, Object, World, config_map, until


async def _data(world: World, name: str, cluster: str = "main") -> Object | None:
    live = await asyncio.to_thread(world.read, name, cluster=cluster)
    return None if live is None else live.get("data")


async def _watching(world: World) -> bool:
    return metrics.WATCHES._value.get() > 0


@pytest.fixture
async def watched(bare: World, start: Start) -> World:
    """An application is deployed with self-heal, and its kind is watched. No leader runs, so
    that nothing reads the cluster because of the time."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"),))
    await bare.run("delete from procrastinate_jobs")
    before = metrics.WATCHES._value.get()
    await start(Watchers(bare.runtime, "me").run)

    async def opened() -> bool:
        return bool(metrics.WATCHES._value.get() == before + 1)

    await until(opened)
    return bare


async def test_a_hand_edit_is_undone_by_the_watch_alone(watched: World, start: Start) -> None:
    await start(functools.partial(run_worker, watched.runtime))
    await asyncio.to_thread(watched.edit, "a", "kubectl-edit", x="2")

    async def healed() -> bool:
        return await _data(watched, "a") == {"x": "1"}

    await until(healed)

    async def recorded() -> list[Object]:
        return await watched.rows("select * from drift_events where healed_at is not null")

    (event,) = await until(recorded)
    assert (event["manager"], event["healed_by"]) == ("kubectl-edit", "self-heal")


async def test_a_deleted_object_comes_back(watched: World, start: Start) -> None:
    await start(functools.partial(run_worker, watched.runtime))
    await asyncio.to_thread(watched.request, "DELETE", watched.path_of("a"))

    async def back() -> bool:
        return await _data(watched, "a") == {"x": "1"}

    await until(back)


async def test_an_edit_marks_the_row_and_wakes_the_cluster(watched: World) -> None:
    live = await asyncio.to_thread(watched.edit, "a", x="2")

    async def marked() -> bool:
        row = (await watched.resources("web"))["ConfigMap/a"]
        return bool(row["seen_version"] == live["metadata"]["resourceVersion"])

    await until(marked)
    assert (await watched.app("web"))["urgency"] < 100
    (job,) = await watched.rows("select * from procrastinate_jobs")
    assert job["args"] == {"key": str(watched.clusters["main"].id)}


async def test_our_own_writes_are_no_news(watched: World) -> None:
    sha = await watched.deliver(web=(config_map("a", x="2"),))
    assert (await watched.app("web"))["synced_revision"] == sha
    # an edit by somebody else comes after our write in the watch: when it is seen, that was too
    await watched.run("delete from procrastinate_jobs")
    before = await watched.app("web")
    await asyncio.to_thread(watched.edit, "a", x="3")
    await until(lambda: watched.rows("select 1 from procrastinate_jobs"))
    marks = await watched.rows("select count(*) as n from applications where urgency < 100")
    assert before["urgency"] == 100
    assert marks[0]["n"] == 1


async def test_a_new_kind_is_watched_as_soon_as_it_is_managed(watched: World) -> None:
    before = metrics.WATCHES._value.get()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    await watched.deliver(web=(config_map("a", x="1"), secret))

    async def opened() -> bool:
        return bool(metrics.WATCHES._value.get() == before + 1)

    await until(opened)
    await watched.deliver(web=(config_map("a", x="1"),))

    async def closed() -> bool:
        return bool(metrics.WATCHES._value.get() == before)

    await until(closed)


@pytest.fixture
async def throwaway(bare_clusters: list[TestCluster]) -> AsyncIterator[Callable[[], TestCluster]]:
    made: list[TestCluster] = []

    def make() -> TestCluster:
        made.append(bare_clusters[0].extra_apiserver(f"x-{secrets.token_hex(4)}"))
        return made[-1]

    yield make
    for cluster in made:
        await asyncio.to_thread(cluster.remove)


async def test_a_watch_goes_on_after_the_api_server_was_away(
    bare: World, throwaway: Callable[[], TestCluster], start: Start
) -> None:
    live = await asyncio.to_thread(throwaway)
    await bare.add_cluster("far", live)
    await bare.add_app("far", path="web", cluster="far")
    await bare.deliver("far", web=(config_map("a", x="1"),))
    await start(Watchers(bare.runtime, "me").run)
    await until(lambda: _watching(bare))
    await asyncio.to_thread(live.stop)

    async def broken() -> bool:
        return metrics.WATCHES._value.get() == 0

    await until(broken)
    # nothing is taken for deleted
    assert (await bare.resources("far"))["ConfigMap/a"]["seen_version"] == ""
    await asyncio.to_thread(live.start)
    await start(functools.partial(run_worker, bare.runtime))
    path = f"{bare.path_of('a')}?fieldManager=hand&force=true"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "2"}}
    await asyncio.to_thread(live.request, "PATCH", path, body)

    async def healed() -> bool:
        return await _data(bare, "a", "far") == {"x": "1"}

    await until(healed, seconds=60)


async def test_what_another_cluster_lists_is_not_believed_until_it_is_confirmed(
    bare: World, throwaway: Callable[[], TestCluster], start: Start
) -> None:
    live = await asyncio.to_thread(throwaway)
    await bare.add_cluster("far", live)
    await bare.add_app("far", path="web", cluster="far")
    await bare.deliver("far", web=(config_map("a", x="1"),))
    await bare.run("delete from procrastinate_jobs")
    await start(Watchers(bare.runtime, "me").run)
    await until(lambda: _watching(bare))
    await asyncio.to_thread(live.rebuild)

    async def noticed() -> list[Object]:
        return await bare.rows("select 1 from clusters where uid <> confirmed_uid")

    await until(noticed, seconds=60)

    async def closed() -> bool:
        return metrics.WATCHES._value.get() == 0

    await until(closed)
    assert (await bare.resources("far"))["ConfigMap/a"]["seen_version"] == ""
    assert await bare.rows("select 1 from procrastinate_jobs") == []
    await confirm_cluster(bare.runtime, ADMIN, EVERYTHING, "far")

    async def gone() -> bool:
        return str((await bare.resources("far"))["ConfigMap/a"]["seen_version"]).startswith("gone")

    await until(gone)


async def test_watches_follow_the_namespaces_that_are_managed(bare: World, start: Start) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"),))
    await start(Watchers(bare.runtime, "me").run)

    def opened(count: int) -> Callable[[], Awaitable[bool]]:
        async def found() -> bool:
            return bool(metrics.WATCHES._value.get() == count)

        return found

    await until(opened(1))
    for namespaces in (["kube-system", "default", bare.namespace], [bare.namespace], []):
        changes: ClusterChanges = {"namespaces": namespaces}
        await describe_cluster(bare.runtime, ADMIN, EVERYTHING, "main", changes)
        await until(opened(len(namespaces) or 1))
    live = await asyncio.to_thread(bare.edit, "a", x="2")

    async def marked() -> bool:
        row = (await bare.resources("web"))["ConfigMap/a"]
        return bool(row["seen_version"] == live["metadata"]["resourceVersion"])

    await until(marked)


async def test_each_cluster_is_watched_by_one_process(watched: World, start: Start) -> None:
    before = metrics.WATCHES._value.get()
    other = Watchers(watched.runtime, "other")
    stop = await start(other.run)
    (lease,) = await watched.rows("select holder from leases where name like 'watch:%'")
    assert lease["holder"] == "me"
    assert metrics.WATCHES._value.get() == before
    # its holder is gone: another takes over
    await watched.run("update leases set expires_at = clock_timestamp(), holder = 'dead'")

    async def taken() -> bool:
        rows = await watched.rows("select holder from leases where name like 'watch:%'")
        return rows[0]["holder"] in {"me", "other"}

    await until(taken)
    stop.set()


async def test_workers_share_the_clusters_that_they_watch(bare: World, start: Start) -> None:
    for n in range(4):
        await bare.add_dead_cluster(f"dead-{n}", port=n + 1)

    def held(**counts: int) -> Callable[[], Awaitable[bool]]:
        async def found() -> bool:
            rows = await bare.rows(
                "select holder, count(*) as n from leases where name like 'watch:%'"
                " and expires_at > clock_timestamp() group by holder"
            )
            return {row["holder"]: row["n"] for row in rows} == counts

        return found

    await bare.add_worker()
    await start(Watchers(bare.runtime, "me").run)
    await until(held(me=5))
    second = await bare.add_worker()
    stop = await start(Watchers(bare.runtime, "other").run)
    await until(held(me=3, other=2))
    # one that serves others takes what is its own, and only that
    await bare.run("update clusters set labels = '{\"region\": \"eu\"}' where name = 'dead-0'")
    await bare.add_worker("region=eu")
    select = replace(bare.runtime, selector=parse_selector("region=eu"))
    await start(Watchers(select, "selective").run)
    await until(held(me=2, other=2, selective=1))
    stop.set()
    await bare.run("delete from procrastinate_workers where id = :id", id=second)
    await until(held(me=4, selective=1))


async def test_the_leases_are_given_back_at_the_end(bare: World) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Watchers(bare.runtime, "me").run(stop))

    async def held() -> list[Object]:
        return await bare.rows("select 1 from leases where expires_at > clock_timestamp()")

    await until(held)
    stop.set()
    await asyncio.wait_for(running, 30)
    assert await held() == []
    async with bare.runtime.db.reading() as tx:
        assert await queue.live_workers(tx) == 0
