"""``make demo``: the whole story on test clusters, in one command.

Builds three small Kubernetes control planes, serves a sample repository, starts Fleet against
them, and runs the commands that a user would type. All it makes is below .demo/; started again,
it goes on where it was.
"""

# ruff: noqa: INP001, E402 - a program, not a package; its imports need the checkout on the path

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from config.demo.stage import DemoFailed, Stage, say
from config.demo.story import Teller, epilogue
from tests.cluster import build

INTRODUCTION = """\
This builds three small Kubernetes control planes on this machine (the first time: some ten
minutes), serves config/demo/shop as a git repository, starts Fleet, and shows a commit going
live, a hand edit undone, a removed file pruned, a rollback, and what PostgreSQL remembers.

State, all of it:   {state}
Fleet's settings:   {state}/fleet.yaml
  allowed_networks    127.0.0.0/8   so that Fleet may talk to repositories on loopback
  allowed_file_roots  {state}   so that it may read the sample repository
End it with Ctrl-C; `make demo` continues, `make demo-clean` removes it."""


def main() -> int:
    """The exit code: 0 told, 1 failed, 130 interrupted."""
    options = _options()
    state = options.state.resolve()
    if options.clean:
        return _clean(state)
    signal.signal(signal.SIGTERM, _terminated)
    stage = Stage(state, options.port)
    try:
        with _alone(state):
            try:
                _tell(stage, wait=not (options.once or options.no_wait))
            finally:
                stage.close()
    except DemoFailed as error:
        say(f"\nThe demo stopped: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. `make demo` goes on from here, `make demo-clean` removes everything.")
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show what Fleet does, on test clusters.")
    parser.add_argument("--clean", action="store_true", help="stop the demo, remove its state")
    parser.add_argument("--once", action="store_true", help="stop after the story")
    parser.add_argument("--no-wait", action="store_true", help="the same as --once")
    parser.add_argument("--state", type=Path, default=ROOT / ".demo", help="default: .demo")
    parser.add_argument("--port", type=int, default=os.environ.get("FLEET_PORT", "8080"))
    return parser.parse_args()


def _tell(stage: Stage, *, wait: bool) -> None:
    say(INTRODUCTION.format(state=stage.state))
    stage.prepare()
    _build()
    started = time.monotonic()
    say("\nStarting the clusters …")
    stage.start_clusters()
    say("$ fleet tools install", strong=True)
    fleet = Path(sys.executable).with_name("fleet")
    if subprocess.run([fleet, "tools", "install"], env=stage.environment(), check=False).returncode:
        raise DemoFailed("helm and kubectl could not be installed; the message above says why")
    say(f"$ fleet up    # in the background; log: {stage.log}", strong=True)
    stage.start_fleet()
    say(f"Fleet listens on {stage.url}")
    Teller(stage).tell()
    epilogue(stage, started)
    if wait:
        say("Ctrl-C ends the demo.")
        with contextlib.suppress(KeyboardInterrupt):
            stage.stay()
        say("\nStopping. `make demo` starts it again, `make demo-clean` removes everything.")


def _build() -> None:
    """The control plane's programs, with a clock that shows that it goes on.

    Raises:
        DemoFailed: there is no Go to be had, or the build failed.
    """
    if build.is_built():
        return
    say("\nBuilding Kubernetes (once; some ten minutes, 5 GB of Go's cache) …")
    started = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "tests.cluster.build"], cwd=ROOT)
    try:
        while child.poll() is None:
            if sys.stdout.isatty():
                minutes, seconds = divmod(int(time.monotonic() - started), 60)
                sys.stdout.write(f"\r  {minutes}:{seconds:02d}")
                sys.stdout.flush()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)
    finally:
        child.terminate()
        child.wait()
    if child.returncode:
        raise DemoFailed(
            "the control plane did not build; the reason is above.\nFleet itself does not need"
            " it: README.md says how to run it on your own clusters."
        )
    say("\r  built")


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the state for this process.

    Raises:
        DemoFailed: another demo runs on it.
    """
    state.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (state / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DemoFailed(
                f"it runs already, as process {file.read().strip() or 'unknown'}."
                f"\nUse it: `. {state}/env`. End it: Ctrl-C where it runs, or `make demo-clean`."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _terminated(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _clean(state: Path) -> int:
    """Stop a demo that runs on the state, and remove all of it."""
    if not state.exists():
        say("There is no demo to remove.")
        return 0
    try:
        with _alone(state):
            pass
    except DemoFailed:
        say("Stopping the demo that runs …")
        _stop(int((state / "lock").read_text()))
    data = state / "home" / "postgres" / "data"
    if data.is_symlink():  # where root's PostgreSQL cannot enter the state, it is elsewhere
        shutil.rmtree(data.resolve().parent)
    shutil.rmtree(state)
    say(f"Removed {state}")
    return 0


def _stop(pid: int) -> None:
    """Ask the process to end and wait for it; the lock said that it is a demo."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(fd, signal.SIGTERM)
            select.select([fd], [], [], 60)
        finally:
            os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
