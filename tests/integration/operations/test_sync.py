"""A commit reaches clusters, once, and what did not change costs nothing."""

from __future__ import annotations

from collections.abc import Callable

from fleet import metrics
from tests.cluster.kube import TestCluster
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import World, config_map, port_of


async def test_first_sync_creates_namespace_objects_and_one_history_row(bare: World) -> None:
    await bare.add_app("web")
    sha = await bare.deliver(web=(config_map("a", x="1"), config_map("b", y="1")))
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}
    assert await bare.results("web") == {
        f"Namespace/{bare.namespace}": ("created", ""),
        "ConfigMap/a": ("created", ""),
        "ConfigMap/b": ("created", ""),
    }
    app = await bare.app("web")
    assert (app["sync_status"], app["health_status"]) == ("Synced", "Healthy")
    assert (app["urgency"], app["operation_id"], app["conditions"]) == (100, None, [])
    history = await bare.rows("select * from audit.sync_history")
    assert [
        (row["phase"], row["trigger"], row["revision"], row["previous_revision"], row["created"])
        for row in history
    ] == [("Succeeded", "automated", sha, "", 3)]
    deployed = await bare.rows("select * from audit.deployments")
    assert [(row["revision"], row["deployed_until"]) for row in deployed] == [(sha, None)]
    assert deployed[0]["healthy_at"] is not None
    assert await bare.rows("select * from audit.drift_history") == []


async def test_nothing_changed_costs_no_request_an_application_and_writes_no_row(
    bare: World,
) -> None:
    for name in ("one", "two", "three"):
        await bare.add_app(name)
    await bare.deliver(**{name: (config_map(name),) for name in ("one", "two", "three")})
    before = await bare.versions()
    spent = await bare.pass_(look=True)
    assert await bare.poll() is None
    # who the cluster is, its version, and one LIST a kind
    assert spent["list", "ConfigMap"] == 1
    assert sum(spent.values()) <= 4
    assert not {verb for verb, _ in spent} & {"apply", "delete", "patch"}
    assert await bare.versions() == before
    assert sum((await bare.pass_()).values()) == 0


async def test_a_commit_renders_and_applies_only_what_it_touches(bare: World) -> None:
    for name in ("one", "two"):
        await bare.add_app(name)
    first = await bare.deliver(one=(config_map("one"),), two=(config_map("two"),))
    renders = await bare.rows("select count(*) as n from renders")
    sha = bare.commit(one=(config_map("one", colour="red"),))
    assert await bare.poll() is None
    spent = await bare.pass_()
    # who answers; that the destination is there is known from the first sync
    assert spent == {("get", "Namespace"): 1, ("apply", "ConfigMap"): 1}
    after = await bare.rows("select count(*) as n from renders")
    assert after[0]["n"] - renders[0]["n"] == 1
    assert len(await bare.operations("two")) == 1
    last = (await bare.operations("one"))[-1]
    assert (last["revision"], last["previous_revision"]) == (sha, first)
    assert (await bare.results("one")) == {"ConfigMap/one": ("configured", "")}
    live = bare.read("one")
    assert live is not None
    assert live["data"] == {"colour": "red"}


async def test_one_commit_for_many_clusters_is_one_fetch_and_one_render(
    bare: World, bare_clusters: list[TestCluster]
) -> None:
    names = ["main", "second", "third"]
    for name, live in zip(names[1:], bare_clusters[1:], strict=True):
        await bare.add_cluster(name, live)
    for name in names:
        await bare.add_app(f"web-{name}", path="web", cluster=name)
    fetches = metrics.FETCHES.labels("done")._value.get()
    sha = await bare.deliver(*names, web=(config_map("a", x="1"),))
    assert metrics.FETCHES.labels("done")._value.get() - fetches == 1
    assert (await bare.rows("select count(*) as n from renders"))[0]["n"] == 1
    assert len(await bare.rows("select distinct manifests_sha256 from applications")) == 1
    for name in names:
        live = bare.read("a", cluster=name)
        assert live is not None
        assert live["data"] == {"x": "1"}
        assert (await bare.app(f"web-{name}"))["synced_revision"] == sha


async def test_a_dead_cluster_changes_nothing_for_the_others(bare: World) -> None:
    await bare.add_dead_cluster("dead")
    await bare.add_app("dead", path="web", cluster="dead")
    await bare.add_app("web")
    await bare.deliver("dead", "main", web=(config_map("a"),))
    assert (await bare.app("web"))["sync_status"] == "Synced"
    dead = await bare.app("dead")
    assert dead["sync_status"] == "Unknown"
    assert dead["urgency"] < 100
    assert dead["due_at"] is not None
    clusters = await bare.rows("select name, status, failures, message from clusters order by name")
    assert [(row["name"], row["status"], row["failures"]) for row in clusters] == [
        ("dead", "Failed", 1),
        ("main", "Successful", 0),
    ]
    assert clusters[0]["message"]
    assert await bare.operations("dead") == []


async def test_failures_in_a_row_make_the_pauses_grow(bare: World) -> None:
    await bare.add_dead_cluster("dead")
    await bare.add_app("dead", path="web", cluster="dead")
    bare.commit(web=(config_map("a"),))
    await bare.poll()
    pauses = []
    for _ in range(3):
        at = bare.clock()
        await bare.pass_("dead")
        pauses.append(((await bare.app("dead"))["due_at"] - at).total_seconds() // 5)
    assert pauses == [1, 2, 4]


async def test_a_cluster_that_comes_back_gets_what_it_missed(
    bare: World,
    bare_clusters: list[TestCluster],
    fault_proxy: Callable[[str, int], FaultProxy],
) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(bare_clusters[1]))
    await bare.add_cluster("far", bare_clusters[1], server=f"https://127.0.0.1:{proxy.port}")
    await bare.add_app("far", path="web", cluster="far", sync_options=())
    bare.create_namespace("far")
    await bare.deliver("far", web=(config_map("a", x="1"),))
    proxy.refuse()
    bare.commit(web=(config_map("a", x="2"),))
    await bare.poll()
    await bare.pass_("far")
    assert len(await bare.operations("far")) == 1  # nothing begins before it is known who answers
    proxy.heal()
    await bare.pass_("far")
    live = bare.read("a", cluster="far")
    assert live is not None
    assert live["data"] == {"x": "2"}
    app = await bare.app("far")
    assert (app["sync_status"], app["urgency"], app["operation_id"]) == ("Synced", 100, None)
    assert len(await bare.operations("far")) == 2


async def test_an_application_that_cannot_be_read_does_not_stop_the_others(bare: World) -> None:
    await bare.add_app("good")
    await bare.add_app("odd")
    bare.commit(good=(config_map("good"),), odd=(config_map("odd"),))
    await bare.poll()
    await bare.run("update applications set document = '{\"spec\": 1}' where name = 'odd'")
    await bare.pass_()
    assert (await bare.app("good"))["sync_status"] == "Synced"
    odd = await bare.app("odd")
    assert odd["due_at"] is not None
    assert [condition["type"] for condition in odd["conditions"]] == ["UnknownError"]
