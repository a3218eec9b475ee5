"""A write that is asked for twice is done once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from fleet.errors import Refused, UsageError
from fleet.registry import idempotency
from fleet.registry.database import Database
from fleet.registry.idempotency import Answer

ANSWER = Answer(201, {"name": "web"})


async def _claim(db: Database, key: str = "k", request: str = "sha") -> Answer | None:
    async with db.transaction() as tx:
        return await idempotency.claim(tx, "ci", key, request)


async def _finish(db: Database) -> None:
    async with db.transaction() as tx:
        await idempotency.finish(tx, "ci", "k", ANSWER)


async def _age(db: Database, interval: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("update idempotency_keys set created_at = now() - cast(:i as interval)"),
            {"i": interval},
        )


async def test_the_answer_is_given_again(db: Database) -> None:
    assert await _claim(db) is None
    await _finish(db)
    assert await _claim(db) == ANSWER


async def test_keys_belong_to_accounts(db: Database) -> None:
    await _claim(db)
    async with db.transaction() as tx:
        assert await idempotency.claim(tx, "other", "k", "sha") is None
    assert await _claim(db, key="k2") is None


async def test_one_key_one_request(db: Database) -> None:
    await _claim(db)
    for _ in range(2):
        with pytest.raises(UsageError, match="another request"):
            await _claim(db, request="other")
        await _finish(db)


async def test_still_at_work(db: Database) -> None:
    await _claim(db)
    with pytest.raises(Refused, match="still at work"):
        await _claim(db)


async def test_of_two_at_once_one_goes_on(db: Database) -> None:
    results = await asyncio.gather(*(_claim(db) for _ in range(4)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, Refused) for result in results) == 3


async def test_a_request_whose_process_died_can_be_sent_again(db: Database) -> None:
    await _claim(db)
    await _age(db, "6 minutes")
    with pytest.raises(UsageError):
        await _claim(db, request="other")
    assert await _claim(db) is None
    with pytest.raises(Refused):
        await _claim(db)


async def test_a_finished_one_is_never_taken_over(db: Database) -> None:
    await _claim(db)
    await _finish(db)
    await _age(db, "23 hours")
    assert await _claim(db) == ANSWER


async def test_release(db: Database) -> None:
    await _claim(db)
    async with db.transaction() as tx:
        await idempotency.release(tx, "ci", "k")
    assert await _claim(db) is None
    await _finish(db)
    async with db.transaction() as tx:
        await idempotency.release(tx, "ci", "k")
    assert await _claim(db) == ANSWER  # an answer is not released


async def test_purge(db: Database) -> None:
    await _claim(db)
    await _finish(db)
    async with db.transaction() as tx:
        assert await idempotency.purge(tx) == 0
    await _age(db, "25 hours")
    async with db.transaction() as tx:
        assert await idempotency.purge(tx) == 1
    assert await _claim(db) is None
