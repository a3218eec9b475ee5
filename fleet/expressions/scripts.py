"""Lua scripts and CEL expressions, each language in one child that is kept, and replaced when
it dies.

What was told of a version of an object is remembered, so that an unchanged one costs a
look-up. A script that had to be stopped several times in a row is not started any more: one
that loops costs seconds, not a second for each object.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, Literal

import orjson

from fleet.errors import ExpressionFailed
from fleet.model.objects import Manifest, metadata_of

Language = Literal["lua", "cel"]

#: Answers that are remembered; the oldest go first.
_KEPT = 50_000
_KEPT_BYTES = 4 << 10  # of one; larger ones are asked for again
_MODULES: Mapping[Language, str] = {"lua": "lupa", "cel": "cel_expr_python"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one script may use on one object."""

    cpu_seconds: float = 1.0
    #: the backstop, should the child hang without using the processor
    wall_seconds: float = 30.0
    memory_bytes: int = 512 << 20  # of address space, the interpreter's included
    question_bytes: int = 4 << 20
    answer_bytes: int = 4 << 20
    #: stopped this often in a row, it is not started again
    stops: int = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What a script said: a value, or why there is none. ``is_settled``: it would say the
    same again."""

    value: Any = None
    error: str = ""
    is_settled: bool = True


@dataclass(slots=True)
class _Seat:
    """A child of one language, and the lock of whoever talks to it."""

    language: Language
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    process: asyncio.subprocess.Process | None = None


class Scripts:
    """Evaluates scripts; one a process. Children are started when they are first needed."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._known: OrderedDict[tuple[str, str], Told] = OrderedDict()
        self._stops: dict[str, int] = {}
        self._seats = {language: _Seat(language) for language in _MODULES}
        self.asked = 0  #: questions that a child was asked

    async def lua(self, script: str, obj: Manifest) -> Told:
        """What a Lua script says of an object; of an unchanged one what it said before.

        Raises:
            ExpressionFailed: no child can be started.
        """
        return await self._ask("lua", {"script": script, "object": obj}, script, obj)

    async def run(self, script: str, obj: Manifest, parameters: Mapping[str, str]) -> Told:
        """What a Lua script makes of an object, now.

        Raises:
            ExpressionFailed: no child can be started.
        """
        question = {"script": script, "object": obj, "parameters": dict(parameters)}
        return await self._ask("lua", question, script, obj, is_kept=False)

    async def cel(self, expressions: Mapping[str, str], obj: Manifest) -> Told:
        """What each expression says of an object, by name: true, false, a text, or None where
        it reads a field that is not there.

        Raises:
            ExpressionFailed: no child can be started.
        """
        question = {"expressions": dict(expressions), "object": obj}
        return await self._ask("cel", question, orjson.dumps(expressions).decode(), obj)

    async def close(self) -> None:
        """End the children."""
        for seat in self._seats.values():
            async with seat.lock:
                await self._end(seat)

    async def _ask(
        self,
        language: Language,
        question: dict[str, Any],
        script: str,
        obj: Manifest,
        *,
        is_kept: bool = True,
    ) -> Told:
        name = hashlib.sha256(f"{language}:{script}".encode()).hexdigest()
        version = _version_of(obj)
        key = (name, version)
        if is_kept and version and (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known
        try:
            line = orjson.dumps(question)
        except TypeError:  # figures beyond 64 bits, lone surrogates
            return Told(error="the object holds values that cannot be given to it")
        if len(line) > self._limits.question_bytes:
            return Told(error="the object is too large to be given to it")
        seat = self._seats[language]
        async with seat.lock:
            told = await self._through_child(seat, name, line)
        if is_kept and version and told.is_settled and _is_small(told):
            self._known[key] = told
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return told

    async def _through_child(self, seat: _Seat, name: str, line: bytes) -> Told:
        if self._stops.get(name, 0) >= self._limits.stops:
            return Told(
                error=f"it had to be stopped {self._limits.stops} times in a row and is not"
                " started again until it is changed",
                is_settled=False,
            )
        child = await self._started(seat)
        self.asked += 1
        try:
            answer = await self._answer(child, line)
        except BaseException:
            await self._end(seat)  # its answer would be taken for the next one's
            raise
        if not answer:
            await self._end(seat)
            self._stops[name] = self._stops.get(name, 0) + 1
            return Told(error=_why_stopped(child.returncode, self._limits))
        self._stops.pop(name, None)
        found = orjson.loads(answer)
        if "error" in found:
            return Told(error=str(found["error"]))
        return Told(found["values"] if "values" in found else found["value"])

    async def _answer(self, child: asyncio.subprocess.Process, line: bytes) -> bytes:
        """The answer; empty when the child is gone, or has to go."""
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(TimeoutError, ValueError, ConnectionError):
            async with asyncio.timeout(self._limits.wall_seconds):
                child.stdin.write(line + b"\n")
                await child.stdin.drain()
                answer = await child.stdout.readline()
                if answer.endswith(b"\n"):
                    return answer
                # waited for before it may be killed: that would hide how it ended
                await child.wait()
        return b""

    async def _started(self, seat: _Seat) -> asyncio.subprocess.Process:
        if seat.process is not None and seat.process.returncode is None:
            return seat.process
        limits = self._limits
        numbers = (limits.cpu_seconds, limits.memory_bytes, limits.answer_bytes)
        try:
            seat.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IS",
                str(Path(__file__).with_name("script_child.py")),
                seat.language,
                _packages(_MODULES[seat.language]),
                *(str(number) for number in numbers),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
                start_new_session=True,
                limit=limits.answer_bytes + (1 << 16),
            )
        except OSError as error:
            raise ExpressionFailed(f"scripts cannot be run now: {error.strerror}") from error
        return seat.process

    async def _end(self, seat: _Seat) -> None:
        child, seat.process = seat.process, None
        if child is None:
            return
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.communicate()


def _is_small(told: Told) -> bool:
    return len(orjson.dumps(told.value)) <= _KEPT_BYTES


def _why_stopped(code: int | None, limits: Limits) -> str:
    if code == -signal.SIGPROF:
        return f"it was stopped after {limits.cpu_seconds:g} s of processor time"
    return "it was stopped: it needs more memory or time than it may have"


def _version_of(obj: Manifest) -> str:
    """Names this state of the object; "" for one that is not on a cluster."""
    metadata = metadata_of(obj)
    parts = (metadata.get("uid"), metadata.get("resourceVersion"))
    return "/".join(map(str, parts)) if all(parts) else ""


@cache
def _packages(module: str) -> str:
    """The directory that the module is imported from."""
    spec = find_spec(module)
    assert spec is not None
    locations = spec.submodule_search_locations
    assert locations
    return str(Path(next(iter(locations))).parent)
