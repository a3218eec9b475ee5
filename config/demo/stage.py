"""What the demo stands on: clusters, a git repository, a running Fleet, a terminal.

Everything that it makes is below one folder, the state: a demo that starts on the state of an
earlier one finds the same clusters on the same ports, the same repository, the same database.
"""

# ruff: noqa: INP001 - a program beside its data, no package

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from fleet.render.tools import find_tools
from tests.keeper import ServiceFailed, ask, obtain, start_child, stop_all

HERE = Path(__file__).parent
SETTINGS = """\
# Made by config/demo/run.py. The repository is a folder of this machine and the clusters are on
# loopback; Fleet reads neither unless it is told that it may.
home: {home}
port: {port}
allowed_networks: ["127.0.0.0/8"]
allowed_file_roots: [{state}]
"""
#: Name in the demo → how the control plane is asked for. Bare ones store objects, nothing runs.
FULL, BARE = "eu-1", ("us-1", "apac-1")
READY_SECONDS = 90
COMMITTER = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@shop.example",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@shop.example",
}


class DemoFailed(Exception):
    """The demo cannot go on; the text says why and what to do."""


def say(text: str = "", *, strong: bool = False) -> None:
    """One line for the reader, at once."""
    bold = strong and sys.stdout.isatty()
    sys.stdout.write(f"\033[1m{text}\033[0m\n" if bold else f"{text}\n")
    sys.stdout.flush()


class Stage:
    """The services of one demo. ``open`` starts what is missing, ``close`` stops it."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state
        self.port = port
        self.home = state / "home"
        self.log = state / "fleet.log"
        self.repository = state / "shop.git"
        self.checkout = state / "shop"
        self.kubeconfig = state / "kubeconfig"
        self._services = state / "services"
        self._fleet: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """For the demo's commands: its own settings, nothing of the user's."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("FLEET_")}
        return mine | self._variables()

    def _variables(self) -> dict[str, str]:
        kubectl = find_tools(self.home).kubectl.path
        folders = [str(Path(sys.executable).parent), str(Path(kubectl).parent) if kubectl else ""]
        variables = {
            "FLEET_CONFIG": str(self.state / "fleet.yaml"),
            "KUBECONFIG": str(self.kubeconfig),
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
        """The settings and the repository, which need nothing to run.

        Raises:
            DemoFailed: the port is taken: better told before the minutes of a build.
        """
        if _is_taken(self.port):
            raise DemoFailed(
                f"port {self.port} is taken. Choose another: FLEET_PORT=8090 make demo"
            )
        self.home.mkdir(parents=True, exist_ok=True)
        self._services.mkdir(exist_ok=True)
        settings = SETTINGS.format(
            home=json.dumps(str(self.home)), port=self.port, state=json.dumps(str(self.state))
        )
        self._write("fleet.yaml", settings)
        if not self.checkout.exists():
            self._make_repository()
        applications = (HERE / "applications.yaml").read_text()
        self._write("applications.yaml", applications.replace("REPOSITORY", self.repository_url))

    @property
    def repository_url(self) -> str:
        return self.repository.as_uri()

    def _make_repository(self) -> None:
        """Complete or not there: an interrupted demo leaves a folder of another name."""
        unfinished = self.state / "shop.new"
        for left in (unfinished, self.repository):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(HERE / "shop", unfinished)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", self.repository)
        self.git("init", "--quiet", "--initial-branch=main", unfinished)
        self.git("-C", unfinished, "remote", "add", "origin", self.repository)
        self.git("-C", unfinished, "add", "--all")
        self.git("-C", unfinished, "commit", "--quiet", "--message", "The shop opens")
        self.git("-C", unfinished, "push", "--quiet", "origin", "main")
        unfinished.rename(self.checkout)

    def git(self, *arguments: str | Path) -> str:
        """What git prints, without anyone's configuration."""
        done = subprocess.run(
            ["git", *arguments],
            env={**os.environ, **COMMITTER},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoFailed(f"git {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def start_clusters(self) -> None:
        """Three API servers over one etcd; the same ones as last time, if there was one.

        Raises:
            DemoFailed: one did not start, for example because its port is taken by now.
        """
        os.environ["FLEET_DEMO_STATE"] = str(self.state)
        (self._services / "clusters.json").unlink(missing_ok=True)
        try:
            keeper = str(obtain(self._services, "config.demo.clusters", os.getpid())["keeper"])
            full = ask(keeper, {"do": "full"})["full"]
            bare = ask(keeper, {"do": "bare", "names": list(BARE)})
        except ServiceFailed as error:
            raise DemoFailed(
                f"the clusters did not start: {error}\n`make demo-clean` starts over."
            ) from None
        self._write_kubeconfig({FULL: full, **bare})

    def _write_kubeconfig(self, clusters: dict[str, dict[str, str]]) -> None:
        def entry(kind: str, name: str, value: dict[str, str]) -> dict[str, object]:
            return {"name": name, kind: value}

        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": FULL,
            "clusters": [
                entry(
                    "cluster",
                    name,
                    {
                        "server": it["server"],
                        "certificate-authority": str(Path(it["kubeconfig"]).parent / "ca.crt"),
                    },
                )
                for name, it in clusters.items()
            ],
            "users": [entry("user", n, {"token": it["admin_token"]}) for n, it in clusters.items()],
            "contexts": [entry("context", n, {"cluster": n, "user": n}) for n in clusters],
        }
        self._write("kubeconfig", json.dumps(config, indent=1))

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
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        unfinished.rename(self.state / name)

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
        stop_all(self._services)


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
