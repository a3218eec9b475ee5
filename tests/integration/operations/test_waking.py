"""Whatever is left to do has something that wakes it: a mark, or a time."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cluster import ClusterClient, get_object
from fleet.errors import ClusterUnreachable
from fleet.model.clusters import ApiKind
from fleet.model.objects import ObjectRef
from fleet.model.operations import OperationPhase
from fleet.operations import applying, batches, looking
from fleet.operations.errands import Errand
from fleet.operations.progress import AT_LATEST
from fleet.registry import sightings
from fleet.registry.together import together
from tests.integration.operations.harness import World, config_map, deployment, in_wave
from tests.integration.operations.windows import HOUR, PROJECT, put_windows, window

#: Longer than any pause after a cluster did not answer.
LATER = 3600
#: Its Deployment never gets well on an API server alone: its sync waits.
SLOW = (deployment("slow"), in_wave(config_map("after"), 1))


async def wakes(bare: World, name: str) -> bool:
    app = await bare.app(name)
    return app["urgency"] < 100 or app["due_at"] is not None


async def test_a_sync_that_waits_outlasts_a_pass_that_was_cut_short(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("near", "web"):
        await bare.add_app(name)
    await bare.deliver(near=(config_map("a", x="1"),), web=SLOW)
    bare.edit("a", x="2")
    bare.clock.forward(LATER)

    async def cut(client: ClusterClient, kind: ApiKind, namespace: str, name: str) -> Any:
        if name == "a":
            raise ClusterUnreachable("the connection broke")
        return await get_object(client, kind, namespace, name)

    with monkeypatch.context() as patched:
        patched.setattr(looking, "get_object", cut)
        await bare.pass_(look=True)
    (operation,) = await bare.operations("web")
    assert operation["phase"] == OperationPhase.RUNNING
    assert await wakes(bare, "web")
    assert await wakes(bare, "near")
    bare.clock.forward(LATER)
    asked = await bare.pass_()
    assert [verb for verb, kind in asked if "Deployment" in kind and verb == "get"]
    assert (await bare.app("near"))["sync_status"] == "Synced"
    assert await wakes(bare, "web")


async def test_what_is_asked_for_during_a_look_is_looked_at_again(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"),))

    async def ask() -> str:
        await bare.mark_seen("a", sightings.any_version())
        return str((await bare.resources("web"))["ConfigMap/a"]["seen_version"])

    began_from = await ask()
    since = await ask()
    app, ref = (await bare.app("web"))["id"], ObjectRef("", "ConfigMap", bare.namespace, "a")
    async with bare.runtime.db.transaction() as tx, together(tx) as said:
        await sightings.clear_seen(said, [(app, ref, began_from)])
    assert (await bare.resources("web"))["ConfigMap/a"]["seen_version"] == since != ""


async def test_a_commit_outlasts_a_pass_that_was_cut_short(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("near", "web"):
        await bare.add_app(name)
    await bare.deliver(near=(config_map("a", x="1"),), web=(config_map("b", x="1"),))
    bare.edit("a", x="2")
    bare.commit(web=(config_map("b", x="2"),))
    assert await bare.poll() is None

    async def cut(*arguments: object) -> None:
        raise ClusterUnreachable("the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr(looking, "get_object", cut)
        await bare.pass_(look=True)
    bare.clock.forward(LATER)
    await bare.pass_()
    live = bare.read("b")
    assert live is not None
    assert live["data"] == {"x": "2"}


async def test_what_only_time_woke_outlasts_a_pass_that_was_cut_short(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heal that waited for its time, and whose apply got no answer."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"),))
    for value in ("2", "3"):
        bare.edit("a", x=value)
        await bare.pass_(look=True)
    app = await bare.app("web")
    assert (app["urgency"], app["due_at"] is not None) == (100, True)  # the second one backs off
    bare.clock.forward(LATER)

    async def cut(errand: Errand) -> None:
        raise ClusterUnreachable("the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr(applying, "send", cut)
        await bare.pass_()
    assert (await bare.operations("web"))[-1]["phase"] == OperationPhase.RUNNING
    assert await wakes(bare, "web")
    bare.clock.forward(LATER)
    await bare.pass_()
    assert (await bare.operations("web"))[-1]["phase"] == OperationPhase.SUCCEEDED
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}


async def test_a_sync_that_waits_for_no_end_in_sight_is_looked_at_again(bare: World) -> None:
    """Its windows turned out to be unreadable, and nobody has to tell when they are mended."""
    await put_windows(bare, window(bare, "deny", 3 * HOUR, 1))
    await bare.add_app("web", project=PROJECT, auto=False)
    await bare.deliver(web=(config_map("a"),))
    await bare.sync("web")
    zone = (
        "update projects set document = jsonb_set(document, '{spec,syncWindows,0,timeZone}',"
        " to_jsonb(cast(:zone as text))) where name = :name"
    )
    await bare.run(zone, zone="Europe/Atlantis", name=PROJECT)
    await bare.pass_()
    app = await bare.app("web")
    assert (await bare.operations("web"))[-1]["phase"] == OperationPhase.PENDING
    assert (app["urgency"], app["due_at"] <= bare.clock() + AT_LATEST) == (100, True)
    await bare.run(zone, zone="Etc/UTC", name=PROJECT)
    bare.clock.forward(AT_LATEST.total_seconds())
    await bare.pass_()
    assert (await bare.operations("web"))[-1]["phase"] == OperationPhase.SUCCEEDED


async def test_a_sync_of_which_nobody_knows_what_it_waits_for_is_looked_at_again(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last net: no step of a sync goes this way."""
    await bare.add_app("web")
    with monkeypatch.context() as patched:
        patched.setattr(batches, "next_step", lambda *arguments: ())
        await bare.deliver(web=(config_map("a"),))
    app = await bare.app("web")
    assert (await bare.operations("web"))[-1]["phase"] == OperationPhase.RUNNING
    assert (app["urgency"], app["due_at"] <= bare.clock() + AT_LATEST) == (100, True)
    bare.clock.forward(AT_LATEST.total_seconds())
    await bare.pass_()
    assert (await bare.operations("web"))[-1]["phase"] == OperationPhase.SUCCEEDED
