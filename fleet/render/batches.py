"""Many jobs through one child, so that starting it is paid once; a job that kills the child, or
does not end, takes only itself along.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from fleet.errors import FleetError, RenderError, RenderTimeout, ToolMissing
from fleet.model.renders import RenderRequest
from fleet.render.child import MAX_FRAME_BYTES, SetUp, frame_of
from fleet.render.crowd import overcrowded
from fleet.render.sandbox import Child, Mounts, SandboxStatus, started
from fleet.render.wire import error_from_json, to_json

_log = logging.getLogger(__name__)
_MAX_STDERR_BYTES = 16 << 10

Answer: TypeAlias = Any | FleetError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one render may use."""

    wall_seconds: float = 60.0
    cpu_seconds: int = 30
    memory_bytes: int = 2 << 30  # of address space; Go programs need at least 1 GiB
    file_bytes: int = 64 << 20
    open_files: int = 256
    processes: int = 256  # of a plugin, at a time


class _Alone:
    """The answer of a child that others use, to a request that has to have its own."""


_ALONE = _Alone()


async def run_batch(
    requests: Sequence[RenderRequest],
    mounts: Mounts,
    limits: Limits,
    status: SandboxStatus,
    plugin_paths: tuple[str, ...] = (),
) -> list[Answer]:
    """One answer a request, in their order: a render's result as JSON, or an error.

    All requests have the same mounts. What runs a plugin gets a child of its own, which sees
    ``plugin_paths``, too.
    """
    answers = await _side_by_side(requests, mounts, limits, status)
    for index, answer in enumerate(answers):
        if isinstance(answer, _Alone):
            answers[index] = await _alone(requests[index], mounts, limits, status, plugin_paths)
    return answers


async def _alone(
    request: RenderRequest,
    mounts: Mounts,
    limits: Limits,
    status: SandboxStatus,
    plugin_paths: tuple[str, ...],
) -> Answer:
    if not status.is_safe:
        return ToolMissing(
            "config management plugins run in the sandbox only, and there is none here",
            hint=status.message,
        )
    mounts = mounts.with_plugins(plugin_paths)
    answers, failure = await _one_child([request], mounts, limits, status, alone=True)
    return failure or answers[0]


async def _side_by_side(
    requests: Sequence[RenderRequest], mounts: Mounts, limits: Limits, status: SandboxStatus
) -> list[Answer | _Alone]:
    """All through one child, if that holds. When it dies, the job in hand is tried once more in a
    child of its own, because the ones before it may have used up the memory; if that dies too,
    the error is the job's.
    """
    answers: list[Answer | _Alone] = []
    while len(answers) < len(requests):
        rest = requests[len(answers) :]
        done, failure = await _one_child(rest, mounts, limits, status)
        answers += done
        if failure is None:
            continue
        if done and not isinstance(failure, RenderTimeout):
            alone = requests[len(answers) : len(answers) + 1]
            done, failure = await _one_child(alone, mounts, limits, status)
            answers += done
        if failure is not None:
            answers.append(failure)
    return answers


async def _one_child(
    requests: Sequence[RenderRequest],
    mounts: Mounts,
    limits: Limits,
    status: SandboxStatus,
    *,
    alone: bool = False,
) -> tuple[list[Answer | _Alone], FleetError | None]:
    """The answers until the child ended, and why it did when one is missing."""
    answers: list[Answer | _Alone] = []
    async with started(mounts, status) as child:
        writing = asyncio.create_task(_write(child, requests, limits, alone=alone))
        listening = asyncio.create_task(_listen(child))
        crowd = asyncio.create_task(overcrowded(child, limits.processes)) if alone else None
        try:
            while len(answers) < len(requests):
                async with asyncio.timeout(limits.wall_seconds):
                    answers.append(await _read(child))
        except TimeoutError:
            return answers, RenderTimeout(
                f"the render did not end within {limits.wall_seconds:g} s",
                hint="Look for a loop, or raise the setting render_timeout_seconds.",
            )
        except asyncio.IncompleteReadError:
            code = await child.process.wait()
            if crowd and crowd.done():
                return answers, RenderError(
                    f"the plugin ran more than {limits.processes} processes at a time"
                )
            said = _told(await listening, requests)
            _log.warning("a render process ended with %d: %s", code, said)
            return answers, _reason(code, limits)
        except RenderError as exc:
            return answers, exc
        finally:
            tasks = [task for task in (writing, listening, crowd) if task]
            for task in tasks:
                task.cancel()
            child.kill()
            await asyncio.gather(*tasks, return_exceptions=True)
    return answers, None


async def _write(
    child: Child, requests: Sequence[RenderRequest], limits: Limits, *, alone: bool
) -> None:
    stdin = child.process.stdin
    assert stdin is not None
    set_up = SetUp(
        programs=child.inside.programs,
        scratch=child.scratch,
        shown=child.shown(),
        cpu_seconds=limits.cpu_seconds,
        memory_bytes=limits.memory_bytes,
        file_bytes=limits.file_bytes,
        open_files=limits.open_files,
        alone=alone,
    )
    stdin.write(frame_of(orjson.dumps(to_json(set_up))))
    for number, request in enumerate(requests):
        # orjson writes a dataclass as to_json does, without a copy
        message = {
            "number": number,
            "request": child.translated(request),
            "keys": _revealed(request),
            # a plugin's commands could read them in the memory of their child
            "values": [] if alone else _texts(request),
        }
        stdin.write(frame_of(orjson.dumps(message)))
        await stdin.drain()
    stdin.close()


def _told(printed: str, requests: Sequence[RenderRequest]) -> str:
    """What a child printed, for the log; it may quote what it decrypted, or was handed."""
    knows = any(request.keys is not None or request.values for request in requests)
    return "(what it printed is not kept: it may hold secrets)" if knows else printed


def _revealed(request: RenderRequest) -> list[tuple[str, str, str]] | None:
    """What the child decrypts with; a plugin's commands share their child with nothing of it."""
    if request.keys is None:
        return None
    return [(key.id, key.kind, key.secret.reveal()) for key in request.keys]


def _texts(request: RenderRequest) -> list[str | None]:
    """What stood in the cluster, one for each entry of ``values``."""
    return [None if value.text is None else value.text.reveal() for value in request.values]


async def _read(child: Child) -> Answer | _Alone:
    """The next answer.

    Raises:
        IncompleteReadError: the child ended.
        RenderError: it wrote something else.
    """
    stdout = child.process.stdout
    assert stdout is not None
    try:
        size = int(await stdout.readuntil(b"\n"))
        if not 0 < size <= MAX_FRAME_BYTES:
            raise ValueError(size)
        answer = orjson.loads(await stdout.readexactly(size))
        if not isinstance(answer, Mapping):
            raise TypeError("no mapping")
    except (ValueError, TypeError, asyncio.LimitOverrunError):
        raise RenderError("the render process gave an answer that is none") from None
    if "alone" in answer:
        return _ALONE
    return error_from_json(answer["error"]) if "error" in answer else answer.get("ok")


async def _listen(child: Child) -> str:
    """The beginning of what the child printed; the rest is read and dropped."""
    stderr = child.process.stderr
    assert stderr is not None
    kept = b""
    while chunk := await stderr.read(1 << 16):
        kept = (kept + chunk)[:_MAX_STDERR_BYTES]
    return kept.decode(errors="replace").strip()


def _reason(code: int, limits: Limits) -> FleetError:
    """bubblewrap ends with 128 + signal when its child was killed."""
    number = -code if code < 0 else code - 128
    if number == signal.SIGXCPU:
        return RenderTimeout(
            f"the render used more than {limits.cpu_seconds} s of processor time",
            hint="Look for a loop or a recursion without end.",
        )
    try:
        how = f"was killed by {signal.Signals(number).name}"
    except ValueError:
        how = f"ended with code {code}"
    return RenderError(
        f"the render process {how}",
        hint="It may have needed more memory than the setting render_memory_bytes allows.",
    )
