"""One transaction for many: what passes over different clusters write at the same moment. And
one question for many: what they begin with.

A commit costs as much for one cluster as for twenty, and so does a statement. Passes hand in
what they have to write; while one transaction is under way the next ones gather, and go
together. After one that had company the next waits a moment for more, which costs a busy worker
nothing: it has other passes to go on with. What comes alone is written at once. Nobody fails
for another: if the shared transaction is refused, for whatever reason, each writes its own.
Questions are shared in the same way, and wait for nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeAlias, TypeVar

log = logging.getLogger(__name__)

Entry = TypeVar("Entry")
Question = TypeVar("Question")
Answer = TypeVar("Answer")
#: Writes all of some entries in one transaction, or none. The flag says whether it may wait for
#: rows that others hold. It may be called again with the same entries, so all that it changes
#: before its commit is the database.
Write: TypeAlias = Callable[[Sequence[Entry], bool], Awaitable[None]]

#: Answers some questions, in their order, from one moment.
Read: TypeAlias = Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]

#: Questions that are answered together.
ASKED = 32
#: Applications in one transaction, unless one entry alone has more.
MOST = 64
#: A transaction that follows within this time on one that had company waits this long for its.
GATHER_SECONDS = 0.1


@dataclass(frozen=True)
class _Waiting:
    entry: Any
    size: int
    is_written: asyncio.Future[bool]


class Shared:
    """Writes entries of many callers together, one transaction at a time. All its callers
    hand in the same ``write``."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._busy_until = float("-inf")

    async def put(self, entry: Entry, size: int, write: Write[Entry]) -> None:
        """Commit ``entry``, with others that are ready by then.

        Args:
            size: its applications.

        Raises:
            FleetError: as ``write`` for this entry alone.
        """
        waiting = _Waiting(entry, size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._run(write))
        if not await waiting.is_written:
            await write((entry,), True)

    async def close(self) -> None:
        """Return when nothing is being written any more. What a caller that was cancelled has
        handed in is still written: it tells what has been done."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def _run(self, write: Write[Any]) -> None:
        while self._waiting:
            if monotonic() < self._busy_until:
                await asyncio.sleep(GATHER_SECONDS)
            group = self._next()
            is_written = False
            try:
                await write([one.entry for one in group], False)
                is_written = True
            except Exception as error:  # noqa: BLE001 - each finds out by itself, and says so
                log.debug("%s wrote apart: %s", len(group), error)
            finally:
                for one in group:
                    if not one.is_written.done():  # else its caller was cancelled
                        one.is_written.set_result(is_written)
            if len(group) > 1:
                self._busy_until = monotonic() + GATHER_SECONDS

    def _next(self) -> Sequence[_Waiting]:
        """The first that waits, and as many after it as fit."""
        group = [self._waiting.popleft()]
        left = MOST - group[0].size
        while self._waiting and self._waiting[0].size <= left:
            group.append(self._waiting.popleft())
            left -= group[-1].size
        return group


@dataclass(frozen=True)
class _Asked(Generic[Question, Answer]):
    question: Question
    #: None where all those that were asked together failed
    answer: asyncio.Future[tuple[Answer] | None]


class Asking(Generic[Question, Answer]):
    """Answers questions of many callers together, one read at a time. All its callers hand in
    the same ``read``."""

    def __init__(self) -> None:
        self._asked: deque[_Asked[Question, Answer]] = deque()
        self._reader: asyncio.Task[None] | None = None

    async def ask(self, question: Question, read: Read[Question, Answer]) -> Answer:
        """The answer, from a moment after this call.

        Raises:
            FleetError: as ``read`` for this question alone.
        """
        asked: _Asked[Question, Answer]
        asked = _Asked(question, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._run(read))
        found = await asked.answer
        (answer,) = found if found is not None else await read((question,))
        return answer

    async def close(self) -> None:
        """Return when nothing is being asked any more."""
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def _run(self, read: Read[Question, Answer]) -> None:
        while self._asked:
            group = [self._asked.popleft() for _ in range(min(ASKED, len(self._asked)))]
            answers: Sequence[tuple[Answer] | None] = [None] * len(group)
            try:
                answers = [(it,) for it in await read([one.question for one in group])]
            except Exception as error:  # noqa: BLE001 - each finds out by itself, and says so
                log.debug("%s asked apart: %s", len(group), error)
            finally:
                for one, answer in zip(group, answers, strict=True):
                    if not one.answer.done():  # else its caller was cancelled
                        one.answer.set_result(answer)
