"""Whose cluster, as whom, from where: what a project says of destinations, held against a real
API server that decides who may do what."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import Forbidden
from fleet.model.operations import SyncOptions
from fleet.model.parsing import parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application
from fleet.operations.diffing import diff_application
from fleet.operations.putting import put_application
from tests.integration.operations.harness import ADMIN, World, config_map

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def as_robot(world: World, namespace: str = "*") -> dict[str, Any]:
    rule = {"server": "*", "namespace": namespace, "defaultServiceAccount": "robot"}
    return {"destinationServiceAccounts": [rule]}


def let(world: World, *verbs: str) -> None:
    """The robot of the application's namespace may do this to ConfigMaps there."""
    home = f"{RBAC}/namespaces/{world.namespace}"
    role = {
        "metadata": {"name": "robot"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}],
    }
    world.request("POST", f"{home}/roles", role)
    world.request(
        "POST",
        f"{home}/rolebindings",
        {
            "metadata": {"name": "robot"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "robot",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": world.namespace}],
        },
    )


async def told(world: World) -> str:
    """What is said of the objects that were tried."""
    return " ".join(
        row["message"] for row in await world.rows("select message from operation_results")
    )


async def test_a_sync_may_what_its_service_account_may(bare: World) -> None:
    bare.create_namespace()
    await bare.put_project("shop", **as_robot(bare))
    await bare.add_app("web", project="shop", sync_options=())
    await bare.deliver(web=(config_map("a"),))
    # the robot may nothing yet, whatever Fleet itself may
    assert bare.read("a") is None
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Failed"
    why = await told(bare)
    robot = f"system:serviceaccount:{bare.namespace}:robot"
    assert robot in why
    # a look at what would change asks as the robot, too
    differs = await diff_application(bare.runtime, EVERYTHING, "web")
    assert any(robot in failure.error.message for failure in differs.failures)
    let(bare, "get", "create", "patch", "delete")
    await bare.sync("web")
    await bare.pass_()
    assert bare.read("a") is not None
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_prunes_and_deletions_are_the_service_accounts_as_well(bare: World) -> None:
    bare.create_namespace()
    let(bare, "get", "create", "patch")
    await bare.put_project("shop", **as_robot(bare))
    await bare.add_app("web", project="shop", sync_options=())
    await bare.deliver(web=(config_map("a"), config_map("b")))
    assert bare.read("b") is not None
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("b") is not None  # not the robot's to delete
    bare.request("DELETE", f"{RBAC}/namespaces/{bare.namespace}/roles/robot")
    bare.request("DELETE", f"{RBAC}/namespaces/{bare.namespace}/rolebindings/robot")
    let(bare, "get", "create", "patch", "delete")
    await bare.sync("web", SyncOptions(prune=True))
    await bare.pass_()
    assert bare.is_going("b")
    await delete_application(
        bare.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="background"
    )
    await bare.pass_()
    assert bare.is_going("a")


async def test_a_destination_that_no_entry_names_is_not_written_to(bare: World) -> None:
    bare.create_namespace()
    await bare.put_project("shop", **as_robot(bare, "elsewhere-*"))
    await bare.add_app("web", project="shop", sync_options=())
    spent = await _delivered(bare)
    assert not {verb for verb, _ in spent} & {"apply", "delete"}
    why = await told(bare)
    assert "destinationServiceAccounts" in why


async def _delivered(world: World) -> Any:
    world.commit(web=(config_map("a"),))
    await world.poll()
    return await world.pass_()


async def test_a_project_that_wants_its_own_clusters_uses_no_other(bare: World) -> None:
    await bare.put_project("shop", permitOnlyProjectScopedClusters=True)
    with pytest.raises(Forbidden, match="permitOnlyProjectScopedClusters"):
        await bare.add_app("web", project="shop")
    await bare.run("update clusters set project = 'shop'")
    await bare.add_app("web", project="shop")
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("a") is not None
    # the cluster becomes another's: nothing more is written
    await bare.put_project("bank")
    await bare.run("update clusters set project = 'bank'")
    await bare.deliver(web=(config_map("a", x="2"),))
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"colour": "blue"}
    assert "belongs to project bank" in (await bare.operations("web"))[-1]["message"]


@pytest.mark.parametrize(
    ("namespace", "allowed"),
    [("", True), ("argocd", True), ("team-a", True), ("eu-7", True), ("other", False)],
)
async def test_applications_come_from_namespaces_that_their_project_names(
    bare: World, namespace: str, allowed: bool
) -> None:
    await bare.put_project("shop", sourceNamespaces=["team-*", "/^eu-[0-9]+$/"])
    await bare.add_app("web", project="shop", auto=False)
    (row,) = await bare.rows("select document from applications")
    document = row["document"]
    document["metadata"] = {"name": "web"} | ({"namespace": namespace} if namespace else {})
    parsed = parse_application(document)
    if allowed:
        await put_application(bare.runtime, ADMIN, EVERYTHING, parsed, upsert=True)
        return
    with pytest.raises(Forbidden, match="sourceNamespaces"):
        await put_application(bare.runtime, ADMIN, EVERYTHING, parsed, upsert=True)
