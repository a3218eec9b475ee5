"""A real ``fleet up`` on a home of its own, and the ``fleet`` command beside it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import keeper
from tests.ports import free_port

STOP_SECONDS = 30


@dataclass(frozen=True)
class Done:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def typed(lines: str, folder: Path, environment: Mapping[str, str]) -> Done:
    """What a shell says to lines as somebody types them; it ends with the first that fails."""
    path = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env={**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Machine:
    """A user's machine: a home for Fleet and a folder for the client's configuration."""

    home: Path
    environment: Mapping[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "fleet")

    def fleet(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        """Run the command to its end, without a terminal."""
        done = subprocess.run(
            [*self.program, *arguments],
            input=stdin,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def on_terminal(self, *arguments: str, asks: bool = False, **variables: str) -> Done:
        """The same with a terminal for stderr; ``err`` is what was drawn on it.

        Args:
            asks: it is the terminal that the command reads from, too; nobody types.
        """
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "fleet", *arguments],
            env={**self.environment, "TERM": "xterm", "COLUMNS": "160", **variables},
            stdin=theirs if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            cwd=self.home,
        )
        os.close(theirs)
        drawn = bytearray()
        with os.fdopen(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
            while part := terminal.read(1 << 16):  # a terminal ends with EIO
                drawn += part
        out, _ = process.communicate()
        return Done(process.returncode, out.decode(), drawn.decode(errors="replace"))

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs; ended by an interrupt, as by Ctrl-C."""
        process = subprocess.Popen(
            [sys.executable, "-m", "fleet", *arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )
        try:
            yield process
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def ok(self, *arguments: str, stdin: str = "") -> Done:
        """The same, where anything but exit code 0 fails the test."""
        done = self.fleet(*arguments, stdin=stdin)
        assert done.code == 0, f"fleet {' '.join(arguments)}: {done}\n{self.log()}"
        return done

    def log(self) -> str:
        """The end of what ``fleet up`` logged."""
        file = self.home / "up.log"
        return file.read_text()[-4000:] if file.exists() else ""

    @contextlib.contextmanager
    def up(self) -> Iterator[subprocess.Popen[str]]:
        """``fleet up``, ready; asked to stop at the end."""
        with (self.home / "up.log").open("w") as stderr:
            process = subprocess.Popen(
                [*self.program, "up"],
                env=dict(self.environment),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=self.home,
            )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert "is up" in said, f"fleet up did not start: {said}{self.log()}"
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            finally:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()


@contextlib.contextmanager
def machine(**settings: str) -> Iterator[Machine]:
    """A machine that nobody has used; what is on it goes with it.

    Args:
        settings: without their ``FLEET_``, e.g. ``PORT="9000"``.
    """
    folder = Path(tempfile.mkdtemp(prefix="fleet-machine-", dir=keeper.FAST_FOLDER))
    folder.chmod(0o711)  # the account that PostgreSQL runs as has to pass
    home = folder / "home"
    home.mkdir(mode=0o711)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FLEET_")}
    environment = {
        **kept,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "FLEET_HOME": str(home),
        "FLEET_PORT": str(free_port()),
        "FLEET_ALLOWED_NETWORKS": "127.0.0.0/8",
        "PYTHONPATH": str(keeper.ROOT),
        "NO_COLOR": "1",
        **{f"FLEET_{key}": value for key, value in settings.items()},
    }
    environment.pop("KUBECONFIG", None)
    try:
        yield Machine(home, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
