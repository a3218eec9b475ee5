"""Kustomize, through ``kubectl kustomize`` without any of its switches.

First every kustomization that the build will visit is walked: that gives what is read, names
what is remote and was not fetched, says in plain words what is missing, and keeps kustomize from
going anywhere. Where something was fetched, the build runs on a copy in which it is local; where
the source asks for changes, on a copy of its directory with an edited kustomization.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleet.errors import InputsMissing, Place, RenderError
from fleet.model.applications import KustomizeSource
from fleet.model.renders import FetchedBase
from fleet.render.boundary import TreeFiles
from fleet.render.decrypting import decrypt_in_place, is_encrypted
from fleet.render.job import Job
from fleet.render.kustomization import (
    PLUGINS,
    Reference,
    edited,
    references,
    relocated,
)
from fleet.render.localizing import (
    copy_files,
    load_kustomization,
    localized,
    write_kustomization,
)
from fleet.render.manifests import read_manifests
from fleet.render.running import MAX_OUTPUT_BYTES, complaint, run

_MAX_KUSTOMIZATIONS = 500
_CHANGES_NOTHING = {"version", "kube_version", "api_versions"}


def render(job: Job) -> None:
    """Fill ``job.manifests`` with what the kustomization in the source's directory builds.

    Raises:
        InputsMissing: remote bases that nobody fetched.
        RenderError: no or two kustomization files, something missing, outside, remote where
            nothing is fetched, or a build that fails.
        SpecInvalid: a kustomization file, or an encrypted one, that is not YAML.
    """
    app = job.request.source.path
    options = job.request.source.kustomize or KustomizeSource()
    _require_bases(job, _walk_all(job, app))
    if options.components:
        walk_components(job, options)
    for path in _patch_files(options):
        job.tree.note(job.in_app(path))
    real = job.tree.real(app)
    if job.request.bases or _has_encrypted_files(job):
        components = [job.in_app(entry) for entry in options.components]
        local = [path for path in components if job.tree.is_folder(path)]
        # what the copies are made of was noted by the walk
        job = replace(job, tree=localized(job, [app, *local]))
        for path in map(job.in_app, _patch_files(options)):
            if job.tree.is_file(path):
                decrypt_in_place(job, path, Path(job.tree.path(job.tree.real(path))))
    folder = Path(job.tree.path(real))
    if _has_changes(options):
        folder = _edited_copy(job, real, options)
    if options.api_versions or options.kube_version:
        job.warn("kustomize.kubeVersion and apiVersions have no effect without Helm charts")
    if options.version:
        job.warn("kustomize.version has no effect: the kustomize of kubectl renders")
    job.manifests.extend(build(job, folder))


def _has_encrypted_files(job: Job) -> bool:
    """Whether something that the build will read has to be decrypted in a copy."""
    paths = ((name, Path(job.tree.path(name))) for name in job.tree.reads)
    return any(path.is_file() and is_encrypted(name, path) for name, path in paths)


def _require_bases(job: Job, remote: Iterator[tuple[Reference, Place]]) -> None:
    """Every remote base has to be there, and only bases may be remote at all."""
    given = {base.entry for base in job.request.bases}
    absent: dict[str, Place] = {}
    for reference, place in remote:
        if not reference.may_be_folder:
            raise _remote(reference, place)
        if reference.entry not in given:
            absent.setdefault(reference.entry, place)
    if absent:
        entry, place = next(iter(absent.items()))
        raise InputsMissing(
            f"{place}: {entry[:200]} is not in the repository and was not fetched",
            bases=tuple(absent),
            object=place.file,
        )


def _walk_all(job: Job, folder: str) -> Iterator[tuple[Reference, Place]]:
    """Every remote reference from ``folder`` on, those of fetched bases included."""
    given = {base.entry: base for base in job.request.bases}
    waiting, seen = [(job.tree, folder)], set[FetchedBase]()
    while waiting:
        for reference, place in _walk(*waiting.pop()):
            if not reference.looks_remote:
                continue
            yield reference, place
            base = given.get(reference.entry)
            if base is None or base in seen:
                continue
            seen.add(base)
            tree = TreeFiles(base.root)
            if not tree.is_file(base.path):
                waiting.append((tree, base.path))


def build(job: Job, folder: Path) -> list[dict[str, Any]]:
    """What the kustomization in ``folder`` of this file system builds."""
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


def _walk(tree: TreeFiles, start: str) -> Iterator[tuple[Reference, Place]]:
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
                yield reference, place
            elif _note(tree, path, reference, place):
                waiting.append(path)
            else:
                yield reference, place


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


def _remote(reference: Reference, place: Place) -> RenderError:
    return RenderError(
        f"{place}: {reference.entry[:200]} is not in the repository, and a render reads"
        " nothing from the network",
        hint="Copy it into the repository, for example with `kustomize localize`.",
        object=place.file,
    )


def walk_components(job: Job, options: KustomizeSource) -> None:
    """Note all that the components read; raises as ``render``."""
    for entry in options.components:
        path = job.in_app(entry)
        if Reference("components", entry).looks_remote:
            raise _remote(Reference("components", entry), Place(field="kustomize.components"))
        if not job.tree.is_folder(path):
            job.tree.note(path)
            if not options.ignore_missing_components:
                raise RenderError(f"kustomize.components: {entry} does not exist")
            continue
        _require_bases(job, _walk_all(job, path))


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
    copy_files(job.tree, real, copy)
    file, document = load_kustomization(job.tree, real)

    def move(entry: str) -> str | None:
        path = f"{real}/{entry}" if real else entry
        if not job.tree.is_folder(path):
            return None
        return os.path.relpath(job.tree.path(job.tree.real(path)), copy)

    changed = edited(
        document,
        options,
        expand=job.variables.expand,
        component_exists=lambda entry: job.tree.is_folder(job.in_app(entry)),
    )
    write_kustomization(copy / posixpath.basename(file), relocated(changed, move))
    return copy


def _patch_files(options: KustomizeSource) -> Iterator[str]:
    for patch in options.patches:
        if isinstance(patch.get("path"), str):
            yield patch["path"]
