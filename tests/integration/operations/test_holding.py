"""What people hold back: switches they pause, and manifests they pin by a rollback or by a sync
to something else."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from fleet.errors import Refused, RevisionNotFound, SpecInvalid
from fleet.model.holds import Switch
from fleet.model.operations import SyncOptions
from fleet.model.scope import EVERYTHING
from fleet.operations.applications import rollback_application
from fleet.operations.deviating import Deviation, sync_to
from fleet.operations.holding import OPEN_END, Terms, pause_application, resume_application
from tests.integration.operations.harness import ADMIN, World, config_map

ONLY = SyncOptions()


def colour(bare: World, name: str = "a") -> str | None:
    live = bare.read(name)
    return None if live is None else live["data"]["colour"]


async def roll_back(bare: World, number: int, *, prune: bool = False, terms: Terms = OPEN_END):
    await bare.pretend_worker()
    started = await rollback_application(
        bare.runtime, ADMIN, EVERYTHING, "web", number, prune=prune, terms=terms
    )
    await bare.pass_()
    return started


async def pause(bare: World, *switches: Switch, terms: Terms | None = None) -> None:
    await pause_application(
        bare.runtime, ADMIN, EVERYTHING, "web", switches, terms or Terms("a fair")
    )
    await bare.pass_()


async def resume(bare: World, *switches: Switch) -> None:
    await resume_application(bare.runtime, ADMIN, EVERYTHING, "web", switches)
    await bare.pass_()


async def conditions(bare: World) -> dict[str, str]:
    return {it["type"]: it["message"] for it in (await bare.app("web"))["conditions"]}


@pytest.fixture
async def twice(bare: World) -> World:
    """``web``, which does everything by itself, was deployed in blue and then in green."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", colour="blue"),))
    await bare.deliver(web=(config_map("a", colour="green"), config_map("new")))
    return bare


class TestRollback:
    async def test_with_auto_sync_on_it_stays_until_somebody_resumes(self, twice: World) -> None:
        await roll_back(twice, 0, prune=True)
        assert (colour(twice), twice.is_going("new")) == ("blue", True)
        assert (await twice.app("web"))["sync_status"] == "Synced"
        assert "pinned to deployment 0 by admin: rolled back" in (await conditions(twice))["Pinned"]
        # a commit does not undo it, and drift is healed to it
        await twice.deliver(web=(config_map("a", colour="red"),))
        assert colour(twice) == "blue"
        live = twice.edit("a", colour="pink")
        await twice.mark_seen("a", live["metadata"]["resourceVersion"])
        await twice.pass_(look=True)
        assert colour(twice) == "blue"
        await resume(twice)
        assert colour(twice) == "red"
        assert await conditions(twice) == {}
        numbers = await twice.rows("select number from deployments order by number")
        assert [row["number"] for row in numbers] == [0, 1, 2, 3]

    async def test_it_ends_by_itself_when_that_was_asked_for(self, twice: World) -> None:
        until = twice.runtime.now() + timedelta(hours=2)
        await roll_back(twice, 0, terms=Terms("until the fix", until))
        told = (await conditions(twice))["Pinned"]
        assert f"until {until:%Y-%m-%dT%H:%M:%SZ}: until the fix" in told
        twice.clock.forward(3600)
        await twice.pass_(look=True)
        assert colour(twice) == "blue"
        assert (await twice.app("web"))["due_at"] == until
        twice.clock.forward(3600)
        await twice.pass_()
        assert (colour(twice), await conditions(twice)) == ("green", {})

    async def test_it_needs_no_repository(self, twice: World) -> None:
        shutil.rmtree(twice.repo.path)
        assert await twice.poll() is not None
        await roll_back(twice, 0)
        assert colour(twice) == "blue"
        twice.edit("a", colour="pink")
        await twice.pass_(look=True)
        assert colour(twice) == "blue"

    async def test_it_prunes_only_when_asked(self, twice: World) -> None:
        await pause(twice, Switch.PRUNE)
        await roll_back(twice, 0)
        assert (colour(twice), twice.is_going("new")) == ("blue", False)
        assert (await twice.app("web"))["sync_status"] == "OutOfSync"

    async def test_terms_that_are_over_change_nothing(self, twice: World) -> None:
        past = Terms("late", twice.runtime.now() - timedelta(seconds=1))
        with pytest.raises(SpecInvalid, match="past"):
            await roll_back(twice, 0, terms=past)
        assert (await twice.app("web"))["holds"] is None

    async def test_it_is_in_the_audit_log(self, twice: World) -> None:
        await roll_back(twice, 0)
        await resume(twice)
        entries = await twice.rows("select action from audit_log order by seq desc limit 3")
        assert [row["action"] for row in entries] == ["resume", "pin", "rollback"]


class TestPause:
    async def test_no_commit_is_deployed_and_drift_is_healed(self, twice: World) -> None:
        await pause(twice, Switch.DEPLOY)
        await twice.deliver(web=(config_map("a", colour="red"),))
        assert colour(twice) == "green"
        assert (await conditions(twice))["Paused"] == "deploy is paused by admin: a fair"
        await resume(twice)
        assert colour(twice) == "red"

    async def test_drift_stays_and_commits_are_deployed(self, twice: World) -> None:
        await pause(twice, Switch.SELF_HEAL)
        twice.edit("a", colour="pink")
        await twice.pass_(look=True)
        assert colour(twice) == "pink"
        await twice.deliver(web=(config_map("a", colour="red"),))
        assert colour(twice) == "red"

    async def test_nothing_is_pruned_and_the_rest_goes_on(self, twice: World) -> None:
        await pause(twice, Switch.PRUNE)
        await twice.deliver(web=(config_map("a", colour="red"),))
        assert (colour(twice), twice.is_going("new")) == ("red", False)
        await resume(twice, Switch.PRUNE)
        assert twice.is_going("new")

    async def test_without_a_switch_all_of_them_until_its_end(self, twice: World) -> None:
        until = twice.runtime.now() + timedelta(minutes=5)
        await pause(twice, terms=Terms("a fair", until))
        await twice.deliver(web=(config_map("a", colour="red"),))
        assert (colour(twice), twice.is_going("new")) == ("green", False)
        twice.clock.forward(300)
        await twice.pass_()
        assert (colour(twice), twice.is_going("new")) == ("red", True)
        assert await conditions(twice) == {}

    async def test_people_sync_all_the_same(self, twice: World) -> None:
        await pause(twice)
        await twice.deliver(web=(config_map("a", colour="red"),))
        await twice.sync("web")
        await twice.pass_()
        assert colour(twice) == "red"

    async def test_what_is_not_paused_cannot_be_resumed(self, twice: World) -> None:
        await pause(twice, Switch.PRUNE)
        with pytest.raises(Refused, match="nothing paused of deploy"):
            await resume(twice, Switch.DEPLOY)


class TestElsewhere:
    async def to(
        self, world: World, deviation: Deviation, options: SyncOptions = ONLY, terms=OPEN_END
    ):
        await world.pretend_worker()
        started = await sync_to(world.runtime, ADMIN, EVERYTHING, "web", options, deviation, terms)
        await world.pass_()
        return started

    async def test_to_a_revision_that_the_application_does_not_follow(self, bare: World) -> None:
        await bare.add_app("web", auto=False)
        first = bare.commit(web=(config_map("a", colour="blue"),))
        bare.commit(web=(config_map("a", colour="green"),))
        await bare.poll()
        await self.to(bare, Deviation({0: first[:12]}))
        assert colour(bare) == "blue"
        app, (deployed,) = await bare.app("web"), await bare.rows("select * from deployments")
        assert (app["synced_revision"], app["holds"]) == (first, None)
        assert deployed["revision"] == first
        assert deployed["sources"][0]["targetRevision"] == first[:12]
        # compared with what it follows, it differs
        await bare.pass_()
        assert (await bare.app("web"))["sync_status"] == "OutOfSync"

    async def test_with_auto_sync_on_it_stays_there(self, twice: World) -> None:
        old = (await twice.rows("select revision from deployments where number = 0"))[0]["revision"]
        await self.to(twice, Deviation({0: old}))
        assert colour(twice) == "blue"
        assert "pinned to revision" in (await conditions(twice))["Pinned"]
        await twice.deliver(web=(config_map("a", colour="red"),))
        assert colour(twice) == "blue"
        await resume(twice)
        assert colour(twice) == "red"

    async def test_to_manifests_of_somebodys_own_machine(self, twice: World) -> None:
        await self.to(twice, Deviation(manifests=[config_map("a", colour="grey")]))
        assert colour(twice) == "grey"
        assert (await twice.app("web"))["synced_revision"] == "local"

    async def test_a_dry_run_pins_nothing(self, twice: World) -> None:
        manifests = [config_map("a", colour="grey")]
        await self.to(twice, Deviation(manifests=manifests), SyncOptions(dry_run=True))
        assert colour(twice) == "green"
        assert (await twice.app("web"))["holds"] is None
        assert (await twice.operations("web"))[-1]["phase"] == "Succeeded"

    async def test_a_revision_that_is_not_there_is_told_at_once(self, twice: World) -> None:
        with pytest.raises(RevisionNotFound):
            await self.to(twice, Deviation({0: "no-such-branch"}))
        with pytest.raises(SpecInvalid, match="no source 3"):
            await self.to(twice, Deviation({2: "main"}))
        assert colour(twice) == "green"


async def test_drift_that_comes_back_says_until_when_it_stays(twice: World) -> None:
    twice.edit("a", colour="pink")
    await twice.pass_(look=True)
    assert colour(twice) == "green"
    twice.edit("a", colour="pink")
    await twice.pass_(look=True)
    assert colour(twice) == "pink"
    due = (await twice.app("web"))["due_at"]
    told = (await conditions(twice))["SelfHealBackoff"]
    assert told == f"drift came back once; self-heal waits, until {due:%Y-%m-%dT%H:%M:%SZ}"
    twice.clock.forward(2)
    await twice.pass_()
    assert (colour(twice), await conditions(twice)) == ("green", {})
