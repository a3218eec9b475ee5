"""`make demo` by real processes, and what it says when it cannot go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.surroundings import (
    AS_NOBODY,
    NOBODY,
    enlarge,
    processes,
    require_nobody,
    small_disk,
    taken_port,
)
from tests.ports import free_port
from tests.tools import tools_home

ROOT = Path(__file__).parents[2]
RUN = (sys.executable, str(ROOT / "config" / "demo" / "run.py"))
FEW = ("--clusters", "3")


@pytest.fixture
def state(fleet_home: Path) -> Iterator[Path]:
    """The state of one demo, with helm and kubectl as `fleet tools install` leaves them."""
    folder = with_tools(fleet_home / "demo")
    yield folder
    demo("--clean", state=folder)


def with_tools(folder: Path) -> Path:
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "tools").symlink_to(tools_home() / "tools")
    return folder


def arguments(state: Path, port: int | None = None) -> list[str]:
    ports = ["--port", str(port or free_port()), "--sandbox-port", str(free_port())]
    return ["--state", str(state), *ports]


def demo(
    *flags: str,
    state: Path,
    port: int | None = None,
    before: tuple[str, ...] = (),
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, *RUN, *flags, *arguments(state, port)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_story_is_told_and_not_told_twice(state: Path) -> None:
    port = free_port()
    told = demo("--once", "--story", *FEW, state=state, port=port)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    for expected in (
        "All 9 applications are Healthy.",
        "application/motd deleted",
        "(live after",
        "(healed after",
        "(pruned after",
        "(noticed after",
        "(rolled back after",
        "self-heal",
        "The audit log is intact",
        f"Fleet runs at http://127.0.0.1:{port}",
    ):
        assert expected in told.stdout
    assert processes_of(state) == []
    again = demo("--once", "--story", *FEW, state=state, port=port)
    assert again.returncode == 0, again.stdout[-4000:] + again.stderr[-4000:]
    assert again.stdout.count(": done before") == 9
    assert "8 of 9 applications are Healthy, but for:\n  web-ap-3: OutOfSync" in again.stdout
    assert processes_of(state) == []


@pytest.mark.sweep
def test_ten_clusters_become_healthy(state: Path) -> None:
    done = demo("--once", state=state)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "All 29 applications are Healthy." in done.stdout


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("Fleet listens on", signal.SIGINT),
        ("cluster/us-2 created", signal.SIGINT),
        ("cluster/us-2 created", signal.SIGHUP),  # the terminal is closed
    ],
)
def test_an_interrupted_one_is_gone_on_with(state: Path, line: str, how: signal.Signals) -> None:
    interrupt_at(line, state, how)
    done = demo("--once", *FEW, state=state)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "All 9 applications are Healthy." in done.stdout
    assert processes_of(state) == []


def interrupt_at(line: str, state: Path, how: signal.Signals) -> None:
    """A signal as soon as a line is printed; everything that was started ends."""
    hearing = ("env", "--default-signal=HUP,INT")  # whatever the tests were told to ignore
    argv = [*hearing, *RUN, "--once", *FEW, *arguments(state)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        seen = []
        for printed in process.stdout:
            seen.append(printed)
            if printed.startswith(line):
                os.killpg(process.pid, how)
        code = process.wait()
    assert code == 130, "".join(seen)[-4000:]
    assert "`make demo` goes on from here" in "".join(seen)
    assert processes_of(state) == []


def processes_of(state: Path) -> list[str]:
    """Command lines of whatever runs on the state."""
    return processes(
        lambda line, environment: (
            f"{state}/" in line or f"FLEET_CONFIG={state}/fleet.yaml\0" in environment
        )
    )


def test_an_ordinary_user_with_a_closed_home_needs_nothing_else(fleet_home: Path) -> None:
    require_nobody()
    home = fleet_home / "private"
    state = home / "demo"
    shutil.copytree(tools_home() / "tools", state / "home" / "tools")
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    home.chmod(0o700)
    try:
        done = demo("--once", *FEW, state=state, before=AS_NOBODY, HOME=str(home))
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert "All 9 applications are Healthy." in done.stdout
    finally:
        cleaned = demo("--clean", state=state, before=AS_NOBODY)
    assert cleaned.returncode == 0, cleaned
    assert not state.exists()


def test_without_bubblewrap_it_says_what_that_means(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    with taken_port() as port:
        done = demo("--once", state=tmp_path / "demo", port=port, PATH=str(tmp_path / "bin"))
    assert "bubblewrap is not installed" in done.stdout
    assert "not walled in" in done.stdout


def test_a_port_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    with taken_port() as port:
        failed = demo("--once", state=tmp_path / "demo", port=port)
    assert failed.returncode == 1
    assert f"port {port} is taken" in failed.stdout
    assert [it.name for it in (tmp_path / "demo").iterdir()] == ["lock"]


def test_a_port_of_the_clusters_that_is_taken_is_told(tmp_path: Path) -> None:
    flags = ("--once", "--state", str(tmp_path / "demo"), "--port", str(free_port()))
    with taken_port() as port:
        failed = subprocess.run(
            [*RUN, *flags],
            env={**os.environ, "FLEET_SANDBOX_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert failed.returncode == 1
    assert f"port {port}, for the clusters, is taken" in failed.stdout
    assert "FLEET_SANDBOX_PORT=" in failed.stdout
    assert [it.name for it in (tmp_path / "demo").iterdir()] == ["lock"]


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failed = demo("--once", state=tmp_path / "file")
    assert failed.returncode == 1
    assert "cannot be written" in failed.stdout
    assert "Traceback" not in failed.stderr


def test_a_disk_that_is_full_is_told_and_gone_on_with() -> None:
    with small_disk("16m") as disk:
        state = with_tools(disk / "demo")
        try:
            failed = demo("--once", *FEW, state=state)
            assert failed.returncode == 1
            assert "full" in failed.stdout + failed.stderr
            assert "Traceback" not in failed.stderr
            assert processes_of(state) == []
            enlarge(disk, "1g")
            done = demo("--once", *FEW, state=state)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        finally:
            demo("--clean", state=state)


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
