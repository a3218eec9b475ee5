"""Sync windows and planned syncs over the API: what is shown, who may what, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.integration.api.callers import Api, account
from tests.integration.operations.harness import World, config_map
from tests.integration.operations.windows import HOUR, PROJECT, put_windows, window


async def _shop(world: World, *windows: dict[str, Any], auto: bool = False) -> None:
    """One application of a project with these windows, rendered and looked at."""
    await put_windows(world, *windows)
    await world.add_app("web", project=PROJECT, auto=auto)
    await world.deliver(web=(config_map("a"),))
    await world.pretend_worker()


async def test_an_application_says_whether_it_may_sync(bare: World, operator: Api) -> None:
    await _shop(bare)
    assert "syncWindow" not in (await operator.get("applications/web"))["status"]
    shut = window(bare, "deny", -10, HOUR, description="Ticket 1")
    await put_windows(bare, window(bare, "allow", -20, 24 * HOUR), shut)
    told = (await operator.get("applications/web"))["status"]["syncWindow"]
    assert told["state"] == "Sync Denied"
    assert (told["automatedSync"], told["manualSync"]) == (False, False)
    assert told["window"] == {**shut, "id": 1, "timeZone": "UTC"}
    assert told["reason"].startswith("deny window 1 (")
    assert [it.split(":")[0] for it in told["assignedWindows"]] == ["allow", "deny"]
    changes = datetime.fromisoformat(told["changesAt"]) - bare.clock()
    assert timedelta(minutes=48) < changes < timedelta(minutes=50)
    await put_windows(bare, {**shut, "manualSync": True})
    told = (await operator.get("applications/web"))["status"]["syncWindow"]
    assert (told["state"], told["manualSync"]) == ("Manual Allowed", True)
    bare.clock.forward(3600)
    told = (await operator.get("applications/web"))["status"]["syncWindow"]
    assert told["state"] == "Sync Allowed"
    assert "window" not in told


async def test_an_automated_application_that_waits_has_a_condition(
    bare: World, operator: Api
) -> None:
    await _shop(bare, window(bare, "deny", -10, HOUR), auto=True)
    (condition,) = (await operator.get("applications/web"))["status"]["conditions"]
    assert condition["type"] == "SyncWindow"
    (line,) = (await operator.get("applications"))["items"]
    assert [it["type"] for it in line["conditions"]] == ["SyncWindow"]


async def test_a_project_lists_its_windows(bare: World, operator: Api) -> None:
    await put_windows(
        bare, window(bare, "deny", -10, HOUR), window(bare, "allow", 30, HOUR, timeZone="UTC")
    )
    found = (await operator.get(f"projects/{PROJECT}/syncwindows"))["items"]
    assert [(it["id"], it["kind"], it["open"]) for it in found] == [
        (0, "deny", True),
        (1, "allow", False),
    ]
    now = bare.clock()
    ahead = [datetime.fromisoformat(it["changesAt"]) - now for it in found]
    assert timedelta(minutes=48) < ahead[0] < timedelta(minutes=50)
    assert timedelta(minutes=28) < ahead[1] < timedelta(minutes=30)
    await operator.refused("GET", "projects/none/syncwindows", code=404, type="NotFound")


async def test_a_sync_is_refused_and_says_what_to_do(bare: World, operator: Api) -> None:
    await _shop(bare, window(bare, "deny", -10, HOUR))
    error = await operator.refused(
        "POST", "applications/web/sync", {}, code=409, type="WindowClosed"
    )
    assert "deny window 0" in error["message"]
    assert error["object"] == "Application/web"
    assert await bare.operations("web") == []


async def test_who_may_break_the_glass(bare: World, operator: Api) -> None:
    await _shop(bare, window(bare, "deny", -10, HOUR))
    member = await account(bare.runtime, f"project:{PROJECT}", "mia")
    body = {"breakGlassReason": "the shop is down"}
    error = await member.refused("POST", "applications/web/sync", body, code=403, type="Forbidden")
    assert "break-glass" in error["message"]
    assert await bare.operations("web") == []
    # spaces are no reason
    await operator.refused(
        "POST", "applications/web/sync", {"breakGlassReason": " "}, code=409, type="WindowClosed"
    )
    started = await operator.post("applications/web/sync", body, code=202)
    assert started["operation"]["info"] == [{"name": "break-glass", "value": "the shop is down"}]
    await bare.pass_()
    assert bare.read("a")
    entries = await bare.rows(
        "select actor, decision from audit_log where action = 'break-glass' order by seq"
    )
    assert [(it["actor"], it["decision"]) for it in entries] == [
        ("mia", "denied"),
        ("otto", "allowed"),
    ]


async def test_windows_that_cannot_be_are_named_by_field(bare: World, operator: Api) -> None:
    await put_windows(bare)
    document = await operator.get(f"projects/{PROJECT}")
    for field, value in (("schedule", "0 0 31 2 *"), ("timeZone", "Mars/Base")):
        wrong = {**window(bare, "deny", 0, 1), field: value}
        changed = {**document, "spec": {**document["spec"], "syncWindows": [wrong]}}
        error = await operator.refused(
            "PUT", f"projects/{PROJECT}", {"document": changed}, code=422, type="SpecInvalid"
        )
        assert error["field"] == f"spec.syncWindows[0].{field}"
    assert await operator.get(f"projects/{PROJECT}") == document


async def test_planned_syncs_are_listed_and_cancelled(bare: World, operator: Api) -> None:
    await _shop(bare)
    path, at = f"projects/{PROJECT}/syncs", "2099-01-31T18:00:00+01:00"
    made = await operator.post(path, {"at": at, "prune": True}, code=202)
    assert (made["at"], made["state"], made["prune"]) == ("2099-01-31T17:00:00Z", "Planned", True)
    assert (await operator.get(path))["items"] == [made]
    await operator.refused("POST", path, {"at": "tomorrow"}, code=422, type="SpecInvalid")
    await operator.refused("POST", path, {"syncOptions": ["Prune"]}, code=422, type="SpecInvalid")
    gone = await operator.ask("DELETE", f"{path}/{made['id']}")
    assert (gone["state"], gone["cancelledBy"]) == ("Cancelled", "otto")
    await operator.refused("DELETE", f"{path}/{made['id']}", code=409, type="Refused")


async def test_planned_syncs_are_for_those_who_may_sync(bare: World, operator: Api) -> None:
    await _shop(bare)
    path = f"projects/{PROJECT}/syncs"
    made = await operator.post(path, {"at": "2099-01-01T00:00:00Z"}, code=202)
    reader = await account(bare.runtime, "readonly")
    stranger = await account(bare.runtime, "project:other")
    assert (await reader.get(path))["items"] == [made]
    for other in (reader, stranger):
        await other.refused("POST", path, {}, code=403, type="Forbidden")
        await other.refused("DELETE", f"{path}/{made['id']}", code=403, type="Forbidden")
    await stranger.refused("GET", path, code=404, type="NotFound")
    member = await account(bare.runtime, f"project:{PROJECT}")
    await member.ask("DELETE", f"{path}/{made['id']}")
