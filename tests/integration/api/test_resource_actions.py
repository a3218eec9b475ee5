"""Actions over the API: who may, what is answered, what the audit log keeps."""

from __future__ import annotations

import pytest

from tests.integration.api.callers import Api, account
from tests.integration.operations.harness import World, deployment


@pytest.fixture
async def deployed(bare: World) -> World:
    """``web`` is one Deployment, in project ``shop``."""
    await bare.put_project("shop")
    await bare.add_app("web", project="shop")
    await bare.deliver(web=(deployment("web"),))
    return bare


def replicas(world: World) -> int:
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/web"
    return int(world.request("GET", path)["spec"]["replicas"])


SCALE = {"action": "scale", "kind": "Deployment", "parameters": {"replicas": "3"}}


async def test_what_may_be_done_is_listed_and_done(deployed: World, operator: Api) -> None:
    (item,) = (await operator.get("applications/web/actions"))["items"]
    ref = {"group": "apps", "kind": "Deployment", "namespace": deployed.namespace, "name": "web"}
    assert {key: item[key] for key in ref} == ref
    assert {offer["name"]: offer["disabled"] for offer in item["actions"]} == {
        "pause": False,
        "restart": False,
        "resume": True,
        "scale": False,
    }
    assert item["actions"][-1]["params"] == [{"name": "replicas", "default": ""}]
    assert (await operator.get("applications/web/actions", kind="Pod"))["items"] == []
    done = await operator.post("applications/web/actions", SCALE)
    assert done == {"action": "scale", "results": [{**ref, "patched": True, "created": []}]}
    assert replicas(deployed) == 3
    (entry,) = (await operator.get("audit/changes", action="action"))["items"]
    assert (entry["actor"], entry["object"]) == ("otto", "web")
    assert entry["after"]["parameters"] == {"replicas": "3"}


@pytest.mark.parametrize(
    ("change", "code", "type"),
    [
        ({"action": "fly"}, 404, "NotFound"),
        ({"action": "resume", "parameters": {}}, 409, "Refused"),
        ({"parameters": {}}, 422, "SpecInvalid"),
        ({"kind": "Pod"}, 404, "NotFound"),
        ({"speed": 1}, 422, "SpecInvalid"),
    ],
)
async def test_what_cannot_be_is_refused(
    deployed: World, operator: Api, change: dict[str, object], code: int, type: str
) -> None:
    body = {**SCALE, **change}
    await operator.refused("POST", "applications/web/actions", body, code=code, type=type)
    assert replicas(deployed) == 1


async def test_only_who_may_does(deployed: World, operator: Api) -> None:
    reader = await account(deployed.runtime, "readonly")
    stranger = await account(deployed.runtime, "project:other")
    owner = await account(deployed.runtime, "project:shop")
    assert (await reader.get("applications/web/actions"))["items"]
    await reader.refused("POST", "applications/web/actions", SCALE, code=403, type="Forbidden")
    await stranger.refused("GET", "applications/web/actions", code=404, type="NotFound")
    await stranger.refused("POST", "applications/web/actions", SCALE, code=404, type="NotFound")
    assert replicas(deployed) == 1
    (denied,) = (await operator.get("audit/changes", decision="denied"))["items"]
    assert denied["action"] == "action/apps/Deployment/scale"
    await owner.post("applications/web/actions", SCALE)
    assert replicas(deployed) == 3


async def test_an_argocd_cm_is_for_administrators(deployed: World, operator: Api) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm"},
        "data": {"resource.customizations.health.Pod": "return nil", "url": "https://x.example"},
    }
    body = {"documents": [{"document": config}]}
    owner = await account(deployed.runtime, "project:shop")
    (result,) = (await owner.post("apply", body))["results"]
    assert result["error"]["type"] == "Forbidden"
    (result,) = (await operator.post("apply", {**body, "dryRun": True}))["results"]
    assert (result["kind"], result["name"], result["action"]) == (
        "ConfigMap",
        "argocd-cm",
        "created",
    )
    assert result["warnings"] == ["data: kept, and not read from here: url"]
    for action in ("created", "unchanged"):
        (result,) = (await operator.post("apply", body))["results"]
        assert result["action"] == action
