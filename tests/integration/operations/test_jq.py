"""``jqPathExpressions``, of an application and of the whole system."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import FleetError, SettingsInvalid
from fleet.model.parsing import new_application, parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application
from fleet.operations.diffing import diff_application
from fleet.operations.opening import resource_settings
from fleet.operations.putting import put_application
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    ADMIN,
    Object,
    World,
    config_map,
    deployment,
    settings_for,
    world,
)
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

#: The container by its name, wherever in the list it is.
IMAGE = '.spec.template.spec.containers[] | select(.name == "web") | .image'
LOOP = "until(false; .)"


def jq(*expressions: str, kind: str = "Deployment", group: str = "apps") -> Object:
    return {"group": group, "kind": kind, "jqPathExpressions": list(expressions)}


async def put(
    world: World, name: str, *rules: Object, auto: bool = True, options: tuple[str, ...] = ()
) -> None:
    document = new_application(
        name,
        repo_url=world.repo.url,
        path=name,
        revision="main",
        dest_name="main",
        dest_namespace=world.namespace,
        automated=auto,
        auto_prune=auto,
        self_heal=auto,
        sync_options=("CreateNamespace=true", *options),
    )
    document["spec"]["ignoreDifferences"] = list(rules)
    parsed = parse_application(document)
    await put_application(world.runtime, ADMIN, EVERYTHING, parsed, upsert=True)


def _path(world: World, name: str = "d") -> str:
    return f"/apis/apps/v1/namespaces/{world.namespace}/deployments/{name}"


def _image(world: World, name: str = "d") -> str:
    spec = world.request("GET", _path(world, name))["spec"]["template"]["spec"]
    return str(spec["containers"][0]["image"])


def _edit(world: World, manager: str, name: str = "d", **spec: Any) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    world.request("PATCH", f"{_path(world, name)}?fieldManager={manager}&force=true", body)


def _web(image: str) -> Object:
    return {"spec": {"containers": [{"name": "web", "image": image}]}}


async def test_what_an_expression_names_is_no_drift_and_all_else_is(bare: World) -> None:
    await put(bare, "web", jq(IMAGE))
    await bare.deliver(web=(deployment("d"), deployment("other")))
    _edit(bare, "image-updater", template=_web("registry.test/web:2"))
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert (_image(bare), len(await bare.operations("web"))) == ("registry.test/web:2", 1)
    diff = await diff_application(bare.runtime, EVERYTHING, "web")
    assert (diff.shown, diff.failures) == ((), ())
    _edit(bare, "hand", replicas=7)
    await bare.pass_(look=True)
    (event,) = await bare.rows("select fields from drift_events")
    assert [field["path"] for field in event["fields"]] == [".spec.replicas"]
    assert bare.request("GET", _path(bare))["spec"]["replicas"] == 1


async def test_a_pass_over_what_did_not_change_asks_no_jq(bare: World) -> None:
    await put(bare, "web", jq(IMAGE))
    await bare.deliver(web=tuple(deployment(f"d{n}") for n in range(3)))
    asked = bare.runtime.jq.asked
    await bare.pass_(look=True)
    await bare.run("update applications set dirty_at = now(), urgency = 0")
    await bare.pass_()
    assert bare.runtime.jq.asked == asked > 0


@pytest.mark.parametrize("kind", ["Deployment", "Nothing"])
async def test_wrong_jq_stops_its_application_and_no_other(bare: World, kind: str) -> None:
    await put(bare, "web")
    await put(bare, "other", jq(IMAGE))
    await bare.deliver(web=(deployment("d"), config_map("c")), other=(deployment("e"),))
    await put(bare, "web", jq(".spec |", kind=kind))
    _edit(bare, "hand", replicas=7)
    _edit(bare, "image-updater", "e", template=_web("registry.test/web:2"))
    await bare.deliver(web=(deployment("d"),), other=(deployment("e", seconds=60),))
    app = await bare.app("web")
    assert app["sync_status"] == "Unknown"
    (condition,) = app["conditions"]
    assert condition["type"] == "ComparisonError"
    assert condition["message"].startswith("ignoreDifferences: .spec |: syntax error")
    # nothing was healed, nothing deleted, whether the rule is about anything or not
    assert bare.request("GET", _path(bare))["spec"]["replicas"] == 7
    assert not bare.is_going("c")
    await bare.sync("web")
    await bare.pass_()
    last = (await bare.operations("web"))[-1]
    assert (last["phase"], "syntax error" in last["message"]) == ("Failed", True)
    if kind == "Deployment":
        with pytest.raises(FleetError, match="syntax error"):
            await _raise_failures(bare)
    assert (await bare.app("other"))["sync_status"] == "Synced"
    assert bare.request("GET", _path(bare, "e"))["spec"]["progressDeadlineSeconds"] == 60
    # once it is put right, all goes on
    await put(bare, "web", jq(".spec.replicas"))
    await bare.deliver(web=(deployment("d"),))
    await bare.pass_()
    app = await bare.app("web")
    assert (app["sync_status"], app["conditions"]) == ("Synced", [])
    assert bare.is_going("c")


async def test_wrong_jq_keeps_no_application_from_being_deleted(bare: World) -> None:
    await put(bare, "web")
    await bare.deliver(web=(deployment("d"), config_map("c")))
    await put(bare, "web", jq(".spec |"))
    await bare.deliver(web=(deployment("d"),))
    await bare.pretend_worker()
    await delete_application(bare.runtime, ADMIN, EVERYTHING, "web", cascade=True)
    await bare.pass_()
    assert bare.is_going("c")
    assert (await bare.operations("web"))[-1]["phase"] in ("Running", "Succeeded")


async def _raise_failures(world: World) -> None:
    diff = await diff_application(world.runtime, EVERYTHING, "web")
    for failure in diff.failures:
        raise failure.error


async def test_an_expression_that_never_ends_is_ended(bare: World) -> None:
    await put(bare, "web", jq(LOOP, kind="*", group="*"))
    await put(bare, "other", jq(IMAGE))
    await bare.deliver(web=tuple(config_map(f"c{n}") for n in range(20)), other=(deployment("e"),))
    (condition,) = (await bare.app("web"))["conditions"]
    assert "it was stopped after 1 s of processor time" in condition["message"]
    assert (await bare.app("other"))["sync_status"] == "Synced"
    assert bare.runtime.jq.started == 2  # one died, one went on: not one an object


async def test_an_expression_that_names_no_place_is_warned_about(bare: World) -> None:
    await put(bare, "web", jq(".spec | keys"))
    await bare.deliver(web=(deployment("d"),))
    app = await bare.app("web")
    assert app["sync_status"] == "Synced"
    assert [c["type"] for c in app["conditions"]] == ["CompareOptionWarning"]


SYSTEM = {
    "resource.customizations.ignoreDifferences.apps_Deployment": (
        f"jqPathExpressions: ['{IMAGE}']\n"
    ),
    "resource.customizations.ignoreDifferences.all": "managedFieldsManagers: [scaler]\n",
}


@pytest.fixture
async def ruled(
    database: TestDatabase, bare_clusters: list[TestCluster], git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    """A Fleet whose settings have rules for every application."""
    settings = settings_for(tmp_path, resource_settings=SYSTEM)
    async with world(settings, database, git_repo, bare_clusters[0]) as made:
        yield made


async def test_rules_of_the_system_hold_for_every_application(ruled: World) -> None:
    await put(ruled, "web")
    await put(ruled, "own", {"group": "apps", "kind": "*", "jsonPointers": ["/spec/paused"]})
    await ruled.deliver(web=(deployment("d"),), own=(deployment("e"),))
    for name in ("d", "e"):
        _edit(ruled, "image-updater", name, template=_web("registry.test/web:2"))
        _edit(ruled, "scaler", name, replicas=5)
    await ruled.pass_(look=True)
    for app in ("web", "own"):
        assert (await ruled.app(app))["sync_status"] == "Synced"
        assert len(await ruled.operations(app)) == 1


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, resource_settings=json.dumps({"resource.exclusion": ""}))
    with pytest.raises(SettingsInvalid, match=r"resource_settings: resource\.exclusion: is no"):
        resource_settings(settings)
