"""Shared services start once, and never outlive the run."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import keeper
from tests.keeper import State

MODULE = "tests.servers.postgres"
PATIENCE_SECONDS = 30


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for pytest."""
    wait = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen(wait) as process:
        yield process
        process.kill()


@pytest.fixture
def service(tmp_path: Path, owner: subprocess.Popen[bytes]) -> State:
    return keeper.obtain(tmp_path, MODULE, owner.pid)


def ends(pid: int, because: signal.Signals, of: int) -> bool:
    """Whether process ``pid`` ends after ``of`` got a signal."""
    watched = os.pidfd_open(pid)
    os.kill(of, because)
    readable, _, _ = select.select([watched], [], [], PATIENCE_SECONDS)
    os.close(watched)
    return bool(readable)


def test_starts_once(tmp_path: Path, service: State, owner: subprocess.Popen[bytes]) -> None:
    assert keeper.obtain(tmp_path, MODULE, owner.pid) == service


def test_ends_when_pytest_is_killed(service: State, owner: subprocess.Popen[bytes]) -> None:
    assert ends(service["server_pid"], signal.SIGKILL, owner.pid)


def test_ends_when_its_keeper_is_killed(service: State) -> None:
    assert ends(service["server_pid"], signal.SIGKILL, service["keeper_pid"])


def test_ends_with_the_run(tmp_path: Path, service: State) -> None:
    watched = os.pidfd_open(service["server_pid"])
    keeper.stop_all(tmp_path)
    assert select.select([watched], [], [], 0)[0]
    os.close(watched)


def test_failed_start_is_told_to_everyone(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    for _ in ("the first who asks", "the next"):
        with pytest.raises(keeper.ServiceFailed, match="No module named"):
            keeper.obtain(tmp_path, "tests.servers.nothing", owner.pid)
