"""Charts as directories: what they depend on, and which of it is there.

Helm renders only what lies under ``charts/``. Dependencies that are missing there are named
here, fetched by ``source``, and handed in; ``file://`` ones are taken from the same tree.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fleet.errors import Place, RenderError, SpecInvalid
from fleet.render.boundary import TreeFiles
from fleet.render.detection import CHART_FILE
from fleet.render.yaml import load_one

_MAX_FILE_BYTES = 1 << 20
_LOCAL = "file://"


@dataclass(frozen=True, slots=True)
class Dependency:
    """A chart that another one needs: ``version`` is exact when a lock file says so, else the
    range of Chart.yaml; ``repository`` is a URL, ``file://`` path or ``@alias``."""

    name: str
    version: str
    repository: str

    @property
    def local_path(self) -> str | None:
        """The path below the chart's own directory, for a dependency in the same tree."""
        found = self.repository.startswith(_LOCAL)
        return self.repository.removeprefix(_LOCAL) if found else None


def missing_dependencies(tree: TreeFiles, folder: str) -> tuple[Dependency, ...]:
    """What the chart in ``folder`` names and does not carry under ``charts/``.

    Raises:
        RenderError: no chart there.
        SpecInvalid: Chart.yaml or the lock file is not what it should be.
    """
    chart = _load(tree, f"{folder}/{CHART_FILE}" if folder else CHART_FILE)
    if chart is None:
        raise RenderError(f"{folder or '.'}: there is no {CHART_FILE}", object=folder)
    is_old = chart.get("apiVersion") == "v1"
    declared = chart if not is_old else _load(tree, f"{folder}/requirements.yaml") or {}
    wanted = list(_dependencies(declared))
    if not wanted:
        return ()
    lock = _load(tree, f"{folder}/{'requirements.lock' if is_old else 'Chart.lock'}") or {}
    locked = {entry.name: entry.version for entry in _dependencies(lock)}
    there = _vendored(tree, folder)
    return tuple(
        Dependency(d.name, locked.get(d.name, d.version), d.repository)
        for d in wanted
        if d.name not in there
    )


def _load(tree: TreeFiles, file: str) -> dict[str, Any] | None:
    file = file.lstrip("/")
    if not tree.is_file(file):
        tree.note(file)
        return None
    document = load_one(tree.read(file, _MAX_FILE_BYTES), file=file)
    if not isinstance(document, dict):
        raise SpecInvalid("the file is no mapping", place=Place(file, 1))
    return document


def _dependencies(document: dict[str, Any]) -> Iterator[Dependency]:
    entries = document.get("dependencies")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield Dependency(
                entry["name"], str(entry.get("version") or ""), str(entry.get("repository") or "")
            )


def _vendored(tree: TreeFiles, folder: str) -> set[str]:
    """Names of the charts under ``charts/``: directories, and archives by what is in them."""
    charts = posixpath.join(folder, "charts")
    real = tree.note_folder(charts)
    if not tree.is_folder(real):
        return set()
    found = set()
    for name in tree.names(real):
        path = f"{real}/{name}"
        if tree.is_file(f"{path}/{CHART_FILE}"):
            chart = _load(tree, f"{path}/{CHART_FILE}") or {}
            found.add(str(chart.get("name") or name))
        elif name.endswith((".tgz", ".tar.gz")):
            found.add(_archived(tree.path(tree.real(path))) or name)
    return found


def _archived(path: str) -> str:
    """The top directory of a packed chart, which is its name; empty if it is no archive."""
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            first = archive.next()
    except (OSError, tarfile.TarError, EOFError):
        return ""
    return first.name.lstrip("./").partition("/")[0] if first else ""
