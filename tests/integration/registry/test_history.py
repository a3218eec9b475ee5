"""Operations that people ask for, and what ran when."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from fleet.errors import NotFound, Refused, UsageError
from fleet.model.ids import ApplicationId, OperationId
from fleet.model.objects import ObjectRef
from fleet.model.operations import (
    Action,
    OperationKind,
    OperationPhase,
    Outcome,
    SyncOptions,
    Trigger,
)
from fleet.model.scope import EVERYTHING, Scope
from fleet.registry import applications, deployments, history, syncs
from fleet.registry.database import Database, Tx, now_of
from fleet.registry.history import OperationFilter, OperationRequest
from fleet.registry.keyring import KeyRing
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA

SHOP = Scope(frozenset({"shop"}))
BANK = Scope(frozenset({"bank"}))


def sync(id: ApplicationId, **options: object) -> OperationRequest:
    wanted = SyncOptions(**options)  # type: ignore[arg-type]
    return OperationRequest(id, OperationKind.SYNC, Trigger.MANUAL, wanted)


async def seeded(tx: Tx, ring: KeyRing) -> ApplicationId:
    await seeds.project(tx, "shop")
    eu = await seeds.cluster(tx, ring)
    return await seeds.application(tx, "web", eu.id)


async def finish(tx: Tx, id: OperationId, at: datetime) -> None:
    await tx.execute(
        text("update operations set phase = 'Succeeded', finished_at = :at where id = :id"),
        {"at": at, "id": id},
    )
    await tx.execute(text("update applications set operation_id = null"))


async def test_a_requested_sync_goes_first_and_is_the_only_one(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        now = await now_of(tx)
        ref = ObjectRef("apps", "Deployment", "shop", "web")
        made = await history.create_operation(tx, ANNA, sync(id, prune=True, resources=(ref,)), now)
        assert (made.application, made.project, made.cluster, made.namespace) == (
            "web",
            "shop",
            "eu-1",
            "shop",
        )
        assert (made.phase, made.initiated_by) == (OperationPhase.PENDING, "anna")
        assert made.options == SyncOptions(prune=True, resources=(ref,))
        row = (await tx.execute(text("select * from applications"))).one()
        assert (row.operation_id, row.operation_created_at, row.urgency) == (made.id, now, 0)
        assert row.dirty_at is not None
        log = (await tx.execute(text("select * from audit_log order by seq desc"))).first()
        assert log is not None
        assert (log.action, log.object, log.after["operation"]) == ("sync", "web", str(made.id))
        with pytest.raises(Refused, match=r"a sync by anna \(Pending\) at work") as caught:
            await history.create_operation(tx, ANNA, sync(id), now)
        assert "terminate-op web" in caught.value.hint


async def test_of_two_who_ask_at_once_one_is_refused(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        now = await now_of(tx)

    async def ask() -> None:
        async with db.transaction() as tx:
            await history.create_operation(tx, ANNA, sync(id), now)

    answers = await asyncio.gather(*(ask() for _ in range(4)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["Refused"] * 3
    async with db.reading() as tx:
        assert len((await history.list_operations(tx, EVERYTHING))[0]) == 1


async def test_nothing_is_synced_while_it_is_deleted(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        now = await now_of(tx)
        await applications.mark_deleting(
            tx, ANNA, id, cascade=True, propagation="foreground", now=now
        )
        with pytest.raises(Refused, match="is being deleted"):
            await history.create_operation(tx, ANNA, sync(id), now)
        delete = OperationRequest(id, OperationKind.DELETE, Trigger.DELETE, SyncOptions())
        await history.create_operation(tx, ANNA, delete, now)


async def test_an_operation_is_ended_by_asking(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        with pytest.raises(Refused, match="no operation at work"):
            await history.terminate_operation(tx, ANNA, id)
        made = await history.create_operation(tx, ANNA, sync(id), await now_of(tx))
        assert await history.terminate_operation(tx, ANNA, id) == made.id
        after = await history.get_operation(tx, EVERYTHING, made.id)
        assert (after.phase, after.message) == (
            OperationPhase.TERMINATING,
            "terminated by anna",
        )
        with pytest.raises(NotFound):
            await history.terminate_operation(tx, ANNA, ApplicationId(uuid4()))


async def test_an_operation_is_read_with_its_outcomes(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        made = await history.create_operation(tx, ANNA, sync(id), await now_of(tx))
        outcome = Outcome(ObjectRef("", "Service", "shop", "web"), Action.CREATED, message="new")
        await syncs.put_results(tx, [(made, [outcome])])
        assert (await history.get_operation(tx, SHOP, made.id)).outcomes == (outcome,)
        with pytest.raises(NotFound):
            await history.get_operation(tx, BANK, made.id)


async def test_operations_are_listed_newest_first(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        start = await now_of(tx)
        made = []
        for number in range(3):
            at = start + timedelta(milliseconds=number)
            operation = await history.create_operation(tx, ANNA, sync(id), at)
            await finish(tx, operation.id, at)
            made.append(operation.id)
        seen: list[OperationId] = []
        cursor = ""
        for _ in range(2):
            page, cursor = await history.list_operations(tx, SHOP, limit=2, after=cursor)
            seen += [operation.id for operation in page]
        assert (seen, cursor) == (made[::-1], "")
        assert await history.list_operations(tx, BANK) == ((), "")
        wanted = OperationFilter(
            application="web",
            application_id=id,
            project="shop",
            cluster="eu-1",
            phases=(OperationPhase.SUCCEEDED,),
            trigger=Trigger.MANUAL,
            since=start + timedelta(milliseconds=1),
            until=start + timedelta(milliseconds=2),
        )
        page, _ = await history.list_operations(tx, EVERYTHING, wanted)
        assert [operation.id for operation in page] == [made[1]]
        wanted = OperationFilter(phases=(OperationPhase.FAILED,))
        assert (await history.list_operations(tx, EVERYTHING, wanted))[0] == ()
        with pytest.raises(UsageError):
            await history.list_operations(tx, EVERYTHING, after="yesterday")


async def test_deployments_are_called_by_number(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await seeded(tx, ring)
        start = await now_of(tx)
        with pytest.raises(NotFound) as caught:
            await history.deployment_by_number(tx, SHOP, id, 0)
        assert caught.value.hint == "Nothing was deployed yet."
        for number in range(4):
            at = start + timedelta(milliseconds=number)
            request = OperationRequest(
                id,
                OperationKind.SYNC,
                Trigger.MANUAL,
                SyncOptions(),
                revision=f"r{number}",
                manifests_sha256=f"m{number}",
            )
            operation = await history.create_operation(tx, ANNA, request, at)
            await finish(tx, operation.id, at)
            deployed = deployments.Deployed(operation, at, at, healthy=True)
            await deployments.record_deployments(tx, [deployed])
        entries = await history.history_of(tx, SHOP, id, 3)
        assert [(entry.id, entry.revision) for entry in entries] == [
            (1, "r1"),
            (2, "r2"),
            (3, "r3"),
        ]
        assert entries[0].deployed_until == entries[1].deployed_at
        assert entries[-1].deployed_until is None
        found = await history.deployment_by_number(tx, SHOP, id, 2)
        assert found == entries[1]
        with pytest.raises(NotFound) as caught:
            await history.deployment_by_number(tx, SHOP, id, 9)
        assert caught.value.hint == "The newest are: 0, 1, 2, 3."
        assert await history.history_of(tx, BANK, id, 3) == ()
        page, cursor = await history.list_deployments(tx, SHOP, id, limit=3)
        assert ([entry.id for entry in page], cursor) == ([3, 2, 1], "1")
        page, cursor = await history.list_deployments(tx, SHOP, id, limit=3, after=cursor)
        assert ([entry.id for entry in page], cursor) == ([0], "")
        assert await history.list_deployments(tx, BANK, id) == ((), "")
        for cursor in ("one", "-1", "9" * 12):
            with pytest.raises(UsageError):
                await history.list_deployments(tx, SHOP, id, after=cursor)
        with pytest.raises(NotFound):
            await history.deployment_by_number(tx, BANK, id, 2)
