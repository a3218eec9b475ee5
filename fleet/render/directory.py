"""Plain manifests and jsonnet in a directory (Argo CD's directory source)."""

from __future__ import annotations

import json
import re
from typing import Any

from fleet.errors import Place, RenderError, SpecInvalid
from fleet.model.applications import DirectorySource
from fleet.render.decrypting import decrypted
from fleet.render.globs import matches
from fleet.render.job import MAX_INPUT_BYTES, Job
from fleet.render.jsonnet import evaluate
from fleet.render.manifests import check_count, flatten, read_manifests

_EXTENSIONS = (".yaml", ".yml", ".json", ".jsonnet")
_SKIP = re.compile(rb"^\s*#\s*\+argocd:skip-file-rendering", re.MULTILINE)


def render(job: Job) -> None:
    """Fill ``job.manifests`` with every object in the directory, file by file, by name.

    Raises:
        RenderError: no such directory, too much in it, or jsonnet that fails.
        SpecInvalid: a file that is not YAML or holds no objects; names file and line.
    """
    options = job.request.source.directory or DirectorySource()
    budget = MAX_INPUT_BYTES
    for file in job.tree.walk(job.request.source.path, enter=lambda _: options.recurse):
        if not _is_wanted(file, job.request.source.path, options):
            continue
        content = job.tree.read(file, MAX_INPUT_BYTES)
        budget -= len(content)
        if budget < 0:
            raise RenderError(
                f"{file}: the manifests of this directory have more than"
                f" {MAX_INPUT_BYTES >> 20} MiB together",
                hint="Split the directory into several applications.",
            )
        if not _SKIP.search(content):
            content = decrypted(job, file, content)
            job.manifests.extend(_objects(job, file, content, options))
            check_count(job.manifests)


def _is_wanted(file: str, folder: str, options: DirectorySource) -> bool:
    relative = file.removeprefix(folder).lstrip("/") if folder else file
    if not (options.disable_extension_filter or file.endswith(_EXTENSIONS)):
        return False
    if options.exclude and matches(options.exclude, relative):
        return False
    return not options.include or matches(options.include, relative)


def _objects(job: Job, file: str, content: bytes, options: DirectorySource) -> list[Any]:
    if file.endswith(".jsonnet"):
        value = evaluate(job, file, options)
        values = value if isinstance(value, list) else [value]
        return [found for one in values for found in flatten(one, Place(file))]
    if file.endswith(".json"):
        _check_json(file, content)
    return read_manifests(content, file, max_bytes=MAX_INPUT_BYTES)


def _check_json(file: str, content: bytes) -> None:
    """JSON is read by the YAML loader, which has the guards; YAML in a .json file is not."""
    if not content.lstrip().startswith((b"{", b"[")):
        try:
            json.loads(content)
        except ValueError as exc:
            line = getattr(exc, "lineno", 0)
            raise SpecInvalid("not JSON", place=Place(file, line)) from None
