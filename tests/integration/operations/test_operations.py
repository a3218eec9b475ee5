"""Operations as people and Fleet begin, follow and end them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from fleet.errors import NotFound, NoWorker, Refused
from fleet.model.objects import ObjectRef
from fleet.model.operations import SyncOptions
from fleet.model.retries import Retry
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import (
    delete_application,
    refresh_application,
    rollback_application,
    sync_application,
    terminate_application,
)
from fleet.operations.runtime import Recent
from fleet.registry import manifests, rotation
from tests.integration.operations.harness import (
    ADMIN,
    World,
    config_map,
    deployment,
    in_wave,
    until,
)

BAD = {**config_map("bad"), "metadata": {"name": "Not_A_Name"}}


async def test_a_failed_auto_sync_is_tried_again_with_growing_pauses(bare: World) -> None:
    await bare.add_app("web")
    bare.commit(web=(BAD,))
    await bare.poll()
    pauses = []
    for _ in range(5):
        await bare.pass_()
        app = await bare.app("web")
        pauses.append(round((app["due_at"] - app["attempted_at"]).total_seconds()))
        await bare.pass_()  # too early: nothing happens
        bare.clock.forward(pauses[-1])
    assert pauses == [5, 10, 20, 40, 80]
    await bare.pass_()
    app = await bare.app("web")
    assert (app["attempts"], app["due_at"], app["urgency"]) == (6, None, 100)
    operations = await bare.operations("web")
    assert [row["attempt"] for row in operations] == [1, 2, 3, 4, 5, 6]
    assert {row["phase"] for row in operations} == {"Failed"}
    assert [c["type"] for c in app["conditions"]] == ["SyncError"]
    # nothing more happens by itself; a new commit begins anew
    bare.clock.forward(3600)
    await bare.pass_(look=True)
    assert len(await bare.operations("web")) == 6
    await bare.deliver(web=(config_map("good"),))
    app = await bare.app("web")
    assert (app["sync_status"], app["attempts"], app["conditions"]) == ("Synced", 1, [])


async def test_the_retry_policy_of_the_document_holds(bare: World) -> None:
    await bare.add_app("web", retry={"limit": 1, "backoff": {"duration": "30s", "factor": 3}})
    bare.commit(web=(BAD,))
    await bare.poll()
    await bare.pass_()
    app = await bare.app("web")
    assert round((app["due_at"] - app["attempted_at"]).total_seconds()) == 30
    bare.clock.forward(30)
    await bare.pass_()
    assert (await bare.app("web"))["due_at"] is None
    assert len(await bare.operations("web")) == 2


async def test_a_new_commit_does_not_wait_for_the_retry(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(BAD,))
    await bare.deliver(web=(config_map("good"),))
    operations = await bare.operations("web")
    assert [(row["phase"], row["attempt"]) for row in operations] == [
        ("Failed", 1),
        ("Succeeded", 1),
    ]


async def test_a_new_commit_ends_a_sync_that_waits(full: World) -> None:
    await full.add_app("web")
    await full.deliver(web=(deployment("db", wave=0, pod="pending"), in_wave(config_map("x"), 1)))
    (waiting,) = await full.operations("web")
    assert waiting["phase"] == "Running"
    sha = await full.deliver(web=(config_map("y"),))
    old, new = await full.operations("web")
    assert (old["id"], old["phase"]) == (waiting["id"], "Failed")
    assert sha[:12] in old["message"]
    assert (new["phase"], new["revision"]) == ("Succeeded", sha)
    app = await full.app("web")
    assert (app["operation_id"], app["sync_status"]) == (None, "Synced")
    assert full.read("y") is not None
    assert full.read("x") is None


@pytest.mark.parametrize("retry", [None, Retry(limit=5)])
async def test_a_new_commit_ends_a_stuck_sync_that_somebody_asked_for(
    bare: World, retry: Retry | None
) -> None:
    """argo-cd #11494: the sync of a bad commit waits for ever, and the fix never comes."""
    await bare.add_app("web", auto=False)
    stuck = in_wave(deployment("db"), 0)  # no controller runs: it never becomes Healthy
    await bare.deliver(web=(BAD if retry else stuck, in_wave(config_map("x"), 1)))
    await bare.sync("web", SyncOptions(retry=retry))
    await bare.pass_()
    (waiting,) = await bare.operations("web")
    assert waiting["phase"] == "Running"
    await bare.add_app("web", upsert=True)
    sha = await bare.deliver(web=(config_map("y"),))
    await bare.pass_()
    old, new = await bare.operations("web")
    assert (old["id"], old["phase"]) == (waiting["id"], "Failed")
    assert old["message"] == f"superseded by revision {sha[:12]}"
    assert (new["phase"], new["revision"]) == ("Succeeded", sha)
    assert bare.read("y") is not None


async def test_a_dry_run_writes_nothing(bare: World) -> None:
    bare.create_namespace()
    await bare.add_app("web", auto=False)
    bare.commit(web=(config_map("a"),))
    await bare.poll()
    await bare.pass_()
    await bare.sync("web", SyncOptions(dry_run=True))
    spent = await bare.pass_()
    assert spent["dry-run", "ConfigMap"] == 1
    assert spent["apply", "ConfigMap"] == 0
    assert bare.read("a") is None
    (operation,) = await bare.operations("web")
    assert (operation["phase"], operation["created"]) == ("Succeeded", 1)
    (row,) = (await bare.resources("web")).values()
    assert (row["in_inventory"], row["sync_status"]) == (False, "OutOfSync")
    app = await bare.app("web")
    assert (app["synced_revision"], app["attempted_key"]) == ("", "")
    assert await bare.rows("select * from deployments") == []


async def test_chosen_resources_alone_are_synced(bare: World) -> None:
    await bare.add_app("web", auto=False)
    bare.commit(web=(config_map("a"), config_map("b")))
    await bare.poll()
    chosen = ObjectRef("", "ConfigMap", bare.namespace, "a")
    await bare.sync("web", SyncOptions(resources=(chosen,)))
    await bare.pass_()
    assert bare.read("a") is not None
    assert bare.read("b") is None
    app = await bare.app("web")
    assert (app["sync_status"], app["attempted_key"]) == ("OutOfSync", "")
    assert await bare.rows("select * from deployments") == []


async def test_a_sync_asked_for_before_the_first_render_waits_for_it(bare: World) -> None:
    await bare.add_app("web", auto=False)
    await bare.sync("web")
    await bare.pass_()
    assert [row["phase"] for row in await bare.operations("web")] == ["Pending"]
    bare.commit(web=(config_map("a"),))
    await bare.poll()
    await bare.pass_()
    assert [row["phase"] for row in await bare.operations("web")] == ["Succeeded"]


async def test_a_second_operation_is_refused_while_one_runs(bare: World) -> None:
    await bare.add_app("web", auto=False)
    await bare.sync("web")
    with pytest.raises(Refused):
        await bare.sync("web")


async def test_without_a_worker_nothing_is_asked_for(bare: World) -> None:
    await bare.add_app("web", auto=False)
    with pytest.raises(NoWorker):
        await sync_application(bare.runtime, ADMIN, EVERYTHING, "web", SyncOptions())
    with pytest.raises(NoWorker):
        await refresh_application(bare.runtime, ADMIN, EVERYTHING, "web", "normal")
    assert await bare.operations("web") == []
    assert (await bare.app("web"))["operation_id"] is None


async def test_a_rollback_needs_neither_repository_nor_chart(bare: World) -> None:
    await bare.add_app("web", auto=False)
    for value in ("1", "2"):
        bare.commit(web=(config_map("a", x=value), config_map(f"only-{value}")))
        await bare.poll()
        await bare.sync("web", SyncOptions(prune=True))
        await bare.pass_()
    first = (await bare.rows("select * from deployments order by number"))[0]
    shutil.rmtree(bare.repo.path)
    shutil.rmtree(bare.runtime.settings.home / "sources")
    bare.runtime.manifests._entries.clear()
    await rollback_application(bare.runtime, ADMIN, EVERYTHING, "web", first["number"], prune=True)
    await bare.pass_()
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}
    assert bare.read("only-1") is not None
    assert bare.is_going("only-2")
    last = (await bare.operations("web"))[-1]
    assert (last["kind"], last["phase"], last["revision"]) == (
        "rollback",
        "Succeeded",
        first["revision"],
    )
    deployments = await bare.rows("select * from deployments order by number")
    assert [row["manifests_sha256"] == first["manifests_sha256"] for row in deployments] == [
        True,
        False,
        True,
    ]
    assert [row["deployed_until"] is None for row in deployments] == [False, False, True]
    # Git still asks for the second
    await bare.pass_()
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"


async def test_a_rollback_to_what_was_never_deployed_is_refused(bare: World) -> None:
    await bare.add_app("web", auto=False)
    await bare.deliver(web=(config_map("a"),))
    await bare.pretend_worker()
    with pytest.raises(NotFound):
        await rollback_application(bare.runtime, ADMIN, EVERYTHING, "web", 9, prune=False)


async def _delete(world: World, *, cascade: bool, propagation: str = "foreground") -> None:
    await world.pretend_worker()
    await delete_application(
        world.runtime, ADMIN, EVERYTHING, "web", cascade=cascade, propagation=propagation
    )


async def test_a_deletion_waits_until_its_objects_are_gone(full: World) -> None:
    await full.add_app("web")
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.test/hold"]
    await full.deliver(web=(held, config_map("free")))
    await _delete(full, cascade=True)
    await full.pass_()

    async def gone() -> bool:
        return full.read("free") is None

    await until(gone)
    full.clock.forward(5)
    await full.pass_(look=True)
    app = await full.app("web")
    operation = (await full.operations("web"))[-1]
    assert operation["phase"] == "Running"
    assert f"ConfigMap/{full.namespace}/held" in operation["message"]
    assert app["deleting"]["propagation"] == "foreground"
    # whoever held it lets go
    live = full.read("held")
    assert live is not None
    live["metadata"]["finalizers"] = []
    full.request("PUT", full.path_of("held"), live)

    async def removed() -> bool:
        full.clock.forward(5)
        await full.pass_(look=True)
        return not await full.rows("select 1 from applications")

    await until(removed)
    operation = (await full.operations("web"))[-1]
    assert (operation["kind"], operation["phase"], operation["pruned"]) == (
        "delete",
        "Succeeded",
        2,
    )
    (deployed,) = await full.rows("select deployed_until from deployments")
    assert deployed["deployed_until"] is not None
    assert await full.rows("select 1 from resources") == []


async def test_an_object_may_refuse_to_go_with_its_application(bare: World) -> None:
    await bare.add_app("web")
    keep = {"argocd.argoproj.io/sync-options": "Delete=false"}
    await bare.deliver(web=(config_map("stays", keep), config_map("goes")))
    await _delete(bare, cascade=True, propagation="background")
    await bare.pass_()
    bare.clock.forward(5)
    await bare.pass_()
    assert bare.read("stays") is not None
    assert bare.read("goes") is None
    assert await bare.rows("select 1 from applications") == []


async def test_what_the_application_keeps_survives_its_deletion(bare: World) -> None:
    await bare.add_app("web", sync_options=("CreateNamespace=true", "Delete=false"))
    own = {"argocd.argoproj.io/sync-options": "Delete=true"}
    await bare.deliver(web=(config_map("stays"), config_map("goes", own)))
    await _delete(bare, cascade=True, propagation="background")
    await bare.pass_()
    bare.clock.forward(5)
    await bare.pass_()
    assert bare.read("stays") is not None
    assert bare.read("goes") is None
    assert await bare.rows("select 1 from applications") == []


async def test_without_cascade_objects_stay(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await _delete(bare, cascade=False)
    spent = await bare.pass_()
    assert sum(spent.values()) == 0
    assert not bare.is_going("a")
    assert await bare.rows("select 1 from applications") == []
    # its history stays
    assert len(await bare.rows("select * from audit.sync_history")) == 1


async def test_a_deletion_does_not_ask_a_project_that_changed_its_mind(bare: World) -> None:
    await bare.put_project("shop")
    await bare.add_app("web", project="shop")
    await bare.deliver(web=(config_map("a"),))
    await bare.put_project("shop", namespaceResourceBlacklist=[{"group": "", "kind": "ConfigMap"}])
    await _delete(bare, cascade=True, propagation="background")
    for _ in range(2):
        await bare.pass_()
        bare.clock.forward(5)
    assert bare.read("a") is None
    assert await bare.rows("select 1 from applications") == []


async def test_a_sync_is_ended_where_it_stands(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(web=(deployment("db", wave=0, pod="pending"), in_wave(config_map("x"), 1)))
    await full.poll()
    await full.sync("web")
    await full.pass_()
    await terminate_application(full.runtime, ADMIN, EVERYTHING, "web")
    await full.pass_()
    (operation,) = await full.operations("web")
    assert operation["phase"] == "Failed"
    assert "terminated" in operation["message"].lower()
    assert operation["finished_at"] is not None
    app = await full.app("web")
    assert (app["operation_id"], app["urgency"]) == (None, 100)
    assert full.read("x") is None
    with pytest.raises(Refused):
        await terminate_application(full.runtime, ADMIN, EVERYTHING, "web")


async def test_every_object_may_change_its_name_in_one_commit(bare: World) -> None:
    """What is removed is all that there was, and still not everything that is wanted."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("old"),))
    await bare.deliver(web=(config_map("new"),))
    assert bare.is_going("old")
    assert bare.read("new") is not None
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_manifests_whose_key_was_lost_are_rendered_again(bare: World) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": "czNjcmV0"},
    }
    await bare.add_app("web")
    await bare.deliver(web=(secret,))
    stored = await bare.rows("select sha256 from manifests where sealed")
    assert len(stored) == 1
    await bare.run("update manifests set body = 'v1:lost:a:b:c' where sealed")
    runtime = replace(bare.runtime, manifests=Recent(10))  # of a process that has just begun
    bare.runtime = runtime
    async with runtime.db.transaction() as tx:
        await rotation.forget_lost_keys(tx, ADMIN, runtime.ring)
    assert await bare.rows("select sha256 from manifests where sealed") == []
    await bare.pass_(look=True)  # there is nothing to apply, and that harms nothing
    assert await bare.poll() is None
    await bare.pass_(look=True)
    assert await bare.rows("select sha256 from manifests where sealed") == stored
    async with runtime.db.reading() as tx:
        (loaded,) = await manifests.load(tx, runtime.ring, stored[0]["sha256"])
    assert loaded["metadata"]["name"] == "s"
    app = await bare.app("web")
    assert (app["sync_status"], app["refresh"]) == ("Synced", "")
    assert bare.request("GET", f"/api/v1/namespaces/{bare.namespace}/secrets/s")["data"]
