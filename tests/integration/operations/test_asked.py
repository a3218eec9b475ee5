"""Syncs that somebody asks for with retries, and applications that ask to be left alone."""

from __future__ import annotations

import pytest

from fleet.errors import Refused
from fleet.model.operations import SyncOptions
from fleet.model.parsing import new_application, parse_application
from fleet.model.retries import Retry
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application
from fleet.operations.putting import put_application
from tests.integration.operations.harness import ADMIN, World, config_map

SKIP = "argocd.argoproj.io/skip-reconcile"


async def _in_conflict(world: World) -> None:
    """``a`` cannot be applied while another writer has its field; ``b`` can."""
    world.create_namespace()
    world.edit("a", "other", x="theirs")
    await world.add_app("web", auto=False)
    world.commit(web=(config_map("a", x="ours"), config_map("b")))
    await world.poll()


async def test_a_sync_with_retries_goes_on_until_it_succeeds(bare: World) -> None:
    await _in_conflict(bare)
    await bare.sync("web", SyncOptions(retry=Retry(limit=3)))
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Running"
    assert "attempt 1 failed and is retried" in operation["message"]
    app = await bare.app("web")
    assert 4 < (app["due_at"] - bare.clock()).total_seconds() <= 5
    # nothing happens before
    spent = await bare.pass_()
    assert not {verb for verb, _ in spent} & {"apply", "delete", "dry-run"}
    bare.clock.forward(5)
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert (operation["phase"], operation["attempt"]) == ("Running", 2)
    bare.request("DELETE", bare.path_of("a"))
    bare.clock.forward(10)
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert (operation["phase"], operation["attempt"]) == ("Succeeded", 3)
    assert operation["initiated_by"] == "admin"
    assert await bare.results("web") == {
        "ConfigMap/a": ("created", ""),
        "ConfigMap/b": ("created", ""),
    }
    app = await bare.app("web")
    assert (app["sync_status"], app["operation_id"], app["due_at"]) == ("Synced", None, None)


@pytest.mark.parametrize(("refresh", "colour"), [(False, "blue"), (True, "green")])
async def test_a_retry_takes_newer_manifests_only_when_it_is_to_refresh(
    bare: World, refresh: bool, colour: str
) -> None:
    bare.create_namespace()
    bare.edit("a", "other", x="theirs")
    await bare.add_app("web", auto=False)
    first = await bare.deliver(web=(config_map("a", x="ours"), config_map("b", colour="blue")))
    await bare.sync("web", SyncOptions(retry=Retry(limit=3, refresh=refresh)))
    await bare.pass_()
    second = await bare.deliver(web=(config_map("a", x="ours"), config_map("b", colour="green")))
    bare.request("DELETE", bare.path_of("a"))
    bare.clock.forward(5)
    await bare.pass_()
    (operation,) = await bare.operations("web")
    assert (operation["phase"], operation["attempt"]) == ("Succeeded", 2)
    assert operation["revision"] == (second if refresh else first)
    live = bare.read("b")
    assert live is not None
    assert live["data"] == {"colour": colour}
    await bare.pass_()
    assert (await bare.app("web"))["sync_status"] == ("Synced" if refresh else "OutOfSync")


@pytest.mark.parametrize(
    ("asked", "policy", "tries"), [(0, None, 1), (1, None, 2), (0, 1, 2), (2, 1, 3)]
)
async def test_retries_end_at_the_limit_asked_for_or_that_of_the_application(
    bare: World, asked: int, policy: int | None, tries: int
) -> None:
    await _in_conflict(bare)
    if policy is not None:
        await bare.run(
            "update applications set document = jsonb_set(document,"
            " '{spec,syncPolicy,retry}', cast(:retry as jsonb))",
            retry=f'{{"limit": {policy}}}',
        )
    await bare.sync("web", SyncOptions(retry=Retry(limit=asked) if asked else None))
    for _ in range(6):
        await bare.pass_()
        bare.clock.forward(30)
    (operation,) = await bare.operations("web")
    assert operation["phase"] == "Failed"
    assert max(operation["attempt"], 1) == tries
    assert (await bare.app("web"))["operation_id"] is None


async def test_an_application_that_is_to_be_left_alone_is(bare: World) -> None:
    async def put(*, skip: bool) -> None:
        document = new_application(
            "web",
            repo_url=bare.repo.url,
            path="web",
            revision="main",
            dest_name="main",
            dest_namespace=bare.namespace,
            automated=True,
            auto_prune=True,
            self_heal=True,
            sync_options=("CreateNamespace=true",),
        )
        document["metadata"]["annotations"] = {SKIP: "true"} if skip else {}
        parsed = parse_application(document)
        await put_application(bare.runtime, ADMIN, EVERYTHING, parsed, upsert=True)
        await bare.poll()
        await bare.pass_()

    bare.commit(web=(config_map("a"),))
    await put(skip=True)
    assert await bare.operations("web") == []
    assert await bare.resources("web") == {}
    app = await bare.app("web")
    assert (app["sync_status"], app["health_status"], app["due_at"]) == ("Unknown", "Unknown", None)
    assert [c["type"] for c in app["conditions"]] == ["ReconcileSkipped"]
    with pytest.raises(Refused, match="skip-reconcile"):
        await bare.sync("web")
    await put(skip=False)
    app = await bare.app("web")
    assert (app["sync_status"], app["conditions"]) == ("Synced", [])
    # from now on somebody else writes
    await put(skip=True)
    bare.edit("a", colour="green")
    bare.commit(web=(config_map("a", colour="red"),))
    await bare.poll()
    spent = await bare.pass_(look=True)
    assert not {verb for verb, kind in spent if kind == "ConfigMap"} - {"list"}
    live = bare.read("a")
    assert live is not None
    assert live["data"] == {"colour": "green"}
    assert (await bare.app("web"))["sync_status"] == "Unknown"
    assert len(await bare.operations("web")) == 1
    # it can still be taken away by somebody who asks for it
    await delete_application(
        bare.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="background"
    )
    for _ in range(3):
        await bare.pass_()
        bare.clock.forward(5)
    assert bare.read("a") is None
    assert await bare.rows("select 1 from applications") == []
