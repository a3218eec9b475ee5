"""Kustomize, through ``kubectl kustomize`` without any of its switches.

First every kustomization that the build will visit is walked: that gives what is read, refuses
what is remote or missing in plain words, and keeps kustomize from going anywhere. When the
source asks for changes, the build runs on a copy of the directory with an edited kustomization.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleet.errors import Place, RenderError, SpecInvalid
from fleet.model.applications import KustomizeSource
from fleet.render.boundary import TreeFiles
from fleet.render.detection import CHART_FILE, KUSTOMIZATION_FILES
from fleet.render.job import Job
from fleet.render.kustomization import PLUGINS, Reference, edited, references, relocated
from fleet.render.manifests import read_manifests
from fleet.render.running import MAX_OUTPUT_BYTES, complaint, run
from fleet.render.yaml import dump, load_one

_MAX_KUSTOMIZATIONS = 500
_MAX_FILE_BYTES = 1 << 20
_MAX_COPIED_BYTES = 64 << 20
_CHANGES_NOTHING = {"version", "kube_version", "api_versions"}


def render(job: Job) -> None:
    """Fill ``job.manifests`` with what the kustomization in the source's directory builds.

    Raises:
        RenderError: no or two kustomization files, something remote, missing, outside, or a
            build that fails.
        SpecInvalid: a kustomization file that is not YAML.
    """
    app = job.request.source.path
    options = job.request.source.kustomize or KustomizeSource()
    for _, reference, place in _walk(job.tree, app):
        if reference.looks_remote:
            raise _remote(reference, place)
    if options.components:
        _walk_components(job, options)
    real = job.tree.real(app)
    folder = Path(job.tree.path(real))
    if _has_changes(options):
        folder = _edited_copy(job, real, options)
    if options.api_versions or options.kube_version:
        job.warn("kustomize.kubeVersion and apiVersions have no effect without Helm charts")
    job.manifests.extend(_build(job, folder))


def remote_bases(tree: TreeFiles, folder: str) -> tuple[str, ...]:
    """What the kustomizations from ``folder`` on name that is not in the tree, in order."""
    found = [r.entry for _, r, _ in _walk(tree, folder) if r.looks_remote]
    return tuple(dict.fromkeys(found))


def _build(job: Job, folder: Path) -> list[dict[str, Any]]:
    home = job.scratch / "home"
    home.mkdir(exist_ok=True)
    ran = run(
        [job.programs.kubectl, "kustomize", "--load-restrictor=LoadRestrictionsRootOnly", "."],
        cwd=folder,
        environment={"HOME": str(home), "TMPDIR": str(home), "KUBECONFIG": os.devnull},
    )
    if ran.code:
        raise RenderError(
            job.scrub(f"kustomize: {complaint(ran)}"), object=job.request.source.path or "."
        )
    for line in ran.stderr.splitlines():
        if line.startswith("# Warning"):
            job.warn(f"kustomize: {line.removeprefix('# Warning: ')}")
    return read_manifests(ran.stdout, "kustomize's output", max_bytes=MAX_OUTPUT_BYTES)


def _walk(tree: TreeFiles, start: str) -> Iterator[tuple[str, Reference, Place]]:
    """Every reference of every kustomization from ``start`` on; directories are followed."""
    waiting, seen = [start], set()
    while waiting:
        folder = waiting.pop()
        real = tree.real(folder)
        if real in seen:
            continue
        seen.add(real)
        if len(seen) > _MAX_KUSTOMIZATIONS:
            raise RenderError(f"{start}: more than {_MAX_KUSTOMIZATIONS} kustomizations")
        file, document = load_kustomization(tree, folder)
        if any(document.get(key) for key in PLUGINS):
            tree.note_folder(real)
        for reference in references(document):
            place = Place(file, field=reference.field)
            path = f"{real}/{reference.entry}" if real else reference.entry
            if reference.looks_remote and not _exists(tree, path):
                yield folder, reference, place
            elif _note(tree, path, reference, place):
                waiting.append(path)
            else:
                yield folder, reference, place


def _exists(tree: TreeFiles, path: str) -> bool:
    return "://" not in path and Path(tree.path(tree.real(path))).exists()


def _note(tree: TreeFiles, path: str, reference: Reference, place: Place) -> bool:
    """Remember what the reference reads; True when it is a directory to follow."""
    if reference.entry.startswith("/"):
        raise RenderError(f"{place}: {reference.entry} is absolute")
    real = tree.real(path)
    local = Path(tree.path(real))
    if local.is_dir() and reference.may_be_folder:
        return True  # what is read of it, the walk notes there
    tree.note(path)
    if reference.must_exist and not local.exists():
        raise RenderError(
            f"{place}: {reference.entry} does not exist",
            hint="The path is relative to the kustomization that names it.",
            object=place.file,
        )
    return False


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


def _remote(reference: Reference, place: Place) -> RenderError:
    return RenderError(
        f"{place}: {reference.entry[:200]} is not in the repository, and a render reads"
        " nothing from the network",
        hint="Copy it into the repository, for example with `kustomize localize`.",
        object=place.file,
    )


def _walk_components(job: Job, options: KustomizeSource) -> None:
    for entry in options.components:
        path = job.in_app(entry)
        if Reference("components", entry).looks_remote:
            raise _remote(Reference("components", entry), Place(field="kustomize.components"))
        if not job.tree.is_folder(path):
            job.tree.note(path)
            if not options.ignore_missing_components:
                raise RenderError(f"kustomize.components: {entry} does not exist")
            continue
        for _, reference, place in _walk(job.tree, path):
            if reference.looks_remote:
                raise _remote(reference, place)


def _has_changes(options: KustomizeSource) -> bool:
    blank = KustomizeSource()
    return any(
        getattr(options, name) != getattr(blank, name)
        for name in KustomizeSource.__slots__
        if name not in _CHANGES_NOTHING
    )


def _edited_copy(job: Job, real: str, options: KustomizeSource) -> Path:
    """A copy of the directory's files with an edited kustomization.

    Directories that it refers to stay where they are, and are named from the copy.
    """
    copy = job.scratch / "overlay"
    copy.mkdir()
    _copy_files(job, real, copy)
    file, document = load_kustomization(job.tree, real)

    def move(entry: str) -> str | None:
        path = f"{real}/{entry}" if real else entry
        if not job.tree.is_folder(path):
            return None
        return os.path.relpath(job.tree.path(job.tree.real(path)), copy)

    for path in _patch_files(options):
        job.tree.note(job.in_app(path))
    changed = edited(
        document,
        options,
        expand=job.variables.expand,
        component_exists=lambda entry: job.tree.is_folder(job.in_app(entry)),
    )
    target = copy / posixpath.basename(file)
    target.unlink()
    target.write_text(dump(relocated(changed, move)), encoding="utf-8")
    return copy


def _patch_files(options: KustomizeSource) -> Iterator[str]:
    for patch in options.patches:
        if isinstance(patch.get("path"), str):
            yield patch["path"]


def _copy_files(job: Job, real: str, copy: Path) -> None:
    """Copy what a kustomization in ``real`` may read as a file: what it names, and every file
    from there on down to directories that are kustomizations or charts of their own."""
    noted = set(job.tree.reads)
    _, document = load_kustomization(job.tree, real)
    named = [f"{real}/{r.entry}" if real else r.entry for r in references(document)]
    budget = _MAX_COPIED_BYTES
    for file in [*job.tree.walk(real, enter=lambda path: _is_plain(job.tree, path)), *named]:
        source = Path(job.tree.path(job.tree.real(file)))
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
    job.tree.reads.clear()
    job.tree.reads.update(noted)


def _is_plain(tree: TreeFiles, folder: str) -> bool:
    return not any(tree.is_file(f"{folder}/{n}") for n in (*KUSTOMIZATION_FILES, CHART_FILE))
