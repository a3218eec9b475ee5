"""What becomes of what others made or wrote: the options ``fleet.dev/ssa`` and
``fleet.dev/take-over``."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.scope import EVERYTHING
from fleet.operations.diffing import diff_application
from tests.integration.operations.harness import Object, World, config_map, deployment

SSA = "fleet.dev/ssa"
TAKE_OVER = "fleet.dev/take-over"


def marked(name: str, mark: str, value: str, **data: str) -> Object:
    return config_map(name, {mark: value}, **data)


def made_by_somebody(world: World, name: str, **data: str) -> None:
    world.request("POST", world.path_of("").rstrip("/"), config_map(name, **data))


def data_of(world: World, name: str) -> Any:
    live = world.read(name)
    return None if live is None else live["data"]


async def test_fields_of_others_are_taken_and_the_rest_stays(bare: World) -> None:
    """Merge. Without it, another manager's value is a conflict."""
    bare.create_namespace()
    for name in ("a", "b"):
        made_by_somebody(bare, name, x="theirs", y="theirs")
    await bare.add_app("web")
    await bare.deliver(web=(marked("a", SSA, "Merge", x="ours"), config_map("b", x="ours")))
    assert data_of(bare, "a") == {"x": "ours", "y": "theirs"}
    assert data_of(bare, "b") == {"x": "theirs", "y": "theirs"}
    assert await bare.results("web") == {
        "ConfigMap/a": ("configured", ""),
        "ConfigMap/b": ("failed", "FieldConflict"),
    }


async def test_what_people_add_goes(bare: World) -> None:
    """Override: what kubectl added, at the apply and afterwards, and not a controller's."""
    await bare.add_app("web")
    await bare.deliver(web=(marked("a", SSA, "Override", x="ours"), config_map("b", x="ours")))
    for name in ("a", "b"):
        bare.edit(name, "kubectl-edit", by="hand")
        bare.edit(name, "operator", by_an="operator")
    await bare.pass_(look=True)
    assert data_of(bare, "a") == {"x": "ours", "by_an": "operator"}
    assert data_of(bare, "b") == {"x": "ours", "by": "hand", "by_an": "operator"}
    assert (await bare.app("web"))["sync_status"] == "Synced"
    before = await bare.operations("web")
    bare.clock.forward(400)
    await bare.pass_(look=True)
    assert await bare.operations("web") == before


async def test_what_is_there_is_never_changed(bare: World) -> None:
    """IfNotPresent: made where it is missing; its changes, here and there, are nobody's."""
    bare.create_namespace()
    made_by_somebody(bare, "theirs", x="0")
    both = ("theirs", "ours")
    await bare.add_app("web")
    await bare.deliver(web=tuple(marked(name, SSA, "IfNotPresent", x="1") for name in both))
    assert [data_of(bare, name) for name in both] == [{"x": "0"}, {"x": "1"}]
    assert await bare.results("web") == {
        "ConfigMap/theirs": ("skipped", ""),
        "ConfigMap/ours": ("created", ""),
    }
    bare.edit("ours", x="2")
    await bare.deliver(web=tuple(marked(name, SSA, "IfNotPresent", x="3") for name in both))
    await bare.pass_(look=True)
    assert [data_of(bare, name) for name in both] == [{"x": "0"}, {"x": "2"}]
    assert (await bare.app("web"))["sync_status"] == "Synced"
    shown = await diff_application(bare.runtime, EVERYTHING, "web")
    assert shown.shown == ()
    # gone, it is made again; and once out of Git, only what we made is pruned
    bare.request("DELETE", bare.path_of("ours"))
    await bare.pass_(look=True)
    assert data_of(bare, "ours") == {"x": "3"}
    await bare.deliver(web=(config_map("rest"),))
    assert (bare.is_going("ours"), bare.is_going("theirs")) == (True, False)


async def test_an_ignored_object_is_as_if_it_were_not_in_git(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="1"), config_map("b", x="1")))
    await bare.deliver(web=(config_map("a", x="2"), marked("b", SSA, "Ignore", x="2")))
    bare.edit("b", x="3")
    await bare.pass_(look=True)
    assert (data_of(bare, "a"), data_of(bare, "b")) == ({"x": "2"}, {"x": "3"})
    assert set(await bare.resources("web")) == {"ConfigMap/a"}
    assert (await bare.app("web"))["sync_status"] == "Synced"
    shown = await diff_application(bare.runtime, EVERYTHING, "web")
    assert shown.shown == ()


@pytest.mark.parametrize(
    ("policy", "wanted", "is_taken"),
    [
        ("Always", "same", True),
        ("IfNoDiff", "same", True),
        ("IfNoDiff", "other", False),
        ("Never", "same", False),
    ],
)
async def test_what_somebody_else_made_is_taken_over_or_not(
    bare: World, policy: str, wanted: str, is_taken: bool
) -> None:
    bare.create_namespace()
    made_by_somebody(bare, "a", x="same", y="more")
    before = bare.read("a")
    await bare.add_app("web", sync_options=(f"{TAKE_OVER}={policy}",))
    await bare.deliver(web=(config_map("a", x=wanted), config_map("b")))
    action, error = (await bare.results("web"))["ConfigMap/a"]
    if is_taken:
        assert (action, error) == ("configured", "")
        assert data_of(bare, "a") == {"x": "same", "y": "more"}
        bare.edit("a", x="drifted")  # ours by now: the policy is not asked again
        await bare.pass_(look=True)
        assert data_of(bare, "a")["x"] == "same"
    else:
        assert (action, error) == ("failed", "Refused")
        assert bare.read("a") == before
        message = (await bare.app("web"))["conditions"][0]["message"]
        assert f"{TAKE_OVER}={policy}" in message
    assert data_of(bare, "b") == {"colour": "blue"}


async def test_what_git_says_about_an_object_is_no_difference(bare: World) -> None:
    """Whoever made it did not know of the option."""
    bare.create_namespace()
    made_by_somebody(bare, "a", x="same")
    made_by_somebody(bare, "b", x="same")
    await bare.add_app("web")
    b = marked("b", TAKE_OVER, "IfNoDiff", x="same")
    b["metadata"]["annotations"]["team"] = "shop"
    await bare.deliver(web=(marked("a", TAKE_OVER, "IfNoDiff", x="same"), b))
    assert await bare.results("web") == {
        "ConfigMap/a": ("configured", ""),
        "ConfigMap/b": ("failed", "Refused"),
    }


def restart(world: World, name: str) -> None:
    """As ``kubectl rollout restart`` does it: an annotation of the Pod template, by an update."""
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/{name}"
    live = world.request("GET", path)
    metadata = live["spec"]["template"]["metadata"]
    metadata["annotations"] = {"kubectl.kubernetes.io/restartedAt": world.clock().isoformat()}
    world.request("PUT", f"{path}?fieldManager=kubectl-rollout", live)


@pytest.mark.parametrize("auto", [False, True], ids=["by hand", "by itself"])
async def test_a_restart_is_nothing_where_git_has_empty_annotations(
    bare: World, auto: bool
) -> None:
    wanted = deployment("web")
    assert wanted["spec"]["template"]["metadata"]["annotations"] == {}
    await bare.add_app("web", auto=auto)
    await bare.deliver(web=(wanted,))
    if not auto:
        await bare.sync("web")
        await bare.pass_()
    for _ in range(2):
        restart(bare, "web")
        asked = await bare.pass_(look=True)
        assert not [verb for verb, _ in asked if verb in ("apply", "dry-run")]
        app = await bare.app("web")
        assert app["sync_status"] == "Synced"
    assert len(await bare.operations("web")) == 1
    row = (await bare.resources("web"))["Deployment/web"]
    assert (row["drift"], row["message"]) == ([], "")
    # what Git does say is kept, beside what others put in
    path = f"/apis/apps/v1/namespaces/{bare.namespace}/deployments/web"
    live = bare.request("GET", path)
    bare.request(
        "PUT", f"{path}?fieldManager=hand", live | {"spec": live["spec"] | {"replicas": 3}}
    )
    await bare.pass_(look=True)
    live = bare.request("GET", path)
    assert (live["spec"]["replicas"] == 1) is auto
    assert live["spec"]["template"]["metadata"]["annotations"]
    assert (await bare.app("web"))["sync_status"] == ("Synced" if auto else "OutOfSync")
