"""What is known, since when, and about which cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from fleet.errors import AlreadyExists, LeaseLost
from fleet.model.scope import EVERYTHING
from fleet.operations.batches import Pass
from fleet.operations.clusters import pause_cluster, resume_cluster
from fleet.operations.fencing import ASK_SECONDS, TRUST_SECONDS, Fence
from fleet.operations.passes import reconcile_cluster
from fleet.registry import standings, taking, timetable, work
from fleet.registry.application_views import Freshness, get_application
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import ADMIN, World, config_map, port_of


async def _seen(world: World, name: str) -> tuple[str, str]:
    """Sync status and health as people see them now."""
    fresh = Freshness(world.clock(), world.runtime.settings.reconcile_interval_seconds)
    async with world.runtime.db.reading() as tx:
        summary = (await get_application(tx, EVERYTHING, name, fresh=fresh)).summary
    return str(summary.sync), str(summary.health.status)


async def test_a_cluster_that_is_not_read_for_three_intervals_is_unknown(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    interval = bare.runtime.settings.reconcile_interval_seconds
    bare.clock.forward(2.9 * interval)
    assert await _seen(bare, "web") == ("Synced", "Healthy")
    before = await bare.versions()
    bare.clock.forward(0.2 * interval)
    assert await _seen(bare, "web") == ("Unknown", "Unknown")
    # no row of the application said so, and none has to be written to take it back
    await bare.pass_()
    assert await _seen(bare, "web") == ("Synced", "Healthy")
    assert await bare.versions() == before


async def test_a_repository_that_fails_keeps_what_was_good(bare: World) -> None:
    await bare.add_app("web")
    sha = await bare.deliver(web=(config_map("a"),))
    before = await bare.versions()
    away = bare.repo.path.rename(bare.repo.path.with_suffix(".away"))
    failing_from = bare.clock()
    assert await bare.poll() is not None
    assert await bare.poll() is not None
    (repository,) = await bare.rows("select * from repositories")
    assert repository["status"] == "Failed"
    assert repository["message"]
    since = repository["failing_since"]
    assert since >= failing_from
    assert await bare.versions() == before
    await bare.pass_(look=True)
    app = await bare.app("web")
    assert (app["sync_status"], app["revisions"]) == ("Synced", [sha])
    away.rename(bare.repo.path)
    assert await bare.poll() is None
    (repository,) = await bare.rows("select * from repositories")
    assert (repository["status"], repository["failing_since"]) == ("Successful", None)


async def test_a_branch_that_is_gone_keeps_what_was_good_and_says_so(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    bare.repo.branch("other")
    bare.repo._git("symbolic-ref", "HEAD", "refs/heads/other")
    bare.repo.delete_branch("main")
    await bare.poll()
    await bare.pass_()
    (ref,) = await bare.rows("select * from repository_refs")
    assert "main" in ref["message"]
    assert ref["failing_since"] is not None
    live = bare.read("a")
    assert live is not None
    assert "deletionTimestamp" not in live["metadata"]


async def test_the_same_cluster_under_two_names_is_refused(
    bare: World, fault_proxy: Callable[[str, int], FaultProxy]
) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(bare.live["main"]))
    with pytest.raises(AlreadyExists, match="main"):
        await bare.add_cluster("again", bare.live["main"], server=f"https://127.0.0.1:{proxy.port}")
    assert len(await bare.rows("select * from clusters")) == 1


async def test_a_paused_cluster_is_left_alone(bare: World) -> None:
    await bare.add_app("web")
    until = None
    await pause_cluster(bare.runtime, ADMIN, EVERYTHING, "main", reason="move", until=until)
    bare.commit(web=(config_map("a"),))
    await bare.poll()
    spent = await bare.pass_()
    assert sum(spent.values()) == 0
    assert (await bare.app("web"))["urgency"] < 100
    await resume_cluster(bare.runtime, ADMIN, EVERYTHING, "main")
    await bare.pass_()
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_a_cluster_where_nothing_is_done_is_not_woken(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await bare.run("update applications set due_at = now() - interval '1 minute'")

    async def due() -> int:
        async with bare.runtime.db.reading() as tx:
            return len(await timetable.clusters_due(tx, bare.clock()))

    assert await due() == 1
    await pause_cluster(bare.runtime, ADMIN, EVERYTHING, "main", reason="move", until=None)
    assert await due() == 0
    await resume_cluster(bare.runtime, ADMIN, EVERYTHING, "main")
    async with bare.runtime.db.transaction() as tx:  # as after a pass that got no answer
        now = bare.clock()
        await standings.postpone(tx, bare.clusters["main"].id, now, now + timedelta(seconds=5))
    assert await due() == 0


async def test_a_cluster_that_was_never_read_is_stale_in_the_end(bare: World) -> None:
    await bare.add_dead_cluster("dead")
    await bare.add_app("dead", path="web", cluster="dead")
    fresh = Freshness(bare.clock(), 120)
    async with bare.runtime.db.reading() as tx:
        shown = await get_application(tx, EVERYTHING, "dead", fresh=fresh)
        assert shown.summary.stale_since is None
        fresh = Freshness(bare.clock() + timedelta(seconds=361), 120)
        shown = await get_application(tx, EVERYTHING, "dead", fresh=fresh)
        assert shown.summary.stale_since is not None
        assert "cluster dead was not read since" in shown.summary.health.message


async def test_a_worker_that_was_frozen_sends_nothing_when_it_wakes(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had planned before it froze; meanwhile a newer pass owns the cluster."""
    await bare.add_app("web", auto=False)
    await bare.deliver(web=(config_map("a", x="1"),))
    await bare.sync("web")
    cluster = bare.clusters["main"]
    link = bare.runtime.connections._links[cluster.id]
    old = Pass(bare.runtime, cluster, link, await link.discovery(), epoch=bare.epoch + 1)
    async with bare.runtime.db.reading() as tx:
        dirty = await taking.take_dirty(tx, cluster.id, epoch=old.epoch, limit=10, now=bare.clock())
    real = Fence.ask
    thawed: list[Fence] = []

    async def freeze(fence: Fence) -> None:
        thawed.append(fence)
        if len(thawed) == 2:  # once the plan is recorded, before anything is sent
            fence._asked_at -= ASK_SECONDS
            async with bare.runtime.db.transaction() as tx:
                await work.fence(tx, cluster.id, bare.epoch + 2)
        await real(fence)

    monkeypatch.setattr(Fence, "ask", freeze)
    link.client.requests.clear()
    with pytest.raises(LeaseLost):
        await old.reconcile(dirty.apps)
    assert link.client.requests["apply", "ConfigMap"] == 0


async def test_what_a_pass_knows_of_itself_is_believed_for_seconds(bare: World) -> None:
    fence = Fence(bare.runtime.db, bare.clusters["main"].id, 5)
    with pytest.raises(LeaseLost):
        fence.check()  # nobody asked yet
    await fence.ask()
    fence.check()
    fence._asked_at -= TRUST_SECONDS
    with pytest.raises(LeaseLost):
        fence.check()
    await fence.ask()
    fence.check()
    async with bare.runtime.db.transaction() as tx:
        await work.fence(tx, bare.clusters["main"].id, 6)
    await fence.ask()  # the last answer is young
    fence.check()
    fence._asked_at -= ASK_SECONDS
    with pytest.raises(LeaseLost):
        await fence.ask()
    with pytest.raises(LeaseLost):
        fence.check()


async def test_an_older_pass_loses_and_writes_nothing(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"),))
    bare.commit(web=(config_map("a", x="2"),))
    await bare.poll()
    cluster = bare.clusters["main"]
    link = bare.runtime.connections._links[cluster.id]
    old = Pass(bare.runtime, cluster, link, await link.discovery(), epoch=1)
    async with bare.runtime.db.transaction() as tx:
        await work.fence(tx, cluster.id, 2)
    async with bare.runtime.db.reading() as tx:
        dirty = await taking.take_dirty(tx, cluster.id, epoch=old.epoch, limit=10, now=bare.clock())
    before = await bare.versions()
    link.client.requests.clear()
    with pytest.raises(LeaseLost):
        await old.reconcile(dirty.apps)
    assert await bare.versions() == before
    assert link.client.requests["apply", "ConfigMap"] == 0
    # as a whole it ends quietly
    await reconcile_cluster(bare.runtime, cluster.id, 1)
    assert await bare.versions() == before


async def test_two_passes_at_once_end_in_agreement(bare: World) -> None:
    names = tuple(f"app-{n}" for n in range(10))
    for name in names:
        await bare.add_app(name)
    bare.commit(**{name: (config_map(name, x="1"),) for name in names})
    await bare.poll()
    id = bare.clusters["main"].id
    await asyncio.gather(
        reconcile_cluster(bare.runtime, id, 1), reconcile_cluster(bare.runtime, id, 2)
    )
    bare.epoch = 2
    await bare.pass_(look=True)
    for name in names:
        live = bare.read(name)
        assert live is not None
        assert live["data"] == {"x": "1"}
        (operation,) = await bare.operations(name)
        assert operation["phase"] == "Succeeded"
        app = await bare.app(name)
        assert (app["sync_status"], app["urgency"], app["operation_id"]) == ("Synced", 100, None)
