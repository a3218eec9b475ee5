"""What leaves Git leaves the cluster, when it was ours and when that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fleet.cluster import get_object, list_metadata
from fleet.errors import ClusterError
from fleet.model.operations import SyncOptions
from fleet.operations import looking, observing
from tests.cluster.kube import TestCluster
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import World, config_map, port_of

KEEP = {"argocd.argoproj.io/sync-options": "Prune=false"}


async def test_a_removed_object_is_pruned(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), config_map("b")))
    await bare.deliver(web=(config_map("a"),))
    assert bare.is_going("b")
    assert not bare.is_going("a")
    assert await bare.results("web") == {"ConfigMap/b": ("pruned", "")}
    assert set(await bare.resources("web")) == {"ConfigMap/a"}
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_without_pruning_a_removed_object_is_shown(bare: World) -> None:
    await bare.add_app("web", prune=False)
    await bare.deliver(web=(config_map("a"), config_map("b")))
    await bare.deliver(web=(config_map("a"),))
    assert not bare.is_going("b")
    row = (await bare.resources("web"))["ConfigMap/b"]
    assert (row["sync_status"], row["requires_pruning"]) == ("OutOfSync", True)
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"
    assert len(await bare.operations("web")) == 1  # nothing that auto-sync could do
    await bare.sync("web", SyncOptions(prune=True))
    await bare.pass_()
    assert bare.is_going("b")
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_an_object_that_says_so_itself_is_kept(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), config_map("b", KEEP)))
    await bare.deliver(web=(config_map("a"),))
    await bare.pass_()
    assert not bare.is_going("b")
    app = await bare.app("web")
    assert (app["sync_status"], app["urgency"], app["due_at"]) == ("OutOfSync", 100, None)
    assert "Prune=false" in (await bare.resources("web"))["ConfigMap/b"]["message"]
    assert len(await bare.operations("web")) == 1  # a sync would leave it as it is


async def test_an_empty_folder_deletes_nothing_unless_that_is_allowed(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    bare.repo.commit({"web/objects.yaml": None, "web/README": "empty"})
    await bare.poll()
    await bare.pass_()
    assert not bare.is_going("a")
    app = await bare.app("web")
    assert app["sync_status"] == "OutOfSync"
    assert [it["type"] for it in app["conditions"]] == ["SyncError"]
    assert "allowEmpty" in app["conditions"][0]["message"]
    await bare.add_app("web", allow_empty=True, upsert=True)
    await bare.poll()
    await bare.pass_()
    assert bare.is_going("a")
    assert (await bare.app("web"))["conditions"] == []


async def test_nobody_warns_of_an_empty_folder_that_was_filled_again(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await bare.deliver(web=())
    assert (await bare.app("web"))["conditions"] != []
    await bare.deliver(web=(config_map("a"),))
    app = await bare.app("web")
    assert (app["sync_status"], app["conditions"]) == ("Synced", [])


async def test_an_empty_folder_deletes_nothing_when_somebody_asks_for_a_prune(bare: World) -> None:
    await bare.add_app("web", auto=False)
    bare.commit(web=(config_map("a"),))
    await bare.poll()
    await bare.sync("web")
    await bare.pass_()
    bare.repo.commit({"web/objects.yaml": None, "web/README": "empty"})
    await bare.poll()
    await bare.sync("web", SyncOptions(prune=True))
    await bare.pass_()
    last = (await bare.operations("web"))[-1]
    assert last["phase"] == "Failed"
    assert "allowEmpty" in last["message"]
    assert not bare.is_going("a")


Stage = Callable[[World], Awaitable[None]]


async def _shared(world: World) -> None:
    await world.add_app("first")
    await world.deliver(first=(config_map("b", x="first"),))
    await world.deliver(web=(config_map("a"), config_map("b")))


async def _kept_by_the_application(world: World) -> None:
    await world.deliver(web=(config_map("a"), config_map("b")))
    await world.add_app("web", upsert=True, sync_options=("Prune=false",))
    await world.deliver(web=(config_map("a"),))


async def _forbidden(world: World) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    await world.deliver(web=(config_map("a"), secret))
    await world.put_project("default", namespaceResourceBlacklist=[{"group": "", "kind": "Secret"}])
    await world.deliver(web=(config_map("a"),))


@pytest.mark.parametrize("stage", [_shared, _kept_by_the_application, _forbidden])
async def test_what_no_sync_would_change_starts_none(bare: World, stage: Stage) -> None:
    """Self-heal would otherwise do nothing every five minutes, with a row for each time."""
    await bare.add_app("web")
    await stage(bare)
    await bare.pass_()
    before = await bare.operations("web")
    for _ in range(4):
        bare.clock.forward(400)
        await bare.pass_(look=True)
    app = await bare.app("web")
    # of the three, only what another application has may change without a word to us
    waits = stage is _shared
    assert (app["sync_status"], app["due_at"] is not None) == ("OutOfSync", waits)
    assert await bare.operations("web") == before
    # what can be put right still is
    bare.edit("a", colour="red")
    await bare.pass_(look=True)
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"colour": "blue"}
    assert len(await bare.operations("web")) == len(before) + 1


async def test_what_became_a_hook_is_neither_pruned_nor_out_of_sync(bare: World) -> None:
    hook = {"argocd.argoproj.io/hook": "PreSync"}
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), config_map("b")))
    await bare.deliver(web=(config_map("a"), config_map("b", hook)))
    before = await bare.operations("web")
    for _ in range(3):
        bare.clock.forward(400)
        await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert (await bare.resources("web"))["ConfigMap/b"]["hook"] is True
    assert not bare.is_going("b")
    assert await bare.operations("web") == before


@pytest.mark.parametrize("mark", ["", "someone:/ConfigMap:x/b"])
async def test_an_object_without_our_mark_is_left_alone(bare: World, mark: str) -> None:
    await bare.add_app("web", heal=False)
    await bare.deliver(web=(config_map("a"), config_map("b")))
    annotations = {"fleet.dev/tracking-id": mark or None}
    live = bare.read("b")
    assert live is not None
    live["metadata"]["annotations"] = {k: v for k, v in annotations.items() if v}
    bare.request("PUT", bare.path_of("b"), live)
    await bare.deliver(web=(config_map("a"),))
    assert not bare.is_going("b")
    assert await bare.results("web") == {"ConfigMap/b": ("skipped", "")}
    assert set(await bare.resources("web")) == {"ConfigMap/a"}


async def test_an_object_of_the_same_name_that_took_its_place_is_left_alone(bare: World) -> None:
    await bare.add_app("web", heal=False)
    await bare.deliver(web=(config_map("a"), config_map("b")))
    live = bare.read("b")
    assert live is not None
    bare.request("DELETE", bare.path_of("b"))
    marks = {key: live["metadata"][key] for key in ("name", "labels", "annotations")}
    anew = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": marks}
    bare.request("POST", bare.path_of("b").removesuffix("/b"), anew)
    await bare.deliver(web=(config_map("a"),))
    assert not bare.is_going("b")


async def test_of_two_applications_with_one_object_the_first_keeps_it(bare: World) -> None:
    await bare.add_app("first")
    await bare.deliver(first=(config_map("shared", x="first"),))
    await bare.add_app("second")
    await bare.deliver(second=(config_map("shared", x="second"), config_map("own")))
    live = bare.read("shared")
    assert live is not None
    assert live["data"] == {"x": "first"}
    assert bare.read("own") is not None
    second = await bare.app("second")
    assert [c["type"] for c in second["conditions"]] == ["SharedResourceWarning"]
    assert "first" in second["conditions"][0]["message"]
    # dropping it from the second takes nothing from the first
    await bare.deliver(second=(config_map("own"),))
    await bare.pass_()
    assert not bare.is_going("shared")
    assert (await bare.app("second"))["conditions"] == []
    assert (await bare.app("first"))["sync_status"] == "Synced"


async def test_two_applications_that_begin_with_one_object_at_once_agree(bare: World) -> None:
    await bare.add_app("one")
    await bare.add_app("two")
    await bare.deliver(one=(config_map("shared", x="one"),), two=(config_map("shared", x="two"),))
    await bare.pass_(look=True)
    owners = await bare.rows(
        "select a.name from resources r join applications a on a.id = r.application_id"
        " where r.in_inventory and r.name = 'shared'"
    )
    assert len(owners) == 1
    live = bare.read("shared")
    assert live is not None
    assert live["data"] == {"x": owners[0]["name"]}


async def test_a_render_error_keeps_what_runs_and_prunes_nothing(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), config_map("b")))
    good = await bare.app("web")
    bare.repo.commit({"web/objects.yaml": "kind: [\n"})
    await bare.poll()
    await bare.pass_(look=True)
    app = await bare.app("web")
    assert app["manifests_sha256"] == good["manifests_sha256"]
    assert app["sync_status"] == "Unknown"
    assert [c["type"] for c in app["conditions"]] == ["ComparisonError"]
    assert not bare.is_going("a")
    assert not bare.is_going("b")
    # the last good manifests are put right again neither: nobody knows whether they hold
    await bare.deliver(web=(config_map("a"),))
    app = await bare.app("web")
    assert (app["sync_status"], app["conditions"]) == ("Synced", [])
    assert bare.is_going("b")


async def test_a_list_that_fails_says_nothing_about_objects(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bare.add_app("web", heal=False)
    await bare.deliver(web=(config_map("a"),))

    async def broken(*arguments: object, **flags: object) -> None:
        raise ClusterError("ConfigMap: conversion webhook failed")

    monkeypatch.setattr(observing, "list_metadata", broken)
    bare.request("DELETE", bare.path_of("a"))
    await bare.pass_(look=True)
    app = await bare.app("web")
    assert (app["sync_status"], app["health_status"]) == ("Unknown", "Healthy")
    assert "conversion webhook failed" in (await bare.resources("web"))["ConfigMap/a"]["message"]
    before = await bare.versions()
    await bare.pass_(look=True)
    assert await bare.versions() == before
    monkeypatch.setattr(observing, "list_metadata", list_metadata)
    await bare.pass_(look=True)
    assert (await bare.app("web"))["health_status"] == "Missing"


async def test_a_kind_that_can_be_listed_again_is_known_again(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))

    async def broken(*arguments: object, **flags: object) -> None:
        raise ClusterError("ConfigMap: conversion webhook failed")

    monkeypatch.setattr(observing, "list_metadata", broken)
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Unknown"
    monkeypatch.setattr(observing, "list_metadata", list_metadata)
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert len(await bare.operations("web")) == 1


async def test_an_object_that_cannot_be_read_is_looked_into_again(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"),))

    async def broken(*arguments: object, **flags: object) -> None:
        raise ClusterError("configmaps is forbidden")

    monkeypatch.setattr(looking, "get_object", broken)
    bare.edit("a", x="2")
    await bare.pass_(look=True)
    app = await bare.app("web")
    assert app["sync_status"] == "Unknown"
    assert app["due_at"] is not None
    monkeypatch.setattr(looking, "get_object", get_object)
    bare.clock.forward(61)
    await bare.pass_()
    assert (await bare.app("web"))["sync_status"] == "Synced"
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}


@pytest.mark.parametrize("size", [0, 200, 4000])
async def test_a_connection_that_breaks_in_a_list_marks_nothing_as_gone(
    bare: World,
    bare_clusters: list[TestCluster],
    fault_proxy: Callable[[str, int], FaultProxy],
    size: int,
) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(bare_clusters[1]))
    await bare.add_cluster("far", bare_clusters[1], server=f"https://127.0.0.1:{proxy.port}")
    await bare.add_app("far", path="web", cluster="far")
    await bare.deliver("far", web=tuple(config_map(f"c{n}") for n in range(20)))
    before = await bare.versions()
    await asyncio.to_thread(proxy.drop_after, size)
    await bare.pass_("far", look=True)
    assert await bare.versions() == before
    assert (await bare.rows("select status from clusters where name = 'far'"))[0][
        "status"
    ] == "Failed"
    await asyncio.to_thread(proxy.heal)
    await bare.pass_("far", look=True)
    assert (await bare.app("far"))["sync_status"] == "Synced"
    assert len(await bare.operations("far")) == 1
