from __future__ import annotations

import pytest

from fleet.model.applications import DirectorySource, HelmSource, KustomizeSource, Source
from fleet.render.detection import detect

TABLE = [
    (Source("u"), set(), "Directory"),
    (Source("u"), {"Chart.yaml"}, "Helm"),
    (Source("u"), {"Chart.yaml", "kustomization.yaml"}, "Helm"),
    (Source("u"), {"kustomization.yaml"}, "Kustomize"),
    (Source("u"), {"kustomization.yml"}, "Kustomize"),
    (Source("u"), {"Kustomization"}, "Kustomize"),
    (Source("u", chart="c"), set(), "Helm"),
    (Source("u", helm=HelmSource()), {"kustomization.yaml"}, "Helm"),
    (Source("u", kustomize=KustomizeSource()), {"Chart.yaml"}, "Kustomize"),
    (Source("u", directory=DirectorySource()), {"Chart.yaml", "Kustomization"}, "Directory"),
]


@pytest.mark.parametrize(("source", "files", "tool"), TABLE)
def test_order(source: Source, files: set[str], tool: str) -> None:
    assert detect(source, files.__contains__) == tool
