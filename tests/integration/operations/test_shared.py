"""Two applications that claim one object: the first has it, the second says so, and nobody else
notices. ``alpha`` comes before ``zeta`` in a pass."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import rollback_application
from fleet.operations.batches import SHARED, Pass
from tests.integration.operations.harness import ADMIN, Object, World, config_map

APPS = ("alpha", "other", "zeta")


def hook(name: str, phase: str = "PreSync") -> Object:
    """One that is through as soon as it is there."""
    return config_map(name, {"argocd.argoproj.io/hook": phase})


async def warnings(bare: World, name: str) -> list[str]:
    conditions = (await bare.app(name))["conditions"]
    return [c["message"] for c in conditions if c["type"] == "SharedResourceWarning"]


async def owners(bare: World, name: str) -> list[str]:
    rows = await bare.rows(
        "select a.name from resources r join applications a on a.id = r.application_id"
        " where r.in_inventory and r.name = :name",
        name=name,
    )
    return [row["name"] for row in rows]


def data_of(bare: World, name: str) -> Any:
    live = bare.read(name)
    return None if live is None else live["data"]


async def test_who_comes_first_in_a_pass_takes_nothing_from_the_owner(bare: World) -> None:
    for name in APPS:
        await bare.add_app(name)
    await bare.deliver(zeta=(config_map("shared", x="1"),), alpha=(config_map("own"),))
    await bare.deliver(
        alpha=(config_map("own"), config_map("shared", x="alpha")),
        other=(config_map("other"),),
        zeta=(config_map("shared", x="2"),),
    )
    assert data_of(bare, "shared") == {"x": "2"}
    assert await owners(bare, "shared") == ["zeta"]
    shared = f"ConfigMap/{bare.namespace}/shared"
    assert await warnings(bare, "alpha") == [f"{shared} belongs to application zeta, too"]
    states = {name: (await bare.app(name))["sync_status"] for name in APPS}
    assert states == {"alpha": "OutOfSync", "other": "Synced", "zeta": "Synced"}


async def test_an_object_that_moves_between_applications_in_one_commit(bare: World) -> None:
    for name in APPS:
        await bare.add_app(name)
    await bare.deliver(alpha=(config_map("a"),), zeta=(config_map("z"), config_map("moves")))
    await bare.deliver(
        alpha=(config_map("a"), config_map("moves")),
        other=(config_map("other"),),
        zeta=(config_map("z"),),
    )
    assert (await bare.app("other"))["sync_status"] == "Synced"
    assert len(await warnings(bare, "alpha")) == 1
    # nobody tells the second that the first has let go: it asks again by itself
    bare.clock.forward(SHARED.total_seconds())
    await bare.pass_()
    assert await owners(bare, "moves") == ["alpha"]
    assert await warnings(bare, "alpha") == []
    assert (await bare.app("alpha"))["due_at"] is None


async def test_a_hook_is_run_by_the_application_that_has_it(bare: World) -> None:
    for name in APPS:
        await bare.add_app(name)
    await bare.deliver(
        alpha=(hook("migrate"), config_map("a")),
        other=(config_map("other"),),
        zeta=(hook("migrate"), config_map("z")),
    )
    assert await owners(bare, "migrate") == ["alpha"]
    assert (await bare.app("alpha"))["sync_status"] == "Synced"
    assert (await bare.app("other"))["sync_status"] == "Synced"
    # what was to follow the hook does not come without it
    assert bare.read("z") is None
    shared = f"ConfigMap/{bare.namespace}/migrate"
    assert await warnings(bare, "zeta") == [f"{shared} belongs to application alpha, too"]
    (failed,) = await bare.operations("zeta")
    assert failed["phase"] == "Failed"
    assert failed["message"].startswith(f"hook {shared} belongs to application alpha, too")


async def test_a_hook_stands_in_the_way_of_an_object_of_its_name(bare: World) -> None:
    for name in APPS:
        await bare.add_app(name)
    await bare.deliver(zeta=(hook("page"), config_map("z")))
    await bare.deliver(alpha=(config_map("page"), config_map("a")), zeta=(config_map("z"),))
    assert await owners(bare, "page") == ["zeta"]
    assert len(await warnings(bare, "alpha")) == 1
    assert bare.read("a") is not None


async def test_a_dry_run_claims_nothing(bare: World) -> None:
    await bare.add_app("alpha", auto=False)
    await bare.add_app("zeta")
    bare.commit(alpha=(config_map("shared", x="a"),), zeta=(config_map("shared", x="z"),))
    assert await bare.poll() is None
    await bare.sync("alpha", SyncOptions(dry_run=True))
    await bare.pass_()
    assert await owners(bare, "shared") == ["zeta"]
    assert data_of(bare, "shared") == {"x": "z"}
    assert await warnings(bare, "zeta") == []
    assert (await bare.app("zeta"))["sync_status"] == "Synced"


async def test_a_rollback_and_a_first_sync_that_claim_one_object(bare: World) -> None:
    for name in APPS:
        await bare.add_app(name)
    await bare.deliver(zeta=(config_map("shared", x="zeta"),))
    await bare.deliver(zeta=(config_map("z"),))
    assert bare.is_going("shared")
    bare.commit(alpha=(config_map("shared", x="alpha"),), other=(config_map("other"),))
    assert await bare.poll() is None
    await bare.pretend_worker()
    await rollback_application(bare.runtime, ADMIN, EVERYTHING, "zeta", 0, prune=False)
    await bare.pass_()
    (owner,) = await owners(bare, "shared")
    assert data_of(bare, "shared") == {"x": owner}
    loser = "alpha" if owner == "zeta" else "zeta"
    shared = f"ConfigMap/{bare.namespace}/shared"
    assert await warnings(bare, loser) == [f"{shared} belongs to application {owner}, too"]
    assert (await bare.app("other"))["sync_status"] == "Synced"
    assert {row["phase"] for row in await bare.operations("zeta")} == {"Succeeded"}


class Killed(BaseException):
    """As the process sees it: nothing more is done."""


async def test_whoever_is_killed_between_plan_and_apply_keeps_its_claim(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in APPS:
        await bare.add_app(name)
    bare.commit(zeta=(config_map("shared", x="zeta"),))
    assert await bare.poll() is None

    async def die(self: Pass, batch: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Pass, "_advance", die)
        with pytest.raises(Killed):
            await bare.pass_()
    assert data_of(bare, "shared") is None
    await bare.deliver(
        alpha=(config_map("shared", x="alpha"), config_map("a")), other=(config_map("other"),)
    )
    assert await owners(bare, "shared") == ["zeta"]
    assert data_of(bare, "shared") == {"x": "zeta"}
    assert len(await warnings(bare, "alpha")) == 1
    states = {name: (await bare.app(name))["sync_status"] for name in APPS}
    assert states == {"alpha": "OutOfSync", "other": "Synced", "zeta": "Synced"}
