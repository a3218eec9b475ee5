"""Deletions that wait until somebody agrees, and prunes that wait for the rest to be well."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.errors import Refused
from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import delete_application
from fleet.operations.confirming import confirm_deletion
from fleet.operations.diffing import diff_application
from tests.integration.operations.harness import ADMIN, Object, World, config_map, deployment, until

OPTIONS = "argocd.argoproj.io/sync-options"


def with_options(name: str, options: str) -> Object:
    return config_map(name, {OPTIONS: options})


async def agree(world: World, name: str) -> bool:
    """As a person does; whether a sync was asked for."""
    await world.pretend_worker()
    return await confirm_deletion(world.runtime, ADMIN, EVERYTHING, name) is not None


async def last_message(world: World, name: str) -> str:
    return str((await world.operations(name))[-1]["message"])


async def annotate(world: World, name: str, approved: str) -> None:
    """Put the application once more, as ``kubectl annotate`` or Git would."""
    await world.run(
        "update applications set document = jsonb_set(document, '{metadata,annotations}',"
        " cast(:marks as jsonb)), generation = generation + 1,"
        " urgency = 0, dirty_at = clock_timestamp() where name = :name",
        name=name,
        marks=f'{{"argocd.argoproj.io/deletion-approved": "{approved}"}}',
    )
    await world.poll()


async def test_a_prune_waits_for_a_confirmation_and_the_rest_does_not(bare: World) -> None:
    await bare.add_app("web")
    precious = with_options("precious", "Prune=confirm")
    await bare.deliver(web=(config_map("a"), config_map("b"), precious))
    await bare.deliver(web=(config_map("a"),))
    assert (bare.is_going("b"), bare.is_going("precious")) == (True, False)
    assert await bare.results("web") == {
        "ConfigMap/b": ("pruned", ""),
        "ConfigMap/precious": ("skipped", ""),
    }
    app = await bare.app("web")
    assert (app["sync_status"], app["operation_id"]) == ("OutOfSync", None)
    before = await bare.operations("web")
    for _ in range(2):
        bare.clock.forward(400)
        await bare.pass_(look=True)
    assert await bare.operations("web") == before
    assert await agree(bare, "web")
    await bare.pass_()
    assert bare.is_going("precious")
    assert (await bare.app("web"))["sync_status"] == "Synced"
    with pytest.raises(Refused):
        await agree(bare, "web")
    told = await bare.rows("select action from audit.changes where object = 'web'")
    assert "confirm-deletion" in {row["action"] for row in told}


async def test_whoever_asks_for_a_prune_does_not_agree_by_that(bare: World) -> None:
    await bare.add_app("web", sync_options=("CreateNamespace=true", "Prune=confirm"), auto=False)
    bare.commit(web=(config_map("a"), config_map("b"), with_options("c", "Prune=true")))
    await bare.poll()
    await bare.sync("web")
    await bare.pass_()
    bare.commit(web=(config_map("a"),))
    await bare.poll()
    await bare.sync("web", SyncOptions(prune=True))
    await bare.pass_()
    assert (bare.is_going("b"), bare.is_going("c")) == (False, True)
    assert await agree(bare, "web")
    await bare.pass_()
    assert bare.is_going("b")


@pytest.mark.parametrize(("hours", "is_pruned"), [(0, True), (-2, False), (24, False)])
async def test_argocd_s_annotation_agrees_to_what_was_told_before(
    bare: World, hours: int, is_pruned: bool
) -> None:
    """A time before the sync that told, or one that is still to come, agrees to nothing."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), with_options("b", "Prune=confirm")))
    await bare.deliver(web=(config_map("a"),))
    assert not bare.is_going("b")
    when = bare.clock() + timedelta(hours=hours)
    await annotate(bare, "web", when.isoformat())
    await bare.pass_()
    assert bare.is_going("b") is is_pruned


@pytest.mark.parametrize("by", ["command", "annotation"])
async def test_the_deletion_of_an_application_waits(bare: World, by: str) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), with_options("precious", "Delete=confirm")))
    await bare.pretend_worker()
    await delete_application(
        bare.runtime, ADMIN, EVERYTHING, "web", cascade=True, propagation="background"
    )
    for _ in range(2):
        await bare.pass_()
    assert (bare.is_going("a"), bare.is_going("precious")) == (False, False)
    message = await last_message(bare, "web")
    assert "ConfigMap/" in message
    assert message.endswith("fleet app confirm-deletion web")
    if by == "command":
        assert not await agree(bare, "web")
    else:
        await annotate(bare, "web", bare.clock().isoformat())
    await bare.pass_()
    bare.clock.forward(3)
    await bare.pass_()
    assert (bare.is_going("a"), bare.is_going("precious")) == (True, True)
    assert await bare.rows("select 1 from applications") == []


async def test_an_object_is_pruned_last_when_it_says_so(full: World) -> None:
    """Once everything is well; the others go meanwhile."""
    await full.add_app("web")
    old = (config_map("old"), with_options("last", "PruneLast=true"))
    await full.deliver(web=(config_map("keeps"), *old))
    await full.deliver(web=(config_map("keeps"), deployment("web", pod="pending")))
    assert (full.is_going("old"), full.is_going("last")) == (True, False)
    (running,) = [o for o in await full.operations("web") if o["phase"] == "Running"]
    assert "Deployment/" in running["message"]
    full.commit(web=(config_map("keeps"), deployment("web")))
    await full.poll()

    async def went() -> bool:
        full.clock.forward(10)
        await full.pass_()
        return full.is_going("last")

    await until(went)


async def test_what_a_diff_shows_of_a_prune_that_waits(bare: World) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"), with_options("b", "Prune=confirm")))
    await bare.deliver(web=(config_map("a"),))
    shown = await diff_application(bare.runtime, EVERYTHING, "web")
    assert [(it.diff.ref.name, it.action) for it in shown.shown] == [("b", "prune")]
