"""Orphans: what lives in the namespace of an application and belongs to nobody."""

from __future__ import annotations

from collections import Counter

from fleet.model.objects import ObjectRef
from tests.integration.operations.harness import Object, World, config_map, deployment

RULES: Object = {"warn": True, "ignore": [{"kind": "ConfigMap", "name": "given-*"}]}


def _create(world: World, obj: Object, *, owner: Object | None = None) -> Object:
    metadata = obj["metadata"]
    if owner is not None:
        reference = {"apiVersion": "v1", "kind": "ConfigMap", **_identity(owner)}
        metadata = {**metadata, "ownerReferences": [reference]}
    return world.request("POST", world.path_of(""), {**obj, "metadata": metadata})


def _identity(obj: Object) -> Object:
    return {key: obj["metadata"][key] for key in ("name", "uid")}


async def _orphans(world: World, name: str = "web") -> list[str]:
    return [str(ObjectRef.from_key(key)) for key in (await world.app(name))["orphans"]]


async def test_what_belongs_to_nobody_is_told_and_left_alone(bare: World) -> None:
    await bare.put_project("shop", orphanedResources=RULES)
    for name in ("web", "other"):
        await bare.add_app(name, project="shop")
    await bare.deliver(web=(config_map("c"), deployment("d")), other=(config_map("o"),))
    alone = _create(bare, config_map("alone"))
    _create(bare, config_map("given-1"))
    _create(bare, config_map("owned"), owner=alone)
    await bare.pass_(look=True)
    assert await _orphans(bare) == [f"ConfigMap/{bare.namespace}/alone"]
    for name in ("web", "other"):
        app = await bare.app(name)
        assert app["sync_status"] == "Synced"
        (condition,) = app["conditions"]
        assert condition["type"] == "OrphanedResourceWarning"
        assert f"ConfigMap/{bare.namespace}/alone" in condition["message"]
    # what is known is not written again
    before = await bare.versions()
    await bare.pass_(look=True)
    assert await bare.versions() == before
    # once somebody wants it, it belongs to him
    await bare.deliver(web=(config_map("c"), deployment("d"), config_map("alone")))
    await bare.pass_(look=True)
    assert (await _orphans(bare), (await bare.app("web"))["conditions"]) == ([], [])


async def test_without_a_warning_they_are_known_all_the_same(bare: World) -> None:
    await bare.put_project("shop", orphanedResources={})
    await bare.add_app("web", project="shop")
    await bare.deliver(web=(config_map("c"),))
    _create(bare, config_map("alone"))
    await bare.pass_(look=True)
    assert await _orphans(bare) == [f"ConfigMap/{bare.namespace}/alone"]
    assert (await bare.app("web"))["conditions"] == []
    # a project that stops asking knows no more of them
    await bare.put_project("shop")
    await bare.pass_(look=True)
    assert await _orphans(bare) == []


async def test_who_does_not_ask_pays_nothing(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"),))
    spent = await bare.pass_(look=True)
    assert {key for key in spent if key[0] == "list"} == {("list", "ConfigMap")}


async def test_several_namespaces_cost_one_list_a_kind(bare: World) -> None:
    await bare.put_project("shop", orphanedResources=RULES)
    for name in ("web", "other"):
        await bare.add_app(name, project="shop", namespace=f"{bare.namespace}-{name}")
    await bare.deliver(web=(config_map("c"),), other=(config_map("c"),))
    body = config_map("alone")
    bare.request("POST", bare.path_of("", f"{bare.namespace}-web"), body)
    spent: Counter[tuple[str, str]] = await bare.pass_(look=True)
    assert spent["list", "Secret"] == 1
    assert await _orphans(bare) == [f"ConfigMap/{bare.namespace}-web/alone"]
    assert await _orphans(bare, "other") == []
