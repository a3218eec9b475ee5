"""`make demo`: the whole story by real processes, and what it says when it cannot be told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import build
from tests.needs import require
from tests.ports import free_port
from tests.tools import tools_home

ROOT = Path(__file__).parents[2]
RUN = (sys.executable, str(ROOT / "config" / "demo" / "run.py"))


@pytest.fixture
def state(fleet_home: Path) -> Iterator[Path]:
    """The state of one demo, with helm and kubectl as `fleet tools install` leaves them."""
    folder = fleet_home / "demo"
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "tools").symlink_to(tools_home() / "tools")
    yield folder
    demo("--clean", state=folder)


def demo(
    *arguments: str, state: Path, port: int | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *arguments, "--state", str(state), "--port", str(port or free_port())],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_story_is_told(state: Path) -> None:
    require(build.is_built(), f"no test control plane: {build.HOW}")
    port = free_port()
    told = demo("--once", state=state, port=port)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    for expected in (
        "application/motd deleted",
        "(live after",
        "(healed after",
        "(pruned after",
        "(rolled back after",
        "self-heal",
        "The audit log is intact",
        f"Fleet runs at http://127.0.0.1:{port}",
    ):
        assert expected in told.stdout
    assert processes_of(state) == []


@pytest.mark.sweep
def test_an_interrupted_story_is_gone_on_with(state: Path) -> None:
    require(build.is_built(), f"no test control plane: {build.HOW}")
    port = free_port()
    interrupt_at("cluster/us-1", state, port)
    told = demo("--once", state=state, port=port)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    assert "The audit log is intact" in told.stdout
    again = demo("--once", state=state, port=port)
    assert again.returncode == 0, again.stdout[-4000:] + again.stderr[-4000:]
    assert again.stdout.count(": done before") == 9
    assert processes_of(state) == []


def interrupt_at(line: str, state: Path, port: int) -> None:
    """Ctrl-C as soon as a line is printed; everything that was started ends."""
    argv = [*RUN, "--once", "--state", str(state), "--port", str(port)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        seen = []
        for printed in process.stdout:
            seen.append(printed)
            if printed.startswith(line):
                os.killpg(process.pid, signal.SIGINT)
        code = process.wait()
    assert code == 130, "".join(seen)[-4000:]
    assert "`make demo` goes on from here" in "".join(seen)
    assert processes_of(state) == []


def processes_of(state: Path) -> list[str]:
    """Command lines of whatever runs on the state."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (folder / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue  # gone, or somebody else's
        if f"{state}/" in line or f"FLEET_DEMO_STATE={state}\0" in environment:
            found.append(line)
    return found


def test_where_no_go_is_to_be_had_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    git = next(Path(it) / "git" for it in os.get_exec_path() if (Path(it) / "git").exists())
    (tmp_path / "bin" / "git").symlink_to(git)
    empty = {"PATH": str(tmp_path / "bin"), "FLEET_TEST_CACHE": str(tmp_path / "cache")}
    empty |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    failed = demo("--once", state=tmp_path / "demo", **empty)
    assert failed.returncode == 1
    assert "Put Go on PATH" in failed.stderr
    assert "the control plane did not build" in failed.stdout
    assert "Traceback" not in failed.stderr


def test_a_port_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        failed = demo("--once", state=tmp_path / "demo", port=port)
    assert failed.returncode == 1
    assert f"port {port} is taken" in failed.stdout


def test_a_second_one_names_the_first(tmp_path: Path) -> None:
    state = tmp_path / "demo"
    state.mkdir()
    holder = (
        "import fcntl,sys; f=open(sys.argv[1],'a'); fcntl.flock(f,2); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(state / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdout.readline()
        (state / "lock").write_text(f"{first.pid}\n")
        second = demo("--once", state=state)
        first.stdin.close()
    assert second.returncode == 1
    assert f"it runs already, as process {first.pid}" in second.stdout


def test_nothing_to_clean_is_no_error(tmp_path: Path) -> None:
    done = demo("--clean", state=tmp_path / "demo")
    assert (done.returncode, done.stdout) == (0, "There is no demo to remove.\n")
