"""Running git: through GitPython, in an environment that holds nothing of ours.

GitPython starts the process (never a shell) and its guards against transport helpers and
dangerous options look at every argument that came from outside. What it does not do is done
here: the environment is emptied first, so that no ``GIT_*``, proxy, key or home directory of
this process reaches git; all configuration goes through ``GIT_CONFIG_*`` variables, where
``ps`` does not show it; and git and what it starts form one process group that is killed as
a whole at the deadline, when too much comes out, or when the caller gives up.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from fleet.errors import SourceError, SourceUnreachable, SpecInvalid

# git may wait for a remote for minutes; the event loop's own threads must not wait with it.
_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="git")
_STDERR_BYTES = 64 * 1024
_CHUNK = 256 * 1024

# safe.bareRepository came with 2.38, http.curloptResolve with 2.37.
OLDEST_GIT = (2, 38)

HARDENED: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.alternateRefsCommand": "",
    "core.gitProxy": "",
    "core.askPass": "",
    "protocol.allow": "never",
    "protocol.version": "2",
    "transfer.fsckObjects": "true",
    "fetch.fsckObjects": "true",
    "transfer.bundleURI": "false",
    "fetch.unpackLimit": "1",  # one pack a fetch: nothing half unpacked is left behind
    "fetch.showForcedUpdates": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "gc.autoDetach": "false",
    "maintenance.auto": "false",
    "credential.helper": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "http.proxy": "",
    "safe.bareRepository": "explicit",
    "uploadpack.packObjectsHook": "",
    "advice.detachedHead": "false",
}
ENVIRONMENT: Mapping[str, str] = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of git.

    Attributes:
        arguments: the subcommand and its options, ours.
        operands: what came from outside (URLs, refs, paths); put after ``--``.
        git_dir: the bare repository, ``/dev/null`` for none.
        environment, config: added to the hardened ones; may hold secrets.
        output_bytes: more output than this is an error.
        file_bytes: no file that git writes grows longer; None means no limit.
    """

    arguments: tuple[str, ...]
    operands: tuple[str, ...] = ()
    git_dir: str = "/dev/null"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: bytes = b""
    deadline_seconds: float = 120.0
    output_bytes: int = 256 * 1024 * 1024
    file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code`` is git's; ``stderr`` may quote what the remote said."""

    code: int
    stdout: bytes
    stderr: str


async def run(invocation: Invocation, sink: Callable[[bytes], None] | None = None) -> Outcome:
    """Run git and wait for it, in a thread.

    Args:
        sink: gets the output as it comes, in that thread; ``stdout`` is then empty. What it
            raises ends the run.

    Raises:
        SourceUnreachable: the deadline passed; the whole process group is gone by then.
        SourceError: git is missing, or too much came out.
        SpecInvalid: an operand that GitPython's guards refuse.
    """
    child = _Child(invocation, sink)
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(_THREADS, child.run)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        child.kill()
        with contextlib.suppress(Exception):
            await future
        raise


def environment_of(invocation: Invocation) -> dict[str, str]:
    """The complete environment of the child, configuration included."""
    config = {**HARDENED, **invocation.config}
    environment = {**ENVIRONMENT, "GIT_DIR": invocation.git_dir, **invocation.environment}
    environment["GIT_CONFIG_COUNT"] = str(len(config))
    for number, (key, value) in enumerate(config.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def guard(operands: Sequence[str]) -> None:
    """GitPython's own refusal of transport helpers and of options, on what came from outside.

    Raises:
        SpecInvalid: one of them could be more than an operand.
    """
    git = _git_class()
    from git.exc import UnsafeProtocolError

    for operand in operands:
        if operand.startswith("-") or "\0" in operand:
            raise SpecInvalid(f"{operand[:80]!r}: git could take it for an option")
        try:
            git.check_unsafe_protocols(operand)
        except UnsafeProtocolError as error:
            raise SpecInvalid(f"{operand[:80]!r}: not an acceptable transport") from error


@functools.cache
def _git_class() -> Any:
    """GitPython's ``Git``; imported late because the import runs git.

    Raises:
        SourceError: no git, or one that would quietly ignore some of ``HARDENED``.
    """
    hint = f"Install git {'.'.join(map(str, OLDEST_GIT))} or newer."
    try:
        from git import Git
    except ImportError as error:
        raise SourceError("git is missing", hint=hint) from error
    found = Git().version_info
    if found < OLDEST_GIT:
        raise SourceError(f"git {'.'.join(map(str, found))} is too old", hint=hint)
    return Git


class _Child:
    """One git process with its readers, its deadline and its end."""

    def __init__(self, invocation: Invocation, sink: Callable[[bytes], None] | None) -> None:
        self._invocation = invocation
        self._sink = sink
        self._stdout: list[bytes] = []
        self._stderr = bytearray()
        self._process: Any = None
        self._killed = False
        self._late = False

    def run(self) -> Outcome:
        invocation = self._invocation
        guard(invocation.operands)
        self._process = process = self._start()
        watchdog = threading.Timer(invocation.deadline_seconds, self._expire)
        threads = [
            threading.Thread(target=self._feed, args=(process.stdin,)),
            threading.Thread(target=self._listen, args=(process.stderr,)),
        ]
        for thread in (watchdog, *threads):
            thread.daemon = True
            thread.start()
        try:
            self._collect(process.stdout)
        except BaseException:
            self.kill()
            raise
        finally:
            # Helpers may outlive git; the group may not. It is killed while git is still
            # unreaped, because its number may belong to someone else afterwards.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.kill()
            self._process = None
            code = process.proc.wait()
            watchdog.cancel()
            for thread in threads:
                thread.join()
            process.stdout.close()
            process.stderr.close()
        if self._late:
            raise SourceUnreachable(
                f"git {invocation.arguments[0]}: stopped after {invocation.deadline_seconds:g} s"
            )
        return Outcome(code, b"".join(self._stdout), self._stderr.decode(errors="replace"))

    def kill(self) -> None:
        """End git and everything it started. Safe to call at any time, from any thread."""
        self._killed = True
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def _start(self) -> Any:
        invocation = self._invocation
        environment = environment_of(invocation)
        # GitPython adds to this process's environment; ``env -u`` takes that away again. Only
        # names are in its argv.
        unset = [part for name in os.environ if name not in environment for part in ("-u", name)]
        operands = ("--", *invocation.operands) if invocation.operands else ()
        process = _git_class()().execute(
            ["env", *unset, "git", *invocation.arguments, *operands],
            env=environment,
            istream=subprocess.PIPE,
            as_process=True,
            start_new_session=True,
        )
        if invocation.file_bytes is not None and hasattr(resource, "prlimit"):
            limit = (invocation.file_bytes, invocation.file_bytes)
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limit)
        if self._killed:
            self.kill()
        return process

    def _expire(self) -> None:
        self._late = True
        self.kill()

    def _feed(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.write(self._invocation.stdin)
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.close()

    def _listen(self, stream: IO[bytes]) -> None:
        while chunk := stream.read(_CHUNK):
            room = _STDERR_BYTES - len(self._stderr)
            self._stderr += chunk[: max(room, 0)]

    def _collect(self, stream: IO[bytes]) -> None:
        total = 0
        while chunk := os.read(stream.fileno(), _CHUNK):
            total += len(chunk)
            if total > self._invocation.output_bytes:
                raise SourceError(
                    f"git {self._invocation.arguments[0]}: more than "
                    f"{self._invocation.output_bytes} bytes came out"
                )
            if self._sink:
                self._sink(chunk)
            else:
                self._stdout.append(chunk)
