"""`fleet sandbox`: real processes, kubectl against them, and starts that go wrong."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.render.tools import find_tools
from tests.acceptance.fleet_process import Done, Machine, machine
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

WEB = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'registry.example/web:1'}]}
"""


@pytest.fixture
def user() -> Iterator[Machine]:
    """A machine on which no sandbox runs, and none is left running."""
    with machine() as made:
        try:
            yield made
        finally:
            made.fleet("sandbox", "down")


def up(user: Machine, *arguments: str, port: int | None = None) -> Done:
    return user.fleet("sandbox", "up", "--port", str(port or free_port()), *arguments)


def clusters(user: Machine) -> list[dict[str, object]]:
    found: list[dict[str, object]] = user.ok("sandbox", "list", "-o", "json").json()
    return found


def kubectl(user: Machine, cluster: str, *arguments: str, stdin: str = "") -> str:
    """What the real kubectl prints about a cluster of the sandbox; it has to succeed."""
    file = user.home / f"{cluster}.kubeconfig"
    user.ok("sandbox", "kubeconfig", cluster, "--write", str(file))
    program = find_tools(tools_home()).kubectl.path
    assert program is not None
    done = subprocess.run(
        [program, "--kubeconfig", file, *arguments],
        input=stdin,
        env={**user.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def processes_of(home: Path) -> list[str]:
    """Command lines of whatever runs on the home."""
    return processes(lambda _, environment: f"FLEET_HOME={home}\0" in environment)


def test_clusters_start_are_used_are_added_to_and_go_on(user: Machine) -> None:
    started = up(user, "--clusters", "2", "--label", "team=shop")
    assert started.code == 0, started
    assert "The sandbox is up: 2 clusters" in started.out
    assert [it["name"] for it in clusters(user)] == ["eu-1", "us-2"]
    assert clusters(user)[1]["labels"] == {"region": "us", "env": "staging", "team": "shop"}

    kubectl(user, "us-2", "apply", "--server-side", "-f", "-", stdin=WEB)
    kubectl(user, "us-2", "-n", "shop", "rollout", "status", "deployment/web", "--timeout=60s")
    before = kubectl(user, "us-2", "-n", "shop", "get", "pods", "-o", "name")
    assert len(before.splitlines()) == 2

    again = user.ok("sandbox", "up", "--clusters", "3")
    assert "runs already: 3 clusters, 1 of them new" in again.out
    assert user.ok("sandbox", "up").out.startswith("The sandbox runs already: 3 clusters, at")
    other = up(user)
    assert other.code == 3
    assert "runs at https://127.0.0.1:" in other.err

    assert user.ok("sandbox", "down").out == "The sandbox is stopped.\n"
    assert user.ok("sandbox", "down").out == "No sandbox runs.\n"
    assert processes_of(user.home) == []
    assert "no sandbox runs" in user.fleet("sandbox", "list").err
    resumed = user.ok("sandbox", "up")
    assert resumed.out == started.out.replace("2 clusters", "3 clusters")
    assert kubectl(user, "us-2", "-n", "shop", "get", "pods", "-o", "name") == before

    assert "Removed" in user.ok("sandbox", "down", "--delete", "-y").out
    assert not (user.home / "sandbox").exists()


def test_a_terminal_sees_how_far_it_is(user: Machine) -> None:
    port = str(free_port())
    done = user.on_terminal("sandbox", "up", "--clusters", "60", "--port", port)
    assert done.code == 0, done
    assert "Starting clusters" in done.err
    assert "/60" in done.err


def test_a_cluster_is_broken_and_healed(user: Machine) -> None:
    assert up(user, "--clusters", "1").code == 0
    user.ok("sandbox", "break", "eu-1", "--how", "readonly")
    assert clusters(user)[0]["broken"] == "readonly"
    with pytest.raises(AssertionError, match="is forbidden"):
        kubectl(user, "eu-1", "create", "configmap", "a")
    kubectl(user, "eu-1", "get", "namespaces")
    assert user.ok("sandbox", "heal", "--all").out == "eu-1 works again.\n"
    kubectl(user, "eu-1", "create", "configmap", "a")
    for arguments in (("heal",), ("heal", "--all", "eu-1"), ("break", "eu-1", "--how", "odd")):
        assert user.fleet("sandbox", *arguments).code == 2
    missing = user.fleet("sandbox", "break", "nope")
    assert (missing.code, "no cluster 'nope'" in missing.err) == (3, True)


def test_there_is_nothing_to_seed_without_clusters_or_fleet(user: Machine) -> None:
    failed = user.fleet("sandbox", "seed")
    assert (failed.code, "no sandbox runs" in failed.err) == (3, True)
    assert up(user, "--clusters", "1").code == 0
    failed = user.fleet("sandbox", "seed")
    assert (failed.code, "no Fleet runs" in failed.err) == (3, True)
    assert not (user.home / "sandbox" / "shop").exists()


def test_a_repository_that_fleet_may_not_read_is_told(user: Machine) -> None:
    assert up(user, "--clusters", "1").code == 0
    (user.home / "tools").symlink_to(tools_home() / "tools")
    with user.up():
        failed = user.fleet("sandbox", "seed")
    assert failed.code == 3
    assert "not below an allowed directory" in failed.err
    assert "allowed_file_roots" in failed.err
    assert "cluster/eu-1 created" in failed.out


def test_secrets_are_read_by_their_owner_alone(user: Machine) -> None:
    assert up(user, "--clusters", "1").code == 0
    user.ok("sandbox", "kubeconfig", "--write", str(user.home / "kubeconfig"))
    folder = user.home / "sandbox"
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in (user.home / "kubeconfig", folder / "server.json", folder / "server.log"):
        assert file.stat().st_mode & 0o077 == 0, file
    failed = user.fleet("sandbox", "kubeconfig", "--write", str(user.home / "nowhere" / "file"))
    assert (failed.code, "there is no directory" in failed.err) == (3, True), failed


def test_one_in_the_foreground_ends_with_an_interrupt(user: Machine) -> None:
    arguments = ("sandbox", "up", "--foreground", "--clusters", "1", "--port", str(free_port()))
    with user.started(*arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("The sandbox is up: 1 cluster, at https://")
        assert len(clusters(user)) == 1
    assert process.returncode == 0
    assert processes_of(user.home) == []


def test_a_port_that_is_taken_is_told_and_nothing_is_left(user: Machine) -> None:
    with taken_port() as port:
        failed = up(user, port=port)
    assert failed.code == 3
    assert f"port {port} on 127.0.0.1 is taken" in failed.err
    assert "--port" in failed.err
    assert processes_of(user.home) == []
    assert up(user, "--clusters", "1").code == 0


def test_two_starts_at_once_make_one_sandbox(user: Machine) -> None:
    argv = [sys.executable, "-m", "fleet", "sandbox", "up", "--clusters", "3"]
    argv += ["--port", str(free_port())]
    both = [
        subprocess.Popen(
            argv,
            env=dict(user.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = ["".join(it.communicate()) for it in both]
    codes = sorted(it.returncode for it in both)
    assert codes in ([0, 0], [0, 3]), said
    if codes == [0, 3]:
        assert any("already" in it for it in said), said
    assert len(clusters(user)) == 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_is_interrupted_leaves_nothing_running(
    user: Machine, how: signal.Signals
) -> None:
    argv = [sys.executable, "-m", "fleet", "sandbox", "up", "--clusters", "2000"]
    argv += ["--port", str(free_port())]
    watched = user.home / "sandbox" / "server.address"
    with subprocess.Popen(argv, env=dict(user.environment)) as process:
        while not watched.exists() or not watched.read_text():
            assert process.poll() is None
        handle = os.pidfd_open(int(watched.read_text().split()[0]))
        process.send_signal(how)
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    wait_for_end(handle)
    assert processes_of(user.home) == []
    assert "The sandbox is up" in user.ok("sandbox", "up", "--clusters", "3").out


def wait_for_end(handle: int) -> None:
    """Of the process that the descriptor is of."""
    ended, _, _ = select.select([handle], [], [], 60)
    os.close(handle)
    assert ended


def test_one_that_is_killed_goes_on_with_what_was_answered(user: Machine) -> None:
    assert up(user, "--clusters", "1").code == 0
    kubectl(user, "eu-1", "create", "configmap", "kept")
    pid = int((user.home / "sandbox" / "server.address").read_text().split()[0])
    handle = os.pidfd_open(pid)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    wait_for_end(handle)
    assert "no sandbox runs" in user.fleet("sandbox", "list").err
    user.ok("sandbox", "up")
    kubectl(user, "eu-1", "get", "configmap", "kept")


def as_nobody(user: Machine, *arguments: str, home: Path) -> Done:
    """The command as an ordinary user."""
    require_nobody()
    done = subprocess.run(
        [*AS_NOBODY, sys.executable, "-m", "fleet", *arguments],
        env={**user.environment, "FLEET_HOME": str(home)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_home_that_is_not_ours_is_told(user: Machine) -> None:
    home = user.home / "closed"
    home.mkdir(mode=0o755)
    failed = as_nobody(user, "sandbox", "up", home=home)
    assert failed.code == 3
    assert f"{home / 'sandbox'} cannot be written: Permission denied" in failed.err
    assert "FLEET_HOME" in failed.err
    assert list(home.iterdir()) == []


def test_a_home_that_others_cannot_read_is_enough(user: Machine) -> None:
    home = user.home / "private"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    try:
        port = str(free_port())
        started = as_nobody(user, "sandbox", "up", "--clusters", "1", "--port", port, home=home)
        assert started.code == 0, started
        assert "eu-1" in as_nobody(user, "sandbox", "list", home=home).out
    finally:
        as_nobody(user, "sandbox", "down", home=home)
    assert processes_of(home) == []


def test_a_file_in_the_place_of_the_home_is_told(user: Machine) -> None:
    home = user.home / "file"
    home.touch()
    failed = user.fleet("sandbox", "up", FLEET_HOME=str(home))
    assert failed.code == 3
    assert "cannot be written" in failed.err


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk("256k") as folder:
        yield folder


def test_a_disk_that_is_full_is_told_and_gone_on_with(user: Machine, disk: Path) -> None:
    there = {"FLEET_HOME": str(disk)}
    port = ("--port", str(free_port()))
    try:
        failed = user.fleet("sandbox", "up", "--clusters", "10", *port, **there)
        assert failed.code == 3
        assert "is full" in failed.err
        assert "Traceback" not in failed.err
        assert processes_of(disk) == []
        enlarge(disk, "64m")
        resumed = user.fleet("sandbox", "up", "--clusters", "10", *port, **there)
        assert resumed.code == 0, resumed
        assert len(json.loads(user.fleet("sandbox", "list", "-o", "json", **there).out)) == 10
    finally:
        user.fleet("sandbox", "down", **there)
