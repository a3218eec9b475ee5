"""Kustomizations copied to where they can be changed, and remote bases put beside them.

A copy has the layout of its tree, so that paths between kustomizations stay what they are. What
was fetched is copied in next to it, and the entries that named it name the copy.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fleet.errors import Place, RenderError, SpecInvalid
from fleet.render.boundary import TreeFiles
from fleet.render.decrypting import decrypt_in_place
from fleet.render.detection import CHART_FILE, KUSTOMIZATION_FILES
from fleet.render.job import Job
from fleet.render.kustomization import references, relocated
from fleet.render.yaml import dump, load_one

_MAX_FILE_BYTES = 1 << 20
_MAX_COPIED_BYTES = 64 << 20
#: Where fetched bases go in a copied tree; no kustomization of the tree itself is there.
_BASES = ".fleet-bases"


def localized(job: Job, folders: Iterable[str]) -> TreeFiles:
    """A copy, below ``job.scratch``, of all kustomizations that a build of ``folders`` visits,
    fetched bases included, in which every entry is a local path.

    Raises:
        RenderError: more files than a render may copy, or a link that leads out.
    """
    copying = _Copying(job)
    for folder in folders:
        copying.add(_Spot(job.tree, "", job.tree.real(folder)))
    return copying.run()


@dataclass(frozen=True, slots=True)
class _Spot:
    """A kustomization's directory: its tree, where that goes in the copy, and its real path."""

    tree: TreeFiles
    prefix: str
    real: str


class _Copying:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._root = job.scratch / "tree"
        self._given = {base.entry: base for base in job.request.bases}
        self._numbers = {base.root: number for number, base in enumerate(job.request.bases)}
        self._waiting: list[_Spot] = []
        self._seen: set[Path] = set()

    def add(self, spot: _Spot) -> Path:
        """Have a directory copied; returns where it will be."""
        target = self._root / spot.prefix / spot.real
        if target not in self._seen:
            self._seen.add(target)
            self._waiting.append(spot)
        return target

    def run(self) -> TreeFiles:
        while self._waiting:
            spot = self._waiting.pop()
            target = self._root / spot.prefix / spot.real
            copy_files(spot.tree, spot.real, target)
            file, document = load_kustomization(spot.tree, spot.real)
            self._decrypt(spot, target, document)
            changed = relocated(document, partial(self._moved, spot, target))
            write_kustomization(target / posixpath.basename(file), changed)
        return TreeFiles(str(self._root))

    def _decrypt(self, spot: _Spot, target: Path, document: dict[str, Any]) -> None:
        """Have what the kustomization names in the clear, in the copy."""
        for entry in dict.fromkeys(reference.entry for reference in references(document)):
            copied = Path(os.path.normpath(target / entry))
            if copied.is_relative_to(self._root) and copied.is_file():
                decrypt_in_place(self._job, os.path.normpath(f"{spot.real}/{entry}"), copied)

    def _moved(self, spot: _Spot, target: Path, entry: str) -> str | None:
        """What an entry of the kustomization at ``spot`` is called in its copy."""
        base = self._given.get(entry)
        if base is None:
            path = f"{spot.real}/{entry}" if spot.real else entry
            if "://" in entry or not spot.tree.is_folder(path):
                return None
            there = replace(spot, real=spot.tree.real(path))
            return os.path.relpath(self.add(there), target)
        number, tree = self._numbers[base.root], TreeFiles(base.root)
        if not tree.is_file(base.path):
            there = _Spot(tree, f"{_BASES}/{number}", tree.real(base.path))
            return os.path.relpath(self.add(there), target)
        name = f"{_BASES}-{number}.yaml"  # a file has to be below the kustomization
        shutil.copyfile(tree.path(tree.real(base.path)), target / name)
        decrypt_in_place(self._job, entry, target / name)
        return name


def write_kustomization(file: Path, document: dict[str, Any]) -> None:
    """Replace a copied kustomization."""
    file.unlink()
    file.write_text(dump(document), encoding="utf-8")


def load_kustomization(tree: TreeFiles, folder: str) -> tuple[str, dict[str, Any]]:
    """``(file, document)`` of the kustomization in a directory.

    Raises:
        RenderError: there is none, or more than one.
        SpecInvalid: it is not a YAML mapping.
    """
    candidates = [f"{folder}/{name}" if folder else name for name in KUSTOMIZATION_FILES]
    there = [path for path in candidates if tree.is_file(path)]
    for path in candidates:
        tree.note(path)
    if len(there) != 1:
        names = ", ".join(posixpath.basename(path) for path in there or candidates)
        raise RenderError(
            f"{folder or '.'}: there is more than one of {names}"
            if there
            else f"{folder or '.'}: there is none of {names}",
            object=folder,
        )
    document = load_one(tree.read(there[0], _MAX_FILE_BYTES), file=there[0])
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise SpecInvalid("the kustomization is no mapping", place=Place(there[0], 1))
    return there[0], document


def copy_files(tree: TreeFiles, real: str, copy: Path) -> None:
    """Copy what a kustomization in ``real`` may read as a file: what it names, and every file
    from there on down to directories that are kustomizations or charts of their own."""
    noted = set(tree.reads)
    _, document = load_kustomization(tree, real)
    named = [f"{real}/{r.entry}" if real else r.entry for r in references(document)]
    budget = _MAX_COPIED_BYTES
    for file in [*tree.walk(real, enter=lambda path: _is_plain(tree, path)), *named]:
        source = Path(tree.path(tree.real(file)))
        relative = posixpath.relpath(file, real or ".")
        target = copy / relative
        if not source.is_file() or relative.startswith("../"):
            continue
        budget -= source.stat().st_size
        if budget < 0:
            raise RenderError(f"{real or '.'}: more than {_MAX_COPIED_BYTES >> 20} MiB of files")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    # Copied is not read: what the build reads was noted by the walk.
    tree.reads.clear()
    tree.reads.update(noted)


def _is_plain(tree: TreeFiles, folder: str) -> bool:
    return not any(tree.is_file(f"{folder}/{n}") for n in (*KUSTOMIZATION_FILES, CHART_FILE))
