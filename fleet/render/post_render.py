"""Kustomize on what Helm printed: a source with both a ``helm`` and a ``kustomize`` block.

Argo CD refuses such a source, so none that works there means something else here. All that the
block can say is done to the chart's objects: patches, images, replicas, labels, names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fleet.errors import RenderError
from fleet.model.applications import KustomizeSource
from fleet.render.job import Job
from fleet.render.kustomization import edited, relocated
from fleet.render.kustomize import build, walk_components
from fleet.render.yaml import dump

_MAX_PATCH_BYTES = 10 << 20
_RENDERED = "rendered.yaml"


def post_render(job: Job, options: KustomizeSource) -> None:
    """Replace ``job.manifests`` by what kustomize makes of them.

    Raises:
        RenderError: a patch or component that is not there, or a build that fails.
    """
    if not job.manifests:
        return
    if options.components:
        walk_components(job, options)
    folder = job.scratch / "post"
    folder.mkdir()
    documents = (json.dumps(manifest, ensure_ascii=False) for manifest in job.manifests)
    (folder / _RENDERED).write_text("\n---\n".join(documents), encoding="utf-8")
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [_RENDERED],
    }
    changed = edited(
        document,
        options,
        expand=job.variables.expand,
        component_exists=lambda entry: job.tree.is_folder(job.in_app(entry)),
    )
    if options.patches:
        changed["patches"] = [_local(job, folder, patch) for patch in changed["patches"]]

    def move(entry: str) -> str | None:
        if entry == _RENDERED:
            return None
        return os.path.relpath(job.tree.path(job.tree.real(job.in_app(entry))), folder)

    file = folder / "kustomization.yaml"
    file.write_text(dump(relocated(changed, move)), encoding="utf-8")
    job.manifests[:] = build(job, folder)


def _local(job: Job, folder: Path, patch: dict[str, Any]) -> dict[str, Any]:
    """The patch with its file beside the kustomization, outside of which none is read."""
    path = patch.get("path")
    if not isinstance(path, str) or not path:
        return patch
    if not job.tree.is_file(job.in_app(path)):
        job.tree.note(job.in_app(path))
        raise RenderError(f"kustomize.patches: {path} does not exist", object=path)
    name = f"patch-{len(list(folder.iterdir()))}.yaml"
    (folder / name).write_bytes(job.tree.read(job.in_app(path), _MAX_PATCH_BYTES))
    return {**patch, "path": name}
