"""``ignoreResourceUpdates``: which events of a watch wake no pass."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from fleet import metrics
from fleet.daemon.watchers import Watchers
from fleet.model.resource_settings import read_resource_settings
from fleet.render.yaml import load_one
from tests.integration.daemon.conftest import Start
from tests.integration.operations.harness import Object, World, config_map, until
from tests.integration.operations.kinds import configure_keys

KEY = "resource.customizations.ignoreResourceUpdates"
POINTER = {f"{KEY}.ConfigMap": "jsonPointers: [/data/noise]\n"}
JQ = {f"{KEY}.all": "jqPathExpressions: [.data.noise]\n"}
OFF = {**POINTER, "resource.ignoreResourceUpdatesEnabled": "false"}
WRONG = {f"{KEY}.all": "jqPathExpressions: ['.data |']\n"}


async def _watched(world: World, start: Start, data: dict[str, Any]) -> None:
    resources = read_resource_settings(data, load_one)
    world.runtime = replace(world.runtime, resources=resources)
    await world.add_app("web")
    await world.deliver(web=(config_map("a"), config_map("b")))
    before = metrics.WATCHES._value.get()
    await start(Watchers(world.runtime, "me").run)

    async def opened() -> bool:
        return bool(metrics.WATCHES._value.get() == before + 1)

    await until(opened)


async def _edit(world: World, name: str, **data: str) -> str:
    """Write fields that are not Fleet's; the version afterwards."""
    live: Object = await asyncio.to_thread(world.edit, name, "noise", **data)
    return str(live["metadata"]["resourceVersion"])


async def _seen(world: World, name: str, version: str) -> None:
    async def marked() -> bool:
        row = (await world.resources("web"))[f"ConfigMap/{name}"]
        return bool(row["seen_version"] == version)

    await until(marked)


@pytest.mark.parametrize(
    ("settings", "is_news"), [(POINTER, False), (JQ, False), (OFF, True), (WRONG, True)]
)
async def test_changes_of_ignored_fields_alone(
    bare: World, start: Start, settings: dict[str, Any], is_news: bool
) -> None:
    await _watched(bare, start, settings)
    # the first event of an object is news: nothing is known of it
    first = await _edit(bare, "a", noise="1")
    await _seen(bare, "a", first)
    second = await _edit(bare, "a", noise="2")
    await _seen(bare, "b", await _edit(bare, "b", other="1"))
    row = (await bare.resources("web"))["ConfigMap/a"]
    assert row["seen_version"] == (second if is_news else first)
    # what is not ignored is news
    await _seen(bare, "a", await _edit(bare, "a", noise="3", other="1"))


async def test_the_next_reading_looks_at_it_all_the_same(bare: World, start: Start) -> None:
    await _watched(bare, start, POINTER)
    await _seen(bare, "a", await _edit(bare, "a", noise="1"))
    await bare.pass_()
    version = await _edit(bare, "a", noise="2")
    await _seen(bare, "b", await _edit(bare, "b", other="1"))
    await bare.pass_(look=True)
    assert (await bare.resources("web"))["ConfigMap/a"]["resource_version"] == version


async def test_rules_of_an_applied_argocd_cm_reach_watches_that_run(
    bare: World, start: Start
) -> None:
    await _watched(bare, start, {})
    await _seen(bare, "a", await _edit(bare, "a", noise="0"))
    await configure_keys(bare, POINTER)
    rounds = count(1)

    async def is_passed_over() -> bool:
        noise = str(next(rounds))
        version = await _edit(bare, "a", noise=noise)
        await _seen(bare, "b", await _edit(bare, "b", other=noise))
        return bool((await bare.resources("web"))["ConfigMap/a"]["seen_version"] != version)

    await until(is_passed_over)
