"""Sync windows on a real API server: what waits, what is refused, and what goes on when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fleet.errors import SpecInvalid, WindowClosed
from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import (
    delete_application,
    rollback_application,
    terminate_application,
)
from fleet.operations.passes import reconcile_cluster
from tests.integration.operations.harness import ADMIN, World, config_map, deployment, in_wave
from tests.integration.operations.windows import HOUR, PROJECT, conditions, put_windows, window

# what begins by itself


async def test_auto_sync_waits_while_a_deny_window_is_open(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("a") is None
    assert await bare.operations("web") == []
    said = (await conditions(bare, "web"))["SyncWindow"]
    assert said.startswith("deny window 0 (")
    assert "is open, until " in said
    due = (await bare.app("web"))["due_at"]
    assert timedelta(minutes=48) < due - bare.clock() < timedelta(minutes=50)
    # it was asked for nothing, and asks for nothing more
    assert not await bare.pass_()
    bare.clock.ahead += due - bare.clock()
    await bare.pass_()
    assert bare.read("a")
    (operation,) = await bare.operations("web")
    assert (operation["trigger"], operation["phase"]) == ("automated", "Succeeded")
    assert await conditions(bare, "web") == {}


async def test_allow_windows_let_nothing_begin_while_they_are_closed(bare: World) -> None:
    await put_windows(
        bare,
        window(bare, "allow", 5 * HOUR, HOUR),
        window(bare, "allow", 2 * HOUR, HOUR),
        window(bare, "allow", -1, HOUR, applications=["other"]),
    )
    for name in ("web", "api"):
        await bare.add_app(name, project=PROJECT)
    await bare.deliver(web=(config_map("a"),), api=(config_map("b"),))
    assert bare.read("a") is None
    said = (await conditions(bare, "web"))["SyncWindow"]
    assert said.startswith("none of 2 allow windows is open, the next is allow window 1")
    bare.clock.forward(2 * 3600)
    await bare.pass_()  # no poll, no new commit
    assert bare.read("a")
    assert bare.read("b")


async def test_self_heal_waits_for_the_window(bare: World) -> None:
    await bare.put_project(PROJECT)
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a", colour="blue"),))
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    bare.edit("a", colour="red")
    await bare.pass_(look=True)
    assert bare.read("a")["data"] == {"colour": "red"}  # type: ignore[index]
    assert "SyncWindow" in await conditions(bare, "web")
    bare.clock.forward(50 * 60)
    await bare.pass_()
    assert bare.read("a")["data"] == {"colour": "blue"}  # type: ignore[index]
    assert (await bare.operations("web"))[-1]["trigger"] == "self-heal"


async def test_a_retry_waits_for_the_window(bare: World) -> None:
    await bare.put_project(PROJECT)
    await bare.add_app("web", project=PROJECT, sync_options=())
    await bare.deliver(web=(config_map("a"),))  # its namespace is not there
    assert [it["phase"] for it in await bare.operations("web")] == ["Failed"]
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    bare.create_namespace()
    bare.clock.forward(60)
    await bare.pass_()
    assert len(await bare.operations("web")) == 1
    assert (await bare.app("web"))["due_at"] > bare.clock() + timedelta(minutes=40)
    bare.clock.forward(50 * 60)
    await bare.pass_()
    assert bare.read("a")


async def test_what_is_in_sync_or_not_automated_waits_for_nothing(bare: World) -> None:
    await bare.put_project(PROJECT)
    await bare.add_app("web", project=PROJECT)
    await bare.add_app("api", project=PROJECT, auto=False)
    await bare.deliver(web=(config_map("a"),), api=(config_map("b"),))
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    await bare.pass_()
    for name in ("web", "api"):
        assert "SyncWindow" not in await conditions(bare, name)
        assert (await bare.app(name))["due_at"] is None


async def test_a_project_whose_windows_change_is_asked_anew(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("a") is None
    await bare.run("delete from procrastinate_jobs")
    await put_windows(bare)
    woken = await bare.rows("select args ->> 'key' as key from procrastinate_jobs")
    assert [it["key"] for it in woken] == [str(bare.clusters["main"].id)]
    await bare.pass_()
    assert bare.read("a")


async def test_windows_go_by_cluster_and_namespace_too(bare: World) -> None:
    shut = window(bare, "deny", -10, HOUR, applications=[])
    await put_windows(bare, {**shut, "clusters": [bare.clusters["main"].server]})
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("a") is None
    await put_windows(
        bare, {**shut, "clusters": ["main"], "namespaces": ["other"], "andOperator": True}
    )
    await bare.pass_()
    assert bare.read("a")


# what people ask for


async def test_a_sync_by_hand_is_refused_with_what_to_do(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    await bare.add_app("web", project=PROJECT, auto=False)
    await bare.deliver(web=(config_map("a"),))
    with pytest.raises(WindowClosed) as caught:
        await bare.sync("web")
    assert "deny window 0" in caught.value.message
    assert ", until 20" in caught.value.message
    assert "--break-glass" in caught.value.hint
    assert (caught.value.exit_code, caught.value.http_status) == (3, 409)
    # a dry run changes nothing
    await bare.sync("web", SyncOptions(dry_run=True))
    await bare.pass_()
    assert (await bare.operations("web"))[-1]["phase"] == "Succeeded"
    assert bare.read("a") is None


async def test_a_window_with_manual_sync_holds_back_fleet_alone(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", -10, HOUR, manualSync=True))
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("a") is None
    await bare.sync("web")
    await bare.pass_()
    assert bare.read("a")


async def test_a_rollback_is_a_sync_by_hand(bare: World) -> None:
    await bare.put_project(PROJECT)
    await bare.add_app("web", project=PROJECT, auto=False)
    await bare.deliver(web=(config_map("a", colour="blue"),))
    for colour in ("blue", "red"):
        await bare.deliver(web=(config_map("a", colour=colour),))
        await bare.sync("web")
        await bare.pass_()
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    with pytest.raises(WindowClosed):
        await rollback_application(bare.runtime, ADMIN, EVERYTHING, "web", 0, prune=False)
    await rollback_application(
        bare.runtime, ADMIN, EVERYTHING, "web", 0, prune=False, break_glass="red is broken"
    )
    await bare.pass_()
    assert bare.read("a")["data"] == {"colour": "blue"}  # type: ignore[index]


async def test_who_breaks_the_glass_syncs_and_it_is_written_down(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a"),))
    await bare.sync("web", SyncOptions(break_glass="the shop is down"))
    await bare.pass_()
    assert bare.read("a")
    (entry,) = await bare.rows("select * from audit_log where action = 'break-glass'")
    assert (entry["actor"], entry["object"]) == ("admin", "web")
    assert entry["after"]["reason"] == "the shop is down"
    assert "deny window 0" in entry["after"]["overridden"]
    (operation,) = await bare.operations("web")
    assert entry["after"]["operation"] == str(operation["id"])


async def test_a_sync_whose_window_closes_before_it_begins_waits(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", 10, HOUR))
    for name in ("web", "api"):
        await bare.add_app(name, project=PROJECT, auto=False)
    await bare.deliver(web=(config_map("a"),), api=(config_map("b"),))
    for name in ("web", "api"):
        await bare.sync(name)
    bare.clock.forward(15 * 60)
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Pending"
    assert operation["message"].startswith("waits for a sync window: deny window 0")
    await terminate_application(bare.runtime, ADMIN, EVERYTHING, "api")
    await bare.pass_()
    assert [it["phase"] for it in await bare.operations("api")] == ["Failed"]
    bare.clock.forward(3600)
    await bare.pass_()
    assert bare.read("a")
    assert bare.read("b") is None


async def test_a_deletion_is_no_sync(bare: World) -> None:
    await bare.put_project(PROJECT)
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(config_map("a"),))
    await put_windows(bare, window(bare, "deny", -10, HOUR))
    await bare.pretend_worker()
    await delete_application(
        bare.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="background"
    )
    await bare.pass_()
    await bare.pass_()
    assert bare.read("a") is None


# syncs that run when a window closes


async def _between_waves(bare: World, *windows: dict[str, object]) -> None:
    """A sync that waits for a Deployment of its first wave; the second is a ConfigMap."""
    await put_windows(bare, *windows)
    await bare.add_app("web", project=PROJECT)
    await bare.deliver(web=(deployment("first", wave=0), in_wave(config_map("second"), 1)))
    assert (await bare.operations("web"))[-1]["phase"] == "Running"
    assert bare.read("second") is None


def _becomes_healthy(bare: World) -> None:
    """What controllers would write."""
    path = f"/apis/apps/v1/namespaces/{bare.namespace}/deployments/first"
    live = bare.request("GET", path)
    live["status"] = {
        "observedGeneration": live["metadata"]["generation"],
        **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1),
        "conditions": [{"type": "Available", "status": "True"}],
    }
    bare.request("PUT", f"{path}/status", live)


async def test_a_sync_waits_where_it_stands_when_its_window_closes(bare: World) -> None:
    await _between_waves(bare, window(bare, "deny", 10, HOUR))
    bare.clock.forward(15 * 60)
    _becomes_healthy(bare)
    await bare.pass_()
    assert bare.read("second") is None
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Running"
    assert operation["message"].startswith("waits for a sync window: deny window 0")
    assert "SyncWindow" in await conditions(bare, "web")
    bare.clock.forward(3600)
    await bare.pass_()
    assert bare.read("second")
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Succeeded"
    assert await conditions(bare, "web") == {}


async def test_with_overrun_it_goes_on(bare: World) -> None:
    await _between_waves(bare, window(bare, "deny", 10, HOUR, syncOverrun=True))
    bare.clock.forward(15 * 60)
    _becomes_healthy(bare)
    await bare.pass_()
    assert bare.read("second")
    # what begins now was not allowed to begin
    await bare.deliver(web=(deployment("first", wave=0), in_wave(config_map("second", x="2"), 1)))
    assert bare.read("second")["data"] == {"colour": "blue"}  # type: ignore[index]


async def test_an_allow_window_that_ends_lets_it_go_on_with_overrun_alone(bare: World) -> None:
    shut = window(bare, "allow", -50, HOUR)
    await _between_waves(bare, shut)
    bare.clock.forward(15 * 60)
    _becomes_healthy(bare)
    await bare.pass_()
    assert bare.read("second") is None
    await put_windows(bare, {**shut, "syncOverrun": True})
    await bare.pass_()
    assert bare.read("second")


async def test_a_newer_commit_takes_the_place_of_a_sync_that_waits(bare: World) -> None:
    await _between_waves(bare, window(bare, "deny", 10, HOUR))
    bare.clock.forward(15 * 60)
    await bare.deliver(web=(config_map("third"),))
    assert bare.read("third") is None
    bare.clock.forward(3600)
    await bare.pass_()
    first, second = await bare.operations("web")
    assert first["message"].startswith("superseded")
    assert (second["phase"], bool(bare.read("third"))) == ("Succeeded", True)


async def test_the_window_is_asked_right_before_each_write(bare: World) -> None:
    """It closes after the n-th time that a pass looks at the clock, for each n up to the write.
    In between, the sync has begun and nothing was sent; and nothing ever is, afterwards."""
    await put_windows(bare, window(bare, "deny", 30, HOUR))
    bare.create_namespace()
    seen = []
    for n in range(40):
        name = f"a{n}"
        await bare.add_app(name, project=PROJECT, sync_options=())
        bare.commit(**{name: (config_map(name),)})
        assert await bare.poll() is None
        reads = iter(range(10_000))

        def now(n: int = n, reads: object = reads) -> datetime:
            is_late = next(reads) >= n  # type: ignore[call-overload]
            return bare.clock() + timedelta(minutes=40 if is_late else 0)

        bare.epoch += 1
        await reconcile_cluster(
            replace(bare.runtime, now=now), bare.clusters["main"].id, bare.epoch
        )
        begun = await bare.operations(name)
        written = bare.read(name) is not None
        seen.append((bool(begun), written))
        if written:
            break
        assert not begun or begun[0]["phase"] == "Running"
        await bare.run("delete from applications where name = :name", name=name)
    assert seen[0] == (False, False)
    assert (True, False) in seen
    assert seen[-1] == (True, True)
    assert seen == sorted(seen)


# windows that cannot be read


async def test_a_window_that_cannot_be_is_refused(bare: World) -> None:
    for wrong in ({"schedule": "0 0 31 2 *"}, {"timeZone": "Europe/Atlantis"}):
        with pytest.raises(SpecInvalid):
            await put_windows(bare, {**window(bare, "deny", 0, 1), **wrong})


async def test_a_stored_window_that_cannot_be_read_holds_all_syncs(bare: World) -> None:
    await put_windows(bare, window(bare, "deny", 3 * HOUR, 1))
    await bare.add_app("web", project=PROJECT)
    await bare.add_app("other")
    await bare.deliver(web=(config_map("a"),), other=(config_map("b"),))
    await bare.run(
        "update projects set document = jsonb_set(document, '{spec,syncWindows,0,timeZone}',"
        " '\"Europe/Atlantis\"') where name = :name",
        name=PROJECT,
    )
    await bare.deliver(web=(config_map("a", colour="red"),), other=(config_map("b", colour="red"),))
    assert bare.read("a")["data"] == {"colour": "blue"}  # type: ignore[index]
    assert bare.read("b")["data"] == {"colour": "red"}  # type: ignore[index]
    said = (await conditions(bare, "web"))["InvalidSpecError"]
    assert "spec.syncWindows[0].timeZone: 'Europe/Atlantis' is no time zone" in said
    with pytest.raises(WindowClosed, match="Europe/Atlantis"):
        await bare.sync("web")
    await put_windows(bare)
    await bare.pass_()
    assert bare.read("a")["data"] == {"colour": "red"}  # type: ignore[index]
    assert await conditions(bare, "web") == {}
