"""Running git: what reaches it, what is refused, and how it ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from git import Git

from fleet.errors import SourceError, SourceUnreachable, SpecInvalid
from fleet.source.process import Invocation, environment_of, guard, run

# GitPython's spelling of `git -c alias.x='!command' x`: a way to start what hangs.
HANG = {"alias.hang": "!sleep 600 & sleep 601"}


def children_of(marker: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if marker.encode() in environment and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


@pytest.mark.parametrize(
    "operand",
    [
        "--upload-pack=touch x",
        "-u",
        "--exec=x",
        "--output=/tmp/x",
        "ext::sh -c id",
        "fd::3",
        "::x",
        "ext://x",
        "a\0b",
    ],
)
async def test_operands_cannot_be_more_than_that(operand: str) -> None:
    with pytest.raises(SpecInvalid):
        guard((operand,))
    with pytest.raises(SpecInvalid):
        await run(Invocation(("ls-remote",), (operand,)))


def test_gitpython_starts_no_shell() -> None:
    assert vars(Git)["USE_SHELL"] is False


async def test_the_environment_is_only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SECRET_KEY", "do-not-leak")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    monkeypatch.setenv("GIT_SSH_COMMAND", "touch /tmp/x")
    invocation = Invocation(("show-env",), config={"alias.show-env": "!env"})
    outcome = await run(invocation)
    seen = dict(line.split("=", 1) for line in outcome.stdout.decode().splitlines() if "=" in line)
    allowed = {*environment_of(invocation), "PWD", "OLDPWD", "SHLVL", "_", "GIT_PREFIX"}
    assert {"GIT_EXEC_PATH", *seen} - allowed <= {"GIT_EXEC_PATH"}
    assert "do-not-leak" not in outcome.stdout.decode()
    assert seen["GIT_ALLOW_PROTOCOL"] == ""


HARDENING = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "core.askPass": "",
    "core.gitProxy": "",
    "core.alternateRefsCommand": "",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.proxy": "",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.fsckObjects": "true",
    "uploadpack.packObjectsHook": "",
}


@pytest.fixture
def contrary(tmp_path: Path) -> str:
    """A bare repository whose own configuration wants the opposite of everything."""
    path = str(tmp_path / "contrary.git")
    subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    for key in HARDENING:
        subprocess.run(["git", "-C", path, "config", key, "contrary"], check=True)
    return path


@pytest.mark.parametrize(("key", "value"), HARDENING.items())
async def test_the_configuration_in_force_is_ours(contrary: str, key: str, value: str) -> None:
    outcome = await run(Invocation(("config", "--get", key), git_dir=contrary))
    assert (outcome.code, outcome.stdout.decode()) == (0, f"{value}\n")


async def test_a_hook_of_the_repository_does_not_run(tmp_path: Path) -> None:
    bare = tmp_path / "hooked.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    hook = bare / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    written = await run(Invocation(("hash-object", "-w", "--stdin"), git_dir=str(bare)))
    blob = written.stdout.decode().strip()
    outcome = await run(Invocation(("update-ref", "refs/tags/x", blob), git_dir=str(bare)))
    assert outcome.code == 0, outcome.stderr
    assert not (tmp_path / "ran").exists()


async def test_no_protocol_is_allowed_by_itself(tmp_path: Path) -> None:
    outcome = await run(Invocation(("ls-remote",), (f"file://{tmp_path}",)))
    assert outcome.code
    assert "not allowed" in outcome.stderr


async def test_the_deadline_kills_the_whole_group() -> None:
    marker = f"deadline-{os.getpid()}"
    invocation = Invocation(
        ("hang",), config=HANG, environment={"FLEET_TEST": marker}, deadline_seconds=0.3
    )
    with pytest.raises(SourceUnreachable, match="stopped after"):
        await run(invocation)
    assert children_of(marker) == []


async def test_giving_up_kills_the_whole_group() -> None:
    marker = f"cancelled-{os.getpid()}"
    invocation = Invocation(("hang",), config=HANG, environment={"FLEET_TEST": marker})
    task = asyncio.create_task(run(invocation))
    async with asyncio.timeout(20):
        while len(children_of(marker)) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children_of(marker) == []


async def test_what_git_leaves_behind_ends_with_it() -> None:
    marker = f"orphan-{os.getpid()}"
    invocation = Invocation(
        ("leave",),
        config={"alias.leave": "!sleep 600 >/dev/null 2>&1 & exit 0"},
        environment={"FLEET_TEST": marker},
    )
    assert (await run(invocation)).code == 0
    async with asyncio.timeout(20):
        while children_of(marker):  # killed already; the kernel may need a moment to reap
            await asyncio.sleep(0.01)


async def test_output_is_bounded() -> None:
    marker = f"flood-{os.getpid()}"
    invocation = Invocation(
        ("flood",),
        config={"alias.flood": "!cat /dev/zero"},
        environment={"FLEET_TEST": marker},
        output_bytes=1_000_000,
    )
    with pytest.raises(SourceError, match="1000000 bytes"):
        await run(invocation)
    assert children_of(marker) == []


async def test_a_flood_of_complaints_is_cut() -> None:
    invocation = Invocation(
        ("flood",), config={"alias.flood": "!head -c 10000000 /dev/zero >&2; exit 1"}
    )
    outcome = await run(invocation)
    assert outcome.code == 1
    assert len(outcome.stderr) <= 65536


async def test_input_that_nobody_reads(tmp_path: Path) -> None:
    outcome = await run(Invocation(("--version",), stdin=b"x" * 1_000_000))
    assert outcome.code == 0


async def test_a_secret_is_in_no_repr() -> None:
    invocation = Invocation(("x",), config={"http.extraHeader": "Authorization: hunter2"})
    assert "hunter2" not in repr(invocation)
