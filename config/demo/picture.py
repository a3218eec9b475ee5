"""Draws the terminal of the README: runs commands against the demo that runs, keeps what they
printed as an SVG.

    make demo                     # in another terminal
    make picture
"""

# ruff: noqa: INP001 - a program beside its data, no package

from __future__ import annotations

import argparse
import os
import pty
import shlex
import subprocess
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, HIGHEST = 108, 200
COMMANDS = (
    "fleet app list --cluster ap-3",
    "kubectl --context ap-3 -n web scale deployment web --replicas 0",
    "fleet app wait web-ap-3 --sync --health --timeout 60",
    "fleet app get web-ap-3",
    ("fleet db sql -c 'select application, object, manager, healed_by from audit.drift_history'"),
)
#: rich's own frame asks another host for a font; this one asks nobody.
FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px;
  font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def printed(command: str, environment: dict[str, str]) -> str:
    """What the command draws on a terminal, with its colours.

    Raises:
        SystemExit: it failed; a picture of that is no use.
    """
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": str(HIGHEST), "TERM": "xterm-256color"}
    with subprocess.Popen(
        shlex.split(command), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
        env={**environment, **size},
    ) as process:  # fmt: skip
        os.close(theirs)
        drawn = bytearray()
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            while part := _read(terminal.fileno()):
                drawn += part
    text = drawn.decode().replace("\r\n", "\n").rstrip()
    if process.returncode:
        raise SystemExit(f"$ {command}\n{text}\nIs the demo running? Start it: make demo")
    return text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # a terminal ends with EIO
        return b""


def environment_of(state: Path) -> dict[str, str]:
    """The variables that the demo leaves for whoever wants to use it."""
    listed = subprocess.run(
        ["sh", "-c", '. "$0" && env -0', str(state / "env")],
        capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    return dict(entry.split("=", 1) for entry in listed.split("\0") if entry)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".demo")
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    environment = environment_of(given.state)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        for command in COMMANDS:
            console.print(Text(f"$ {command}", style="bold"), soft_wrap=True)
            shown = printed(command, environment).replace(
                str(given.state.resolve()), "~/fleet/.demo"
            )
            console.print(Text.from_ansi(shown), soft_wrap=True)
            console.print()
        console.save_svg(str(given.file), title="fleet", code_format=FRAME, unique_id="fleet")


if __name__ == "__main__":
    main()
