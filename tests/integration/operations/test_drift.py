"""Live goes its own way: undone, or shown with the fields and who wrote them."""

from __future__ import annotations

from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import refresh_application
from tests.integration.operations.harness import ADMIN, World, config_map

DRIFT = "select object, fields, manager, healed_at, healed_by from drift_events order by first_seen"


async def _deployed(world: World, *, heal: bool) -> None:
    await world.add_app("web", heal=heal)
    await world.deliver(web=(config_map("a", x="1"), config_map("b", y="1")))


def _paths(row: dict[str, object]) -> list[str]:
    fields = row["fields"]
    assert isinstance(fields, list)
    return [field["path"] for field in fields]


async def test_a_hand_edit_is_undone_and_remembered(bare: World) -> None:
    await _deployed(bare, heal=True)
    bare.edit("a", "kubectl-edit", x="2")
    await bare.pass_(look=True)
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}
    (event,) = await bare.rows(DRIFT)
    assert _paths(event) == [".data.x"]
    assert (event["manager"], event["healed_by"]) == ("kubectl-edit", "self-heal")
    assert event["object"] == f"ConfigMap/{bare.namespace}/a"
    assert event["healed_at"] is not None
    app = await bare.app("web")
    assert (app["sync_status"], app["heals"]) == ("Synced", 1)
    last = (await bare.operations("web"))[-1]
    assert (last["trigger"], last["phase"], last["configured"]) == ("self-heal", "Succeeded", 1)
    # what is deployed did not change
    assert len(await bare.rows("select * from deployments")) == 1


async def test_without_self_heal_a_hand_edit_is_shown(bare: World) -> None:
    await _deployed(bare, heal=False)
    bare.edit("a", "kubectl-edit", x="2")
    await bare.pass_(look=True)
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "2"}
    row = (await bare.resources("web"))["ConfigMap/a"]
    assert row["sync_status"] == "OutOfSync"
    assert [(field["path"], field["manager"]) for field in row["drift"]] == [
        (".data.x", "kubectl-edit")
    ]
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"
    (event,) = await bare.rows(DRIFT)
    assert (event["healed_at"], event["manager"]) == (None, "kubectl-edit")
    assert len(await bare.operations("web")) == 1
    # the same difference once more is no news
    await bare.pass_(look=True)
    assert len(await bare.rows(DRIFT)) == 1
    # a person syncs, and it is over
    await bare.sync("web")
    await bare.pass_()
    (event,) = await bare.rows(DRIFT)
    assert event["healed_by"] == "admin"
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_a_hand_edit_stays_where_self_heal_was_switched_off_before(bare: World) -> None:
    """The application was changed since its last sync, and nothing was to be synced for that."""
    await _deployed(bare, heal=True)
    await bare.add_app("web", heal=False, upsert=True)
    await bare.pass_()
    bare.edit("a", "kubectl-edit", x="2")
    await bare.pass_(look=True)
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "2"}
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"
    assert len(await bare.operations("web")) == 1


async def test_drift_that_goes_away_by_itself_is_closed(bare: World) -> None:
    await _deployed(bare, heal=False)
    live = bare.read("a")
    assert live is not None
    bare.edit("a", "kubectl-edit", x="2")
    await bare.pass_(look=True)
    assert (await bare.app("web"))["sync_status"] == "OutOfSync"
    marks = {key: live["metadata"][key] for key in ("name", "labels", "annotations")}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": marks, "data": {"x": "1"}}
    bare.request("PATCH", f"{bare.path_of('a')}?fieldManager=fleet&force=true", body)
    await bare.pass_(look=True)
    (event,) = await bare.rows(DRIFT)
    assert event["healed_by"] == "reverted"
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_a_deleted_object_is_made_again(bare: World) -> None:
    await _deployed(bare, heal=True)
    bare.request("DELETE", bare.path_of("a"))
    await bare.pass_(look=True)
    assert bare.read("a") is not None
    (event,) = await bare.rows(DRIFT)
    assert (event["fields"][0]["type"], event["healed_by"]) == ("removed", "self-heal")
    assert await bare.results("web") == {"ConfigMap/a": ("created", "")}


async def test_a_deleted_object_is_missing_without_self_heal(bare: World) -> None:
    await _deployed(bare, heal=False)
    bare.request("DELETE", bare.path_of("a"))
    await bare.pass_(look=True)
    app = await bare.app("web")
    assert (app["sync_status"], app["health_status"]) == ("OutOfSync", "Missing")
    assert bare.read("a") is None
    spent = await bare.pass_(look=True)
    assert spent["get", "ConfigMap"] == 0


async def test_an_object_that_somebody_else_made_anew_is_taken_over(bare: World) -> None:
    await _deployed(bare, heal=True)
    bare.request("DELETE", bare.path_of("a"))
    bare.edit("a", "restore", x="1", z="9")
    await bare.pass_(look=True)
    row = (await bare.resources("web"))["ConfigMap/a"]
    live = bare.read("a")
    assert live is not None
    assert row["uid"] == live["metadata"]["uid"]
    assert live["metadata"]["labels"]["fleet.dev/instance"]
    assert (await bare.app("web"))["sync_status"] == "Synced"


async def test_foreign_labels_are_no_drift(bare: World) -> None:
    await _deployed(bare, heal=True)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"team": "shop"}},
        "data": {"theirs": "1"},
    }
    bare.request("PATCH", f"{bare.path_of('a')}?fieldManager=team", body)
    await bare.pass_(look=True)
    assert await bare.rows(DRIFT) == []
    assert (await bare.app("web"))["sync_status"] == "Synced"
    assert len(await bare.operations("web")) == 1
    spent = await bare.pass_(look=True)
    assert spent["get", "ConfigMap"] == 0
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1", "theirs": "1"}


async def test_a_new_value_for_a_field_that_another_took_is_forced_because_it_was_ours(
    bare: World,
) -> None:
    await _deployed(bare, heal=False)
    bare.edit("a", "other", x="2")
    await bare.deliver(web=(config_map("a", x="3"), config_map("b", y="1")))
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "3"}
    assert await bare.results("web") == {"ConfigMap/a": ("configured", "")}


async def test_a_field_that_was_never_ours_is_a_conflict_until_it_is_forced(bare: World) -> None:
    bare.create_namespace()
    bare.edit("a", "other", x="theirs")
    await bare.add_app("web", auto=False)
    await bare.deliver(web=(config_map("a", x="ours"),))
    row = (await bare.resources("web"))["ConfigMap/a"]
    assert (row["sync_status"], row["in_inventory"]) == ("OutOfSync", False)
    await bare.sync("web")
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Failed"
    assert await bare.results("web") == {"ConfigMap/a": ("failed", "FieldConflict")}
    (result,) = await bare.rows("select message from operation_results where kind = 'ConfigMap'")
    assert "other" in result["message"]
    assert ".data.x" in result["message"]
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "theirs"}
    await bare.sync("web", SyncOptions(force_conflicts=True))
    await bare.pass_()
    assert await bare.results("web") == {"ConfigMap/a": ("configured", "")}
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "ours"}
    assert (await bare.app("web"))["conditions"] == []


async def test_a_conflict_at_take_over_stays_one_when_it_is_retried(bare: World) -> None:
    """The failed attempt put the object on the list of what may be there; that is not ours yet."""
    bare.create_namespace()
    bare.edit("a", "other", x="theirs")
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", x="ours"),))
    bare.clock.forward(6)
    await bare.pass_()
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "theirs"}
    attempts = await bare.operations("web")
    assert [(row["phase"], row["attempt"]) for row in attempts] == [("Failed", 1), ("Failed", 2)]


async def test_an_equal_object_that_was_there_before_becomes_ours_when_somebody_syncs(
    bare: World,
) -> None:
    bare.create_namespace()
    bare.edit("a", "other", x="1")
    await bare.add_app("web", auto=False)
    await bare.deliver(web=(config_map("a", x="1"),))
    await bare.sync("web")
    await bare.pass_()
    assert await bare.results("web") == {"ConfigMap/a": ("configured", "")}
    row = (await bare.resources("web"))["ConfigMap/a"]
    assert (row["in_inventory"], row["sync_status"]) == (True, "Synced")
    # it is pruned like everything that we applied
    bare.commit(web=(config_map("b"),))
    await bare.poll()
    await bare.sync("web", SyncOptions(prune=True))
    await bare.pass_()
    assert bare.is_going("a")


async def test_healing_the_same_again_and_again_waits_longer(bare: World) -> None:
    await _deployed(bare, heal=True)
    bare.edit("a", x="2")
    await bare.pass_(look=True)
    bare.edit("a", x="2")
    await bare.pass_(look=True)
    app = await bare.app("web")
    assert (app["sync_status"], app["heals"]) == ("OutOfSync", 1)
    assert 0 < (app["due_at"] - bare.clock()).total_seconds() <= 2
    bare.clock.forward(2)
    await bare.pass_()
    assert (await bare.app("web"))["heals"] == 2
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"x": "1"}


async def test_a_refresh_reads_live_again(bare: World) -> None:
    await _deployed(bare, heal=False)
    bare.edit("a", "kubectl-edit", x="2")
    await bare.pretend_worker()
    await refresh_application(bare.runtime, ADMIN, EVERYTHING, "web", "normal")
    await bare.poll()
    await bare.pass_()
    app = await bare.app("web")
    assert (app["sync_status"], app["refresh"]) == ("OutOfSync", "")


async def test_secrets_do_not_show_in_drift(bare: World) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"password": "correct horse"},
    }
    await bare.add_app("web", heal=False)
    await bare.deliver(web=(secret,))
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"password": "battery staple"},
    }
    path = f"/api/v1/namespaces/{bare.namespace}/secrets/s?fieldManager=hand&force=true"
    bare.request("PATCH", path, body)
    await bare.pass_(look=True)
    row = (await bare.resources("web"))["Secret/s"]
    assert row["sync_status"] == "OutOfSync"
    assert row["drift"]
    shown = str(row) + str(await bare.rows("select fields from drift_events"))
    for text in ("correct horse", "battery staple", "Y29ycmVjdCBob3JzZQ", "YmF0dGVyeSBzdGFwbGU"):
        assert text not in shown
