"""What the demo stands on: a running Fleet, sandbox clusters, a git repository, a terminal.

Everything that it makes is below one folder, the state: a demo that starts on the state of an
earlier one finds the same clusters on the same port, the same repository, the same database.
"""

# ruff: noqa: INP001 - a program beside its data, no package

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from fleet.cli.sandbox.endpoint import read_endpoint
from fleet.cli.sandbox.place import Place
from fleet.cli.sandbox.starting import PORT as SANDBOX_PORT
from fleet.render.tools import find_tools
from tests.keeper import start_child

SETTINGS = """\
# Made by config/demo/run.py. The sample repository is a folder of this machine; Fleet reads none
# unless it is told that it may.
home: {home}
port: {port}
allowed_file_roots: [{state}]
"""
READY_SECONDS = 90


class DemoFailed(Exception):
    """The demo cannot go on; the text says why and what to do."""


def say(text: str = "", *, strong: bool = False) -> None:
    """One line for the reader, at once."""
    bold = strong and sys.stdout.isatty()
    sys.stdout.write(f"\033[1m{text}\033[0m\n" if bold else f"{text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def told(state: Path) -> Iterator[None]:
    """What the operating system refuses, in words that say what to do.

    Raises:
        DemoFailed: the state cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = f"the disk that holds {state} is full. Free some space and start again."
        else:
            why = f"{state} cannot be written: {error.strerror}. Choose another with --state."
        raise DemoFailed(why) from None


class Stage:
    """The processes of one demo: started one by one, ended together by ``close``."""

    def __init__(self, state: Path, port: int, sandbox_port: int | None, clusters: int) -> None:
        self.state = state
        self.port = port
        self.clusters = clusters
        self.home = state / "home"
        self.log = state / "fleet.log"
        self.checkout = self.home / "sandbox" / "shop"
        self._sandbox_port = sandbox_port
        self._fleet: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def repository_url(self) -> str:
        """Where ``fleet sandbox seed`` has put the repository."""
        return self.checkout.with_suffix(".git").as_uri()

    def environment(self) -> dict[str, str]:
        """For the demo's commands: its own settings, nothing of the user's."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("FLEET_")}
        return mine | self._variables()

    def _variables(self) -> dict[str, str]:
        kubectl = find_tools(self.home).kubectl.path
        folders = [str(Path(sys.executable).parent), str(Path(kubectl).parent) if kubectl else ""]
        variables = {
            "FLEET_CONFIG": str(self.state / "fleet.yaml"),
            "KUBECONFIG": str(self.home / "sandbox" / "kubeconfig"),
            "PATH": os.pathsep.join([*filter(None, folders), os.environ["PATH"]]),
        }
        token = self.home / "admin.token"
        if token.exists():
            variables |= {
                "FLEET_SERVER": self.url,
                "FLEET_AUTH_TOKEN": token.read_text().strip(),
            }
        return variables

    # start

    def prepare(self) -> None:
        """The settings, which need nothing to run.

        Raises:
            DemoFailed: a port is taken, or the state cannot be written.
        """
        if _is_taken(self.port):
            raise DemoFailed(
                f"port {self.port} is taken. Choose another: FLEET_PORT=8090 make demo"
            )
        self._refuse_taken_sandbox_port()
        settings = SETTINGS.format(
            home=json.dumps(str(self.home)), port=self.port, state=json.dumps(str(self.state))
        )
        with told(self.state):
            self.home.mkdir(parents=True, exist_ok=True)
            self._write("fleet.yaml", settings)

    def _refuse_taken_sandbox_port(self) -> None:
        place = Place(self.home)
        if place.holder() is not None:
            return  # the clusters of a demo that was killed: they are taken up
        kept = read_endpoint(place)
        port = self._sandbox_port or (kept.port if kept else SANDBOX_PORT)
        if _is_taken(port):
            raise DemoFailed(
                f"port {port}, for the clusters, is taken."
                " Choose another: FLEET_SANDBOX_PORT=17443 make demo"
            )

    def run(self, command: str) -> None:
        """Show a command and run it; what it prints goes to the terminal.

        Raises:
            DemoFailed: it failed.
        """
        say(f"$ {command}", strong=True)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.state,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise DemoFailed(
                f"that command failed with exit code {done.returncode}.\n"
                f"Fleet's log: {self.log}. `make demo` tries again from here,"
                " `make demo-clean` starts over."
            )

    def sandbox_command(self) -> str:
        """What starts the clusters."""
        port = f" --port {self._sandbox_port}" if self._sandbox_port else ""
        return f"fleet sandbox up --clusters {self.clusters}{port}"

    def start_fleet(self) -> None:
        """``fleet up``, until it is ready to do work.

        Raises:
            DemoFailed: it ended, or was not ready in time; holds the end of its log.
        """
        self.log.unlink(missing_ok=True)
        # a session of its own: Ctrl-C reaches it as one orderly SIGTERM from `close`
        self._fleet = start_child(
            [Path(sys.executable).with_name("fleet"), "up"],
            self.log,
            env={n: v for n, v in self.environment().items() if n != "FLEET_SERVER"},
            start_new_session=True,
        )
        wait_until(
            self._is_ready, READY_SECONDS, lambda: f"Fleet did not become ready:\n{self.log_end()}"
        )
        with told(self.state):
            self._write("env", self._for_a_shell())

    def _is_ready(self) -> bool:
        if self._fleet and self._fleet.poll() is not None:
            raise self._ended()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - ours
                return bool(json.load(answer)["checks"]["workers"]["live"])
        except (OSError, ValueError):
            return False

    def _ended(self) -> DemoFailed:
        return DemoFailed(f"`fleet up` ended:\n{self.log_end()}\nThe whole log is {self.log}")

    def log_end(self) -> str:
        """The last lines of Fleet's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stay(self) -> None:
        """Return only by an exception: Ctrl-C, or Fleet ending by itself."""
        assert self._fleet is not None
        self._fleet.wait()
        raise self._ended()

    def _for_a_shell(self) -> str:
        lines = [f"export {n}={shlex.quote(v)}\n" for n, v in sorted(self._variables().items())]
        return "".join(lines)

    def _write(self, name: str, text: str) -> None:
        """Replace a file of the state; only its owner reads it (`env` holds a token)."""
        unfinished = self.state / f".{name}.new"
        try:
            unfinished.touch(mode=0o600)
            unfinished.write_text(text)
            unfinished.rename(self.state / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    # stop

    def close(self) -> None:
        """Fleet first, so that it finishes what it has in hand; then the clusters."""
        if self._fleet and self._fleet.poll() is None:
            self._fleet.send_signal(signal.SIGTERM)
            try:
                self._fleet.wait(30)
            except subprocess.TimeoutExpired:
                self._fleet.kill()
                self._fleet.wait()
        if (self.home / "sandbox").exists():
            subprocess.run(
                [Path(sys.executable).with_name("fleet"), "sandbox", "down"],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,  # a second Ctrl-C must not leave the clusters running
                check=False,
            )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def wait_until(
    condition: Callable[[], bool], seconds: float, otherwise: Callable[[], str]
) -> float:
    """Look until it holds; the seconds that it took.

    Raises:
        DemoFailed: it did not hold in time; ``otherwise`` says so.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise DemoFailed(otherwise())
        time.sleep(0.1)
    return time.monotonic() - started
