"""Applications that go elsewhere: nothing of theirs is left behind by accident.

argo-cd #1640 and #9172: changing a destination, a project or a name left the old objects running
with nobody to own them.
"""

from __future__ import annotations

import secrets

import pytest

from fleet.errors import Forbidden, Refused
from fleet.model.applications import RESOURCES_FINALIZER
from fleet.model.parsing import new_application, parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application, terminate_application
from fleet.operations.moving import Fate
from fleet.operations.putting import Put, put_application
from fleet.operations.renaming import rename_application
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import ADMIN, World, config_map, deployment


async def put(
    world: World,
    *,
    fate: Fate | None = None,
    dry_run: bool = False,
    finalizers: tuple[str, ...] = (),
    **changes: object,
) -> Put:
    values = {
        "repo_url": world.repo.url,
        "path": "web",
        "revision": "main",
        "dest_name": "main",
        "dest_namespace": world.namespace,
        "automated": True,
        "auto_prune": True,
        "self_heal": True,
        "sync_options": ("CreateNamespace=true",),
        **changes,
    }
    document = new_application("web", **values)
    if finalizers:
        document["metadata"]["finalizers"] = list(finalizers)
    return await put_application(
        world.runtime,
        ADMIN,
        EVERYTHING,
        parse_application(document),
        upsert=True,
        fate=fate,
        dry_run=dry_run,
    )


async def leaver(world: World) -> dict[str, object] | None:
    """The application that has what ``web`` left behind."""
    found = await world.rows("select * from applications where name like 'web-moved-%'")
    return found[0] if found else None


class TestAnotherCluster:
    @pytest.fixture
    async def two(self, bare: World, bare_clusters: list[TestCluster]) -> World:
        """``web`` runs on ``main``; ``other`` is there, too."""
        await bare.add_cluster("other", bare_clusters[1])
        await put(bare)
        await bare.deliver(web=(config_map("a"), config_map("b")))
        return bare

    async def settled(self, world: World) -> None:
        """As many passes as the old cluster needs to see the move verified and prune."""
        for _ in range(3):
            world.clock.forward(5)
            await world.pass_()

    async def test_without_a_word_about_what_is_left_it_is_refused(self, two: World) -> None:
        with pytest.raises(Refused, match="would leave 2 objects behind in main") as refused:
            await put(two, dest_name="other")
        assert "--move prune" in refused.value.hint
        assert two.read("a") is not None

    async def test_the_dry_run_shows_the_steps_and_takes_none(self, two: World) -> None:
        shown = await put(two, dest_name="other", fate=Fate.PRUNE, dry_run=True)
        adopts, waits, prunes = shown.warnings
        assert adopts == "it is applied to cluster other; what is there already is adopted"
        assert "waits until it is Synced and Healthy there" in waits
        assert prunes.startswith("then 2 objects are pruned from cluster main")
        assert await leaver(two) is None
        assert len(await two.resources("web")) == 2

    async def test_the_old_is_pruned_once_the_new_is_verified(self, two: World) -> None:
        await put(two, dest_name="other", fate=Fate.PRUNE)
        await two.pass_()
        old = await leaver(two)
        assert old is not None
        (waiting,) = await two.operations(str(old["name"]))
        assert "waits until application web is Synced and Healthy" in waiting["message"]
        assert two.read("a") is not None
        assert not two.is_going("a")
        # it arrives
        assert await two.poll() is None
        await two.pass_("other")
        assert two.read("a", cluster="other") is not None
        assert (await two.app("web"))["sync_status"] == "Synced"
        await self.settled(two)
        assert (two.is_going("a"), two.is_going("b")) == (True, True)
        assert not two.is_going("a", cluster="other")

    async def test_its_finalizer_says_that_it_takes_its_objects_along(self, two: World) -> None:
        await put(two, finalizers=(RESOURCES_FINALIZER,))
        await put(two, dest_name="other", finalizers=(RESOURCES_FINALIZER,))
        assert await leaver(two) is not None

    async def test_what_never_gets_well_prunes_nothing(self, two: World) -> None:
        two.commit(web=(deployment("slow"),))  # no controller runs: it never becomes Healthy
        await put(two, dest_name="other", fate=Fate.PRUNE)
        assert await two.poll() is None
        await two.pass_("other")
        await self.settled(two)
        assert not two.is_going("a")
        old = await leaver(two)
        assert old is not None
        # somebody decides: all of it goes now
        await terminate_application(two.runtime, ADMIN, EVERYTHING, str(old["name"]))
        await two.pass_()
        await two.pretend_worker()
        await delete_application(
            two.runtime, ADMIN, EVERYTHING, str(old["name"]), cascade=True, propagation="background"
        )
        await self.settled(two)
        assert two.read("a") is None
        assert await leaver(two) is None

    async def test_what_is_released_stays_and_is_named_in_the_audit_log(self, two: World) -> None:
        done = await put(two, dest_name="other", fate=Fate.RELEASE)
        assert "2 objects in cluster main are left where they are" in done.warnings
        await self.settled(two)
        assert (two.is_going("a"), await leaver(two)) == (False, None)
        (entry,) = await two.rows("select after from audit_log where action = 'release'")
        assert entry["after"]["count"] == 2

    async def test_whoever_comes_back_has_again_what_was_left(self, two: World) -> None:
        before = two.read("a")
        await put(two, dest_name="other", fate=Fate.PRUNE)
        back = await put(two, fate=Fate.PRUNE)
        assert "2 objects that it left there are its own again" in back.warnings
        assert await leaver(two) is None
        assert await two.poll() is None
        await self.settled(two)
        assert two.read("a") == before
        assert (await two.app("web"))["sync_status"] == "Synced"

    async def test_nobody_comes_back_to_what_is_being_pruned(self, two: World) -> None:
        await put(two, dest_name="other", fate=Fate.PRUNE)
        assert await two.poll() is None
        await two.pass_("other")
        await self.settled(two)
        with pytest.raises(Refused, match="is being pruned by web-moved-"):
            await put(two, fate=Fate.PRUNE)

    async def test_what_is_in_the_new_cluster_already_is_adopted(self, two: World) -> None:
        two.create_namespace("other")
        path = f"/api/v1/namespaces/{two.namespace}/configmaps"
        theirs = two.request("POST", path, config_map("a"), cluster="other")
        await put(two, dest_name="other", fate=Fate.PRUNE)
        assert await two.poll() is None
        await two.pass_("other")
        live = two.read("a", cluster="other")
        assert live is not None
        assert live["metadata"]["uid"] == theirs["metadata"]["uid"]
        assert (await two.resources("web"))["ConfigMap/a"]["in_inventory"]


class TestAnotherNamespace:
    async def test_the_old_goes_once_the_new_is_healthy(self, full: World) -> None:
        await put(full)
        await full.deliver(web=(deployment("web", pod="pending"),))
        new = f"{full.namespace}-new"
        shown = await put(full, dest_namespace=new, dry_run=True)
        assert [line.split(" ")[0] for line in shown.warnings] == ["what", "once"]
        assert "are pruned" in shown.warnings[1]
        await put(full, dest_namespace=new)
        assert await full.poll() is None
        await full.pass_()
        operation = (await full.operations("web"))[-1]
        assert operation["phase"] == "Running"
        assert f"waiting for Deployment/{new}/web" in operation["message"]
        path = f"/apis/apps/v1/namespaces/{full.namespace}/deployments/web"
        assert "deletionTimestamp" not in full.request("GET", path)["metadata"]
        full.request("DELETE", f"/api/v1/namespaces/{new}")

    async def test_without_prune_it_stays_in_the_inventory(self, bare: World) -> None:
        await put(bare, auto_prune=False)
        await bare.deliver(web=(config_map("a"),))
        new = f"t-{secrets.token_hex(5)}"
        moved = await put(bare, auto_prune=False, dest_namespace=new)
        assert "stay OutOfSync until a sync with --prune" in moved.warnings[1]
        assert await bare.poll() is None
        await bare.pass_()
        rows = await bare.rows("select namespace, requires_pruning from resources order by 2")
        assert [(row["namespace"], row["requires_pruning"]) for row in rows] == [
            (new, False),
            (bare.namespace, True),
        ]
        assert (await bare.app("web"))["sync_status"] == "OutOfSync"


class TestAnotherProject:
    async def test_nothing_in_the_cluster_changes(self, bare: World) -> None:
        await bare.put_project("shop")
        await put(bare)
        await bare.deliver(web=(config_map("a"),))
        before = bare.read("a")
        moved = await put(bare, project="shop")
        assert moved.warnings == ("from now on project shop decides about its objects",)
        assert await bare.poll() is None
        await bare.pass_(look=True)
        assert bare.read("a") == before
        assert (await bare.app("web"))["sync_status"] == "Synced"

    async def test_one_that_could_never_prune_its_objects_is_refused(self, bare: World) -> None:
        await bare.put_project(
            "narrow", namespaceResourceBlacklist=[{"group": "", "kind": "ConfigMap"}]
        )
        await put(bare)
        await bare.deliver(web=(config_map("a"),))
        with pytest.raises(Forbidden, match="does not allow what it applied"):
            await put(bare, project="narrow")
        (app,) = await bare.rows(
            "select p.name from applications a join projects p on p.id = a.project_id"
        )
        assert app["name"] == "default"


async def test_another_name_keeps_every_object(bare: World) -> None:
    await put(bare)
    await bare.deliver(web=(config_map("a"),))
    before = bare.read("a")
    shown = await rename_application(bare.runtime, ADMIN, EVERYTHING, "web", "shop", dry_run=True)
    assert shown == ("no object changes: they carry its identity, not its name",)
    assert (await bare.app("web"))["name"] == "web"
    await bare.run("delete from procrastinate_jobs")
    await rename_application(bare.runtime, ADMIN, EVERYTHING, "web", "shop")
    woken = await bare.rows("select task_name from procrastinate_jobs")
    assert sorted(it["task_name"] for it in woken) == ["poll", "reconcile"]
    assert await bare.poll() is None
    await bare.pass_(look=True)
    assert bare.read("a") == before
    assert len(await bare.resources("shop")) == 1
