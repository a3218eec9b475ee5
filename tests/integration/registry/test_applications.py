"""Applications: what people write, and how what was seen is shown as time passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from fleet.errors import AlreadyExists, Forbidden, NotFound, Refused, SourceUnreachable
from fleet.model.applications import LiveResource, Urgency
from fleet.model.clusters import Cluster
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import ObjectRef
from fleet.model.operations import OperationKind, OperationPhase, SyncOptions, Trigger
from fleet.model.repositories import RepositoryType
from fleet.model.scope import EVERYTHING, Scope
from fleet.model.selectors import parse_selector
from fleet.registry import applications, clusters, history, projects, repositories, work
from fleet.registry.applications import ApplicationFilter, Freshness
from fleet.registry.database import Database, Tx, now_of
from fleet.registry.desired import Rendered, mark_evaluated, record_rendered
from fleet.registry.history import OperationRequest
from fleet.registry.keyring import KeyRing
from fleet.registry.repositories import NewRepository
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA, NOW

FRESH = Freshness(NOW, 120)
SHA = "a" * 40
NEXT = "b" * 40


async def base(tx: Tx, ring: KeyRing) -> Cluster:
    await seeds.project(tx, "shop")
    return await seeds.cluster(tx, ring)


async def replace_with(tx: Tx, id: ApplicationId, cluster: ClusterId | None, **fields: Any) -> bool:
    wanted = seeds.document("web", **fields)
    return await applications.replace_document(
        tx,
        ANNA,
        id,
        wanted,
        project_id=await projects.project_id(tx, EVERYTHING, wanted.spec.project),
        cluster_id=cluster,
        repository_ids=[await seeds.repository(tx, s.repo_url) for s in wanted.spec.sources],
    )


async def stands(tx: Tx, cluster: ClusterId, *, minutes_ago: float) -> None:
    """As after a pass that found everything well."""
    await tx.execute(
        text("update applications set sync_status = 'Synced', health_status = 'Healthy'")
    )
    await tx.execute(
        text("update clusters set observed_at = :at, status = 'Successful' where id = :id"),
        {"at": NOW - timedelta(minutes=minutes_ago), "id": cluster},
    )


@contextmanager
def counted(tx: Tx) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []
    connection = tx.sync_connection
    assert connection is not None

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield sent
    event.remove(connection, "before_cursor_execute", note)


async def test_an_application_is_shown_as_it_was_written(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(
            tx, "web", eu.id, automated=True, auto_prune=True, labels={"tier": "front"}
        )
        found = await applications.get_application(tx, EVERYTHING, "web", fresh=FRESH)
    summary = found.summary
    assert found.document == seeds.document(
        "web", automated=True, auto_prune=True, labels={"tier": "front"}
    )
    assert (summary.id, summary.cluster, summary.server) == (id, "eu-1", eu.server)
    assert (summary.auto_sync, summary.auto_prune, summary.self_heal) == (True, True, False)
    assert (summary.repo_url, summary.path, summary.target_revision) == (
        "https://git.example/shop.git",
        "web",
        "main",
    )
    assert (summary.sync, summary.health.status) == (SyncStatus.UNKNOWN, HealthStatus.UNKNOWN)
    assert (summary.stale_since, summary.conditions, summary.revision) == (None, (), "")
    assert (found.generation, found.revisions, found.operation) == (1, ("",), None)


async def test_a_destination_without_a_cluster_shows_what_was_asked(db: Database) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        await seeds.application(tx, "web", None, dest_name="", dest_server="https://gone")
        found = await applications.get_application(tx, EVERYTHING, "web", fresh=FRESH)
    assert (found.summary.cluster_id, found.summary.server) == (None, "https://gone")


async def test_a_name_is_taken_once(db: Database) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        await seeds.application(tx, "web", None)
        with pytest.raises(AlreadyExists, match="'web' exists already"):
            await seeds.application(tx, "web", None)
        other = await seeds.application(tx, "api", None)
        with pytest.raises(AlreadyExists):
            await applications.rename_application(tx, ANNA, other, "web")


async def test_credentials_of_one_project_do_not_read_for_another(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        id = await seeds.application(tx, "web", None)
        url = "https://git.example/bank"
        new = NewRepository(url, url, RepositoryType.GIT, project="bank")
        bank = await repositories.add_repository(tx, ANNA, ring, new)
        with pytest.raises(Forbidden, match="belongs to another project"):
            await seeds.application(tx, "thief", None, repo_url=url)
        with pytest.raises(Forbidden):
            await replace_with(tx, id, None, repo_url=url)
        assert (await repositories.remote_of(tx, ring, bank.id)).project == "bank"
        shop, both = Scope(frozenset({"shop"})), Scope(frozenset({"shop", "bank"}))
        assert await repositories.find_by_url(tx, shop, url) is None
        assert await repositories.find_by_url(tx, both, url) == bank.id
        # what nobody registered is no registered repository, whoever asks
        assert await repositories.find_by_url(tx, shop, "https://git.example/shop") is None


async def test_a_document_that_says_the_same_writes_nothing(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
    version = text("select a.xmin::text, s.xmin::text from applications a, application_sources s")
    async with db.transaction() as tx:
        before = (await tx.execute(version)).one()
        assert not await replace_with(tx, id, eu.id)
        assert (await tx.execute(version)).one() == before


async def test_a_changed_document_is_a_generation_and_a_reason_to_look(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
        await tx.execute(text('update application_sources set inputs = \'{"key": "k"}\''))
        assert await replace_with(tx, id, eu.id, automated=True)
        row = (await tx.execute(text("select * from applications"))).one()
        assert (row.generation, row.urgency) == (2, Urgency.PERSON)
        assert row.dirty_at is not None
        inputs = text("select inputs, path, target_revision from application_sources")
        # the source is the same: what its render read still holds
        assert tuple((await tx.execute(inputs)).one()) == ({"key": "k"}, "web", "main")
        assert await replace_with(tx, id, eu.id, automated=True, path="api")
        assert tuple((await tx.execute(inputs)).one()) == ({}, "api", "main")
        log = (await tx.execute(text("select * from audit_log order by seq desc"))).first()
        assert log is not None
        assert (log.before["spec"]["source"]["path"], log.after["spec"]["source"]["path"]) == (
            "web",
            "api",
        )


async def test_sources_come_and_go(db: Database) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        id = await seeds.application(tx, "web", None)
        wanted = seeds.document("web")
        two = replace(
            wanted,
            spec=replace(wanted.spec, sources=(wanted.spec.sources[0],) * 2, multi_source=True),
            document={
                **wanted.document,
                "spec": {
                    **{k: v for k, v in wanted.document["spec"].items() if k != "source"},
                    "sources": [wanted.document["spec"]["source"]] * 2,
                },
            },
        )
        repository = await seeds.repository(tx)
        project = await projects.project_id(tx, EVERYTHING, "shop")
        count = text("select count(*) from application_sources")
        for document, number in ((two, 2), (wanted, 1)):
            await applications.replace_document(
                tx,
                ANNA,
                id,
                document,
                project_id=project,
                cluster_id=None,
                repository_ids=[repository] * number,
            )
            assert (await tx.execute(count)).scalar_one() == number


async def test_a_move_to_another_cluster_starts_anew(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        us = await seeds.cluster(tx, ring, "us-1")
        id = await seeds.application(tx, "web", eu.id)
        await stands(tx, eu.id, minutes_ago=1)
        await work.put_resources(tx, [(eu.id, id, _live())])
        made = await history.create_operation(tx, ANNA, _sync(id), await now_of(tx))
        with pytest.raises(Refused, match="while an operation runs"):
            await replace_with(tx, id, us.id, dest_name="us-1")
        await tx.execute(text("update applications set operation_id = null"))
        assert await replace_with(tx, id, us.id, dest_name="us-1")
        found = await applications.get_application(tx, EVERYTHING, "web", fresh=FRESH)
        assert (found.summary.cluster, found.summary.sync) == ("us-1", SyncStatus.UNKNOWN)
        assert found.resources == ()
        assert found.operation is not None
        assert found.operation.id == made.id


def _live() -> LiveResource:
    ref = ObjectRef("apps", "Deployment", "shop", "web")
    return LiveResource(ref, "v1", SyncStatus.SYNCED, Health(HealthStatus.HEALTHY))


def _sync(id: ApplicationId) -> OperationRequest:
    return OperationRequest(id, OperationKind.SYNC, Trigger.MANUAL, SyncOptions())


async def test_a_rename_keeps_everything_else(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
        await work.put_resources(tx, [(eu.id, id, _live())])
        await applications.rename_application(tx, ANNA, id, "front")
        found = await applications.get_application(tx, EVERYTHING, "front", fresh=FRESH)
        assert (found.summary.id, found.document.name) == (id, "front")
        assert found.resources == (_live(),)
        with pytest.raises(NotFound):
            await applications.find_application(tx, EVERYTHING, "web")


async def test_deletion_keeps_history_and_forgets_unread_repositories(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
        await history.create_operation(tx, ANNA, _sync(id), await now_of(tx))
        await applications.mark_deleting(
            tx, ANNA, id, cascade=True, propagation="foreground", now=NOW
        )
        found = await applications.get_application(tx, EVERYTHING, "web", fresh=FRESH)
        assert found.summary.deleting
        with pytest.raises(Refused, match="being deleted"):
            await replace_with(tx, id, eu.id, path="api")
        await applications.remove_application(tx, ANNA, id, NOW)
        assert not await applications.exists_application(tx, EVERYTHING, "web")
        for table, count in (("operations", 1), ("repositories", 0), ("application_sources", 0)):
            rows = await tx.execute(text(f"select count(*) from {table}"))
            assert rows.scalar_one() == count, table


async def test_a_hard_refresh_is_not_softened(db: Database) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        id = await seeds.application(tx, "web", None)
        refresh = text("select refresh from applications")
        for mode, expected in (("normal", "normal"), ("hard", "hard"), ("normal", "hard")):
            polled = await applications.request_refresh(tx, ANNA, id, mode)  # type: ignore[arg-type]
            assert polled == (await seeds.repository(tx),)
            assert (await tx.execute(refresh)).scalar_one() == expected


@pytest.mark.parametrize(
    ("interval", "minutes_ago", "stale"),
    [(None, 5.9, False), (None, 6.1, True), (60, 3.1, True), (600, 29, False)],
)
async def test_what_was_not_read_for_three_intervals_is_unknown(
    db: Database, ring: KeyRing, interval: int | None, minutes_ago: float, stale: bool
) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        await clusters.update_cluster(tx, ANNA, eu.id, {"interval_seconds": interval})
        await seeds.application(tx, "web", eu.id)
        await stands(tx, eu.id, minutes_ago=minutes_ago)
        (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
        synced = ApplicationFilter(sync=SyncStatus.SYNCED, health=HealthStatus.HEALTHY)
        known, _ = await applications.list_applications(tx, EVERYTHING, synced, fresh=FRESH)
        unsure = ApplicationFilter(sync=SyncStatus.UNKNOWN, health=HealthStatus.UNKNOWN)
        unknown, _ = await applications.list_applications(tx, EVERYTHING, unsure, fresh=FRESH)
    seen = NOW - timedelta(minutes=minutes_ago)
    assert shown.stale_since == (seen if stale else None)
    assert shown.sync is (SyncStatus.UNKNOWN if stale else SyncStatus.SYNCED)
    assert shown.health.status is (HealthStatus.UNKNOWN if stale else HealthStatus.HEALTHY)
    assert (len(known), len(unknown)) == ((0, 1) if stale else (1, 0))


async def test_staleness_says_why(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        await seeds.application(tx, "web", eu.id)
        await stands(tx, eu.id, minutes_ago=60)

        async def message() -> str:
            (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
            return shown.health.message

        since = "stale since 2026-05-04T11:00:00Z, cluster eu-1"
        assert await message() == f"{since} was not read since: is a worker running?"
        await clusters.record_probe(tx, eu.id, SourceUnreachable("connection refused"), NOW)
        assert await message() == f"{since} unreachable: connection refused"
        await clusters.pause(tx, ANNA, eu.id, reason="upgrade", until=None)
        assert await message() == f"{since} is paused by anna: upgrade"


async def test_a_failing_repository_is_a_condition(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
        repository = await seeds.repository(tx)
        await repositories.record_contact(tx, repository, SourceUnreachable("timed out"), NOW)
        (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
        (condition,) = shown.conditions
        assert condition.type == "ComparisonError"
        failing = "repository https://git.example/shop.git unreachable since 2026-05-04T12:00:00Z"
        assert condition.message == f"{failing}: timed out"
        await record_rendered(tx, [Rendered(id, 1, "m", (SHA,), ({},))])
        (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
        assert shown.conditions[0].message == f"{failing}, showing last good revision: timed out"
        await repositories.record_contact(tx, repository, None, NOW)
        gone = {("", "main"): SourceUnreachable("no branch main")}
        await repositories.record_refs(tx, repository, gone, NOW)
        (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
        assert "main of https://git.example/shop.git not found" in shown.conditions[0].message
        # the render says the same: once is enough
        same = {"message": "no branch main"}
        await record_rendered(tx, [Rendered(id, 1, "", (), (), error=same)])
        (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
        assert len(shown.conditions) == 1
        error = {"type": "RenderError", "message": "web/values.yaml:3: bad"}
        await record_rendered(tx, [Rendered(id, 1, "", (), (), error=error)])
        (shown,), _ = await applications.list_applications(tx, EVERYTHING, fresh=FRESH)
        assert shown.conditions[0].message == "web/values.yaml:3: bad"


async def test_the_revision_shown_is_where_the_ref_is_once_it_was_looked_at(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
        repository = await seeds.repository(tx)

        async def revision() -> str:
            found = await applications.get_application(tx, EVERYTHING, "web", fresh=FRESH)
            assert found.revisions == (found.summary.revision,)
            return found.summary.revision

        await repositories.record_refs(tx, repository, {("", "main"): SHA}, NOW)
        assert await revision() == ""
        await record_rendered(tx, [Rendered(id, 1, "m", (SHA,), ({},))])
        await mark_evaluated(tx, repository, [("", "main", SHA)])
        assert await revision() == SHA
        # the ref moved, nobody looked yet
        await repositories.record_refs(tx, repository, {("", "main"): NEXT}, NOW)
        assert await revision() == SHA
        # looked at, and the inputs were the same: no row of the application was written
        await mark_evaluated(tx, repository, [("", "main", NEXT)])
        assert await revision() == NEXT
        # a render that fails there leaves the last good one
        await record_rendered(tx, [Rendered(id, 1, "", (), (), error={"message": "bad"})])
        assert await revision() == SHA
        # and so does a document that was not rendered yet
        await record_rendered(tx, [Rendered(id, 1, "m", (SHA,), ({},))])
        assert await revision() == NEXT
        await replace_with(tx, id, eu.id, path="api")
        assert await revision() == SHA


async def test_lists_are_filtered_in_sql(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        await seeds.project(tx, "bank")
        us = await seeds.cluster(tx, ring, "us-1")
        await seeds.application(tx, "web", eu.id, labels={"tier": "front"})
        await seeds.application(tx, "api", eu.id, labels={"tier": "back"}, dest_namespace="api")
        await seeds.application(
            tx, "pay", us.id, project="bank", repo_url="https://git.example/pay.git"
        )

        async def names(**wanted: Any) -> list[str]:
            found, _ = await applications.list_applications(
                tx, EVERYTHING, ApplicationFilter(**wanted), fresh=FRESH
            )
            return [entry.name for entry in found]

        assert await names() == ["api", "pay", "web"]
        assert await names(selector=parse_selector("tier in (front)")) == ["web"]
        assert await names(selector=parse_selector("tier!=front")) == ["api", "pay"]
        assert await names(selector=parse_selector("!tier")) == ["pay"]
        assert await names(selector=parse_selector("tier")) == ["api", "web"]
        assert await names(projects=("bank",)) == ["pay"]
        assert await names(cluster="eu-1") == ["api", "web"]
        assert await names(cluster=us.server) == ["pay"]
        assert await names(namespace="api") == ["api"]
        assert await names(name="a") == ["api", "pay"]
        assert await names(repo="https://git.example/pay") == ["pay"]
        assert await names(repo="https://git.example/pay.git") == ["pay"]
        shop = Scope(frozenset({"shop"}))
        refs = await applications.applications_of_cluster(tx, shop, eu.id)
        assert [entry.name for entry in refs] == ["api", "web"]
        assert (await clusters.get_cluster(tx, EVERYTHING, "eu-1")).application_count == 2


async def test_the_number_of_statements_does_not_grow(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        for number in range(12):
            await seeds.application(tx, f"web-{number:02}", eu.id)
        with counted(tx) as sent:
            found, cursor = await applications.list_applications(
                tx, EVERYTHING, fresh=FRESH, limit=1000
            )
        assert (len(found), cursor, len(sent)) == (12, "", 2)
        page, cursor = await applications.list_applications(
            tx, EVERYTHING, fresh=FRESH, limit=5, after=found[8].name
        )
        assert ([entry.name for entry in page], cursor) == (["web-09", "web-10", "web-11"], "")
        with counted(tx) as sent:
            await applications.get_application(tx, EVERYTHING, "web-03", fresh=FRESH)
        assert len(sent) <= 6
        with counted(tx) as sent:
            await clusters.list_clusters(tx, EVERYTHING)
            await repositories.list_repositories(tx, EVERYTHING)
            await projects.list_projects(tx, EVERYTHING)
            await history.list_operations(tx, EVERYTHING)
        assert len(sent) == 4


async def test_the_last_operation_is_shown(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await base(tx, ring)
        id = await seeds.application(tx, "web", eu.id)
        start = await now_of(tx)
        for number in range(2):
            at = start + timedelta(milliseconds=number)
            made = await history.create_operation(tx, ANNA, _sync(id), at)
            await tx.execute(text("update applications set operation_id = null"))
        found = await applications.get_application(tx, EVERYTHING, "web", fresh=FRESH)
        assert found.operation == made
        assert found.summary.operation_phase == str(OperationPhase.PENDING)
