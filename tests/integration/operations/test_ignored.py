"""``ignoreDifferences``: fields that others may change, without drift and without a fight."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.parsing import new_application, parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.putting import put_application
from tests.integration.operations.harness import ADMIN, Object, World, deployment

REPLICAS = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}
IMAGE = {
    "group": "apps",
    "kind": "Deployment",
    "jsonPointers": ["/spec/template/spec/containers/0/image"],
}
SCALER = {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["scaler"]}


async def _put(world: World, *rules: Object, auto: bool = True) -> None:
    document = new_application(
        "web",
        repo_url=world.repo.url,
        path="web",
        revision="main",
        dest_name="main",
        dest_namespace=world.namespace,
        automated=auto,
        auto_prune=auto,
        self_heal=auto,
        sync_options=("CreateNamespace=true",),
    )
    document["spec"]["ignoreDifferences"] = list(rules)
    await put_application(
        world.runtime, ADMIN, EVERYTHING, parse_application(document), upsert=True
    )


def _path(world: World) -> str:
    return f"/apis/apps/v1/namespaces/{world.namespace}/deployments/d"


def _spec(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.request("GET", _path(world))["spec"]
    return found


def _edit(world: World, manager: str, *, labels: bool = False, **spec: Any) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    if labels:
        body = {**body, "metadata": {"name": "d", "labels": {"by": manager}}}
    if spec:
        body = {**body, "spec": spec}
    world.request("PATCH", f"{_path(world)}?fieldManager={manager}&force=true", body)


def _image(image: str) -> Object:
    return {"spec": {"containers": [{"name": "web", "image": image}]}}


@pytest.mark.parametrize("rule", [REPLICAS, SCALER])
async def test_what_an_autoscaler_writes_is_no_drift(bare: World, rule: Object) -> None:
    await _put(bare, rule)
    await bare.deliver(web=(deployment("d"),))
    for replicas in (3, 5):
        _edit(bare, "scaler", replicas=replicas)
        await bare.pass_(look=True)
        bare.clock.forward(600)
        await bare.pass_(look=True)
    assert _spec(bare)["replicas"] == 5
    app = await bare.app("web")
    assert (app["sync_status"], app["heals"]) == ("Synced", 0)
    assert len(await bare.operations("web")) == 1
    assert await bare.rows("select * from drift_events") == []
    # what is known needs no second look, and what else changes is looked at once
    assert (await bare.pass_(look=True))["get", "apps/Deployment"] == 0
    _edit(bare, "team", labels=True)
    spent = await bare.pass_(look=True)
    assert (spent["get", "apps/Deployment"], spent["apply", "apps/Deployment"]) == (1, 0)
    # other fields are still put right, and only they are shown
    _edit(bare, "hand", template=_image("registry.test/web:9"))
    await bare.pass_(look=True)
    assert _spec(bare)["template"]["spec"]["containers"][0]["image"] == "registry.test/web:1"
    (event,) = await bare.rows("select fields from drift_events")
    assert [field["path"] for field in event["fields"]] == [
        ".spec.template.spec.containers[name=web].image"
    ]
    assert [o["trigger"] for o in await bare.operations("web")] == ["automated", "self-heal"]


async def test_an_item_of_a_list_is_ignored_by_its_position(bare: World) -> None:
    await _put(bare, IMAGE)
    await bare.deliver(web=(deployment("d"),))
    _edit(bare, "image-updater", template=_image("registry.test/web:2"))
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert len(await bare.operations("web")) == 1


async def test_a_commit_to_an_ignored_field_alone_is_sent_with_the_next_change(
    bare: World,
) -> None:
    await _put(bare, REPLICAS)
    await bare.deliver(web=(deployment("d", replicas=1),))
    _edit(bare, "scaler", replicas=5)
    await bare.deliver(web=(deployment("d", replicas=2),))
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert _spec(bare)["replicas"] == 5
    await bare.deliver(web=(deployment("d", replicas=2, seconds=60),))
    assert (_spec(bare)["replicas"], _spec(bare)["progressDeadlineSeconds"]) == (2, 60)
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_a_rule_that_comes_ends_a_difference_and_one_that_goes_shows_it(
    bare: World,
) -> None:
    await _put(bare, auto=False)
    await bare.deliver(web=(deployment("d"),))
    await bare.sync("web")
    await bare.pass_()
    _edit(bare, "scaler", replicas=5)
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"
    for rules, status in (((REPLICAS,), "Synced"), ((), "OutOfSync")):
        await _put(bare, *rules, auto=False)
        await bare.poll()
        await bare.pass_()
        assert (await bare.app("web"))["sync_status"] == status
        assert _spec(bare)["replicas"] == 5
    assert len(await bare.operations("web")) == 1
