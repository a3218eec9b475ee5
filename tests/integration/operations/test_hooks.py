"""Hooks on a cluster with controllers: when they run, how often, and what is left of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fleet.model.objects import ObjectRef
from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import (
    delete_application,
    rollback_application,
    terminate_application,
)
from tests.cluster.kube import ApiFailed
from tests.integration.operations.harness import (
    ADMIN,
    Object,
    World,
    config_map,
    deployment,
    in_wave,
    until,
)

HOOK = "argocd.argoproj.io/hook"
POLICY = "argocd.argoproj.io/hook-delete-policy"
RUN = "fleet.dev/hook-run"
FINALIZER = "argocd.argoproj.io/hook-finalizer"


def job(name: str, hook: str, *, policy: str = "", pod: str = "", **marks: str) -> Object:
    """A Job that is a hook; ``pod`` names how kwok lets its pod misbehave."""
    annotations = {HOOK: hook, **marks}
    if policy:
        annotations[POLICY] = policy
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": {"tests.fleet.dev/pod": pod} if pod else {}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "registry.test/job:1"}],
                },
            },
        },
    }


async def ended(world: World, name: str, count: int = 1) -> Object:
    """Pass until the ``count``-th operation of an application has ended; that operation."""

    async def last() -> Object | None:
        await world.pass_(look=True)
        operations = await world.operations(name)
        if len(operations) < count or not operations[count - 1]["finished_at"]:
            return None
        return operations[count - 1]

    return await until(last, seconds=60)


async def waits(world: World, name: str, text: str) -> Object:
    """Pass until the running operation of an application says ``text``."""

    async def told() -> Object | None:
        await world.pass_(look=True)
        running = (await world.operations(name))[-1]
        assert running["finished_at"] is None, running["message"]
        return running if text in running["message"] else None

    return await until(told, seconds=60)


def hooks(operation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Phase, name and state of each hook of an operation, sorted."""
    return sorted(
        (hook["phase"], hook["object"].rpartition("/")[2], hook["state"])
        for hook in operation["hooks"]
    )


def jobs(world: World) -> dict[str, Object]:
    """The live Jobs of the test's namespace."""
    listed = world.request("GET", f"/apis/batch/v1/namespaces/{world.namespace}/jobs")
    return {item["metadata"]["name"]: item for item in listed["items"]}


async def test_each_phase_waits_for_the_one_before(full: World) -> None:
    await full.add_app("web")
    await full.deliver(
        web=(
            job("before", "PreSync"),
            job("among", "Sync"),
            job("after", "PostSync"),
            job("rescue", "SyncFail"),
            deployment("web"),
            config_map("settings"),
        )
    )
    operation = await ended(full, "web")
    assert operation["phase"] == "Succeeded", operation["message"]
    assert hooks(operation) == [
        ("PostSync", "after", "Succeeded"),
        ("PreSync", "before", "Succeeded"),
        ("Sync", "among", "Succeeded"),
    ]
    live = jobs(full)
    assert sorted(live) == ["after", "among", "before"]
    settings = full.read("settings")
    assert settings is not None
    begun = {name: live[name]["metadata"]["creationTimestamp"] for name in live}
    assert live["before"]["status"]["completionTime"] <= settings["metadata"]["creationTimestamp"]
    assert live["among"]["status"]["completionTime"] <= begun["after"]
    assert [FINALIZER in one["metadata"].get("finalizers", []) for one in live.values()] == [
        False,
        False,
        False,
    ]
    app = await full.app("web")
    assert (app["sync_status"], app["health_status"]) == ("Synced", "Healthy")
    assert operation["message"] == "3 created, 3 hooks run"


async def test_a_failed_hook_stops_the_sync_and_runs_syncfail(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(
        web=(
            job("before", "PreSync", pod="fail"),
            job("rescue", "SyncFail", policy="HookSucceeded"),
            job("after", "PostSync"),
            config_map("settings"),
        )
    )
    await full.poll()
    await full.sync("web")
    operation = await ended(full, "web")
    assert operation["phase"] == "Failed"
    assert "PreSync hook Job" in operation["message"]
    assert "before failed" in operation["message"]
    assert hooks(operation) == [
        ("PreSync", "before", "Failed"),
        ("SyncFail", "rescue", "Succeeded"),
    ]
    assert full.read("settings") is None
    # what did well and is to go then goes; what failed stays to be looked at
    await until(lambda: _gone(full, "rescue"))
    assert sorted(jobs(full)) == ["before"]


async def _gone(world: World, name: str) -> bool:
    return name not in jobs(world)


async def test_syncfail_runs_when_a_wave_is_degraded(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(
        web=(
            deployment("broken", pod="crash", seconds=1),
            in_wave(config_map("second"), 1),
            job("rescue", "SyncFail"),
        )
    )
    await full.poll()
    await full.sync("web")
    operation = await ended(full, "web")
    assert operation["phase"] == "Failed"
    assert "is Degraded" in operation["message"]
    assert hooks(operation) == [("SyncFail", "rescue", "Succeeded")]
    assert full.read("second") is None


async def test_each_sync_runs_its_hooks_anew(full: World) -> None:
    """Named ones in place of the one before, generated ones beside it."""
    generated = job("", "PostSync")
    del generated["metadata"]["name"]
    generated["metadata"]["generateName"] = "report-"
    await full.add_app("web", auto=False)
    full.commit(web=(job("before", "PreSync"), generated, config_map("settings")))
    await full.poll()
    await full.sync("web")
    first = await ended(full, "web")
    before = jobs(full)
    await full.sync("web")
    second = await ended(full, "web", 2)
    after = jobs(full)
    assert (first["phase"], second["phase"]) == ("Succeeded", "Succeeded"), second["message"]
    assert len(hooks(first)) == len(hooks(second)) == 2
    assert before["before"]["metadata"]["uid"] != after["before"]["metadata"]["uid"]
    reports = [name for name in after if name.startswith("report-")]
    assert len(reports) == 2
    assert next(name for name in before if name.startswith("report-")) in reports
    assert after["before"]["metadata"]["annotations"][RUN] == f"{second['id']}/1/PreSync"
    rows = await full.resources("web")
    assert {name for name, row in rows.items() if row["hook"]} == {
        "Job/before",
        *(f"Job/{name}" for name in reports),
    }


async def test_one_object_is_a_hook_of_several_phases(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(web=(job("both", "PreSync,PostSync"), config_map("settings")))
    await full.poll()
    await full.sync("web")
    operation = await ended(full, "web")
    assert operation["phase"] == "Succeeded", operation["message"]
    assert hooks(operation) == [
        ("PostSync", "both", "Succeeded"),
        ("PreSync", "both", "Succeeded"),
    ]
    (live,) = jobs(full).values()
    assert live["metadata"]["annotations"][RUN].endswith("/PostSync")
    results = await full.rows("select phase, name, hook_phase from audit.sync_results order by 1")
    assert [tuple(row.values()) for row in results if row["name"] == "both"] == [
        ("PostSync", "both", "Succeeded"),
        ("PreSync", "both", "Succeeded"),
    ]


async def test_hooks_of_a_wave_are_through_before_the_next(full: World) -> None:
    """Objects without a state are through at once; policies apply when the sync has ended."""
    account: Object = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "migrator",
            "annotations": {HOOK: "PreSync", POLICY: "HookSucceeded"},
        },
    }
    await full.add_app("web", auto=False)
    second = in_wave(job("second", "PreSync", policy="HookSucceeded,HookFailed"), 2)
    full.commit(web=(in_wave(account, -1), in_wave(job("first", "PreSync"), 1), second))
    await full.poll()
    await full.sync("web")
    waiting = await waits(full, "web", "waiting for Job")
    accounts = f"/api/v1/namespaces/{full.namespace}/serviceaccounts/migrator"
    assert full.request("GET", accounts)["metadata"]["name"] == "migrator"
    assert "first" in waiting["message"]
    operation = await ended(full, "web")
    assert operation["phase"] == "Succeeded", operation["message"]
    with pytest.raises(ApiFailed, match="404"):
        full.request("GET", accounts)
    await until(lambda: _gone(full, "second"))
    assert sorted(jobs(full)) == ["first"]


async def test_a_part_of_an_application_is_synced_without_hooks(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(web=(job("before", "PreSync"), config_map("one"), config_map("two")))
    await full.poll()
    part = ObjectRef("", "ConfigMap", full.namespace, "one")
    await full.sync("web", SyncOptions(resources=(part,)))
    operation = await ended(full, "web")
    assert operation["phase"] == "Succeeded"
    assert operation["hooks"] == []
    assert jobs(full) == {}
    assert full.read("one") is not None


async def test_a_dry_run_shows_hooks_and_runs_none(full: World) -> None:
    await full.add_app("web", auto=False)
    refused = job("refused", "PostSync")
    refused["spec"]["template"]["spec"]["restartPolicy"] = "Sometimes"
    full.create_namespace()
    full.commit(web=(job("before", "PreSync"), config_map("settings")))
    await full.poll()
    await full.sync("web", SyncOptions(dry_run=True))
    good = await ended(full, "web")
    assert (good["phase"], hooks(good)) == ("Succeeded", [("PreSync", "before", "Succeeded")])
    full.commit(web=(job("before", "PreSync"), refused))
    await full.poll()
    await full.sync("web", SyncOptions(dry_run=True))
    bad = await ended(full, "web", 2)
    assert bad["phase"] == "Failed"
    assert "restartPolicy" in bad["message"]
    assert jobs(full) == {}
    assert await full.resources("web") == {}


async def test_a_terminated_sync_ends_its_hooks(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(web=(job("endless", "PreSync", pod="pending"), config_map("settings")))
    await full.poll()
    await full.sync("web")
    waiting = await waits(full, "web", "waiting for Job")
    assert "endless: is Progressing" in waiting["message"]
    await terminate_application(full.runtime, ADMIN, EVERYTHING, "web")
    operation = await ended(full, "web")
    assert (operation["phase"], operation["message"]) == ("Failed", "terminated by admin")
    assert hooks(operation) == [("PreSync", "endless", "Failed")]
    await until(lambda: _gone(full, "endless"))
    assert full.read("settings") is None
    assert await full.rows("select 1 from resources where hook") == []


async def test_a_hook_that_never_ends_gives_way_to_a_newer_commit(full: World) -> None:
    await full.add_app("web")
    full.commit(web=(job("migrate", "PreSync", pod="pending"), config_map("settings", x="1")))
    await full.poll()
    await waits(full, "web", "waiting for Job")
    full.commit(web=(job("migrate", "PreSync"), config_map("settings", x="2")))
    await full.poll()
    first = await ended(full, "web")
    assert first["message"].startswith("superseded by revision ")
    second = await ended(full, "web", 2)
    assert second["phase"] == "Succeeded", second["message"]
    assert hooks(second) == [("PreSync", "migrate", "Succeeded")]
    settings = full.read("settings")
    assert settings is not None
    assert settings["data"] == {"x": "2"}


async def test_a_wave_that_was_applied_before_is_waited_for_until_it_recovers(
    full: World,
) -> None:
    """The second sync has nothing to apply in the first wave, and does not pass it by."""
    await full.add_app("web", auto=False)
    first = deployment("db", pod="pending", wave=0)
    full.commit(web=(first, in_wave(config_map("later"), 1), job("after", "PostSync")))
    await full.poll()
    await full.sync("web")
    await waits(full, "web", "db: is Progressing")
    await terminate_application(full.runtime, ADMIN, EVERYTHING, "web")
    await ended(full, "web")
    await full.sync("web")
    waiting = await waits(full, "web", "db: is Progressing")
    assert (full.read("later"), waiting["hooks"]) == (None, [])
    pods = f"/api/v1/namespaces/{full.namespace}/pods"
    (pod,) = full.request("GET", pods)["items"]
    del pod["metadata"]["annotations"]["tests.fleet.dev/pod"]
    full.request("PUT", f"{pods}/{pod['metadata']['name']}", pod)
    operation = await ended(full, "web", 2)
    assert operation["phase"] == "Succeeded", operation["message"]
    assert hooks(operation) == [("PostSync", "after", "Succeeded")]
    assert full.read("later") is not None


async def test_hooks_that_failed_are_run_again_though_all_is_in_sync(full: World) -> None:
    await full.add_app("web", retry={"limit": 1})
    await full.deliver(web=(job("after", "PostSync", pod="fail"), config_map("settings")))
    first = await ended(full, "web")
    assert (first["phase"], (await full.app("web"))["sync_status"]) == ("Failed", "Synced")
    full.clock.forward(60)
    second = await ended(full, "web", 2)
    assert (second["attempt"], hooks(second)) == (2, [("PostSync", "after", "Failed")])
    full.clock.forward(600)
    await full.pass_(look=True)
    assert len(await full.operations("web")) == 2


async def test_a_sync_that_somebody_ended_does_not_begin_again(full: World) -> None:
    await full.add_app("web")
    await full.deliver(
        web=(job("endless", "PreSync", pod="pending"), config_map("settings", x="1"))
    )
    await waits(full, "web", "waiting for Job")
    await terminate_application(full.runtime, ADMIN, EVERYTHING, "web")
    await ended(full, "web")
    full.clock.forward(600)
    await full.pass_(look=True)
    assert len(await full.operations("web")) == 1
    await full.deliver(web=(config_map("settings", x="2"),))
    assert (await ended(full, "web", 2))["phase"] == "Succeeded"


async def test_nothing_is_done_while_a_hook_has_a_kind_that_is_not_served(bare: World) -> None:
    unknown = job("before", "PreSync") | {"apiVersion": "example.test/v1", "kind": "Ritual"}
    await bare.add_app("web")
    await bare.deliver(web=(unknown, config_map("settings")))
    app = await bare.app("web")
    assert (app["sync_status"], await bare.operations("web")) == ("OutOfSync", [])
    assert "does not serve kind example.test/Ritual" in app["conditions"][0]["message"]
    assert bare.read("settings") is None


async def test_hooks_around_a_deletion(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(
        web=(
            job("farewell", "PreDelete"),
            job("epitaph", "PostDelete", policy="HookSucceeded"),
            config_map("settings"),
        )
    )
    await full.poll()
    await full.sync("web")
    synced = await ended(full, "web")
    assert synced["hooks"] == []
    await delete_application(
        full.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="foreground"
    )
    await waits(full, "web", "farewell")
    assert full.read("settings") is not None
    operation = await ended(full, "web", 2)
    assert (operation["kind"], operation["phase"]) == ("delete", "Succeeded"), operation["message"]
    assert hooks(operation) == [
        ("PostDelete", "epitaph", "Succeeded"),
        ("PreDelete", "farewell", "Succeeded"),
    ]
    assert await full.rows("select 1 from applications") == []
    assert full.read("settings") is None


async def test_a_failed_predelete_hook_keeps_everything(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(web=(job("farewell", "PreDelete", pod="fail"), config_map("settings")))
    await full.poll()
    await full.sync("web")
    await ended(full, "web")
    await delete_application(
        full.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="foreground"
    )
    operation = await ended(full, "web", 2)
    assert operation["phase"] == "Failed"
    assert "PreDelete hook" in operation["message"]
    assert full.read("settings") is not None
    assert len(await full.rows("select 1 from applications")) == 1


async def test_a_rollback_runs_the_hooks_that_were_stored(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(web=(job("old", "PreSync"), config_map("settings", x="1")))
    await full.poll()
    await full.sync("web")
    await ended(full, "web")
    full.commit(web=(job("new", "PreSync"), config_map("settings", x="2")))
    await full.poll()
    await full.sync("web")
    await ended(full, "web", 2)
    await rollback_application(full.runtime, ADMIN, EVERYTHING, "web", 0, prune=False)
    third = await ended(full, "web", 3)
    assert third["phase"] == "Succeeded", third["message"]
    assert hooks(third) == [("PreSync", "old", "Succeeded")]


async def test_a_sync_that_takes_too_long_is_ended(full: World) -> None:
    full.runtime = replace(
        full.runtime, settings=replace(full.runtime.settings, sync_timeout_seconds=600.0)
    )
    await full.add_app("web", auto=False)
    full.commit(web=(job("endless", "PreSync", pod="pending"), config_map("settings")))
    await full.poll()
    await full.sync("web")
    await waits(full, "web", "waiting for Job")
    full.clock.forward(601)
    operation = await ended(full, "web")
    assert operation["phase"] == "Failed"
    assert operation["message"].startswith("took longer than 600 s: waiting for Job")
    await until(lambda: _gone(full, "endless"))


async def test_what_stands_in_the_way_of_a_hook_is_left_alone(full: World) -> None:
    """An object of somebody else's, and one that Argo CD left behind."""
    full.create_namespace()
    base = f"/apis/batch/v1/namespaces/{full.namespace}/jobs"
    foreign = job("foreign", "PreSync")
    del foreign["metadata"]["annotations"]
    full.request("POST", base, foreign)
    left = job("left", "PreSync")
    left["metadata"]["finalizers"] = [FINALIZER]
    full.request("POST", base, left)
    await full.add_app("web", auto=False)
    full.commit(web=(job("foreign", "PreSync"), job("left", "PreSync"), config_map("settings")))
    await full.poll()
    await full.sync("web")
    operation = await ended(full, "web")
    assert operation["phase"] == "Failed"
    assert "is there already, and is no hook" in operation["message"]
    assert hooks(operation) == [("PreSync", "foreign", "Failed"), ("PreSync", "left", "Succeeded")]
    assert RUN not in jobs(full)["foreign"]["metadata"].get("annotations", {})
    assert RUN in jobs(full)["left"]["metadata"]["annotations"]
