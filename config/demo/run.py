"""``make demo``: a fleet of sandbox clusters that does Fleet's real work, in one command.

Starts Fleet and ten clusters that speak the Kubernetes API, runs a sample project on all of
them by the commands that a user would type, and stays. All it makes is below .demo/; started
again, it goes on where it was.
"""

# ruff: noqa: INP001, E402 - a program, not a package; its imports need the checkout on the path

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from config.demo.stage import DemoFailed, Stage, say, told
from config.demo.story import Teller, epilogue
from fleet.cli.running import end, holder

STOP_SECONDS = 60
INTRODUCTION = """\
This starts Fleet with a PostgreSQL of its own and {clusters} sandbox clusters in three regions:
real git, real rendering, real syncs, on clusters that speak the Kubernetes API and run nothing.

State, all of it:   {state}
Fleet's settings:   {state}/fleet.yaml
  allowed_file_roots  {state}   so that it may read the sample repository
End it with Ctrl-C; `make demo` continues, `make demo-clean` removes it."""
NOT_WALLED = """\
bubblewrap is not installed: what is rendered here is not walled in. That is fine for a
repository of your own; before you render what others wrote, install it."""


def main() -> int:
    """The exit code: 0 told, 1 failed, 130 interrupted."""
    options = _options()
    state = options.state.resolve()
    signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # it is, under nohup
        signal.signal(signal.SIGHUP, _terminated)  # its terminal was closed
    try:
        if options.clean:
            return _clean(state)
        stage = Stage(state, options.port, options.sandbox_port, options.clusters)
        with _alone(state):
            try:
                _show(stage, story=options.story, wait=not options.once)
            finally:
                stage.close()
    except DemoFailed as error:
        say(f"\nThe demo stopped: {error}")
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # nobody reads it where the terminal is gone
            say("\nStopped. `make demo` goes on from here, `make demo-clean` removes everything.")
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show what Fleet does, on sandbox clusters.")
    parser.add_argument("--clean", action="store_true", help="stop the demo, remove its state")
    parser.add_argument("--once", action="store_true", help="stop when all is Healthy")
    parser.add_argument(
        "--story", action="store_true", help="then change, break and roll back, with checks"
    )
    parser.add_argument("--state", type=Path, default=ROOT / ".demo", help="default: .demo")
    parser.add_argument("--clusters", type=int, default=10, help="default: 10")
    parser.add_argument("--port", type=int, default=os.environ.get("FLEET_PORT", "8080"))
    parser.add_argument(
        "--sandbox-port",
        type=int,
        default=os.environ.get("FLEET_SANDBOX_PORT"),
        help="default: as last time, or the sandbox's own",
    )
    return parser.parse_args()


def _show(stage: Stage, *, story: bool, wait: bool) -> None:
    say(INTRODUCTION.format(state=stage.state, clusters=stage.clusters))
    if shutil.which("bwrap") is None:
        say(f"\n{NOT_WALLED}")
    say()
    started = time.monotonic()
    stage.prepare()
    stage.run("fleet tools install")
    stage.run(stage.sandbox_command())  # first: a Fleet that is resumed looks for its clusters
    say(f"$ fleet up    # in the background; log: {stage.log}", strong=True)
    stage.start_fleet()
    say(f"Fleet listens on {stage.url}")
    stage.run("fleet sandbox seed")
    say(f"({time.monotonic() - started:.0f} s)")
    if story:
        Teller(stage).tell()
    epilogue(stage)
    if wait:
        say("Ctrl-C ends the demo.")
        stage.stay()


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the state for this process.

    Raises:
        DemoFailed: another demo runs on it, or it cannot be written.
    """
    with told(state):
        # 0711: where we are root, PostgreSQL's account passes through
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = (state / "lock").open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DemoFailed(
                f"it runs already, as process {file.read().strip() or 'unknown'}."
                f"\nUse it: `. {state}/env`. End it: Ctrl-C where it runs, or `make demo-clean`."
            ) from None
        with told(state):
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
    if (running := holder(state / "lock")) is not None:
        say("Stopping the demo that runs …")
        end(running.pid, STOP_SECONDS)
    Stage(state, 0, None, 0).close()  # one that was killed leaves its clusters behind
    data = state / "home" / "postgres" / "data"
    if data.is_symlink():  # where root's PostgreSQL cannot enter the state, it is elsewhere
        shutil.rmtree(data.resolve().parent, ignore_errors=True)
    _remove(state)
    say(f"Removed {state}")
    return 0


def _remove(folder: Path) -> None:
    """All of it. Fleet closes the trees that it renders from; only root could delete in them."""
    for place, _, _ in os.walk(folder):
        Path(place).chmod(0o700)
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
