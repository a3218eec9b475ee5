"""What code that took over a child would find: asked from inside, with the real sandbox."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleet.model.renders import SourceTree
from fleet.render.job import Programs
from fleet.render.sandbox import Mounts, SandboxStatus, sandbox_status, started
from tests.conftest import require
from tests.integration.render.conftest import Write

CANARY = "canary-51d2"
LOOK_AROUND = """
import glob, json, os, socket

def attempt(what):
    try:
        return what()
    except OSError as exc:
        return type(exc).__name__

print(json.dumps({{
    "environment": dict(os.environ),
    "root": sorted(os.listdir("/")),
    "passwd": attempt(lambda: open("/etc/passwd").read()),
    "neighbour": attempt(lambda: open({neighbour!r}).read()),
    "home": attempt(lambda: os.listdir({home!r})),
    "tree": sorted(os.listdir("/tree")),
    "write tree": attempt(lambda: open("/tree/new", "w").write("x")),
    "write root": attempt(lambda: open("/new", "w").write("x")),
    "write package": attempt(lambda: open("/fleet/fleet/new", "w").write("x")),
    "write tmp": attempt(lambda: open("/tmp/new", "w").write("x")),
    "connect": attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 2)),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "programs": glob.glob("/usr/bin/*") + glob.glob("/bin/*"),
    "pid": os.getpid(),
    "capabilities": attempt(lambda: socket.sethostname("mine")),
}}))
"""


@pytest.fixture
def status() -> SandboxStatus:
    require(sandbox_status().is_safe, sandbox_status().message)
    return sandbox_status()


async def look_around(
    tree: SourceTree, monkeypatch: pytest.MonkeyPatch, status: SandboxStatus, code: str
) -> dict[str, Any]:
    monkeypatch.setattr("fleet.render.sandbox._BOOT", code)
    async with started(Mounts(tree, (), (), (), Programs()), status) as child:
        stdout, stderr = await child.process.communicate()
    assert stdout, stderr.decode()
    found: dict[str, Any] = json.loads(stdout)
    return found


async def test_a_child_sees_only_the_tree(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: SandboxStatus
) -> None:
    monkeypatch.setenv("FLEET_CANARY", CANARY)
    tree = write({"app/cm.yaml": "x"})
    (tmp_path / "secret").write_text(CANARY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = LOOK_AROUND.format(
            neighbour=str(tmp_path / "secret"),
            home=str(Path.home()),
            port=server.getsockname()[1],
        )
        found = await look_around(tree, monkeypatch, status, code)
    assert CANARY not in json.dumps(found)
    assert not {"HOME", "PATH", "FLEET_CANARY", "USER"} & set(found["environment"])
    assert not {"etc", "root", "home", "var", "proc", "sys", "bin", "sbin"} & set(found["root"]) - {
        part.parts[1] for part in (Path.home(),)
    }
    assert found["passwd"] == found["neighbour"] == "FileNotFoundError"
    assert found["tree"] == ["app"]
    assert found["write tree"] == found["write root"] == found["write package"] == "OSError"
    assert found["write tmp"] == 1
    assert found["connect"] in {"ConnectionRefusedError", "OSError"}
    assert found["interfaces"] == ["lo"]
    assert found["programs"] == []
    assert found["pid"] < 10
    assert found["capabilities"] == "PermissionError"


async def test_without_a_sandbox_the_environment_is_empty_all_the_same(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_CANARY", CANARY)
    code = "import json, os; print(json.dumps({'e': dict(os.environ), 'cwd': os.getcwd()}))"
    unsafe = SandboxStatus("none", "")
    found = await look_around(write({"a": "x"}), monkeypatch, unsafe, code)
    assert set(found["e"]) <= {"LC_CTYPE"}
    assert "fleet-render-" in found["cwd"]
    assert not Path(found["cwd"]).exists()


DOOMED = """
import asyncio, sys
from fleet.model.applications import Source
from fleet.model.renders import RenderRequest, SourceTree
from fleet.render.rendering import Renderer
from fleet.render.tools import find_tools
from pathlib import Path

async def main():
    tree = SourceTree(sys.argv[1], "a" * 40, "")
    request = RenderRequest(tree, Source("", path="app"), "", "", "", "", ())
    await Renderer(find_tools(Path("/nonexistent"))).render(request)

asyncio.run(main())
"""


def children_of(pid: int) -> list[int]:
    try:
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants_of(pid: int) -> list[int]:
    below = children_of(pid)
    return below + [pid for child in below for pid in descendants_of(child)]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_children_die_with_a_killed_parent(write: Write, status: SandboxStatus) -> None:
    endless = "local f(n) = if n == 0 then 1 else f(n - 1) + f(n - 1); f(60)"
    tree = write({"app/a.jsonnet": endless})
    root = str(Path(__file__).parents[3])
    with subprocess.Popen([sys.executable, "-c", DOOMED, tree.root], cwd=root) as parent:
        async with asyncio.timeout(30):
            while len(below := descendants_of(parent.pid)) < 3:  # bwrap, its init, the child
                assert parent.poll() is None
                await asyncio.sleep(0.02)
            parent.kill()
            while any(map(is_alive, below)):
                await asyncio.sleep(0.02)


LIMITS = """
import json, resource
names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_CPU")
import sys; sys.path[:0] = sys.argv[1:]
from fleet.render import child
child._limit(child.SetUp(child.Programs(), "", (), 30, 1 << 30, 64 << 20, 256))
child._allow_more_time(30)
print(json.dumps({name: resource.getrlimit(getattr(resource, name))[0] for name in names}))
"""


async def test_limits(write: Write, monkeypatch: pytest.MonkeyPatch, status: SandboxStatus) -> None:
    found = await look_around(write({"a": "x"}), monkeypatch, status, LIMITS)
    assert 30 < found.pop("RLIMIT_CPU") <= 33
    assert found == {
        "RLIMIT_AS": 1 << 30,
        "RLIMIT_FSIZE": 64 << 20,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
    }
