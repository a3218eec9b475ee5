"""Services that live exactly as long as one test run.

A service (a control plane, a PostgreSQL) takes seconds to start, so the xdist workers of a
run share one. No worker owns it: a worker may end early or crash. A *keeper* process owns it,
started by the first worker that asks, under a file lock. It ends when pytest tells it to, or
when pytest is gone for whatever reason; what it started dies with it (PR_SET_PDEATHSIG).

A keeper's module calls ``keep`` with a context manager that starts the service and yields its
state, a JSON object that every worker then reads.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

State = dict[str, Any]
Handler = Callable[[State], State]

ROOT = Path(__file__).parent.parent
STOP_SECONDS = 20
# Where throw-away data go: memory if there is some, else the usual place.
FAST_FOLDER = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
SCRATCH = "fleet-keeper"
PR_SET_PDEATHSIG = 1
_STARTED: list[subprocess.Popen[bytes]] = []  # they outlive us: dropping one would warn
_LIBC = ctypes.CDLL(None, use_errno=True)


class ServiceFailed(Exception):
    """A shared service did not start; holds the end of its log."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` between processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def obtain(run_dir: Path, module: str, owner_pid: int) -> State:
    """The state of the service in ``module``, started if this run has not started it yet.

    A start that failed is remembered, so that the tests after it fail at once.
    """
    name = module.rpartition(".")[2]
    with locked(run_dir / f"{name}.lock"):
        file = run_dir / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(_spawn(run_dir, module, owner_pid)))
        state: State = json.loads(file.read_text())
    if "failed" in state:
        raise ServiceFailed(state["failed"])
    return state


def _spawn(run_dir: Path, module: str, owner_pid: int) -> State:
    log = run_dir / f"{module.rpartition('.')[2]}.log"
    receive, send = os.pipe()
    argv = [sys.executable, "-m", module, "--owner-pid", str(owner_pid), "--ready-fd", str(send)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(send,),
            start_new_session=True,
        )
    _STARTED.append(process)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    if not answer:
        process.wait()
        return {"failed": f"{module} did not start:\n{log.read_text()[-4000:]}"}
    return {"keeper_pid": process.pid, **json.loads(answer)}


def stop_all(run_dir: Path) -> None:
    """End every service of this run; called once, when pytest ends."""
    for file in run_dir.glob("*.json"):
        with contextlib.suppress(ValueError, KeyError, ProcessLookupError):
            fd = os.pidfd_open(json.loads(file.read_text())["keeper_pid"])
            try:
                signal.pidfd_send_signal(fd, signal.SIGTERM)
                _wait_readable(fd, STOP_SECONDS)
            finally:
                os.close(fd)


def _wait_readable(fd: int, seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        selector.select(seconds)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A keeper's folder for data; those of keepers that were killed are removed first."""
    for left in FAST_FOLDER.glob(f"{SCRATCH}-*"):
        if not Path("/proc", left.name.split("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}-{os.getpid()}-", dir=FAST_FOLDER) as name:
        yield Path(name)


def keep(service: AbstractContextManager[State], handler: Handler | None = None) -> None:
    """Run as the keeper of ``service`` until told to stop or until the owner is gone.

    With a ``handler``, other processes may ``ask`` things of the service; they are answered
    one after the other on the main thread, because PR_SET_PDEATHSIG is bound to the thread
    that starts a process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--owner-pid", type=int, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    args = parser.parse_args()
    os.set_inheritable(args.ready_fd, False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with service as state, _listener() as (listener, address):
        os.write(args.ready_fd, json.dumps({**state, "keeper": address}).encode())
        os.close(args.ready_fd)
        _serve(args.owner_pid, listener, handler)


@contextlib.contextmanager
def _listener() -> Iterator[tuple[socket.socket, str]]:
    """A socket in the abstract namespace: no path to be too long, nothing to remove."""
    address = f"fleet-tests-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{address}")
        listener.listen()
        yield listener, address


def _serve(owner_pid: int, listener: socket.socket, handler: Handler | None) -> None:
    try:
        owner = os.pidfd_open(owner_pid)
    except ProcessLookupError:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(owner, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == owner:
                    return
                if handler:
                    _answer(listener, handler)


def _answer(listener: socket.socket, handler: Handler) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as stream:
        try:
            reply = handler(json.loads(stream.readline()))
        except Exception as error:
            reply = {"failed": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(BrokenPipeError):
            stream.write(json.dumps(reply).encode() + b"\n")
            stream.flush()


def ask(address: str, question: State) -> State:
    """Send one request to the keeper at ``address`` and wait for its reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(f"\0{address}")
        with connection.makefile("rwb") as stream:
            stream.write(json.dumps(question).encode() + b"\n")
            stream.flush()
            reply: State = json.loads(stream.readline())
    if "failed" in reply:
        raise ServiceFailed(reply["failed"])
    return reply


def start_child(argv: list[str | Path], log: Path, **popen: Any) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one ends, however this one ends."""
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - a keeper has one thread
            **popen,
        )


def _die_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
