"""What many callers write or ask in one transaction, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from fleet.errors import LeaseLost
from fleet.operations.sharing import ASKED, MOST, Asking, Shared


class Database:
    """Takes what is written, once it is let to; refuses what holds an entry of ``refused``."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.said: list[tuple[tuple[str, ...], bool]] = []
        self.is_open = asyncio.Event()
        self.is_asked = asyncio.Event()

    async def write(self, entries: Sequence[str], waits: bool) -> None:
        self.said.append((tuple(entries), waits))
        self.is_asked.set()
        await self.is_open.wait()
        if self.refused & set(entries):
            raise LeaseLost("not this one")


async def _gathered(
    shared: Shared, database: Database, *names: str, size: int = 1
) -> list[asyncio.Task[None]]:
    """``names`` wait, while the first of all is being written."""
    first = asyncio.create_task(shared.put("first", 1, database.write))
    await database.is_asked.wait()
    tasks = [asyncio.create_task(shared.put(name, size, database.write)) for name in names]
    await asyncio.sleep(0)  # each hands in what it has
    return [first, *tasks]


async def test_what_comes_while_one_is_written_goes_together_afterwards() -> None:
    database = Database()
    tasks = await _gathered(Shared(), database, "a", "b", "c")
    database.is_open.set()
    await asyncio.gather(*tasks)
    assert database.said == [(("first",), False), (("a", "b", "c"), False)]


async def test_one_that_is_refused_fails_alone() -> None:
    database = Database("b")
    tasks = await _gathered(Shared(), database, "a", "b", "c")
    database.is_open.set()
    first, a, b, c = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, a, c) == (None, None, None)
    assert isinstance(b, LeaseLost)
    # the second time it waits for rows that others hold
    alone = {(("a",), True), (("b",), True), (("c",), True)}
    assert set(database.said[2:]) == alone


async def test_one_alone_that_is_refused_waits_for_its_rows_then() -> None:
    database = Database("a")
    database.is_open.set()
    with pytest.raises(LeaseLost):
        await Shared().put("a", 1, database.write)
    assert database.said == [(("a",), False), (("a",), True)]


async def test_a_caller_that_is_cancelled_takes_nobody_with_it() -> None:
    database = Database()
    first, a, b = await _gathered(Shared(), database, "a", "b")
    first.cancel()
    a.cancel()
    database.is_open.set()
    await b
    assert first.cancelled()
    assert a.cancelled()
    assert database.said[1] == (("a", "b"), False)


async def test_what_a_cancelled_caller_left_is_written_before_the_database_is_closed() -> None:
    database, shared = Database(), Shared()
    await shared.close()  # nothing was ever handed in
    first, a = await _gathered(shared, database, "a")
    first.cancel()
    a.cancel()
    closing = asyncio.create_task(shared.close())
    await asyncio.sleep(0)
    assert not closing.done()
    database.is_open.set()
    await closing
    assert [entries for entries, _ in database.said] == [("first",), ("a",)]


async def test_a_writer_that_is_ended_leaves_nobody_waiting() -> None:
    database, shared = Database(), Shared()
    (first,) = await _gathered(shared, database)
    assert shared._writer is not None
    shared._writer.cancel()
    database.is_open.set()
    await asyncio.wait_for(first, 60)
    assert database.said == [(("first",), False), (("first",), True)]


async def test_a_transaction_does_not_grow_beyond_its_size() -> None:
    database = Database()
    tasks = await _gathered(Shared(), database, "a", "b", "c", size=MOST // 2)
    database.is_open.set()
    await asyncio.gather(*tasks)
    assert [entries for entries, _ in database.said] == [("first",), ("a", "b"), ("c",)]


class Oracle:
    """Answers with the question in capitals; not at all where one of ``refused`` is asked."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.asked: list[tuple[str, ...]] = []

    async def read(self, questions: Sequence[str]) -> list[str]:
        self.asked.append(tuple(questions))
        await asyncio.sleep(0)
        if self.refused & set(questions):
            raise LeaseLost("not this one")
        return [question.upper() for question in questions]


async def test_what_is_asked_at_the_same_moment_is_answered_together() -> None:
    oracle, asking = Oracle(), Asking[str, str]()
    names = [f"name {number}" for number in range(ASKED + 2)]
    answers = await asyncio.gather(*(asking.ask(name, oracle.read) for name in names))
    assert answers == [name.upper() for name in names]
    assert oracle.asked == [tuple(names[:ASKED]), tuple(names[ASKED:])]


async def test_a_question_without_an_answer_leaves_the_others_theirs() -> None:
    oracle, asking = Oracle("b"), Asking[str, str]()
    a, b, c = await asyncio.gather(
        *(asking.ask(name, oracle.read) for name in "abc"), return_exceptions=True
    )
    assert (a, c) == ("A", "C")
    assert isinstance(b, LeaseLost)
    assert set(oracle.asked) == {("a", "b", "c"), ("a",), ("b",), ("c",)}


async def test_who_asks_no_more_takes_nobody_with_him() -> None:
    oracle, asking = Oracle(), Asking[str, str]()
    gone, stays = (asyncio.create_task(asking.ask(name, oracle.read)) for name in "ab")
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "B"
    assert gone.cancelled()


async def test_what_is_asked_later_is_answered_from_a_later_moment() -> None:
    oracle, asking = Oracle(), Asking[str, str]()
    assert [await asking.ask(name, oracle.read) for name in "ab"] == ["A", "B"]
    assert oracle.asked == [("a",), ("b",)]


async def test_a_reader_that_is_ended_leaves_nobody_waiting() -> None:
    oracle, asking = Oracle(), Asking[str, str]()
    await asking.close()  # nothing was ever asked
    asker = asyncio.create_task(asking.ask("a", oracle.read))
    while not oracle.asked:
        await asyncio.sleep(0)
    assert asking._reader is not None
    asking._reader.cancel()
    await asking.close()
    assert await asker == "A"
    assert oracle.asked == [("a",), ("a",)]
