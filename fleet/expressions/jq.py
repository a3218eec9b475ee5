"""jq path expressions, evaluated in one child that is kept, and replaced when it dies.

Answers are cached by expression and object, so that asking again about what has not changed
costs a look-up. An expression that ended its child is not tried again for a while: one that
loops costs a second now and then, however many objects it is asked about.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, TypeAlias

import orjson

from fleet.errors import ExpressionFailed

#: One path in an object: names, positions, and slices as jq writes them.
JqPath: TypeAlias = tuple[Any, ...]

_Key: TypeAlias = tuple[str, bytes]

#: Answers that are remembered; the oldest go first.
_KEPT = 100_000
_READ_BYTES = 2 << 20  # a line of the child: an answer and some more
_SHOWN = 200  # characters of an expression in a message


@dataclass(frozen=True, slots=True)
class Limits:
    """What one expression may use on one object, and how long it is left alone afterwards."""

    cpu_seconds: float = 1.0
    #: the backstop, should the child hang without using the processor
    wall_seconds: float = 30.0
    memory_bytes: int = 512 << 20  # of address space, the interpreter's included
    paths: int = 10_000
    answer_bytes: int = 1 << 20
    banned_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Question:
    """Which paths does the expression name in the object, given as JSON without line feeds?"""

    expression: str
    text: bytes

    @property
    def key(self) -> tuple[str, bytes]:
        return self.expression, hashlib.sha256(self.text).digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """Paths, in the order in which the expression names them; or why there are none.

    ``error``: there never are any, in no object, or it may not be tried. ``warning``: it does
    not fit this object.
    """

    paths: tuple[JqPath, ...] = ()
    error: str = ""
    warning: str = ""


class Jq:
    """Evaluates jq; one a process. The child is started when it is first needed."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._known: OrderedDict[tuple[str, bytes], Answer] = OrderedDict()
        self._banned: dict[str, tuple[float, Answer]] = {}
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self.asked = 0  #: questions that a child answered
        self.started = 0  #: children

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question, in their order.

        Raises:
            ExpressionFailed: no child can be started.
        """
        keys = [question.key for question in questions]
        answers = {key: self._look_up(*key) for key in keys}
        unknown = dict(zip(keys, questions, strict=True))
        unknown = {key: asked for key, asked in unknown.items() if answers[key] is None}
        if unknown:
            async with self._lock:
                answers |= await self._evaluate(unknown)
        return [answers[key] or Answer() for key in keys]

    async def close(self) -> None:
        """End the child."""
        async with self._lock:
            await self._end()

    def _look_up(self, expression: str, name: bytes) -> Answer | None:
        found = self._known.get((expression, name))
        if found is not None:
            self._known.move_to_end((expression, name))
            return found
        ends, answer = self._banned.get(expression, (0.0, None))
        if answer is not None and asyncio.get_running_loop().time() > ends:
            del self._banned[expression]
            return None
        return answer

    async def _evaluate(self, asked: Mapping[_Key, Question]) -> dict[_Key, Answer]:
        """Ask children until everything is answered; each that dies takes one answer along."""
        answers: dict[_Key, Answer] = {}
        while True:
            rest = {key: question for key, question in asked.items() if key not in answers}
            for key in tuple(rest):
                # somebody else asked the same, or the expression has ended a child by now
                if (known := self._look_up(*key)) is not None:
                    answers[key] = known
                    del rest[key]
            if not rest:
                return answers
            answers |= await self._through_child(rest)

    async def _through_child(self, asked: Mapping[_Key, Question]) -> dict[_Key, Answer]:
        """The answers of one child, until it has told all, or died."""
        child = await self._started()
        assert child.stdin is not None
        answers: dict[_Key, Answer] = {}
        writing = asyncio.create_task(_write(child.stdin, asked.values()))
        try:
            for key, question in asked.items():
                line = await self._line(child)
                if not line:
                    answers[key] = await self._ban(question.expression, child)
                    break
                self.asked += 1
                answers[key] = self._known[key] = _read(question.expression, line)
        except BaseException:
            await self._end()  # what it was asked and did not answer would mix with the next
            raise
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writing
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return answers

    async def _line(self, child: asyncio.subprocess.Process) -> bytes:
        """The next answer; empty when the child is gone, or has to go."""
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

    async def _ban(self, expression: str, child: asyncio.subprocess.Process) -> Answer:
        """What is told of an expression that ended its child, now and for a while."""
        await self._end()
        limits = self._limits
        why = "needs more memory than it may have"
        if child.returncode == -signal.SIGPROF:
            why = f"uses more than {limits.cpu_seconds:g} s of processor time"
        answer = Answer(error=f"{shown(expression)}: {why}")
        ends = asyncio.get_running_loop().time() + limits.banned_seconds
        self._banned[expression] = (ends, answer)
        return answer

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is None:
            return self._child
        limits = self._limits
        numbers = (limits.cpu_seconds, limits.memory_bytes, limits.paths, limits.answer_bytes)
        try:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IS",
                str(Path(__file__).with_name("child.py")),
                _packages(),
                *(str(number) for number in numbers),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
                start_new_session=True,
                limit=_READ_BYTES,
            )
        except OSError as error:
            raise ExpressionFailed(
                f"jq expressions cannot be evaluated now: {error.strerror}"
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


def shown(expression: str) -> str:
    """An expression in a message."""
    return f"{expression[:_SHOWN]}…" if len(expression) > _SHOWN else expression


async def _write(pipe: asyncio.StreamWriter, asked: Iterable[Question]) -> None:
    for question in asked:
        pipe.write(b"%b\n%b\n" % (orjson.dumps(question.expression), question.text))
        await pipe.drain()


def _read(expression: str, line: bytes) -> Answer:
    found = orjson.loads(line)
    if "error" in found:
        return Answer(error=f"{shown(expression)}: {found['error']}")
    if "warning" in found:
        return Answer(warning=f"{shown(expression)}: {found['warning']}")
    return Answer(tuple(tuple(path) for path in found["paths"]))


@cache
def _packages() -> str:
    """The directory that jq is imported from."""
    spec = find_spec("jq")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)
