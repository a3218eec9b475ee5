"""The child: reads jobs from stdin, answers on stdout, one at a time, inside the sandbox.

A frame is its length in decimal, a line feed, and that many bytes of JSON. The first frame is
the set-up, every later one a job. Answers come in the order of the jobs, each at once, so that
the parent knows which job was in hand when a child died.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import resource
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from fleet.errors import FleetError, RenderError, ToolMissing
from fleet.model.decryption import DecryptionKey
from fleet.model.renders import Reads, RenderRequest
from fleet.model.secret import Secret
from fleet.render import directory, helm, kustomize, plugins
from fleet.render.boundary import TreeFiles
from fleet.render.detection import detect
from fleet.render.job import Job, NotAlone, Programs
from fleet.render.overrides import apply_overrides
from fleet.render.post_render import post_render
from fleet.render.variables import Variables
from fleet.render.wire import error_from_json, error_to_json, from_json, to_json

MAX_FRAME_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class SetUp:
    """What holds for every job of a child; sizes in bytes, times in seconds.

    Attributes:
        alone: whether the child serves one job only.
        shown: path in the child → what messages call it ("" for the tree itself).
    """

    programs: Programs
    scratch: str
    shown: tuple[tuple[str, str], ...]
    cpu_seconds: int
    memory_bytes: int
    file_bytes: int
    open_files: int
    alone: bool = False


def main() -> None:
    """Answer until stdin ends. Whatever else is printed goes to stderr."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    first = read_frame(stdin)
    if first is None:
        return
    set_up = from_json(SetUp, json.loads(first))
    _limit(set_up)
    while (frame := read_frame(stdin)) is not None:
        _allow_more_time(set_up.cpu_seconds)
        stdout.write(frame_of(_answer(json.loads(frame), set_up)))
        stdout.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; None at the end."""
    size = stream.readline(32)
    return stream.read(int(size)) if size else None


def frame_of(body: bytes) -> bytes:
    return b"%d\n%b" % (len(body), body)


def _limit(set_up: SetUp) -> None:
    for what, value in (
        (resource.RLIMIT_AS, set_up.memory_bytes),
        (resource.RLIMIT_FSIZE, set_up.file_bytes),
        (resource.RLIMIT_NOFILE, set_up.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (allowed, allowed))


def _allow_more_time(cpu_seconds: int) -> None:
    """Each job gets processor time of its own; programs that it starts inherit the limit."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _answer(message: dict[str, Any], set_up: SetUp) -> bytes:
    scratch = Path(set_up.scratch) / f"job-{message['number']}"
    try:
        scratch.mkdir()
        answer = {"ok": _discreet(_job(message, scratch, set_up))}
        body = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        if len(body) > MAX_FRAME_BYTES:
            raise RenderError(
                f"the manifests are larger than {MAX_FRAME_BYTES >> 20} MiB",
                hint="Split the source into several applications.",
            )
    except FleetError as exc:
        return _error(exc)
    except NotAlone:
        return json.dumps({"alone": True}).encode()
    except MemoryError:
        return _error(RenderError("the render needs more memory than it may have"))
    except (RecursionError, UnicodeError, OSError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else type(exc).__name__
        return _error(RenderError(f"the source cannot be read: {reason}"))
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(scratch)
    return body


def _error(error: FleetError) -> bytes:
    return json.dumps({"error": error_to_json(error)}, ensure_ascii=True).encode()


def _discreet(job: Job) -> dict[str, Any]:
    """Render; what goes wrong is told without what was decrypted."""
    try:
        return _render(job)
    except FleetError as exc:
        if not job.hidden:
            raise
        told = {
            key: job.without_hidden(value) if isinstance(value, str) else value
            for key, value in error_to_json(exc).items()
        }
        raise error_from_json(told) from None


def _job(message: dict[str, Any], scratch: Path, set_up: SetUp) -> Job:
    request = from_json(RenderRequest, message["request"])
    if (keys := message["keys"]) is not None:
        handed = tuple(DecryptionKey(id, kind, Secret(text)) for id, kind, text in keys)
        request = replace(request, keys=handed)
    if texts := message["values"]:
        given = zip(request.values, texts, strict=True)
        values = (
            replace(value, text=None if text is None else Secret(text)) for value, text in given
        )
        request = replace(request, values=tuple(values))
    path = posixpath.normpath(request.source.path or ".")
    source = replace(request.source, path="" if path == "." else path)
    request = replace(request, source=source)
    shown = {str(scratch): "", **dict(set_up.shown)}
    return Job(
        request=request,
        programs=set_up.programs,
        scratch=scratch,
        tree=TreeFiles(request.tree.root),
        refs={name.removeprefix("$"): TreeFiles(tree.root) for name, tree in request.refs},
        variables=Variables(request),
        shown=shown,
        alone=set_up.alone,
    )


def _render(job: Job) -> dict[str, Any]:
    job.tree.real(job.request.source.path)  # outside is told before absent
    apply_overrides(job)
    source = job.request.source

    def exists(name: str) -> bool:
        path = f"{source.path}/{name}" if source.path else name
        job.tree.note(path)
        return job.tree.is_file(path)

    plugin = plugins.chosen(job)
    tool = "Plugin" if plugin else detect(source, exists)
    if job.request.announces:
        job.manifests.extend(plugins.announced(job, plugin))
    elif plugin:
        plugins.render(job, plugin)
    elif tool == "Helm":
        _require(job.programs.helm, "helm")
        helm.render(job)
        if source.kustomize is not None:
            _require(job.programs.kubectl, "kubectl")
            post_render(job, source.kustomize)
    elif tool == "Kustomize":
        _require(job.programs.kubectl, "kubectl")
        kustomize.render(job)
    else:
        directory.render(job)
    return {  # a RenderResult, without asdict's copy of every manifest
        "manifests": job.manifests,
        "tool": tool,
        "reads": to_json(_reads(job)),
        "warnings": list(dict.fromkeys(job.warnings)),
    }


def _require(program: str, name: str) -> None:
    if not program:
        raise ToolMissing(f"{name} was not found", object=name)


def _reads(job: Job) -> Reads:
    facts = job.facts | job.variables.used
    if job.keys_used:
        facts.add("project")  # another one may lack the key
    return Reads(
        paths=job.tree.compact_reads(),
        ref_paths=tuple(
            (name, path) for name, tree in job.refs.items() for path in tree.compact_reads()
        ),
        keys=tuple(sorted(job.keys_used)),
        **{fact: True for fact in facts if fact},
    )
