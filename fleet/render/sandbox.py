"""The sandbox: how a child is started so that it can harm nobody.

With bubblewrap a child has namespaces of its own: no network, no process but its own, no file
but the tree, the interpreter and the programs, all read-only, and an empty temporary directory
in memory. Without it a child still has an empty environment, limits of memory, time and files,
and a process group that is killed as a whole; what it may open is then only a matter of checks
in the renderer, which is why ``sandbox_status`` says so wherever versions are shown.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from fleet.model.renders import FetchedBase, RenderRequest, SourceTree
from fleet.render.job import Programs

_BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from fleet.render.child import main; main()"
_PYTHON_OPTIONS = ("-I", "-S", "-X", "utf8", "-c")
_PACKAGES = ("fleet", "yaml", "rjsonnet", "pyrage", "pysequoia", "cryptography", "_cffi_backend")
_LIBRARIES = "/fleet"
_SCRATCH_BYTES = 512 << 20
_PROBE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """``kind`` is what contains a render here; ``message`` is a sentence for people."""

    kind: Literal["bubblewrap", "none"]
    message: str

    @property
    def is_safe(self) -> bool:
        return self.kind == "bubblewrap"


@dataclass(frozen=True, slots=True)
class Mounts:
    """What one child may read: a tree, the trees it refers to, what was fetched for it, and
    the programs."""

    tree: SourceTree
    refs: tuple[tuple[str, SourceTree], ...]
    dependencies: tuple[tuple[str, str], ...]
    bases: tuple[FetchedBase, ...]
    programs: Programs

    def with_plugins(self, folders: tuple[str, ...]) -> Mounts:
        """The same, and the folders that plugins' programs may come from."""
        return replace(self, programs=replace(self.programs, plugin_paths=folders))

    @classmethod
    def of(cls, request: RenderRequest, programs: Programs) -> Mounts:
        return cls(request.tree, request.refs, request.dependencies, request.bases, programs)


@dataclass(slots=True)
class Child:
    """A started child, and where it sees what was mounted."""

    process: asyncio.subprocess.Process
    inside: Mounts
    scratch: str

    def translated(self, request: RenderRequest) -> RenderRequest:
        """The request with paths as the child sees them."""
        inside = self.inside
        return replace(
            request,
            tree=inside.tree,
            refs=inside.refs,
            dependencies=inside.dependencies,
            bases=inside.bases,
            # sent apart: a Secret does not pass by itself
            keys=None,
            values=tuple(replace(value, text=None) for value in request.values),
        )

    def shown(self) -> tuple[tuple[str, str], ...]:
        """Paths of the child → what messages call them."""
        refs = ((tree.root, f"${name.removeprefix('$')}") for name, tree in self.inside.refs)
        charts = ((path, f"charts/{name}") for name, path in self.inside.dependencies)
        bases = ((base.root, base.entry) for base in self.inside.bases)
        return ((self.inside.tree.root, ""), *refs, *charts, *bases, (self.scratch, ""))

    def kill(self) -> None:
        """End the child and everything it started; it may be gone already."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


@cache
def sandbox_status() -> SandboxStatus:
    """What contains renders on this machine; tried once in a process."""
    program = shutil.which("bwrap")
    if program is None:
        reason = "bubblewrap (bwrap) is not installed"
    else:
        argv = [*_enclosure(program), sys_python(), *_PYTHON_OPTIONS, "pass"]
        try:
            done = subprocess.run(
                argv, capture_output=True, check=False, timeout=_PROBE_SECONDS, env={}
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            reason = f"bubblewrap does not start here ({type(exc).__name__})"
        else:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            if done.returncode == 0:
                return SandboxStatus("bubblewrap", "Renders run in a bubblewrap sandbox.")
            reason = f"bubblewrap does not work here ({said[-1] if said else 'it said nothing'})"
    return SandboxStatus(
        "none",
        f"RENDERS ARE NOT SANDBOXED: {reason}. Whoever can write to a repository may read files"
        " of this machine. Install bubblewrap and allow unprivileged user namespaces.",
    )


@contextlib.asynccontextmanager
async def started(mounts: Mounts, status: SandboxStatus) -> AsyncIterator[Child]:
    """A child that ends with the block at the latest, and all that it started with it."""
    scratch = ""
    if status.kind == "bubblewrap":
        program = shutil.which("bwrap")
        assert program is not None
        inside = _moved(mounts)
        argv = [*_enclosure(program), *_binds(mounts, inside), *_python([_LIBRARIES])]
        child_scratch = "/tmp"  # noqa: S108 - of the sandbox, empty and its own
    else:
        scratch = await asyncio.to_thread(tempfile.mkdtemp, prefix="fleet-render-")
        inside, child_scratch = mounts, scratch
        argv = _python(dict.fromkeys(str(path.parent) for path in _packages()))
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        cwd=scratch or "/",
        start_new_session=True,
    )
    child = Child(process, inside, child_scratch)
    try:
        yield child
    finally:
        child.kill()
        await process.wait()
        if scratch:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def sys_python() -> str:
    """The interpreter itself; in a virtual environment ``sys.executable`` is a link to it."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _python(paths: list[str] | dict[str, None]) -> list[str]:
    return [sys_python(), *_PYTHON_OPTIONS, _BOOT, *paths]


@cache
def _packages() -> tuple[Path, ...]:
    """Directories of the packages that the child imports, and files of single modules."""
    found = []
    for name in _PACKAGES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        found.append(origin.parent if spec.submodule_search_locations else origin)
    return tuple(found)


def _enclosure(program: str) -> list[str]:
    """bubblewrap with everything but the trees: namespaces, interpreter, libraries."""
    argv = [
        program,
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        "--cap-drop",
        "ALL",
        "--dev",
        "/dev",
        "--size",
        str(_SCRATCH_BYTES),
        "--tmpfs",
        "/tmp",  # noqa: S108 - of the sandbox
        "--chdir",
        "/",
    ]
    for link, target in _links():
        argv += ["--symlink", target, link]
    for path in _interpreter():
        argv += ["--ro-bind", path, path]
    return argv


@cache
def _interpreter() -> tuple[str, ...]:
    """The interpreter, its standard library, and the directories of the shared libraries that
    this process has loaded (the C library among them)."""
    python = sys_python()
    wanted = {python, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    base = Path(python).parent.parent
    wanted |= {str(base / part) for part in ("pyvenv.cfg",) if (base / part).exists()}
    wanted |= set(_loaded_library_folders())
    wanted |= {path for path in ("/usr/lib64",) if Path(path).is_dir()}
    return tuple(sorted(path for path in wanted if Path(path).exists()))


def _loaded_library_folders() -> Iterator[str]:
    """Directories of mapped ``.so`` files, but for those of packages: these are mounted apart."""
    site = tuple(str(path.parent) for path in _packages())
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        path = line.partition("/")[2]
        if ".so" in path and not f"/{path}".startswith(site) and "site-packages" not in path:
            yield str(Path(f"/{path}").parent)


def _links() -> Iterator[tuple[str, str]]:
    """``/lib`` and the like where they are links into ``/usr``: the loader's path needs them."""
    for name in ("/lib", "/lib64", "/lib32"):
        path = Path(name)
        if path.is_symlink():
            yield name, str(path.readlink())


def _moved(mounts: Mounts) -> Mounts:
    """The same mounts at the fixed paths that they have inside."""
    programs = mounts.programs
    return Mounts(
        tree=replace(mounts.tree, root="/tree"),
        refs=tuple(
            (name, replace(tree, root=f"/refs/{number}"))
            for number, (name, tree) in enumerate(mounts.refs)
        ),
        dependencies=tuple(
            (name, f"/charts/{number}") for number, (name, _) in enumerate(mounts.dependencies)
        ),
        bases=tuple(
            replace(base, root=f"/bases/{number}") for number, base in enumerate(mounts.bases)
        ),
        programs=Programs(
            helm="/programs/helm" if programs.helm else "",
            kubectl="/programs/kubectl" if programs.kubectl else "",
            # where they are outside, because commands may name them by their path
            plugin_paths=programs.plugin_paths,
        ),
    )


def _binds(outside: Mounts, inside: Mounts) -> list[str]:
    pairs = [(outside.tree.root, inside.tree.root)]
    pairs += [(a.root, b.root) for (_, a), (_, b) in zip(outside.refs, inside.refs, strict=True)]
    pairs += [
        (a, b) for (_, a), (_, b) in zip(outside.dependencies, inside.dependencies, strict=True)
    ]
    pairs += [(a.root, b.root) for a, b in zip(outside.bases, inside.bases, strict=True)]
    pairs += [(outside.programs.helm, inside.programs.helm)]
    pairs += [(outside.programs.kubectl, inside.programs.kubectl)]
    pairs += [(str(path), f"{_LIBRARIES}/{path.name}") for path in _packages()]
    argv: list[str] = []
    for source, target in pairs:
        if source:
            argv += ["--ro-bind", str(Path(source).resolve()), target]
    return [*argv, *_plugin_binds(outside.programs.plugin_paths), "--remount-ro", "/"]


def _plugin_binds(folders: tuple[str, ...]) -> Iterator[str]:
    """Folders of programs; and what makes ``#!/bin/sh`` and a distribution's links lead there."""
    if not folders:
        return
    for name in ("/bin", "/sbin"):
        if name not in folders and Path(name).is_symlink():
            yield from ("--symlink", str(Path(name).readlink()), name)
    for folder in (*folders, "/etc/alternatives"):
        if Path(folder).is_dir():
            yield from ("--ro-bind", folder, folder)
