"""A program in the background, watched until it is ready.

It tells how far it is through a pipe: one JSON object a line, ``{"done": 3, "total": 10}``,
then ``{"ready": "https://…"}`` or ``{"error": {…}}`` as the API writes errors. The pipe ends
with the program, so that one which dies without a word is noticed at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from fleet.cli.failures import error_from
from fleet.cli.progress import Bar
from fleet.errors import FleetError, Refused

PIPE = "FLEET_SANDBOX_PIPE"
STOP_SECONDS = 20


def start(arguments: Sequence[str], log: Path, bar: Bar, text: str) -> str:
    """The address of the program that is started in a session of its own, once it is ready.

    Raises:
        FleetError: what it says that is wrong; it has ended then. An interrupt ends it, too.
    """
    reading, writing = os.pipe()
    with log.open("ab") as output, os.fdopen(reading, encoding="utf-8") as pipe:
        log.chmod(0o600)
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "fleet", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writing,),
                env={**os.environ, PIPE: str(writing)},
                start_new_session=True,  # Ctrl-C here is not meant for it
            )
        finally:
            os.close(writing)
        try:
            address = _listen(pipe, bar, text)
        except BaseException:
            _end(child)
            raise
    if address:
        child.returncode = 0  # it outlives us: Popen is not to warn that nobody waited for it
        return address
    _end(child)
    raise FleetError("it ended before it was ready", hint=f"Its log is {log}.")


def _listen(pipe: TextIO, bar: Bar, text: str) -> str:
    """The address; "" when the program ended without one."""
    for line in pipe:
        said = json.loads(line)
        if "error" in said:
            raise error_from(said["error"], 500)
        if "ready" in said:
            return str(said["ready"])
        bar.update(said["done"], said["total"], text)
    return ""


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Teller:
    """The other end of the pipe; says nothing where nobody started us that way.

    Its methods raise ``Refused`` when whoever started us went away before we were ready: a
    start that was interrupted leaves nothing running.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def progress(self, done: int, total: int) -> None:
        self._say({"done": done, "total": total})

    def ready(self, address: str) -> None:
        self._say({"ready": address})
        self._close()

    def failed(self, error: FleetError) -> None:
        self._say({"error": error.as_dict()})
        self._close()

    @property
    def heard(self) -> bool:
        """Whether somebody listens."""
        return self._stream is not None

    def _say(self, what: dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(what) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._close()
            raise Refused("whoever started this is gone") from None

    def _close(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(BrokenPipeError):
                self._stream.close()
        self._stream = None


@contextlib.contextmanager
def telling() -> Iterator[Teller]:
    """Tell whoever started us how it goes, and what ends the block by an error."""
    number = os.environ.pop(PIPE, "")
    stream = os.fdopen(int(number), "w", encoding="utf-8") if number.isdigit() else None
    teller = Teller(stream)
    try:
        yield teller
    except FleetError as error:
        teller.failed(error)
        raise
    except Exception as error:
        teller.failed(FleetError(f"{type(error).__name__}: {error}"))
        raise
