"""Shadow mode: compared, and never written."""

from __future__ import annotations

import pytest

from fleet.errors import Refused
from fleet.model.applications import SHADOW_ANNOTATION
from fleet.model.operations import SyncOptions
from fleet.model.parsing import parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.adopting import Adoption, adopt_application
from fleet.operations.applications import delete_application
from fleet.operations.by_hand import Chosen, delete_objects
from fleet.operations.diffing import diff_application
from fleet.operations.putting import put_application
from tests.integration.operations import argo
from tests.integration.operations.harness import ADMIN, World, config_map

WRITES = {"apply", "create", "replace", "patch", "delete"}


async def shadow(world: World, value: str) -> None:
    """Set what the application says of shadow mode; "" takes it off."""
    document = (await world.app("web"))["document"]
    marks = {SHADOW_ANNOTATION: value} if value else {}
    changed = {**document, "metadata": {**document["metadata"], "annotations": marks}}
    await put_application(world.runtime, ADMIN, EVERYTHING, parse_application(changed), upsert=True)


async def conditions(world: World) -> set[str]:
    return {it["type"] for it in (await world.app("web"))["conditions"]}


@pytest.mark.parametrize("value", ["true", "ture"])
async def test_it_is_compared_and_never_written(bare: World, value: str) -> None:
    """Whatever it says of syncing by itself. A word that nobody can read means it, too."""
    bare.create_namespace()
    argo.deploy(bare, config_map("page", colour="red"))
    before = bare.read("page")
    await bare.add_app("web")
    await shadow(bare, value)
    asked = bare.requests()
    await bare.deliver(web=(config_map("page", colour="blue"), config_map("new")))
    await bare.pass_(look=True)
    bare.clock.forward(400)
    await bare.pass_(look=True)
    assert not WRITES & {verb for verb, _ in bare.requests() - asked}
    assert bare.read("page") == before
    assert bare.read("new") is None
    app = await bare.app("web")
    assert app["sync_status"] == "OutOfSync"
    assert "ShadowMode" in await conditions(bare)
    assert await bare.operations("web") == []
    shown = await diff_application(bare.runtime, EVERYTHING, "web")
    assert [it.diff.ref.name for it in shown.shown] == ["new", "page"]

    await shadow(bare, "")
    await bare.poll()
    await bare.pass_()
    assert bare.read("new") is not None
    assert "ShadowMode" not in await conditions(bare)


async def test_what_is_as_git_says_is_in_sync(bare: World) -> None:
    """Though Fleet never applied it; and what an apply would take away is a difference."""
    bare.create_namespace()
    argo.deploy(bare, config_map("same"))
    argo.deploy(bare, config_map("more", colour="blue", shade="dark"))
    await bare.add_app("web")
    await shadow(bare, "true")
    await bare.deliver(web=(config_map("same"), config_map("more", colour="blue")))
    await bare.pass_(look=True)
    rows = await bare.resources("web")
    assert {name: row["sync_status"] for name, row in rows.items()} == {
        "ConfigMap/same": "Synced",
        "ConfigMap/more": "OutOfSync",
    }


async def test_nobody_writes_by_way_of_it(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("page"),))
    await shadow(bare, "true")
    await bare.pretend_worker()
    before = bare.read("page")
    with pytest.raises(Refused, match="never written"):
        await bare.sync("web")
    with pytest.raises(Refused, match="never written"):
        await adopt_application(bare.runtime, ADMIN, EVERYTHING, "web", Adoption())
    with pytest.raises(Refused, match="never written"):
        await delete_application(bare.runtime, ADMIN, EVERYTHING, "web", cascade=True)
    chosen = Chosen("ConfigMap", "page")
    with pytest.raises(Refused, match="nothing is written"):
        await delete_objects(bare.runtime, ADMIN, EVERYTHING, "web", chosen)
    await bare.sync("web", SyncOptions(dry_run=True))
    await bare.pass_()
    assert bare.read("page") == before


async def test_a_sync_that_runs_writes_no_more(bare: World) -> None:
    """It was asked for before the application went into shadow mode: the gate refuses."""
    await bare.add_app("web", auto=False)
    bare.commit(web=(config_map("page"),))
    await bare.poll()
    await bare.sync("web")
    await shadow(bare, "true")
    await bare.poll()
    await bare.pass_()
    assert bare.read("page") is None
    assert (await bare.operations("web"))[-1]["phase"] == "Failed"
