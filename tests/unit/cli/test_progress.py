"""Signs of life: on a terminal a bar and lines beside it, elsewhere the lines alone."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys

import pytest

from fleet.cli.progress import bar, in_steps

WORK = """
from fleet.cli.progress import bar
with bar("web") as shown:
    shown.update(0, 2, "web: [begins]")
    shown.tell("web: a is Missing", err=True)
    shown.tell("ConfigMap/a  created")
    shown.update(1, 2, "web: goes on")
"""


def test_lines_stand_beside_the_bar() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    drawn = bytearray()
    with os.fdopen(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while part := terminal.read(1 << 16):  # a terminal ends with EIO
            drawn += part
    out, _ = process.communicate()
    assert (process.returncode, out) == (0, b"ConfigMap/a  created\n")
    assert b"web: [begins]" in drawn
    assert b"\x1b[2Kweb: a is Missing\r\n" in drawn, "on a line that was cleared before"
    assert b"1/2" in drawn


def test_without_a_terminal_there_are_only_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("web") as shown:
        shown.update(0, 2, "web: begins")
        shown.tell("web: a is Missing", err=True)
    assert in_steps(("one", "two"), lambda: 3) == 3
    assert capsys.readouterr() == ("", "web: a is Missing\n")
