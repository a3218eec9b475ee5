"""One child of a language, kept as long as it answers, and replaced when it dies.

Answers are remembered by what was asked and about what, so that asking again costs a look-up.
Whatever ended its child is left alone for a while, on every object: one that loops costs a
second now and then, however many objects it is asked about and however cleverly it chooses
them; and what was only too large today is tried again without anybody's doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, Literal, TypeAlias

import orjson

from fleet.errors import ExpressionFailed

Language = Literal["jq", "lua", "cel"]

#: What the child said; see ``child.py``. ``error`` too where it had to be stopped.
Reply: TypeAlias = Mapping[str, Any]

_Key: TypeAlias = tuple[str, str]

#: What each language is imported from.
_MODULES: Mapping[Language, str] = {"jq": "jq", "lua": "lupa", "cel": "cel_expr_python"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may use, what is remembered, and how long one that ended its child is
    left alone."""

    cpu_seconds: float = 1.0
    #: the backstop, should the child hang without using the processor
    wall_seconds: float = 30.0
    memory_bytes: int = 512 << 20  # of address space, the interpreter's included
    answer_bytes: int = 4 << 20
    #: answers that are remembered; the oldest go first, and larger ones are asked for again
    kept: int = 50_000
    kept_bytes: int = 4 << 10
    banned_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, about one object; both as JSON without line feeds.

    Attributes:
        name: of the expression or script: what is banned when it ends its child.
        version: of the object; "" when the answer is not to be remembered.
    """

    name: str
    version: str
    asked: bytes
    text: bytes

    @property
    def key(self) -> _Key:
        return self.name, self.version


class Keeper:
    """Asks one child of the language, which is started when it is first needed."""

    def __init__(self, language: Language, limits: Limits) -> None:
        self._language = language
        self._limits = limits
        self._known: OrderedDict[_Key, Reply] = OrderedDict()
        self._banned: dict[str, tuple[float, Reply]] = {}
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self.asked = 0  #: questions that a child answered
        self.started = 0  #: children

    @property
    def pid(self) -> int | None:
        """The child's; None while there is none."""
        return self._child.pid if self._child is not None else None

    async def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question, in their order.

        Raises:
            ExpressionFailed: no child can be started.
        """
        replies = {question.key: self.look_up(*question.key) for question in questions}
        unknown = {q.key: q for q in questions if replies[q.key] is None}
        if unknown:
            async with self._lock:
                replies |= await self._evaluate(unknown)
        return [replies[question.key] or {} for question in questions]

    async def close(self) -> None:
        """End the child."""
        async with self._lock:
            await self._end()

    def look_up(self, name: str, version: str) -> Reply | None:
        """What can be told without asking the child."""
        found = self._known.get((name, version))
        if found is not None:
            self._known.move_to_end((name, version))
            return found
        ends, reply = self._banned.get(name, (0.0, None))
        return reply if asyncio.get_running_loop().time() < ends else None

    async def _evaluate(self, asked: Mapping[_Key, Question]) -> dict[_Key, Reply]:
        """Ask children until everything is answered; each that dies takes one answer along."""
        replies: dict[_Key, Reply] = {}
        while True:
            rest = {key: question for key, question in asked.items() if key not in replies}
            for key in tuple(rest):
                # somebody else asked the same, or it has ended a child by now
                if (known := self.look_up(*key)) is not None:
                    replies[key] = known
                    del rest[key]
            if not rest:
                return replies
            replies |= await self._through_child(rest)

    async def _through_child(self, asked: Mapping[_Key, Question]) -> dict[_Key, Reply]:
        """The replies of one child, until it has told all, or died."""
        child = await self._started()
        assert child.stdin is not None
        replies: dict[_Key, Reply] = {}
        writing = asyncio.create_task(_write(child.stdin, asked.values()))
        try:
            for key, question in asked.items():
                line = await self._line(child)
                if not line:
                    replies[key] = await self._ban(question.name, child)
                    break
                self.asked += 1
                replies[key] = orjson.loads(line)
                self._remember(question, replies[key], len(line))
        except BaseException:
            await self._end()  # what it was asked and did not answer would mix with the next
            raise
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writing
        return replies

    def _remember(self, question: Question, reply: Reply, size: int) -> None:
        if not question.version or size > self._limits.kept_bytes:
            return
        self._known[question.key] = reply
        if len(self._known) > self._limits.kept:
            self._known.popitem(last=False)

    async def _line(self, child: asyncio.subprocess.Process) -> bytes:
        """The next reply; empty when the child is gone, or has to go."""
        assert child.stdout is not None
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                line = await child.stdout.readline()
                if line.endswith(b"\n"):
                    return line
                # waited for before it may be killed: that would hide how it ended
                await child.wait()
        except (TimeoutError, ValueError):
            pass
        return b""

    async def _ban(self, name: str, child: asyncio.subprocess.Process) -> Reply:
        """What is told of one that ended its child, now and for a while."""
        await self._end()
        why = "it was stopped: it needs more memory or time than it may have"
        if child.returncode == -signal.SIGPROF:
            why = f"it was stopped after {self._limits.cpu_seconds:g} s of processor time"
        now = asyncio.get_running_loop().time()
        self._banned = {n: ban for n, ban in self._banned.items() if ban[0] > now}
        reply = {"error": why}
        self._banned[name] = (now + self._limits.banned_seconds, reply)
        return reply

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is None:
            return self._child
        limits = self._limits
        try:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IS",
                str(Path(__file__).with_name("child.py")),
                self._language,
                _packages(_MODULES[self._language]),
                *map(str, (limits.cpu_seconds, limits.memory_bytes, limits.answer_bytes)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
                start_new_session=True,
                limit=limits.answer_bytes + (1 << 16),
            )
        except OSError as error:
            raise ExpressionFailed(
                f"{self._language} cannot be evaluated now: {error.strerror}"
            ) from error
        self.started += 1
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.communicate()


async def _write(pipe: asyncio.StreamWriter, asked: Iterable[Question]) -> None:
    for question in asked:
        pipe.write(b"%b\n%b\n" % (question.asked, question.text))
        await pipe.drain()


@cache
def _packages(module: str) -> str:
    """The directory that the module is imported from."""
    spec = find_spec(module)
    assert spec is not None
    place = next(iter(spec.submodule_search_locations or ()), spec.origin)
    assert place is not None
    return str(Path(place).parent)
