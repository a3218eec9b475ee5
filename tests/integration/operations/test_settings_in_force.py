"""What an applied ``argocd-cm`` says about resources: in force at once, above the setting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from fleet.errors import SpecInvalid
from fleet.model.resource_settings import read_resource_settings
from fleet.operations.settings_in_force import in_force, note_settings
from fleet.registry import work
from fleet.render.yaml import load_one
from tests.integration.operations.harness import World, config_map, deployment, until
from tests.integration.operations.kinds import configure_keys
from tests.integration.operations.test_deleting import conditions, delete

DEPLOYMENTS = {"resource.exclusions": "- {apiGroups: [apps], kinds: ['Deploy*']}\n"}
NOTHING = {"resource.exclusions": "[]\n"}
IGNORE = "resource.customizations.ignoreDifferences"
COLOUR = {f"{IGNORE}.ConfigMap": "jsonPointers: [/data/colour]\n"}
BROKEN = {"resource.exclusions": "- {apiGroups: [apps\n"}


async def test_a_kind_that_it_excludes_is_left_out_from_then_on(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"), deployment("d")))
    assert (await configure_keys(bare, DEPLOYMENTS)).warnings == ()
    # the pass that this woke
    await bare.pass_()
    assert set(await bare.resources("web")) == {"ConfigMap/c"}
    await bare.deliver(web=(config_map("c"),))
    assert "deletionTimestamp" not in _deployment(bare)["metadata"]
    # said no more, it is taken back
    await configure_keys(bare, {})
    await bare.deliver(web=(config_map("c"), deployment("d")))
    assert (await bare.resources("web"))["Deployment/d"]["in_inventory"]


async def test_a_field_that_it_ignores_is_no_drift(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c", colour="red"),))
    await configure_keys(bare, COLOUR)
    bare.edit("c", colour="green")
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"
    live = bare.read("c")
    assert live is not None
    assert live["data"] == {"colour": "green"}
    await configure_keys(bare, {})
    await bare.pass_()
    live = bare.read("c")
    assert live is not None
    assert live["data"] == {"colour": "red"}


async def test_key_by_key_it_stands_above_the_setting(bare: World) -> None:
    setting = {**DEPLOYMENTS, **COLOUR}
    bare.runtime = replace(
        bare.runtime,
        settings=replace(bare.runtime.settings, resource_settings=setting),
        resources=read_resource_settings(setting, load_one),
    )
    await configure_keys(bare, NOTHING)
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c", colour="red"), deployment("d")))
    assert set(await bare.resources("web")) == {"ConfigMap/c", "Deployment/d"}
    bare.edit("c", colour="green")
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (BROKEN, "data.resource.exclusions: is no YAML"),
        ({"resource.exclusions": "- {apiGroups: apps}"}, "data.resource.exclusions"),
        ({f"{IGNORE}.all": "jqPathExpressions: ['.data |']"}, f"data.{IGNORE}.all"),
        ({"resource.respectRBAC": "some"}, "is none of normal, strict"),
        ({"resource.compareoptions": "ignoreResourceStatusField: some"}, "none of all, crd, none"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    bare: World, said: Mapping[str, str], why: str
) -> None:
    await configure_keys(bare, COLOUR)
    with pytest.raises(SpecInvalid) as refused:
        await configure_keys(bare, said)
    assert why in refused.value.message
    (row,) = await bare.rows("select document -> 'data' as data from config_maps")
    assert row["data"] == COLOUR


async def test_what_is_kept_and_cannot_be_read_deletes_nothing(bare: World) -> None:
    """A Fleet that did not read the key yet has kept it as it was."""
    await configure_keys(bare, DEPLOYMENTS)
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"), config_map("d")))
    await _keep(bare, BROKEN)
    await bare.deliver(web=(config_map("c", colour="red"),))
    app = await bare.app("web")
    assert app["sync_status"] == "Unknown"
    (condition,) = app["conditions"]
    assert condition["type"] == "ComparisonError"
    assert "ConfigMap/argocd-cm: data.resource.exclusions: is no YAML" in condition["message"]
    assert len(await bare.operations("web")) == 1
    assert not bare.is_going("d")
    # it is asked for again, readable, and everything goes on
    await configure_keys(bare, DEPLOYMENTS)
    await bare.pass_()
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert bare.is_going("d")


async def test_a_deletion_waits_until_it_can_be_read(bare: World) -> None:
    await configure_keys(bare, DEPLOYMENTS)
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"),))
    await _keep(bare, BROKEN)
    await delete(bare)
    await bare.pass_()
    assert not bare.is_going("c")
    assert "is no YAML" in str(await conditions(bare))
    await configure_keys(bare, DEPLOYMENTS)
    bare.clock.forward(600)
    await bare.pass_()
    assert bare.is_going("c")


async def test_a_pass_asks_for_it_once(bare: World) -> None:
    await configure_keys(bare, COLOUR)
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"),))
    (generation,) = [key for key in range(10) if bare.runtime.resources_in_force.get(key)]
    held = bare.runtime.resources_in_force.get(generation)
    await bare.pass_(look=True)
    assert bare.runtime.resources_in_force.get(generation) is held


async def test_a_pass_goes_on_with_what_is_said_no_more(bare: World) -> None:
    """It holds what was said before, and that is not what the setting says."""
    await configure_keys(bare, COLOUR)
    before = await in_force(bare.runtime, 1)
    assert before.resources != bare.runtime.resources
    await configure_keys(bare, {})
    for held in (before, bare.runtime):
        assert (await in_force(held, 2)).resources == bare.runtime.resources


async def test_it_comes_into_force_while_a_pass_writes(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"),))
    async with bare.runtime.db.transaction() as tx:
        await work.fence(tx, bare.clusters["main"].id, bare.epoch)
        await tx.execute(text("update applications set urgency = urgency"))
        asked = asyncio.create_task(configure_keys(bare, COLOUR))
        await until(lambda: _somebody_waits(bare))
        await tx.execute(text("update resources set seen_version = seen_version"))
    assert (await asked).action == "created"


async def _somebody_waits(world: World) -> bool:
    return bool(
        await world.rows(
            "select 1 from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
    )


async def _keep(world: World, data: Mapping[str, str]) -> None:
    await world.run(
        "update config_maps set generation = generation + 1,"
        " document = jsonb_set(document, '{data}', cast(:data as jsonb))",
        data=json.dumps(data),
    )
    async with world.runtime.db.transaction() as tx:
        assert await note_settings(tx, world.runtime)


def _deployment(world: World) -> Any:
    return world.request("GET", f"/apis/apps/v1/namespaces/{world.namespace}/deployments/d")
