"""Sync options that say how an object is written: replaced, made anew, applied by the client."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from fleet.model.operations import SyncOptions
from tests.integration.operations.harness import Object, World, config_map, deployment, until

OPTIONS = "argocd.argoproj.io/sync-options"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def with_options(object: Object, text: str, **more: str) -> Object:
    metadata = object["metadata"]
    marks = {**metadata.get("annotations", {}), OPTIONS: text, **more}
    return {**object, "metadata": {**metadata, "annotations": marks}}


def fixed(name: str, options: str = "", **data: str) -> Object:
    """A ConfigMap whose content cannot be changed."""
    made = {**config_map(name, **data), "immutable": True}
    return with_options(made, options) if options else made


async def told(world: World, app: str) -> dict[str, tuple[str, str]]:
    """Of an application's last operation: object → action and message."""
    last = (await world.operations(app))[-1]
    rows = await world.rows(
        "select kind, name, action, message from operation_results where operation_id = :id",
        id=last["id"],
    )
    return {f"{row['kind']}/{row['name']}": (row["action"], row["message"]) for row in rows}


def data_of(world: World, name: str) -> dict[str, str]:
    live = world.read(name)
    assert live is not None
    found: dict[str, str] = live["data"]
    return found


def uid_of(world: World, name: str) -> str:
    live = world.read(name)
    assert live is not None
    return str(live["metadata"]["uid"])


async def status(world: World, app: str) -> tuple[str, str]:
    row = await world.app(app)
    return row["sync_status"], row["attempt_phase"]


async def test_replace_leaves_nothing_that_git_does_not_hold(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(with_options(config_map("a", x="1"), "Replace=true"),))
    before = bare.edit("a", theirs="here")["metadata"]["uid"]
    await bare.deliver(web=(with_options(config_map("a", x="2"), "Replace=true"),))
    assert await told(bare, "web") == {"ConfigMap/a": ("configured", "replaced")}
    assert data_of(bare, "a") == {"x": "2"}
    assert uid_of(bare, "a") == before  # it is the same object still
    # what was replaced is compared as everything is: by what Git holds of it
    bare.edit("a", x="3")
    await bare.pass_(look=True)
    assert data_of(bare, "a") == {"x": "2"}
    assert (await bare.app("web"))["sync_status"] == "Synced"
    bare.edit("a", theirs="again")
    before_all = await bare.operations("web")
    await bare.pass_(look=True)
    assert await bare.operations("web") == before_all  # a field beside ours is no drift


async def test_a_person_replaces_what_is_in_sync(bare: World) -> None:
    await bare.add_app("web", auto=False)
    bare.commit(web=(config_map("a", x="1"), with_options(config_map("b"), "Replace=false")))
    await bare.poll()
    await bare.sync("web")
    await bare.pass_()
    for name in ("a", "b"):
        bare.edit(name, theirs="here")
    await bare.sync("web", SyncOptions(sync_options=("Replace=true",)))
    await bare.pass_()
    assert data_of(bare, "a") == {"x": "1"}
    assert (await told(bare, "web"))["ConfigMap/a"] == ("configured", "replaced")
    assert data_of(bare, "b") == {"colour": "blue", "theirs": "here"}  # it says no itself


async def test_without_force_what_cannot_be_changed_fails_and_stays(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(fixed("a", x="1"),))
    before = uid_of(bare, "a")
    await bare.deliver(web=(fixed("a", x="2"),))
    assert (await bare.results("web"))["ConfigMap/a"] == ("failed", "ImmutableField")
    assert (uid_of(bare, "a"), data_of(bare, "a")) == (before, {"x": "1"})


async def test_force_makes_anew_what_cannot_be_changed(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(fixed("a", "Force=true", x="1"), config_map("b", x="1")))
    before = {name: uid_of(bare, name) for name in ("a", "b")}
    await bare.deliver(web=(fixed("a", "Force=true", x="2"), config_map("b", x="2")))
    assert await told(bare, "web") == {
        "ConfigMap/a": ("created", "made anew"),
        "ConfigMap/b": ("configured", ""),
    }
    assert data_of(bare, "a") == {"x": "2"}
    assert uid_of(bare, "a") != before["a"]
    assert uid_of(bare, "b") == before["b"]
    assert await status(bare, "web") == ("Synced", "Succeeded")
    # the new one is the one that is known: there is nothing more to do
    known = await bare.versions()
    await bare.pass_(look=True)
    assert await bare.versions() == known


async def test_what_the_server_would_not_take_is_not_deleted_for_it(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(fixed("a", "Force=true", x="1"),))
    before = uid_of(bare, "a")
    bad = fixed("a", "Force=true", x="2")
    bad["metadata"]["labels"] = {"bad": "not a label!"}
    await bare.deliver(web=(bad,))
    assert (await bare.results("web"))["ConfigMap/a"][0] == "failed"
    assert uid_of(bare, "a") == before


async def test_an_object_that_does_not_go_at_once_is_waited_for(bare: World) -> None:
    await bare.add_app("web")
    held = fixed("a", "Force=true", x="1")
    held["metadata"]["finalizers"] = ["example.test/slow"]
    await bare.deliver(web=(held,))
    before = uid_of(bare, "a")
    await bare.deliver(web=(fixed("a", "Force=true", x="2"),))
    live = bare.read("a")
    assert live is not None
    assert "deletionTimestamp" in live["metadata"]
    operation = (await bare.operations("web"))[-1]
    assert (operation["phase"], "made anew" in operation["message"]) == ("Running", True)
    live["metadata"]["finalizers"] = []
    bare.request("PUT", bare.path_of("a"), live)
    bare.clock.forward(2)
    await bare.pass_()
    assert data_of(bare, "a") == {"x": "2"}
    assert uid_of(bare, "a") != before
    assert (await told(bare, "web"))["ConfigMap/a"] == ("created", "made anew")


async def test_what_every_sync_makes_anew(bare: World) -> None:
    """As a Job that is to run at each sync; not at a heal of something else."""
    await bare.add_app("web")
    anew = with_options(config_map("a"), "Force=true,Replace=true")
    await bare.deliver(web=(anew, config_map("b", x="1")))
    first = uid_of(bare, "a")
    assert (await told(bare, "web"))["ConfigMap/a"] == ("created", "")
    await bare.deliver(web=(anew, config_map("b", x="2")))
    second = uid_of(bare, "a")
    assert second != first
    assert (await told(bare, "web"))["ConfigMap/a"] == ("created", "made anew")
    bare.edit("b", x="3")
    await bare.pass_(look=True)
    assert (data_of(bare, "b"), uid_of(bare, "a")) == ({"x": "2"}, second)
    assert await status(bare, "web") == ("Synced", "Succeeded")


CLAIM: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


@pytest.mark.parametrize("options", ["Force=true", "Force=true,Replace=true"])
async def test_what_holds_data_is_not_made_anew_unless_it_says_so(
    bare: World, options: str
) -> None:
    await bare.add_app("web", sync_options=("CreateNamespace=true",))
    path = f"/api/v1/namespaces/{bare.namespace}/persistentvolumeclaims/data"
    await bare.deliver(web=(with_options(CLAIM, options),))
    before = bare.request("GET", path)["metadata"]["uid"]
    other = {**CLAIM, "spec": {**CLAIM["spec"], "accessModes": ["ReadWriteMany"]}}
    await bare.deliver(web=(with_options(other, options),))
    action, message = (await told(bare, "web"))["PersistentVolumeClaim/data"]
    assert action == "failed"
    assert 'fleet.dev/recreate: "true"' in message
    live = bare.request("GET", path)["metadata"]
    assert (live["uid"], "deletionTimestamp" in live) == (before, False)

    await bare.deliver(web=(with_options(other, options, **{"fleet.dev/recreate": "true"}),))
    live = bare.request("GET", path)
    assert live["metadata"]["uid"] != before
    assert live["spec"]["accessModes"] == ["ReadWriteMany"]


async def test_a_dry_run_tells_what_would_be_made_anew(bare: World) -> None:
    await bare.add_app("web", auto=False)
    bare.commit(web=(fixed("a", x="1"), config_map("b", x="1")))
    await bare.poll()
    await bare.sync("web")
    await bare.pass_()
    bare.commit(web=(fixed("a", x="2"), config_map("b", x="2")))
    await bare.poll()
    asked = ("Force=true", "Replace=true")
    before = uid_of(bare, "a"), uid_of(bare, "b")
    await bare.sync("web", SyncOptions(dry_run=True, sync_options=asked[:1]))
    await bare.pass_()
    assert (await told(bare, "web"))["ConfigMap/a"][1] == "dry run: would be made anew"
    assert (await told(bare, "web"))["ConfigMap/b"][1] == "dry run"
    await bare.sync("web", SyncOptions(dry_run=True, sync_options=asked))
    await bare.pass_()
    assert (await told(bare, "web"))["ConfigMap/b"][1] == "dry run: would be made anew"
    assert (uid_of(bare, "a"), uid_of(bare, "b")) == before
    await bare.sync("web", SyncOptions(sync_options=asked))
    await bare.pass_()
    assert not {*before} & {uid_of(bare, "a"), uid_of(bare, "b")}


async def test_client_side_apply_takes_what_server_side_apply_refuses(bare: World) -> None:
    """A variable that is there twice: the reason why teams switch it off."""
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]

    def web(**container: Any) -> Object:
        made = deployment("web")
        made["spec"]["template"]["spec"]["containers"][0] |= container
        return made

    await bare.add_app("web", sync_options=("CreateNamespace=true", "ServerSideApply=false"))
    await bare.deliver(web=(web(env=twice, command=["run"]),))
    assert await status(bare, "web") == ("Synced", "Succeeded")
    path = f"/apis/apps/v1/namespaces/{bare.namespace}/deployments/web"
    live = bare.request("GET", path)
    assert live["spec"]["template"]["spec"]["containers"][0]["env"] == twice
    assert json.loads(live["metadata"]["annotations"][LAST_APPLIED])["spec"]["replicas"] == 1
    # what others add stays, what left Git goes, and what is in Git is taken back
    live["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "x"})
    live["spec"]["replicas"] = 3
    bare.request("PUT", path, live)
    await bare.deliver(web=(web(env=twice[:1]),))
    live = bare.request("GET", path)
    containers = {item["name"]: item for item in live["spec"]["template"]["spec"]["containers"]}
    assert set(containers) == {"web", "side"}
    assert ("command" in containers["web"], containers["web"]["env"]) == (False, twice[:1])
    assert live["spec"]["replicas"] == 1
    assert await status(bare, "web") == ("Synced", "Succeeded")
    before = await bare.versions()
    await bare.pass_(look=True)
    assert await bare.versions() == before


async def test_from_one_way_of_applying_to_the_other_and_back(bare: World) -> None:
    await bare.add_app("web", heal=False)
    await bare.deliver(web=(config_map("a", x="1", old="1"),))
    for options, data in (
        ("ServerSideApply=false", {"x": "2", "new": "2"}),
        ("Replace=true", {"x": "3", "newer": "3"}),
        ("ServerSideApply=true", {"x": "4"}),
    ):
        await bare.deliver(web=(with_options(config_map("a", **data), options),))
        assert data_of(bare, "a") == data
        assert await status(bare, "web") == ("Synced", "Succeeded")
        bare.edit("a", x="drifted")
        await bare.pass_(look=True)
        row = (await bare.resources("web"))["ConfigMap/a"]
        assert [field["path"] for field in row["drift"]] == [".data.x"]


def applied_by(world: World, manager: str, name: str, **data: str) -> None:
    """Make a ConfigMap as a client-side apply of some tool does."""
    path = f"{world.path_of('').rstrip('/')}?fieldManager={manager}"
    world.request("POST", path, config_map(name, **data))


@pytest.mark.parametrize(
    ("manager", "marks", "stays"),
    [
        ("kubectl-client-side-apply", {}, False),
        ("argocd-controller", {}, False),
        ("our-tool", {"argocd.argoproj.io/client-side-apply-migration-manager": "our-tool"}, False),
        ("our-tool", {}, True),
        ("kubectl-client-side-apply", {OPTIONS: "ClientSideApplyMigration=false"}, True),
    ],
)
async def test_what_was_applied_client_side_before_becomes_ours(
    bare: World, manager: str, marks: dict[str, str], stays: bool
) -> None:
    bare.create_namespace()
    applied_by(bare, manager, "a", x="1", left="behind")
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", marks, x="1"),))
    assert data_of(bare, "a") == {"x": "1"} | ({"left": "behind"} if stays else {})
    assert await status(bare, "web") == ("Synced", "Succeeded")


async def test_values_that_were_applied_client_side_before_are_no_conflict(bare: World) -> None:
    bare.create_namespace()
    applied_by(bare, "kubectl-client-side-apply", "a", x="1")
    applied_by(bare, "hand", "b", x="1")
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="2"), config_map("b", x="2")))
    assert (await told(bare, "web"))["ConfigMap/a"] == ("configured", "")
    assert (await bare.results("web"))["ConfigMap/b"] == ("failed", "FieldConflict")
    assert data_of(bare, "a") == {"x": "2"}


async def test_fields_that_a_kind_does_not_have(bare: World) -> None:
    odd = deployment("web")
    odd["spec"]["replica"] = 3
    odd["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Never"
    await bare.add_app("web")
    await bare.deliver(web=(odd,))
    action, message = (await told(bare, "web"))["Deployment/web"]
    assert (action, "Validate=false" in message) == ("failed", True)
    await bare.deliver(web=(with_options(odd, "Validate=false"),))
    action, message = (await told(bare, "web"))["Deployment/web"]
    assert (action, ".spec.replica" in message, "imagePullPolice" in message) == (
        "created",
        True,
        True,
    )
    assert await status(bare, "web") == ("Synced", "Succeeded")


@pytest.mark.parametrize("way", ["Replace=true", "ServerSideApply=false"])
async def test_fields_that_a_kind_does_not_have_in_whole_objects(bare: World, way: str) -> None:
    odd = deployment("web")
    odd["spec"]["replica"] = 3
    await bare.add_app("web")
    await bare.deliver(web=(with_options(odd, way),))
    assert (await bare.results("web"))["Deployment/web"][0] == "failed"
    await bare.deliver(web=(with_options(odd, f"{way},Validate=false"),))
    assert (await bare.results("web"))["Deployment/web"] == ("created", "")


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
async def test_a_kind_that_somebody_else_brings_is_waited_for(bare: World, scope: str) -> None:
    group = f"{secrets.token_hex(4)}.example.test"
    widget: Object = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "annotations": {"argocd.argoproj.io/sync-wave": "1"}},
        "spec": {"size": 1},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "scope": scope,
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), widget))
    assert bare.read("a") is None  # without the option nothing is done
    option = with_options(widget, "SkipDryRunOnMissingResource=true")
    await bare.deliver(web=(config_map("a"), option))
    assert data_of(bare, "a") == {"colour": "blue"}
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Running"
    assert operation["message"].endswith("its kind is not served yet")

    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    bare.request("POST", definitions, definition)
    try:

        async def synced() -> bool:
            bare.clock.forward(15)
            await bare.pass_()
            return (await bare.app("web"))["sync_status"] == "Synced"

        await until(synced)
        (operation,) = await bare.operations("web")
        assert operation["phase"] == "Succeeded"
        place = f"namespaces/{bare.namespace}/" if scope == "Namespaced" else ""
        live = bare.request("GET", f"/apis/{group}/v1/{place}widgets/w")
        assert live["spec"] == {"size": 1}
        assert set(await bare.resources("web")) == {"ConfigMap/a", "Widget/w"}
    finally:
        bare.request("DELETE", f"{definitions}/widgets.{group}")
