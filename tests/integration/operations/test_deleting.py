"""How applications go: what they supersede, what they wait for, and what they leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.errors import Refused
from fleet.model.applications import BACKGROUND_FINALIZER, RESOURCES_FINALIZER
from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import (
    delete_application,
    forget_application,
    rollback_application,
    sync_application,
)
from fleet.registry.application_views import Freshness, get_application
from tests.cluster.kube import TestCluster
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import ADMIN, Object, World, config_map, port_of


def endless(phase: str) -> Object:
    """A hook that is never through: no controller runs."""
    container = {"name": "wait", "image": "registry.test/wait:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "endless",
            "annotations": {
                "argocd.argoproj.io/hook": phase,
                "argocd.argoproj.io/hook-delete-policy": "HookFailed",
            },
        },
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
    }


async def delete(world: World, **changes: str) -> None:
    await world.pretend_worker()
    await delete_application(world.runtime, ADMIN, EVERYTHING, "web", cascade=True, **changes)


async def finalized(world: World, *finalizers: str) -> None:
    await world.run(
        "update applications set document = jsonb_set(document, '{metadata,finalizers}',"
        " to_jsonb(cast(:them as text[])))",
        them=list(finalizers),
    )


async def conditions(world: World) -> dict[str, str]:
    """As people see them."""
    fresh = Freshness(world.runtime.now(), 120)
    async with world.runtime.db.reading() as tx:
        app = await get_application(tx, EVERYTHING, "web", fresh=fresh)
    return {it.type: it.message for it in app.summary.conditions}


@pytest.fixture
async def stuck(bare: World) -> World:
    """``web`` was deployed in blue; the sync to green waits for a hook that is never through."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", colour="blue"),))
    await bare.deliver(web=(endless("PreSync"), config_map("a", colour="green")))
    assert (await bare.operations("web"))[-1]["phase"] == "Running"
    return bare


def hook(world: World) -> Object | None:
    found = world.request("GET", f"/apis/batch/v1/namespaces/{world.namespace}/jobs")["items"]
    return next(iter(found), None)


class TestSuperseding:
    async def test_a_rollback_does_not_wait_for_a_sync_that_is_stuck(self, stuck: World) -> None:
        await stuck.pretend_worker()
        await rollback_application(stuck.runtime, ADMIN, EVERYTHING, "web", 0, prune=False)
        with pytest.raises(Refused, match="at work"):  # one is enough
            await rollback_application(stuck.runtime, ADMIN, EVERYTHING, "web", 0, prune=False)
        await stuck.pass_()  # ends the sync with its hook
        old, new = (await stuck.operations("web"))[-2:]
        assert (old["phase"], old["message"]) == ("Failed", "superseded by a rollback by admin")
        assert new["phase"] == "Pending"
        app = await stuck.app("web")
        assert (app["operation_id"], app["next_operation_id"]) == (new["id"], None)
        gone = hook(stuck)
        assert gone is None or "deletionTimestamp" in gone["metadata"]
        stuck.clock.forward(1)
        await stuck.pass_()
        assert (await stuck.operations("web"))[-1]["phase"] == "Succeeded"
        assert (await stuck.app("web"))["sync_status"] == "Synced"

    async def test_a_dry_run_ends_nothing(self, stuck: World) -> None:
        await stuck.pretend_worker()
        with pytest.raises(Refused, match="at work"):
            await rollback_application(
                stuck.runtime, ADMIN, EVERYTHING, "web", 0, prune=False, dry_run=True
            )

    async def test_nor_does_a_deletion(self, stuck: World) -> None:
        await delete(stuck, propagation="background")
        for _ in range(4):
            await stuck.pass_(look=True)
            stuck.clock.forward(5)
        assert stuck.read("a") is None
        assert await stuck.rows("select 1 from applications") == []
        phases = [(it["kind"], it["phase"]) for it in (await stuck.operations("web"))[-2:]]
        assert phases == [("sync", "Failed"), ("delete", "Succeeded")]

    async def test_nor_does_a_sync_of_a_newer_commit(self, stuck: World) -> None:
        await stuck.add_app("web", auto=False, upsert=True)
        sha = stuck.commit(web=(config_map("a", colour="red"),))
        await stuck.poll()
        await stuck.sync("web")
        for _ in range(2):
            await stuck.pass_()
            stuck.clock.forward(1)
        old, new = (await stuck.operations("web"))[-2:]
        assert (old["phase"], old["message"]) == ("Failed", "superseded by a sync by admin")
        assert (new["phase"], new["revision"]) == ("Succeeded", sha)

    async def test_a_sync_that_somebody_asks_for_is_told_what_runs(self, stuck: World) -> None:
        await stuck.pretend_worker()
        with pytest.raises(Refused, match="a sync by fleet"):
            await sync_application(stuck.runtime, ADMIN, EVERYTHING, "web", SyncOptions())

    async def test_nothing_supersedes_a_deletion(self, bare: World) -> None:
        await bare.add_app("web")
        await bare.deliver(web=(config_map("a"),))
        await delete(bare)
        for again in (delete(bare), bare.sync("web")):
            with pytest.raises(Refused):
                await again


@pytest.mark.parametrize(
    ("finalizers", "asked", "propagation"),
    [
        ((), "", "foreground"),
        ((RESOURCES_FINALIZER,), "", "foreground"),
        ((BACKGROUND_FINALIZER,), "", "background"),
        ((BACKGROUND_FINALIZER,), "orphan", "orphan"),
    ],
)
async def test_what_objects_own_goes_as_the_finalizer_says_unless_told(
    bare: World, finalizers: tuple[str, ...], asked: str, propagation: str
) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await finalized(bare, *finalizers)
    await delete(bare, propagation=asked)
    assert (await bare.app("web"))["deleting"]["propagation"] == propagation
    await bare.pass_()
    live = bare.read("a")
    assert (live is None) == (propagation == "background")
    if live is not None:
        kept = {"foreground": "foregroundDeletion", "orphan": "orphan"}[propagation]
        assert live["metadata"]["finalizers"] == [kept]


@pytest.mark.parametrize(("finalizers", "goes"), [((), False), ((RESOURCES_FINALIZER,), True)])
async def test_without_a_word_the_finalizer_says_whether_objects_go(
    bare: World, finalizers: tuple[str, ...], goes: bool
) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await finalized(bare, *finalizers)
    await bare.pretend_worker()
    await delete_application(bare.runtime, ADMIN, EVERYTHING, "web")
    await bare.pass_()
    assert bare.is_going("a") is goes


async def test_nobody_waits_for_what_another_writer_made_anew(bare: World) -> None:
    """The controller of aggregated ClusterRoles does: it applies what it knew of one."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    await delete(bare)
    await bare.pass_()
    going = bare.read("a")
    assert going is not None
    bare.request(
        "PUT", bare.path_of("a"), going | {"metadata": going["metadata"] | {"finalizers": []}}
    )
    anew = bare.edit("a", colour="theirs")
    bare.clock.forward(5)
    await bare.pass_(look=True)
    assert await bare.rows("select 1 from applications") == []
    left = bare.read("a")
    assert left is not None
    assert left["metadata"]["uid"] == anew["metadata"]["uid"]


class TestAnUnreachableCluster:
    @pytest.fixture
    async def far(
        self,
        bare: World,
        bare_clusters: list[TestCluster],
        fault_proxy: Callable[[str, int], FaultProxy],
    ) -> FaultProxy:
        """What stands before the cluster of ``web``, which does not answer."""
        proxy = fault_proxy("127.0.0.1", port_of(bare_clusters[1]))
        await bare.add_cluster("far", bare_clusters[1], server=f"https://127.0.0.1:{proxy.port}")
        await bare.add_app("web", cluster="far")
        await bare.deliver("far", web=(config_map("a"),))
        proxy.refuse()
        return proxy

    async def test_the_deletion_waits_says_so_and_goes_on(
        self, bare: World, far: FaultProxy
    ) -> None:
        await delete(bare, propagation="background")
        await bare.pass_("far")
        told = (await conditions(bare))["DeletionError"]
        assert told.startswith("the deletion waits for cluster far, which does not answer")
        assert "--force-forget" in told
        assert bare.read("a", cluster="far") is not None
        far.heal()
        for _ in range(3):
            bare.clock.forward(5)
            await bare.pass_("far")
        assert bare.read("a", cluster="far") is None
        assert await bare.rows("select 1 from applications") == []

    async def test_it_can_be_forgotten_and_that_is_audited(
        self, bare: World, far: FaultProxy
    ) -> None:
        await delete(bare)
        await bare.pass_("far")
        assert await forget_application(bare.runtime, ADMIN, EVERYTHING, "web") == 1
        assert await bare.rows("select 1 from applications") == []
        assert not bare.is_going("a", cluster="far")
        last = (await bare.operations("web"))[-1]
        assert (last["phase"], last["message"]) == ("Failed", "forgotten by admin")
        entries = await bare.rows(
            "select actor, action, after from audit_log where action = 'force-forget'"
        )
        left = f"ConfigMap/{bare.namespace}/a"
        assert [(it["actor"], it["after"]["left"]) for it in entries] == [("admin", [left])]
