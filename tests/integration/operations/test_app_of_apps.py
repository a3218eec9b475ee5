"""Applications in Git that become applications of this Fleet, which no cluster ever sees."""

from __future__ import annotations

from typing import Any

from fleet.model.clusters import IN_CLUSTER_NAME, Connection
from fleet.model.parsing import parse_application, parse_project
from fleet.model.scope import EVERYTHING
from fleet.model.secret import Secret
from fleet.operations.applications import delete_application
from fleet.operations.diffing import diff_application
from fleet.operations.onboarding import add_cluster
from fleet.operations.putting import put_application
from fleet.registry import clusters, projects
from fleet.registry.clusters import NewCluster
from tests.integration.operations.apps import (
    BACKGROUND,
    add_root,
    application,
    itself,
    names,
    roll,
)
from tests.integration.operations.harness import ADMIN, Object, World, config_map, in_namespace


async def _last(world: World, name: str = "root") -> str:
    return str((await world.operations(name))[-1]["message"])


def _project(name: str) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]},
    }


async def _put_project(world: World, name: str, annotations: dict[str, str], **spec: Any) -> None:
    document = _project(name)
    document["metadata"]["annotations"] = annotations
    document["spec"] |= spec
    async with world.runtime.db.transaction() as tx:
        await projects.upsert_project(tx, ADMIN, parse_project(document))


async def _put(world: World, document: Object) -> None:
    await put_application(
        world.runtime, ADMIN, EVERYTHING, parse_application(document), upsert=True
    )


async def test_applications_in_git_become_applications(bare: World) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    assert await names(bare) == ["root", "web"]
    assert bare.read("page") is not None
    root, web = await bare.app("root"), await bare.app("web")
    assert (web["sync_status"], web["health_status"]) == ("Synced", "Healthy")
    assert (root["sync_status"], root["health_status"]) == ("Synced", "Healthy")
    row = (await bare.resources("root"))["Application/web"]
    assert (row["sync_status"], row["health_status"]) == ("Synced", "Healthy")
    created = await bare.rows(
        "select actor from audit_log where action = 'create' and object_kind = 'Application'"
        " and object = 'web'"
    )
    assert [row["actor"] for row in created] == ["application:root"]


async def test_nothing_is_written_where_nothing_changed(bare: World) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 4)
    before = await bare.versions()
    await roll(bare, 2, look=True)
    assert await bare.versions() == before


async def test_a_wave_waits_for_the_applications_of_the_one_before(bare: World) -> None:
    bare.commit(
        root=(application(bare, "db", wave=0, auto=False), application(bare, "web", wave=1)),
        db=(config_map("rows"),),
        web=(config_map("page"),),
    )
    await add_root(bare)
    await roll(bare, 3)
    assert await names(bare) == ["db", "root"]
    # whoever has to sync by hand is waited for
    assert "waiting for Application/argocd/db: is Missing" in await _last(bare)
    await bare.sync("db")
    await roll(bare, 3)
    assert await names(bare) == ["db", "root", "web"]
    assert bare.read("page") is not None


async def test_a_verdict_about_an_earlier_commit_holds_up_the_next_wave(bare: World) -> None:
    """One commit changes what the first wave deploys, and an application of the second."""
    first = application(bare, "db", wave=0), application(bare, "web", wave=1)
    bare.commit(root=first, db=(config_map("rows"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 4)
    assert (await bare.app("root"))["sync_status"] == "Synced"
    changed = application(bare, "web", wave=1, revisionHistoryLimit=3)
    bare.commit(root=(first[0], changed), db=(config_map("rows", colour="red"),))
    assert await bare.poll() is None
    await bare.pass_(IN_CLUSTER_NAME)  # before anybody has looked at what db deploys
    waits = "waiting for Application/argocd/db: is Progressing: what it wants now is not compared"
    assert waits in await _last(bare)
    assert "revisionHistoryLimit" not in (await bare.app("web"))["document"]["spec"]
    await roll(bare, 2)
    rows = bare.read("rows")
    assert rows is not None
    assert rows["data"] == {"colour": "red"}
    assert (await bare.app("web"))["document"]["spec"]["revisionHistoryLimit"] == 3


async def test_a_child_that_turns_out_to_want_what_it_wanted_is_waited_for_no_longer(
    bare: World,
) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    # its document changed, and what it renders to did not
    await _put(bare, application(bare, "web", revisionHistoryLimit=3))
    await bare.pass_(IN_CLUSTER_NAME)
    row = (await bare.resources("root"))["Application/web"]
    assert row["health_message"] == "its spec is not rendered yet"
    assert await bare.poll() is None
    await bare.pass_(IN_CLUSTER_NAME)
    row = (await bare.resources("root"))["Application/web"]
    assert row["health_message"] != "its spec is not rendered yet"


async def test_what_a_child_does_before_its_parent_has_a_row_of_it_is_seen(bare: World) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    assert await bare.poll() is None
    await bare.pass_(IN_CLUSTER_NAME)
    row = (await bare.resources("root"))["Application/web"]
    assert row["health_status"] == "Progressing"
    assert row["seen_version"], "nobody would have told it of what happened meanwhile"


async def test_children_that_leave_git_go_as_their_finalizers_say(bare: World) -> None:
    stays = application(bare, "stays", finalizers=())
    bare.commit(
        root=(application(bare, "goes", finalizers=(BACKGROUND,)), stays),
        goes=(config_map("gone"),),
        stays=(config_map("kept"),),
    )
    await add_root(bare)
    await roll(bare, 3)
    assert bare.read("gone")
    assert bare.read("kept")
    bare.commit(root=(application(bare, "other"),), other=(config_map("new"),))
    await roll(bare, 2)
    assert "stays" not in await names(bare)
    await roll(bare, 3)
    assert await names(bare) == ["other", "root"]
    assert bare.read("gone") is None
    assert bare.read("kept") is not None, "without a finalizer what it deployed stays"


async def test_a_child_edited_by_hand_is_healed_in_the_fields_that_git_names(bare: World) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    await bare.add_app("web", upsert=True, path="elsewhere", auto=False)
    edited = (await bare.app("web"))["document"]
    assert edited["spec"]["source"]["path"] == "elsewhere"
    diff = await diff_application(bare.runtime, EVERYTHING, "root")
    (shown,) = diff.shown
    assert shown.action == "change"
    assert "+    path: web" in shown.text
    await bare.pass_(IN_CLUSTER_NAME)
    healed = (await bare.app("web"))["document"]
    assert healed["spec"]["source"]["path"] == "web"
    assert healed["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    (operation,) = (await bare.operations("root"))[1:]
    assert operation["trigger"] == "self-heal"


async def test_what_git_does_not_name_stays_as_people_set_it(bare: World) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    document = (await bare.app("web"))["document"]
    labelled = {**document["metadata"]["labels"], "team": "shop"}
    await _put(bare, {**document, "metadata": {**document["metadata"], "labels": labelled}})
    await roll(bare, 2, look=True)
    assert (await bare.app("web"))["labels"]["team"] == "shop"
    assert (await bare.app("root"))["sync_status"] == "Synced"


async def test_a_child_deleted_by_hand_comes_back(bare: World) -> None:
    bare.commit(root=(application(bare, "web"),), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    await delete_application(
        bare.runtime, ADMIN, EVERYTHING, "web", cascade=False, propagation="foreground"
    )
    assert await names(bare) == ["root"]
    await bare.pass_(IN_CLUSTER_NAME)
    assert await names(bare) == ["root", "web"]


async def test_deleting_the_parent_takes_its_children_and_what_they_deployed(bare: World) -> None:
    tier = application(bare, "tier", destination=itself())
    web = application(bare, "web", finalizers=(BACKGROUND,))
    bare.commit(root=(tier,), tier=(web,), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 4)
    assert await names(bare) == ["root", "tier", "web"]
    await bare.pretend_worker()
    await delete_application(
        bare.runtime, ADMIN, EVERYTHING, "root", cascade=True, propagation="background"
    )
    await bare.pass_(IN_CLUSTER_NAME)
    assert await names(bare) == ["root", "tier", "web"], "what it deployed goes first"
    await roll(bare, 6)
    assert await names(bare) == []
    assert bare.read("page") is None


async def test_an_application_never_comes_from_itself(bare: World) -> None:
    """In its own folder, and two that have each other."""
    root = application(bare, "root", destination=itself())
    bare.commit(root=(root, application(bare, "web")), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    assert await names(bare) == ["root", "web"]
    found = await bare.app("root")
    assert found["sync_status"] == "Synced"
    assert [c["type"] for c in found["conditions"]] == ["ResourceCycleWarning"]

    bare.commit(
        root=(application(bare, "second", destination=itself()),),
        second=(application(bare, "root", destination=itself()), application(bare, "web")),
    )
    await roll(bare, 4)
    cycle = "an application cannot come from itself: root → second → root"
    assert cycle in await _last(bare, "second")
    conditions = {c["type"]: c["message"] for c in (await bare.app("second"))["conditions"]}
    assert cycle in conditions["SyncError"]
    assert "path: root" not in str((await bare.app("root"))["document"])


async def test_a_project_says_in_which_others_its_applications_may_have_children(
    bare: World,
) -> None:
    destinations = [{"server": "*", "namespace": "argocd"}]
    await bare.put_project("team", destinations=destinations)
    await bare.put_project("secret")
    foreign = application(bare, "stolen", project="secret")
    bare.commit(root=(foreign, _project("team")), stolen=(config_map("page"),))
    await add_root(bare, project="team")
    await roll(bare)
    assert await names(bare) == ["root"]
    results = await bare.results("root")
    assert results == {
        "Application/stolen": ("failed", "ObjectRejected"),
        "AppProject/team": ("failed", "ObjectRejected"),
    }
    allowed = {"fleet.dev/child-projects": "sec*, other", "fleet.dev/managed-projects": "team"}
    await _put_project(bare, "team", allowed, destinations=destinations)
    await bare.sync("root")
    await roll(bare)
    assert await names(bare) == ["root", "stolen"]


async def test_an_application_of_another_project_is_neither_taken_nor_shown(bare: World) -> None:
    destinations = [{"server": "*", "namespace": "*"}]
    await bare.put_project("team", destinations=destinations, clusterResourceWhitelist=[])
    await bare.add_app("billing", auto=False)
    bare.commit(root=(application(bare, "billing", project="team"),))
    await add_root(bare, project="team")
    await roll(bare)
    assert (await bare.results("root"))["Application/billing"] == ("failed", "ObjectRejected")
    assert (await bare.app("billing"))["document"]["spec"]["project"] == "default"
    diff = await diff_application(bare.runtime, EVERYTHING, "root")
    assert not diff.shown
    assert "may not have applications in project default" in diff.failures[0].error.message


async def test_an_application_belongs_to_one_parent(bare: World) -> None:
    bare.commit(
        root=(application(bare, "web"),), rival=(application(bare, "web"),), web=(config_map("a"),)
    )
    await add_root(bare)
    await roll(bare, 3)
    await add_root(bare, "rival")
    await roll(bare, 2)
    conditions = [c["message"] for c in (await bare.app("rival"))["conditions"]]
    assert conditions == ["Application/argocd/web belongs to application root, too"]


async def test_of_two_parents_that_begin_at_once_one_has_the_application(bare: World) -> None:
    bare.commit(
        rival=(application(bare, "web"), application(bare, "own")),
        root=(application(bare, "web"),),
        web=(config_map("a"),),
        own=(config_map("b"),),
    )
    await add_root(bare)
    await add_root(bare, "rival")
    await roll(bare, 3)
    assert await names(bare) == ["own", "rival", "root", "web"]
    conditions = {name: (await bare.app(name))["conditions"] for name in ("rival", "root")}
    told = [c["message"] for found in conditions.values() for c in found]
    owner = "rival" if conditions["root"] else "root"
    assert told == [f"Application/argocd/web belongs to application {owner}, too"]
    assert (await bare.app("own"))["sync_status"] == "Synced"
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_what_fleet_does_not_hold_needs_a_cluster(bare: World) -> None:
    bare.commit(root=(application(bare, "web"), config_map("page")))
    await add_root(bare)
    await roll(bare)
    (condition,) = [
        c for c in (await bare.app("root"))["conditions"] if c["type"] == "ComparisonError"
    ]
    assert "does not serve kind ConfigMap" in condition["message"]
    assert await names(bare) == ["root"]


async def test_a_child_is_ended_before_it_is_pruned(bare: World) -> None:
    """One that syncs while it leaves Git."""
    bare.commit(
        root=(application(bare, "web", finalizers=(BACKGROUND,), auto=False),),
        web=(config_map("page"),),
    )
    await add_root(bare)
    await roll(bare, 2)
    await bare.sync("web")
    bare.commit(root=(application(bare, "other"),), other=(config_map("new"),))
    assert await bare.poll() is None
    await bare.pass_(IN_CLUSTER_NAME)
    assert "the operation that runs on it is being ended" in await _last(bare)
    await roll(bare, 4)
    assert await names(bare) == ["other", "root"]


async def test_projects_and_what_is_in_them_come_and_go_together(bare: World) -> None:
    web = application(bare, "web", project="shop", finalizers=(BACKGROUND,))
    bare.commit(root=(web, _project("shop")), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    assert bare.read("page") is not None
    assert (await bare.rows("select name from projects order by name"))[1]["name"] == "shop"
    bare.commit(root=(application(bare, "other"),), other=(config_map("new"),))
    await roll(bare, 5)
    assert await names(bare) == ["other", "root"]
    assert [row["name"] for row in await bare.rows("select name from projects")] == ["default"]


async def test_application_sets_are_kept(bare: World) -> None:
    generated = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "many", "namespace": "argocd"},
        "spec": {"generators": [{"clusters": {}}], "template": {"metadata": {}, "spec": {}}},
    }
    bare.commit(root=(application(bare, "web"), generated), web=(config_map("page"),))
    await add_root(bare)
    await roll(bare, 3)
    (kept,) = await bare.rows("select kind, name, document from kept_documents")
    assert (kept["kind"], kept["name"]) == ("ApplicationSet", "many")
    assert kept["document"]["spec"] == generated["spec"]
    assert (await bare.app("root"))["sync_status"] == "Synced"
    bare.commit(root=(application(bare, "web"),))
    await roll(bare, 2)
    assert await bare.rows("select 1 from kept_documents") == []


async def test_mixed_objects_go_where_they_belong(bare: World) -> None:
    """Once the cluster that Fleet runs in is registered: in place of nothing."""
    bare.commit(root=(application(bare, "web"), config_map("page")), web=(config_map("other"),))
    await add_root(bare)
    await roll(bare)
    assert await names(bare) == ["root"]
    main, live = bare.clusters.pop("main"), bare.live.pop("main")
    async with bare.runtime.db.transaction() as tx:
        await clusters.remove_cluster(tx, ADMIN, main.id)
    new = NewCluster(
        IN_CLUSTER_NAME,
        Connection(live.server, ca_pem=live.ca_pem, token=Secret(live.admin_token)),
        {},
        {},
    )
    added = await add_cluster(bare.runtime, ADMIN, EVERYTHING, new, upsert=True)
    assert added.action == "configured"
    bare.live["main"], bare.clusters["main"] = live, added.cluster
    bare.commit(
        root=(
            application(bare, "web", destination=itself(bare.namespace)),
            in_namespace(config_map("page"), bare.namespace),
        )
    )
    bare.create_namespace()
    await roll(bare, 3)
    assert await names(bare) == ["root", "web"]
    assert bare.read("page") is not None
    assert bare.read("other") is not None
    assert (await bare.app("root"))["sync_status"] == "Synced"
    listed = bare.request("GET", "/apis")["groups"]
    assert "argoproj.io" not in [group["name"] for group in listed]
