"""Order inside one sync, on a cluster with controllers, and what a cluster refuses."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import pytest

from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application
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

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
def group(full: World) -> Iterator[str]:
    """An API group of this test's own; its CustomResourceDefinition is removed afterwards."""
    name = f"g{secrets.token_hex(4)}.example.test"
    yield name
    with contextlib.suppress(ApiFailed):  # gone already
        full.request("DELETE", f"{DEFINITIONS}/widgets.{name}")


def _definition(group: str) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [version],
        },
    }


def _widget(group: str) -> Object:
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "first"},
        "spec": {"size": 1},
    }


async def _finished(world: World, name: str) -> Object:
    """Pass until the last operation of an application has ended; that operation."""

    async def ended() -> Object | None:
        await world.pass_(look=True)
        world.clock.forward(5)
        operations = await world.operations(name)
        return operations[-1] if operations and operations[-1]["finished_at"] else None

    return await until(ended)


async def test_a_definition_and_its_object_arrive_in_one_sync(full: World, group: str) -> None:
    await full.add_app("web")
    await full.deliver(web=(_widget(group), _definition(group)))
    operation = await _finished(full, "web")
    assert operation["phase"] == "Succeeded"
    assert operation["attempt"] == 1
    widget = f"/apis/{group}/v1/namespaces/{full.namespace}/widgets/first"
    assert full.request("GET", widget)["spec"] == {"size": 1}
    await full.pass_(look=True)
    assert (await full.app("web"))["sync_status"] == "Synced"
    # both kinds are listed from now on
    assert (
        f"{group}/Widget/v1" in (await full.rows("select managed_kinds as k from clusters"))[0]["k"]
    )


async def test_a_dry_run_ends_at_once_whatever_the_sync_would_wait_for(
    full: World, group: str
) -> None:
    await full.add_app("web", auto=False)
    objects = (_definition(group), _widget(group), deployment("db", wave=0))
    full.commit(web=(*objects, in_wave(config_map("late"), 1)))
    await full.poll()
    await full.sync("web", SyncOptions(dry_run=True))
    spent = await full.pass_()
    assert not {verb for verb, _ in spent} & {"apply", "delete"}
    (operation,) = await full.operations("web")
    assert operation["phase"] == "Succeeded", operation["message"]
    assert {action for action, _ in (await full.results("web")).values()} == {"created"}
    assert len(await full.results("web")) == 5
    # nothing is taken for done
    await full.sync("web")
    assert (await _finished(full, "web"))["phase"] == "Succeeded"
    assert full.read("late") is not None


async def test_a_wave_waits_for_the_one_before_to_be_healthy(full: World) -> None:
    await full.add_app("web")
    full.commit(web=(deployment("db", wave=0, pod="pending"), in_wave(config_map("late"), 1)))
    await full.poll()
    await full.pass_()
    assert full.read("late") is None
    (operation,) = await full.operations("web")
    assert operation["phase"] == "Running"
    assert f"waiting for Deployment/{full.namespace}/db" in operation["message"]
    app = await full.app("web")
    assert app["due_at"] is not None
    assert app["operation_id"] == operation["id"]
    # what holds it up goes away, and the sync goes on by itself
    pods = f"/api/v1/namespaces/{full.namespace}/pods"
    await until(lambda: _answer(full.request("GET", pods)["items"]))
    for pod in full.request("GET", pods)["items"]:
        path = f"{pods}/{pod['metadata']['name']}/status?fieldManager=kubelet&force=true"
        ready = [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod["metadata"]["name"]},
            "status": {"phase": "Running", "conditions": ready},
        }
        full.request("PATCH", path, body)
    done = await _finished(full, "web")
    assert (done["id"], done["phase"]) == (operation["id"], "Succeeded")
    assert full.read("late") is not None
    await full.pass_(look=True)
    assert (await full.app("web"))["health_status"] == "Healthy"
    assert len(await full.operations("web")) == 1


async def _answer(value: object) -> object:
    return value


async def test_a_degraded_wave_fails_the_sync(full: World) -> None:
    await full.add_app("web", auto=False)
    full.commit(
        web=(deployment("db", wave=0, pod="pending", seconds=1), in_wave(config_map("late"), 1))
    )
    await full.poll()
    await full.pass_()
    await full.sync("web")
    operation = await _finished(full, "web")
    assert operation["phase"] == "Failed"
    assert "Degraded" in operation["message"]
    assert full.read("late") is None
    await full.pass_(look=True)
    app = await full.app("web")
    assert app["health_status"] == "Degraded"
    assert [c["type"] for c in app["conditions"]] == ["SyncError"]


async def test_a_deployment_becomes_healthy_after_its_sync(full: World) -> None:
    await full.add_app("web")
    await full.deliver(web=(deployment("shop", replicas=2),))
    (operation,) = await full.operations("web")
    assert operation["phase"] == "Succeeded"

    async def healthy() -> bool:
        await full.pass_(look=True)
        return bool((await full.app("web"))["health_status"] == "Healthy")

    await until(healthy)
    (deployed,) = await full.rows("select * from audit.deployments")
    assert deployed["healthy_at"] > deployed["deployed_from"]
    app = await full.app("web")
    assert (app["sync_status"], app["images"]) == ("Synced", ["registry.test/web:1"])
    # status that controllers write is no drift
    assert await full.rows("select * from drift_events") == []
    assert len(await full.operations("web")) == 1


async def test_a_field_that_cannot_change_fails_with_its_name(full: World) -> None:
    await full.add_app("web")
    await full.deliver(web=(deployment("shop"),))
    other = deployment("shop")
    other["spec"]["selector"]["matchLabels"] = {"app": "other"}
    other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    await full.deliver(web=(other, config_map("beside")))
    assert (await full.results("web"))["Deployment/shop"] == ("failed", "ImmutableField")
    (row,) = await full.rows("select message from operation_results where error <> ''")
    assert "spec.selector" in row["message"]
    # the rest of the wave was applied, so that one sync tells all of its errors
    assert full.read("beside") is not None
    assert (await full.operations("web"))[-1]["phase"] == "Failed"


@pytest.fixture
def policy(full: World) -> Iterator[str]:
    """Refuses ConfigMaps with ``forbidden`` in their data, in this test's namespace."""
    name = f"no-{secrets.token_hex(4)}.example.test"
    here = {"matchLabels": {"kubernetes.io/metadata.name": full.namespace}}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    full.request(
        "POST",
        POLICIES,
        {
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [
                    {
                        "expression": "!has(object.data) || !('forbidden' in object.data)",
                        "message": "house rule",
                    }
                ],
            },
        },
    )
    full.request(
        "POST",
        BINDINGS,
        {
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": here},
            },
        },
    )
    yield name
    full.request("DELETE", f"{BINDINGS}/{name}")
    full.request("DELETE", f"{POLICIES}/{name}")


async def test_what_admission_refuses_fails_with_its_message(full: World, policy: str) -> None:
    full.create_namespace()
    probe = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "probe"},
        "data": {"forbidden": "1"},
    }

    async def enforced() -> bool:
        try:
            path = f"{full.path_of('probe')}?fieldManager=probe&dryRun=All"
            full.request("PATCH", path, probe)
        except ApiFailed:
            return True
        return False

    await until(enforced)
    await full.add_app("web", sync_options=())
    await full.deliver(web=(config_map("bad", forbidden="1"), config_map("good")))
    assert await full.results("web") == {
        "ConfigMap/bad": ("failed", "AdmissionDenied"),
        "ConfigMap/good": ("created", ""),
    }
    (row,) = await full.rows("select message from operation_results where error <> ''")
    assert "house rule" in row["message"]


async def test_an_unknown_kind_is_told_and_nothing_is_sent(bare: World) -> None:
    await bare.add_app("web")
    widget = _widget("nowhere.example.test")
    bare.commit(web=(widget, config_map("a")))
    await bare.poll()
    spent = await bare.pass_()
    app = await bare.app("web")
    assert (app["sync_status"], app["urgency"]) == ("OutOfSync", 100)
    assert [c["type"] for c in app["conditions"]] == ["ComparisonError"]
    assert "Widget" in app["conditions"][0]["message"]
    assert spent["apply", "ConfigMap"] == 0
    assert await bare.operations("web") == []
    # a person who insists is told the same
    await bare.sync("web")
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert (operation["phase"], operation["created"]) == ("Failed", 0)
    assert "Widget" in operation["message"]


async def test_a_namespace_that_does_not_exist_fails_each_object(bare: World) -> None:
    await bare.add_app("web", sync_options=())
    await bare.deliver(web=(config_map("a"),))
    assert (await bare.results("web"))["ConfigMap/a"][0] == "failed"
    (row,) = await bare.rows("select message from operation_results")
    assert bare.namespace in row["message"]
    # it appears, and the retry goes through
    bare.create_namespace()
    bare.clock.forward(6)
    await bare.pass_()
    app = await bare.app("web")
    assert (app["sync_status"], app["conditions"]) == ("Synced", [])


async def test_a_kind_that_appears_later_is_noticed(full: World, group: str) -> None:
    await full.add_app("web")
    await full.deliver(web=(_widget(group),))
    app = await full.app("web")
    assert [c["type"] for c in app["conditions"]] == ["ComparisonError"]
    full.request("POST", DEFINITIONS, _definition(group))
    full.clock.forward(60)

    async def synced() -> bool:
        await full.pass_()
        full.clock.forward(60)
        return bool((await full.app("web"))["sync_status"] == "Synced")

    await until(synced)


async def test_a_kind_and_its_objects_leave_in_one_sync(full: World, group: str) -> None:
    await full.add_app("web")
    await full.deliver(web=(_widget(group), _definition(group), config_map("a")))
    assert (await _finished(full, "web"))["phase"] == "Succeeded"
    await full.deliver(web=(config_map("a"),))
    assert await full.results("web") == {
        f"CustomResourceDefinition/widgets.{group}": ("pruned", ""),
        "Widget/first": ("pruned", ""),
    }


async def test_objects_that_went_with_their_kind_are_pruned(full: World, group: str) -> None:
    full.request("POST", DEFINITIONS, _definition(group))
    await full.add_app("web")
    await full.deliver(web=(_widget(group), config_map("a")))
    assert (await _finished(full, "web"))["phase"] == "Succeeded"
    full.request("DELETE", f"{DEFINITIONS}/widgets.{group}")
    await full.deliver(web=(config_map("a"),))

    async def pruned() -> bool:
        await full.pass_(look=True)
        full.clock.forward(30)
        return set(await full.resources("web")) == {"ConfigMap/a"}

    await until(pruned)
    assert (await full.app("web"))["sync_status"] == "Synced"


async def test_an_application_is_deleted_with_its_kinds(full: World, group: str) -> None:
    await full.add_app("web")
    await full.deliver(web=(_widget(group), _definition(group)))
    assert (await _finished(full, "web"))["phase"] == "Succeeded"
    await full.pretend_worker()
    await delete_application(
        full.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="foreground"
    )

    async def gone() -> bool:
        await full.pass_(look=True)
        full.clock.forward(5)
        return not await full.rows("select 1 from applications")

    await until(gone)


def has_namespace(world: World) -> bool:
    try:
        world.request("GET", f"/api/v1/namespaces/{world.namespace}")
    except ApiFailed:  # 404
        return False
    return True


async def test_a_namespace_that_was_deleted_is_made_again_at_the_next_attempt(full: World) -> None:
    """That it was there is remembered for minutes, and forgotten when a write fails."""
    await full.add_app("web")
    await full.deliver(web=(config_map("a", x="1"),))
    full.request("DELETE", f"/api/v1/namespaces/{full.namespace}")
    await until(lambda: _answer(not has_namespace(full)))
    await full.deliver(web=(config_map("a", x="2"),))
    assert (await full.operations("web"))[-1]["phase"] == "Failed"

    async def healed() -> bool:
        full.clock.forward(6)
        await full.pass_()
        return bool((await full.app("web"))["sync_status"] == "Synced")

    await until(healed)
    live = full.read("a")
    assert live is not None
    assert live["data"] == {"x": "2"}
