"""Which tool renders a source that no plugin renders: Argo CD's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from fleet.model.applications import Source

Tool: TypeAlias = Literal["Directory", "Kustomize", "Helm"]
CHART_FILE = "Chart.yaml"
KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def detect(source: Source, exists: Callable[[str], bool]) -> Tool:
    """An explicit block, else Chart.yaml, else a kustomization file, else a plain directory.

    Args:
        exists: whether a file of that name is in the source's directory.
    """
    if source.helm is not None or source.chart:
        return "Helm"
    if source.kustomize is not None:
        return "Kustomize"
    if source.directory is not None:
        return "Directory"
    if exists(CHART_FILE):
        return "Helm"
    if any(exists(name) for name in KUSTOMIZATION_FILES):
        return "Kustomize"
    return "Directory"
