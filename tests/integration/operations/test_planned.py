"""Planned syncs of a project: each application is asked once, when the time has come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fleet.errors import NotFound, Refused, SpecInvalid
from fleet.model.operations import SyncOptions
from fleet.model.planned import PlannedSync
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations import planned as operations
from fleet.operations.planned import cancel_planned, plan_sync, start_planned
from fleet.registry import accounts, planned
from tests.integration.operations.harness import ADMIN, World, config_map
from tests.integration.operations.windows import HOUR, PROJECT, put_windows, window

#: Somebody at the machine that Fleet runs on, who has no account.
OTTO = Actor("local:otto", role="admin")


async def plan(world: World, minutes: int = HOUR, **options: Any) -> PlannedSync:
    at = world.clock() + timedelta(minutes=minutes)
    return await plan_sync(world.runtime, OTTO, EVERYTHING, PROJECT, at, SyncOptions(**options))


async def shown(world: World, this: PlannedSync) -> PlannedSync:
    async with world.runtime.db.reading() as tx:
        return await planned.get_planned(tx, EVERYTHING, PROJECT, this.id)


async def three(world: World) -> None:
    """Applications that sync when they are asked to, on one cluster."""
    await world.put_project(PROJECT)
    for name in ("a", "b", "c"):
        await world.add_app(name, project=PROJECT, auto=False)
    await world.add_app("elsewhere", auto=False)
    await world.deliver(**{name: (config_map(name),) for name in ("a", "b", "c", "elsewhere")})


async def test_a_moment_that_is_past_is_refused(bare: World) -> None:
    """A mistyped date must not sync a whole project now."""
    await bare.put_project(PROJECT)
    with pytest.raises(SpecInvalid, match="is past"):
        await plan(bare, -2)
    assert await bare.rows("select 1 from planned_syncs") == []


async def test_all_applications_of_a_project_sync_when_the_time_has_come(bare: World) -> None:
    await three(bare)
    this = await plan(bare)
    await start_planned(bare.runtime, this.id)  # a wake-up that comes too early
    assert (await shown(bare, this)).results == ()
    bare.clock.forward(3600)
    await bare.run("delete from procrastinate_jobs")
    await start_planned(bare.runtime, this.id)
    await start_planned(bare.runtime, this.id)  # and one that comes twice
    done = await shown(bare, this)
    assert [it.application for it in done.results] == ["a", "b", "c"]
    assert done.ended_at is not None
    woken = await bare.rows("select args ->> 'key' as key from procrastinate_jobs")
    assert [it["key"] for it in woken] == [str(bare.clusters["main"].id)]
    await bare.pass_()
    for result in done.results:
        (operation,) = await bare.operations(result.application)
        assert (operation["id"], operation["phase"]) == (result.operation, "Succeeded")
        assert (operation["trigger"], operation["initiated_by"]) == ("manual", "local:otto")
        assert bare.read(result.application)
    assert await bare.operations("elsewhere") == []


async def test_what_is_refused_is_told_and_stops_no_other(bare: World) -> None:
    await three(bare)
    await bare.sync("b")  # and no pass: it runs still
    this = await plan(bare, minutes=0)
    await put_windows(bare, window(bare, "deny", -10, HOUR, applications=["c"]))
    await start_planned(bare.runtime, this.id)
    found = {it.application: it for it in (await shown(bare, this)).results}
    assert found["a"].operation is not None
    assert (found["b"].operation, found["b"].error) == (None, "Refused")
    assert found["c"].error == "WindowClosed"
    assert "deny window 0" in found["c"].message
    assert len(await bare.operations("b")) == 1
    assert await bare.operations("c") == []


async def test_whoever_is_killed_halfway_is_followed_by_one_who_goes_on(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three(bare)
    this = await plan(bare, minutes=0)
    monkeypatch.setattr(operations, "TOGETHER", 1)
    for expected in (["a"], ["a", "b"]):
        async with bare.runtime.db.transaction() as tx:
            assert await operations._start_some(bare.runtime, tx, this.id)
        assert [it.application for it in (await shown(bare, this)).results] == expected
    with pytest.raises(Refused, match="has begun already"):
        await cancel_planned(bare.runtime, ADMIN, EVERYTHING, PROJECT, this.id)
    await start_planned(bare.runtime, this.id)
    done = await shown(bare, this)
    assert [it.application for it in done.results] == ["a", "b", "c"]
    assert done.ended_at is not None
    for name in ("a", "b", "c"):
        assert len(await bare.operations(name)) == 1


async def test_a_planned_sync_that_is_cancelled_does_not_take_place(bare: World) -> None:
    await three(bare)
    this = await plan(bare)
    with pytest.raises(NotFound):
        await cancel_planned(bare.runtime, ADMIN, EVERYTHING, "default", this.id)
    with pytest.raises(NotFound):
        await cancel_planned(bare.runtime, ADMIN, Scope(frozenset({"x"})), PROJECT, this.id)
    cancelled = await cancel_planned(bare.runtime, ADMIN, EVERYTHING, PROJECT, this.id)
    assert cancelled.cancelled_by == "admin"
    assert await shown(bare, this) == cancelled
    with pytest.raises(Refused, match="cancelled by admin already"):
        await cancel_planned(bare.runtime, ADMIN, EVERYTHING, PROJECT, this.id)
    bare.clock.forward(3600)
    await start_planned(bare.runtime, this.id)
    assert (await shown(bare, this)).results == ()
    audited = await bare.rows(
        "select action from audit_log where action like '%-sync' order by seq"
    )
    assert [it["action"] for it in audited] == ["plan-sync", "cancel-sync"]


async def test_it_is_done_by_the_rights_that_its_author_has_then(bare: World) -> None:
    await three(bare)
    async with bare.runtime.db.transaction() as tx:
        await accounts.create_account(tx, ADMIN, "anna", f"project:{PROJECT}")
    anna = Actor("anna", role=f"project:{PROJECT}")
    now = bare.clock()
    first, second = [
        await plan_sync(bare.runtime, anna, EVERYTHING, PROJECT, now, SyncOptions())
        for _ in range(2)
    ]
    await start_planned(bare.runtime, first.id)
    assert all(it.operation for it in (await shown(bare, first)).results)
    await bare.pass_()
    async with bare.runtime.db.transaction() as tx:
        await accounts.set_account_enabled(tx, ADMIN, "anna", enabled=False)
    await start_planned(bare.runtime, second.id)
    assert {it.error for it in (await shown(bare, second)).results} == {"Forbidden"}
    # whose account is gone may nothing either, whatever role it had
    gone = Actor("berta", role="admin")
    third = await plan_sync(bare.runtime, gone, EVERYTHING, PROJECT, now, SyncOptions())
    await start_planned(bare.runtime, third.id)
    assert {it.error for it in (await shown(bare, third)).results} == {"Forbidden"}


async def test_a_sync_option_that_does_nothing_is_refused_when_it_is_planned(bare: World) -> None:
    await bare.put_project(PROJECT)
    with pytest.raises(SpecInvalid):
        await plan(bare, sync_options=("Nonsense=true",))


async def test_a_project_without_applications_is_done_at_once(bare: World) -> None:
    await bare.put_project(PROJECT)
    this = await plan(bare, minutes=0)
    assert await bare.rows("select 1 from procrastinate_jobs where task_name = 'planned'")
    await start_planned(bare.runtime, this.id)
    assert (await shown(bare, this)).ended_at is not None
