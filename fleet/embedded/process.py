"""Run PostgreSQL's programs, and tell in our words why one failed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.embedded.account import Account
from fleet.errors import RegistryError, RegistryUnavailable

START_SECONDS = 120.0  # crash recovery replays up to max_wal_size
POLL_SECONDS = 0.01
LARGEST_LOG_BYTES = 10 << 20
PR_SET_PDEATHSIG = 1
COMPLAINTS = ("FATAL", "PANIC", "ERROR", "error:", "could not")

Argv = list[str | Path]


class PortTaken(Exception):
    """Another program took the port between choosing it and binding it; ``told`` says so."""

    def __init__(self, told: RegistryError) -> None:
        super().__init__(told.message)
        self.told = told


def environment() -> Mapping[str, str]:
    """None of the caller's PG* variables, secrets or locale reach the server."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def run(argv: Argv, account: Account, log: Path, stdin: str = "") -> str:
    """What a program prints, run to its end as ``account``.

    Raises:
        RegistryError: it failed; says why as ``explained`` does.
    """
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment(),
        user=account.uid if account.dropped else None,
        group=account.gid if account.dropped else None,
        extra_groups=[] if account.dropped else None,
    )
    if done.returncode:
        raise explained(done.stderr or done.stdout, log)
    return done.stdout


def launch(argv: Argv, account: Account, log: Path) -> subprocess.Popen[bytes]:
    """Start the server as ``account``, to end when the calling thread ends."""
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        log.chmod(0o600)
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(),
            process_group=0,  # Ctrl-C at the terminal is for us: we then stop it in order
            user=account.uid if account.dropped else None,
            group=account.gid if account.dropped else None,
            extra_groups=[] if account.dropped else None,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - system calls only, no lock
        )


def _die_with(parent: int) -> Callable[[], None] | None:
    """For the child, after it has changed user (which clears the wish to be signalled)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask_the_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def await_ready(process: subprocess.Popen[bytes], data: Path, log: Path, log_start: int) -> None:
    """Return when the server accepts clients.

    Args:
        log_start: the size of the log before the server was launched.

    Raises:
        PortTaken: try again with another port.
        RegistryError: it ended, or is still not ready after ``START_SECONDS``.
    """
    deadline = time.monotonic() + START_SECONDS
    while not _says_ready(data / "postmaster.pid", process.pid):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            if not ended:
                process.kill()
                process.wait()
            output = log.read_bytes()[log_start:].decode(errors="replace")
            if "Address already in use" in output:
                raise PortTaken(explained(output, log))
            raise explained(output, log)
        time.sleep(POLL_SECONDS)


def _says_ready(pid_file: Path, pid: int) -> bool:
    """Line 1 is the server's process, line 8 its state once it has bound its port."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def await_predecessor(data: Path) -> None:
    """Wait for a server whose parent was killed to finish, and clear what a crash left.

    The pid file of a server that is gone stops a new one whenever its number is in use
    again, as it soon is in a container. Nobody else starts servers here (we hold the home),
    so a process that does not work in this directory is no server of it.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    deadline = time.monotonic() + START_SECONDS
    while _works_in(pid, data):
        if time.monotonic() > deadline:
            raise RegistryUnavailable(
                f"the PostgreSQL that ran here before (process {pid}) does not end",
                hint=f"Look at what it does; `kill -INT {pid}` asks it to stop.",
            )
        time.sleep(POLL_SECONDS)
    if sys.platform == "linux":
        pid_file.unlink(missing_ok=True)


def _works_in(pid: int, data: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        return True


def explained(output: str, log: Path) -> RegistryError:
    """The error for what a program printed; statements in it are not repeated."""
    if "No space left on device" in output:
        return RegistryUnavailable(
            f"PostgreSQL cannot start: the disk that holds {log.parent} is full",
            hint="Free some space and start again; nothing is lost.",
        )
    complaints = [line for line in output.splitlines() if any(sign in line for sign in COMPLAINTS)]
    said = complaints[-1].strip() if complaints else "it said nothing"
    return RegistryError(f"PostgreSQL did not start: {said}", hint=f"Its log is {log}.")
