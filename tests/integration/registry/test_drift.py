"""Drift events: one open an object, closed when it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet.errors import UsageError
from fleet.model.ids import ApplicationId
from fleet.model.scope import EVERYTHING, Scope
from fleet.registry import drift
from fleet.registry.database import Database, Tx
from fleet.registry.drift import Drifted
from tests.integration.registry import seeds
from tests.integration.registry.seeds import NOW

WEB = "Deployment/shop/web"


async def seeded(tx: Tx) -> ApplicationId:
    await seeds.project(tx, "shop")
    return await seeds.application(tx, "web", None)


def drifted(id: ApplicationId, object: str = WEB, live: int = 3) -> Drifted:
    field = {"path": ".spec.replicas", "type": "changed", "live": live, "desired": 2}
    return Drifted(id, "web", "eu-1", object, (field,), "kubectl-edit")


async def test_one_event_is_open_until_it_is_healed(db: Database) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx)
        await drift.open_drift(tx, [drifted(id), drifted(id, "Service/shop/web")], NOW)
        await drift.open_drift(tx, [drifted(id)], NOW + timedelta(minutes=1))
        events, _ = await drift.list_drift(tx, EVERYTHING, id)
        assert {(e.object, e.first_seen, e.last_seen) for e in events} == {
            (WEB, NOW, NOW),
            ("Service/shop/web", NOW, NOW),
        }
        later = NOW + timedelta(minutes=2)
        await drift.open_drift(tx, [drifted(id, live=9)], later)
        (web,) = [e for e in (await drift.list_drift(tx, EVERYTHING, id))[0] if e.object == WEB]
        assert (web.first_seen, web.last_seen, web.fields[0]["live"]) == (NOW, later, 9)
        await drift.close(tx, [(id, WEB), (id, "Pod/shop/none")], "self-heal", later)
        still, _ = await drift.list_drift(tx, EVERYTHING, id, open_only=True)
        assert [event.object for event in still] == ["Service/shop/web"]
        # what comes back is another event, and the healed one stays as it was
        again = later + timedelta(minutes=1)
        await drift.open_drift(tx, [drifted(id)], again)
        events, _ = await drift.list_drift(tx, EVERYTHING, id)
        assert [(e.first_seen, e.healed_at, e.healed_by) for e in events if e.object == WEB] == [
            (again, None, ""),
            (NOW, later, "self-heal"),
        ]


async def test_what_is_open_and_the_same_is_not_written(db: Database) -> None:
    version = text("select xmin::text from drift_events")
    async with db.transaction() as tx:
        id = await seeded(tx)
        await drift.open_drift(tx, [drifted(id)], NOW)
    async with db.transaction() as tx:
        before = (await tx.execute(version)).scalar_one()
        await drift.open_drift(tx, [drifted(id)], NOW + timedelta(minutes=1))
        await drift.open_drift(tx, [], NOW)
        await drift.close(tx, [], "self-heal", NOW)
        await drift.touch(tx, [], NOW)
        assert (await tx.execute(version)).scalar_one() == before
        await drift.touch(tx, [(id, WEB)], NOW + timedelta(minutes=1))
        (event,) = (await drift.list_drift(tx, EVERYTHING, id))[0]
        assert event.last_seen == NOW + timedelta(minutes=1)


async def test_pages_go_back_in_time(db: Database) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx)
        for number in range(3):
            at = NOW + timedelta(minutes=number)
            await drift.open_drift(tx, [drifted(id, f"Pod/shop/{number}")], at)
        seen, cursor = [], ""
        for _ in range(3):
            page, cursor = await drift.list_drift(tx, EVERYTHING, id, limit=1, after=cursor)
            seen += [event.object for event in page]
        assert (seen, cursor) == (["Pod/shop/2", "Pod/shop/1", "Pod/shop/0"], "")
        with pytest.raises(UsageError):
            await drift.list_drift(tx, EVERYTHING, id, after="nonsense")


async def test_events_of_other_projects_are_not_there(db: Database) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx)
        await drift.open_drift(tx, [drifted(id)], NOW)
        assert await drift.list_drift(tx, Scope(frozenset({"bank"})), id) == ((), "")
        assert len((await drift.list_drift(tx, Scope(frozenset({"shop"})), id))[0]) == 1
