"""Actions on objects that others made of an application's."""

from __future__ import annotations

import pytest

from fleet.errors import Forbidden, NotFound
from tests.integration.operations.harness import Object, World, config_map, deployment
from tests.integration.operations.kinds import WIDGETS, configure, place, thing
from tests.integration.operations.test_actions import converged, offered, run

LABEL = """
discovery.lua: |
  return {mark = {}}
definitions:
  - name: mark
    action.lua: |
      obj.metadata.labels = obj.metadata.labels or {}
      obj.metadata.labels.marked = "yes"
      return obj
"""


def _owner(found: Object) -> dict[str, str]:
    names = {key: found["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], **names}


def _make(world: World, name: str, *owners: dict[str, str]) -> Object:
    body = thing(WIDGETS, name)
    body["metadata"] |= {"ownerReferences": list(owners), "namespace": world.namespace}
    return world.request("POST", place(world, WIDGETS), body)


def _config_map(world: World, name: str, *owners: dict[str, str]) -> Object:
    body = config_map(name)
    body["metadata"]["ownerReferences"] = list(owners)
    return world.request("POST", f"/api/v1/namespaces/{world.namespace}/configmaps", body)


@pytest.fixture
async def family(operators: World) -> World:
    """A ConfigMap of the application, one that was made of it, and Widgets of either; one of
    somebody else, and one that claims the name and not the uid."""
    await configure(operators, **{"actions.widgets.example_Widget": LABEL})
    await operators.add_app("shop")
    await operators.deliver(shop=(config_map("root"),))
    root = operators.read("root")
    assert root is not None
    owner = _owner({**root, "apiVersion": "v1", "kind": "ConfigMap"})
    child = _config_map(operators, "child", owner)
    _make(operators, "near", owner)
    _make(operators, "far", _owner({**child, "apiVersion": "v1", "kind": "ConfigMap"}))
    _make(operators, "alone")
    _make(operators, "claims", {**owner, "uid": "0000"})
    return operators


async def test_objects_made_of_its_objects_are_offered_by_kind(family: World) -> None:
    assert await offered(family, "shop", kind="Widget") == {
        "Widget/far": ["mark"],
        "Widget/near": ["mark"],
    }
    assert await offered(family, "shop") == {}
    (done,) = await run(family, "shop", "mark", kind="Widget", name="far")
    assert done.patched
    live = family.request("GET", place(family, WIDGETS, "far"))
    assert live["metadata"]["labels"] == {"marked": "yes"}


@pytest.mark.parametrize("name", ["alone", "claims"])
async def test_what_is_not_made_of_them_is_not_touched(family: World, name: str) -> None:
    with pytest.raises(NotFound, match="no such object"):
        await run(family, "shop", "mark", kind="Widget", name=name)


async def test_the_project_is_asked_as_for_its_own(family: World) -> None:
    spec = {"namespaceResourceBlacklist": [{"group": "widgets.example", "kind": "Widget"}]}
    await family.put_project("default", **spec)
    with pytest.raises(Forbidden):
        await run(family, "shop", "mark", kind="Widget", name="near")
    assert "labels" not in family.request("GET", place(family, WIDGETS, "near"))["metadata"]


async def test_a_pod_of_a_deployment_is_acted_on(full: World) -> None:
    await configure(full, **{"actions.Pod": LABEL})
    await full.add_app("shop")
    await full.deliver(shop=(deployment("web"),))
    await converged(full, "shop")
    ((name, actions),) = (await offered(full, "shop", kind="Pod")).items()
    assert actions == ["mark"]
    (done,) = await run(full, "shop", "mark", kind="Pod")
    assert (done.patched, f"Pod/{done.ref.name}") == (True, name)
