"""Objects that Argo CD deployed, recognised and taken over."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import Refused
from fleet.model.objects import TRACKING_ANNOTATION, ObjectRef, Tracking
from fleet.model.scope import EVERYTHING
from fleet.operations.adopting import (
    Adoption,
    AdoptionPlan,
    Leftover,
    adopt_application,
    plan_adoption,
)
from fleet.plan import TakeOver
from tests.integration.operations import argo
from tests.integration.operations.exports import config_map as settings
from tests.integration.operations.exports import put
from tests.integration.operations.harness import ADMIN, Object, World, config_map, deployment, until


async def prepare(world: World, *objects: Object, **flags: Any) -> None:
    """An application that nobody synced yet, rendered and looked at."""
    await world.add_app("web", auto=False, **flags)
    await world.deliver(web=objects)


async def plan(world: World, **how: Any) -> AdoptionPlan:
    return await plan_adoption(world.runtime, EVERYTHING, "web", Adoption(**how))


async def adopt(world: World, **how: Any) -> None:
    await world.pretend_worker()
    await adopt_application(world.runtime, ADMIN, EVERYTHING, "web", Adoption(**how))
    await world.pass_()


def seen(found: AdoptionPlan) -> dict[str, tuple[bool, str, bool, str]]:
    """Object → whether it is there, who has it, whether it would change, why it is not taken."""
    return {
        it.ref.name: (
            it.exists,
            it.claim.application if it.claim else "",
            it.shown is not None,
            it.refused,
        )
        for it in found.candidates
    }


def left_in(world: World, found: AdoptionPlan) -> list[Leftover]:
    """Leftovers of this test: others use the same cluster."""
    return [it for it in found.leftovers if it.ref.namespace == world.namespace]


def take_for(world: World, application: str, name: str) -> None:
    """Mark a ConfigMap as that of another application of Fleet."""
    ref = ObjectRef("", "ConfigMap", world.namespace, name)
    mark = {TRACKING_ANNOTATION: str(Tracking(application, ref))}
    body = {**config_map(name), "metadata": {"name": name, "annotations": mark}}
    del body["data"]
    world.request("PATCH", f"{world.path_of(name)}?fieldManager=fleet", body)


def stateful(name: str) -> Object:
    """A StatefulSet without pods."""
    made = deployment(name, replicas=0)
    spec = {**made["spec"], "serviceName": name}
    del spec["progressDeadlineSeconds"]
    return {**made, "kind": "StatefulSet", "spec": spec}


async def test_what_runs_is_taken_over_and_goes_on_running(full: World) -> None:
    """Same objects, same pods, no label changed; and what leaves Git afterwards goes."""
    full.create_namespace()
    web, page = deployment("web", replicas=2), config_map("page", colour="blue", shade="dark")
    container = web["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}]
    objects = (web, stateful("db"), page)
    for wanted in objects:
        argo.deploy(full, wanted, labels={"team": "shop"})
        wanted["metadata"]["labels"] = {"team": "shop"}

    async def pods() -> list[str]:
        path = f"/api/v1/namespaces/{full.namespace}/pods"
        found = full.request("GET", path)["items"]
        ready = [pod for pod in found if pod["status"].get("phase") == "Running"]
        return sorted(pod["metadata"]["uid"] for pod in ready) if len(ready) == 2 else []

    running = await until(pods)
    await prepare(full, *objects)
    as_it_is = (True, "web", False, "")
    assert seen(await plan(full)) == dict.fromkeys(("web", "db", "page"), as_it_is)
    before = [argo.live(full, wanted) for wanted in objects]
    await adopt(full, policy=TakeOver.IF_NO_DIFF)
    assert (await full.app("web"))["sync_status"] == "Synced"

    after = [argo.live(full, wanted) for wanted in objects]
    for was, now in zip(before, after, strict=True):
        assert now["metadata"]["uid"] == was["metadata"]["uid"]
        assert now.get("spec") == was.get("spec")
        assert was["metadata"]["labels"].items() <= now["metadata"]["labels"].items()
        mark = was["metadata"]["annotations"][argo.TRACKING_ID]
        assert now["metadata"]["annotations"][argo.TRACKING_ID] == mark
    # of a Deployment the generation counts changes of annotations, too
    assert after[1]["metadata"]["generation"] == before[1]["metadata"]["generation"]
    assert await pods() == running

    del container["env"]
    await full.deliver(web=(web, stateful("db"), config_map("page", colour="blue")))
    await full.sync("web")
    await full.pass_()
    assert "env" not in argo.live(full, web)["spec"]["template"]["spec"]["containers"][0]
    left = argo.live(full, page)
    assert left["data"] == {"colour": "blue"}
    assert argo.TRACKING_ID in left["metadata"]["annotations"]


async def test_what_left_git_before_is_shown_and_goes(bare: World) -> None:
    """The plan shows what an apply would take away, not only what it would bring."""
    bare.create_namespace()
    argo.deploy(bare, config_map("page", colour="blue", shade="dark"))
    await prepare(bare, config_map("page", colour="blue"), config_map("new"))
    found = await plan(bare)
    assert not found.unread  # what can only be created, as a Binding, is no kind to look through
    assert seen(found) == {"page": (True, "web", True, ""), "new": (False, "", True, "")}
    (page,) = [it for it in found.candidates if it.ref.name == "page"]
    assert page.managers == (argo.MANAGER,)
    assert page.shown is not None
    assert [change.path for change in page.shown.diff.changes] == [".data.shade"]

    with pytest.raises(Refused, match="differs from Git: ConfigMap/"):
        await adopt(bare, policy=TakeOver.IF_NO_DIFF)
    with pytest.raises(Refused, match="is there already"):
        await adopt(bare, policy=TakeOver.NEVER)
    untouched = bare.read("page")
    assert untouched is not None
    assert untouched["data"] == {"colour": "blue", "shade": "dark"}

    await adopt(bare)
    taken = bare.read("page")
    assert taken is not None
    assert taken["data"] == {"colour": "blue"}
    assert bare.read("new") is not None
    managers = {entry["manager"] for entry in taken["metadata"]["managedFields"]}
    assert managers == {"fleet", argo.MANAGER}  # the latter has its mark, and no more
    # nothing is left to be moved: another sync changes nothing
    version = taken["metadata"]["resourceVersion"]
    await bare.sync("web")
    await bare.pass_()
    again = bare.read("page")
    assert again is not None
    assert again["metadata"]["resourceVersion"] == version


async def test_fields_of_others_are_conflicts(bare: World) -> None:
    bare.create_namespace()
    argo.deploy(bare, config_map("page", colour="blue"))
    bare.edit("page", "operator", colour="red")
    await prepare(bare, config_map("page", colour="blue"))
    (page,) = (await plan(bare)).candidates
    assert '"operator"' in page.refused
    assert page.shown is not None
    with pytest.raises(Refused, match="operator"):
        await adopt(bare)
    live = bare.read("page")
    assert live is not None
    assert live["data"] == {"colour": "red"}


async def test_what_another_application_has_is_not_taken_without_being_told(bare: World) -> None:
    bare.create_namespace()
    argo.deploy(bare, config_map("page"), "shop")
    await prepare(bare, config_map("page"))
    assert seen(await plan(bare))["page"][3] == "Argo CD's application shop tracks it"
    with pytest.raises(Refused, match="application shop tracks it"):
        await adopt(bare)
    await adopt(bare, applications=("shop",))
    assert (await bare.results("web"))["ConfigMap/page"] == ("configured", "")


async def test_a_copied_mark_claims_nothing(bare: World) -> None:
    bare.create_namespace()
    mark = f"shop:/ConfigMap:{bare.namespace}/other"
    argo.deploy(bare, config_map("page", {argo.TRACKING_ID: mark}), is_annotated=False)
    await prepare(bare, config_map("page", {argo.TRACKING_ID: mark}))
    assert seen(await plan(bare))["page"] == (True, "", False, "")


async def test_another_installation_is_not_taken_without_being_told(bare: World) -> None:
    bare.create_namespace()
    argo.deploy(bare, config_map("page"), installation="eu")
    await put(bare, [settings("argocd-cm", installationID="us")])
    await prepare(bare, config_map("page"))
    assert "installation eu" in seen(await plan(bare))["page"][3]
    with pytest.raises(Refused, match="installation eu"):
        await adopt(bare)
    await put(bare, [settings("argocd-cm", installationID="eu")])
    await adopt(bare)
    assert (await bare.results("web"))["ConfigMap/page"] == ("configured", "")


async def test_tracking_by_a_label(bare: World) -> None:
    """The label of the stored argocd-cm says whose an object is, and stays as it is."""
    bare.create_namespace()
    cm = settings(
        "argocd-cm",
        application__resourceTrackingMethod="label",
        application__instanceLabelKey="shop.example/app",
    )
    await put(bare, [cm])
    argo.deploy(bare, config_map("page"), labels={"shop.example/app": "web"}, is_annotated=False)
    argo.deploy(bare, config_map("other"), labels={"shop.example/app": "x"}, is_annotated=False)
    argo.deploy(bare, config_map("left"), labels={"shop.example/app": "web"}, is_annotated=False)
    await prepare(bare, config_map("page"))
    found = await plan(bare)
    assert seen(found) == {"page": (True, "web", False, "")}
    assert [it.ref.name for it in left_in(bare, found)] == ["left"]
    await adopt(bare, policy=TakeOver.IF_NO_DIFF)
    live = bare.read("page")
    assert live is not None
    assert live["metadata"]["labels"]["shop.example/app"] == "web"


async def test_what_git_does_not_hold_is_shown_and_left(bare: World) -> None:
    bare.create_namespace()
    argo.deploy(bare, config_map("page"))
    argo.deploy(bare, config_map("left"))
    options = {"argocd.argoproj.io/sync-options": "Prune=false"}
    argo.deploy(bare, config_map("kept", options))
    await prepare(bare, config_map("page"))
    found = await plan(bare)
    assert [(it.ref.name, it.kept) for it in left_in(bare, found)] == [
        ("kept", "its sync option Prune"),
        ("left", ""),
    ]
    await adopt(bare)
    assert bare.read("left") is not None
    assert bare.read("kept") is not None


async def test_what_git_does_not_hold_goes_when_that_is_asked_for(bare: World) -> None:
    """What the plan calls prunable, after the rest was applied: not what is kept, is a hook, is
    another's, or is Fleet's by now."""
    bare.create_namespace()
    options = {"argocd.argoproj.io/sync-options": "Prune=false"}
    deployed = [config_map(name) for name in ("page", "left", "later")]
    for wanted in (*deployed, config_map("kept", options)):
        argo.deploy(bare, wanted)
    argo.deploy(bare, config_map("hook", {"argocd.argoproj.io/hook": "PreSync"}))
    argo.deploy(bare, config_map("shop"), "shop")
    argo.deploy(bare, config_map("fleets"))
    await bare.add_app("other", auto=False)
    await prepare(bare, config_map("page"))
    other = str((await bare.app("other"))["id"])
    take_for(bare, other, "fleets")

    found = await plan(bare)
    assert {it.ref.name: bool(it.kept) for it in left_in(bare, found)} == {
        "fleets": True,
        "hook": True,
        "kept": True,
        "later": False,
        "left": False,
    }
    await bare.pretend_worker()
    await adopt_application(bare.runtime, ADMIN, EVERYTHING, "web", Adoption(prune=True))
    take_for(bare, other, "later")
    await bare.pass_()
    rows = await bare.rows(  # others leave theirs in other namespaces of this cluster
        "select name, action from operation_results where namespace = :namespace",
        namespace=bare.namespace,
    )
    did = {row["name"]: row["action"] for row in rows}
    assert did == {"page": "configured", "left": "pruned", "later": "skipped"}
    gone = [it.ref.name for it in left_in(bare, found) if bare.is_going(it.ref.name)]
    assert gone == ["left"]
    assert not bare.is_going("shop")


async def test_a_tracking_method_that_there_is_not_is_refused(bare: World) -> None:
    (result,) = await put(bare, [settings("argocd-cm", application__resourceTrackingMethod="x")])
    assert "'x' is no tracking method" in str(result.error)
