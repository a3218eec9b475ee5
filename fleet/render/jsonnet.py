"""Jsonnet, with imports confined to the tree.

The evaluator has no file access of its own: every import, of a file as of top-level arguments
and external variables, comes through the callback here. A program that never ends is ended by
the limits of the child.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from typing import Any

from fleet.errors import FleetError, RenderError
from fleet.model.applications import DirectorySource, JsonnetVar
from fleet.render.job import MAX_INPUT_BYTES, Job

_MAX_STACK = 500
_MAX_IMPORTS = 1_000


def evaluate(job: Job, file: str, options: DirectorySource) -> Any:
    """The JSON value of the jsonnet program in ``file``.

    Raises:
        RenderError: it does not evaluate, or imports what it may not.
    """
    import rjsonnet

    importer = _Importer(job, file, options.libs)
    texts, codes = _variables(job, options.ext_vars)
    top_texts, top_codes = _variables(job, options.tlas)
    try:
        result = rjsonnet.evaluate_file(
            file,
            max_stack=_MAX_STACK,
            ext_vars=texts,
            ext_codes=codes,
            tla_vars=top_texts,
            tla_codes=top_codes,
            import_callback=importer,
        )
    except RuntimeError as exc:
        if importer.failure:
            raise importer.failure from None
        said = job.scrub(str(exc)).replace(_MARK, "")
        raise RenderError(f"{file}: jsonnet: {said[:2000].strip()}", object=file) from None
    return json.loads(result)


_MARK = "\x01"  # begins the directory of everything the importer returned


class _Importer:
    """Called with ``(directory of the importing file, what it imports)``.

    What it returns is named by its real path in the tree behind a mark, so that a directory
    with the mark is one of ours, and any other means the program itself or an argument.
    """

    def __init__(self, job: Job, main: str, libs: Sequence[str]) -> None:
        self._job = job
        self._main = main
        folder = job.request.source.path
        # Argo CD: libraries are relative to the root of the repository, the last one first
        self._search = [*reversed(libs), folder]
        self._begun = False
        self._count = 0
        self.failure: FleetError | None = None

    def __call__(self, folder: str, wanted: str) -> tuple[str, str]:
        try:
            return self._find(folder, wanted)
        except FleetError as exc:
            self.failure = exc
            raise

    def _find(self, folder: str, wanted: str) -> tuple[str, str]:
        self._count += 1
        if self._count > _MAX_IMPORTS:
            raise RenderError(f"{self._main}: more than {_MAX_IMPORTS} imports")
        if not self._begun:
            self._begun = True
            if wanted == self._main:
                return self._content(self._main)
        ours = folder.startswith(_MARK)
        base = folder[1:].lstrip("/") if ours else posixpath.dirname(self._main)
        for place in [base, *self._search]:
            candidate = f"{place}/{wanted}" if place else wanted
            if wanted.startswith("/"):
                candidate = wanted
            if self._job.tree.is_file(candidate):
                return self._content(candidate)
            self._job.tree.note(candidate)
        raise RenderError(
            f"{self._main}: jsonnet: {wanted!r} is imported, but no such file is there",
            object=self._main,
        )

    def _content(self, relative: str) -> tuple[str, str]:
        content = self._job.tree.read(relative, MAX_INPUT_BYTES)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise RenderError(f"{relative}: jsonnet: the file is not UTF-8 text") from None
        return _MARK + "/" + self._job.tree.real(relative), text


def _variables(job: Job, variables: Sequence[JsonnetVar]) -> tuple[dict[str, str], dict[str, str]]:
    """``(texts, code)`` by name, build environment variables expanded."""
    texts: dict[str, str] = {}
    codes: dict[str, str] = {}
    for variable in variables:
        (codes if variable.code else texts)[variable.name] = job.variables.expand(variable.value)
    return texts, codes
