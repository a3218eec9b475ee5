"""Kinds that the settings leave out, and objects that say they make no difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from fleet.model.resource_settings import read_resource_settings
from fleet.operations.settings_in_force import note_settings
from fleet.render.yaml import load_one
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import (
    Object,
    World,
    config_map,
    deployment,
)

EXCLUDED = {"resource.exclusions": "- {apiGroups: [apps], kinds: ['Deploy*']}\n"}
EXTRANEOUS = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}


def _set(world: World, **data: Any) -> None:
    """Go on with these settings about resources."""
    resources = read_resource_settings(data, load_one)
    world.runtime = replace(world.runtime, resources=resources)


async def _put_settings(world: World) -> None:
    async with world.runtime.db.transaction() as tx:
        await note_settings(tx, world.runtime)


async def test_what_is_excluded_is_said_and_not_applied(bare: World) -> None:
    _set(bare, **EXCLUDED)
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"), deployment("d")))
    app = await bare.app("web")
    assert app["sync_status"] == "Synced"
    (condition,) = app["conditions"]
    assert condition["type"] == "ExcludedResourceWarning"
    assert f"Deployment/{bare.namespace}/d" in condition["message"]
    assert set(await bare.resources("web")) == {"ConfigMap/c"}
    spent = await bare.pass_(look=True)
    assert spent["list", "apps/Deployment"] == 0


async def test_what_becomes_excluded_stays_and_is_forgotten(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("c"), deployment("d")))
    _set(bare, **EXCLUDED)
    await _put_settings(bare)
    spent = await bare.pass_(look=True)
    assert (spent["list", "ConfigMap"], spent["list", "apps/Deployment"]) == (1, 0)
    assert set(await bare.resources("web")) == {"ConfigMap/c"}
    assert await _kinds(bare) == ["/ConfigMap/v1"]
    # out of Git: it is not pruned; the application gone: it still is not
    await bare.deliver(web=(config_map("c"),))
    assert "deletionTimestamp" not in _deployment(bare)["metadata"]
    # settings of before: it is taken back without a write
    _set(bare)
    await _put_settings(bare)
    await bare.deliver(web=(config_map("c"), deployment("d")))
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert (await bare.resources("web"))["Deployment/d"]["in_inventory"]


async def _kinds(world: World) -> list[str]:
    (row,) = await world.rows("select managed_kinds from clusters where name = 'main'")
    return list(row["managed_kinds"])


def _deployment(world: World) -> Object:
    return world.request("GET", f"/apis/apps/v1/namespaces/{world.namespace}/deployments/d")


async def test_settings_of_before_are_no_news(bare: World) -> None:
    before = await bare.versions()
    await _put_settings(bare)
    assert await bare.versions() == before


@pytest.mark.parametrize("prune", [False, True])
async def test_an_object_may_say_that_it_is_no_difference(bare: World, prune: bool) -> None:
    await bare.add_app("web", prune=prune)
    extra = config_map("extra", EXTRANEOUS)
    await bare.deliver(web=(config_map("c"), extra))
    assert (await bare.app("web"))["conditions"] == []
    await bare.deliver(web=(config_map("c"),))
    app = await bare.app("web")
    assert (app["sync_status"], len(await bare.operations("web"))) == ("Synced", 1)
    row = (await bare.resources("web"))["ConfigMap/extra"]
    assert (row["sync_status"], row["requires_pruning"]) == ("Synced", True)
    assert "IgnoreExtraneous" in row["message"]
    assert not bare.is_going("extra")
    # a sync that begins for something else prunes it, if it prunes at all
    await bare.deliver(web=(config_map("c", colour="red"),))
    assert bare.is_going("extra") is prune


async def test_without_the_option_it_is_one(bare: World) -> None:
    await bare.add_app("web", prune=False)
    await bare.deliver(web=(config_map("c"), config_map("extra")))
    await bare.deliver(web=(config_map("c"),))
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"
    # put on the live object, it counts as well
    body = {"metadata": {"annotations": EXTRANEOUS}}
    path = f"{bare.path_of('extra')}?fieldManager=hand"
    bare.live["main"].request("PATCH", path, {**config_map("extra"), **_with(body)})
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"


def _with(body: Object) -> Object:
    return {"metadata": {"name": "extra", **body["metadata"]}}


CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.status.test"},
    "spec": {
        "group": "status.test",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def _thing(colour: str) -> Object:
    """Its kind has no status subresource: its status is a field like any other."""
    return {
        "apiVersion": "status.test/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "status": {"colour": colour},
    }


@pytest.mark.parametrize(("option", "counts"), [("all", False), ("crd", True), ("none", True)])
async def test_a_status_in_git_counts_where_the_settings_say_so(
    bare: World, throwaway: Callable[[], TestCluster], option: str, counts: bool
) -> None:
    _set(bare, **{"resource.compareoptions": f"ignoreResourceStatusField: {option}\n"})
    await bare.add_cluster("own", throwaway())
    await bare.add_app("crds", cluster="own")
    await bare.add_app("web", cluster="own")
    await bare.deliver("own", crds=(CRD,), web=(_thing("blue"),))
    path = f"/apis/status.test/v1/namespaces/{bare.namespace}/things/t"
    await _until(bare, path)
    made = bare.request("GET", path, cluster="own")
    assert made.get("status") == ({"colour": "blue"} if counts else None)
    bare.request("PATCH", f"{path}?fieldManager=x&force=true", _thing("red"), cluster="own")
    await bare.pass_("own", look=True)
    colour = bare.request("GET", path, cluster="own")["status"]["colour"]
    assert colour == ("blue" if counts else "red")
    events = await bare.rows("select fields from drift_events")
    paths = [field["path"] for event in events for field in event["fields"]]
    assert paths == ([".status.colour"] if counts else [])


async def _until(world: World, path: str) -> None:
    """Pass after pass: a kind is served a moment after its definition was made."""
    deadline = monotonic() + 120
    while True:
        try:
            world.request("GET", path, cluster="own")
        except ApiFailed:
            assert monotonic() < deadline
            world.clock.forward(60)
            await world.pass_("own")
        else:
            return
