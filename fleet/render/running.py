"""Running programs from the child, which is already limited: output capped, errors told.

Limits of memory, processor time and files are inherited from the child; wall time is watched
from outside the sandbox, where it cannot be influenced.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet.errors import RenderError, RenderTimeout

MAX_OUTPUT_BYTES = 16 << 20
_MAX_STDERR_BYTES = 64 << 10
_SHOWN_CHARACTERS = 2_000
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended; ``code`` is negative for a signal."""

    code: int
    stdout: bytes
    stderr: str


def run(
    argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], whole: bool = False
) -> Ran:
    """Run a program to its end.

    Args:
        whole: it may start others; what is left of them ends with it.

    Raises:
        OSError: it cannot be started.
        RenderError: it printed more than ``MAX_OUTPUT_BYTES``; it was killed by then.
        RenderTimeout: it used up its processor time.
    """
    name = Path(argv[0]).name
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=whole,
    ) as process:
        try:
            stdout, stderr = _collect(process, name)
        except RenderError:
            process.kill()
            raise
        finally:
            if whole:
                # not reaped yet, so that its number is nobody else's
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == -signal.SIGXCPU:
        raise RenderTimeout(
            f"{name} used more processor time than a render may",
            hint="Look for a loop in the templates.",
        )
    return Ran(process.returncode, stdout, stderr)


def _collect(process: subprocess.Popen[bytes], name: str) -> tuple[bytes, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    kept: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                stream = process.stdout if key.fileobj is process.stdout else process.stderr
                chunk = stream.raw.read(_CHUNK) if hasattr(stream, "raw") else stream.read(_CHUNK)
                if not chunk:
                    selector.unregister(stream)
                elif stream is process.stdout or len(kept[stream]) < _MAX_STDERR_BYTES:
                    kept[stream] += chunk
                if len(kept[process.stdout]) > MAX_OUTPUT_BYTES:
                    raise RenderError(
                        f"{name} printed more than {MAX_OUTPUT_BYTES >> 20} MiB",
                        hint="Look for a loop in the templates, or split the source.",
                    )
    return bytes(kept[process.stdout]), kept[process.stderr].decode(errors="replace")


def complaint(ran: Ran) -> str:
    """What the program said went wrong, short enough to show."""
    if ran.code < 0:
        return f"killed by {signal.Signals(-ran.code).name}"
    said = ran.stderr.strip()
    if "out of memory" in said or "cannot allocate memory" in said:
        return "needs more memory than a render may have"
    return said[:_SHOWN_CHARACTERS] or f"ended with code {ran.code} and said nothing"
