"""The project's word holds at the gate: nothing is sent that it forbids."""

from __future__ import annotations

import pytest

from fleet.errors import Forbidden
from tests.integration.operations.harness import World, config_map

DAEMON_SET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "agent"},
    "spec": {
        "selector": {"matchLabels": {"app": "agent"}},
        "template": {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "agent", "image": "registry.test/agent:1"}]},
        },
    },
}
CLUSTER_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "everything"},
    "rules": [],
}


async def test_one_forbidden_kind_refuses_the_whole_sync_before_anything_is_sent(
    bare: World,
) -> None:
    await bare.put_project(
        "shop", namespaceResourceBlacklist=[{"group": "apps", "kind": "DaemonSet"}]
    )
    await bare.add_app("web", project="shop")
    bare.commit(web=(config_map("a"), DAEMON_SET))
    await bare.poll()
    spent = await bare.pass_()
    assert not {verb for verb, _ in spent} & {"apply", "delete", "dry-run"}
    assert bare.read("a") is None
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Failed"
    assert f"DaemonSet/{bare.namespace}/agent" in operation["message"]
    app = await bare.app("web")
    assert [c["type"] for c in app["conditions"]] == ["SyncError"]
    # the project relents
    await bare.put_project("shop")
    bare.clock.forward(10)
    await bare.pass_()
    assert bare.read("a") is not None
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_a_source_that_the_project_does_not_allow_is_refused(bare: World) -> None:
    await bare.put_project("shop", sourceRepos=["https://git.example.test/*"])
    with pytest.raises(Forbidden, match="git-repo"):
        await bare.add_app("web", project="shop")
    assert await bare.rows("select * from applications") == []


async def test_a_source_that_is_allowed_no_longer_is_not_rendered(bare: World) -> None:
    await bare.put_project("shop")
    await bare.add_app("web", project="shop")
    await bare.deliver(web=(config_map("a", x="1"),))
    await bare.put_project("shop", sourceRepos=["https://git.example.test/*"])
    await bare.deliver(web=(config_map("a", x="2"),))
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}
    (condition,) = (await bare.app("web"))["conditions"]
    assert condition["type"] == "ComparisonError"


async def test_a_destination_that_the_project_does_not_allow_is_refused(bare: World) -> None:
    await bare.put_project("shop", destinations=[{"server": "*", "namespace": "shop-*"}])
    with pytest.raises(Forbidden):
        await bare.add_app("web", project="shop")


async def test_an_object_that_names_another_namespace_is_held_to_the_destinations(
    bare: World,
) -> None:
    await bare.put_project("shop", destinations=[{"server": "*", "namespace": bare.namespace}])
    await bare.add_app("web", project="shop")
    stray = config_map("stray")
    stray["metadata"]["namespace"] = "default"
    await bare.deliver(web=(config_map("a"), stray))
    assert bare.read("a") is None
    assert bare.read("stray", namespace="default") is None
    (operation,) = await bare.operations("web")
    assert "ConfigMap/default/stray" in operation["message"]


async def test_cluster_scoped_kinds_need_to_be_allowed(bare: World) -> None:
    await bare.put_project("shop", clusterResourceWhitelist=[])
    bare.create_namespace()
    await bare.add_app("web", project="shop", sync_options=())
    await bare.deliver(web=(CLUSTER_ROLE, config_map("a")))
    assert bare.read("a") is None
    (operation,) = await bare.operations("web")
    assert "ClusterRole/everything" in operation["message"]


async def test_a_cluster_given_for_namespaces_is_used_in_these_alone(bare: World) -> None:
    bare.create_namespace()
    await bare.run(
        "update clusters set namespaces = array[cast(:namespace as text)]",
        namespace=bare.namespace,
    )
    await bare.add_app("web", sync_options=())
    await bare.add_app("stray", namespace="default", sync_options=())
    await bare.deliver(web=(config_map("a"),), stray=(config_map("stray"),))
    assert bare.read("a") is not None
    assert bare.read("stray", namespace="default") is None
    (operation,) = await bare.operations("stray")
    assert f"registered for namespaces {bare.namespace} only" in operation["message"]
    # nothing is asked of the whole cluster
    spent = await bare.pass_(look=True)
    assert spent["list", "ConfigMap"] == 1
    await bare.deliver(web=(config_map("a"), CLUSTER_ROLE))
    last = (await bare.operations("web"))[-1]
    assert "without cluster-scoped objects" in last["message"]
