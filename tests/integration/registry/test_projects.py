"""Projects: kept word for word, in generations, as long as something is in them."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from fleet.errors import AlreadyExists, NotFound, Refused
from fleet.model.project_spec import parse_project
from fleet.model.projects import DEFAULT_PROJECT_SPEC, ProjectDestination
from fleet.model.scope import EVERYTHING, Scope
from fleet.registry import projects
from fleet.registry.database import Database
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA


async def test_the_default_project_allows_everything_and_stays(db: Database) -> None:
    for _ in range(2):
        async with db.transaction() as tx:
            await projects.ensure_default(tx)
    async with db.transaction() as tx:
        made = await projects.get_project(tx, EVERYTHING, "default")
        assert made.spec == DEFAULT_PROJECT_SPEC
        assert made.warnings == ()
        count = text("select count(*) from audit_log where object = 'default'")
        assert (await tx.execute(count)).scalar_one() == 1
        with pytest.raises(Refused, match="stays"):
            await projects.remove_project(tx, ANNA, "default")


async def test_each_change_is_a_generation(db: Database) -> None:
    generation = text("select generation from projects where name = 'shop'")
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        before = await projects.get_project(tx, EVERYTHING, "shop")
        assert not await projects.upsert_project(tx, ANNA, before)
        assert (await tx.execute(generation)).scalar_one() == 1
        document = {**before.document, "spec": {"destinations": [{"name": "eu-*"}], "odd": 1}}
        assert await projects.upsert_project(tx, ANNA, parse_project(document))
        after = await projects.get_project(tx, EVERYTHING, "shop")
        assert after.spec.destinations == (ProjectDestination(name="eu-*"),)
        assert after.document["spec"]["odd"] == 1
        assert (await tx.execute(generation)).scalar_one() == 2
        log = (await tx.execute(text("select * from audit_log order by seq desc"))).first()
        assert log is not None
        assert (log.action, log.before["spec"]["sourceRepos"]) == ("update", ["*"])


async def test_a_name_is_taken_once(db: Database) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        made = await projects.get_project(tx, EVERYTHING, "shop")
        with pytest.raises(AlreadyExists, match="'shop' exists already"):
            await projects.create_project(tx, ANNA, made)


async def test_a_project_in_use_stays(db: Database) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        await seeds.application(tx, "web", None)
        with pytest.raises(Refused, match=r"1 application\(s\) are in project 'shop': web"):
            await projects.remove_project(tx, ANNA, "shop")
        await tx.execute(text("delete from applications"))
        await projects.remove_project(tx, ANNA, "shop")
        with pytest.raises(NotFound):
            await projects.remove_project(tx, ANNA, "shop")


async def test_lists_and_hints_keep_to_the_scope(db: Database) -> None:
    async with db.transaction() as tx:
        for name in ("shop-a", "shop-b", "shop-c", "bank"):
            await seeds.project(tx, name)
        some = Scope(frozenset({"shop-a", "shop-c"}))
        page, cursor = await projects.list_projects(tx, some, limit=1)
        assert [entry.name for entry in page] == ["shop-a"]
        page, cursor = await projects.list_projects(tx, some, limit=1, after=cursor)
        assert ([entry.name for entry in page], cursor) == (["shop-c"], "")
        page, _ = await projects.list_projects(tx, EVERYTHING, "ank")
        assert [entry.name for entry in page] == ["bank"]
        with pytest.raises(NotFound) as caught:
            await projects.get_project(tx, some, "shop-b")
        assert "shop-b" not in caught.value.hint
        assert "'shop-a'" in caught.value.hint
