"""``.argocd-source.yaml`` and ``.argocd-source-<application>.yaml``: parameters of a source that
lie beside what they are for. Argo CD's Image Updater writes them.

Each is a merge patch (RFC 7396) of the source's tool blocks: maps are merged, lists replaced, a
null takes a field away. Where a source comes from is not theirs to say: other fields are not
read, as in Argo CD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from string import Template
from typing import Any

from fleet.errors import Place, SpecInvalid
from fleet.model.applications import Source
from fleet.model.reading import Fields, Origin
from fleet.model.renders import APPLICATION_OVERRIDES
from fleet.model.source_shape import TOOL_BLOCKS, tool_blocks
from fleet.model.source_spec import read_tool_blocks
from fleet.render.job import Job
from fleet.render.yaml import load_one

OVERRIDES = ".argocd-source.yaml"
_PREFIX = APPLICATION_OVERRIDES.partition("$")[0]
_MAX_BYTES = 1 << 20


def apply_overrides(job: Job) -> None:
    """Lay what the source's directory says over what the application says.

    Raises:
        SpecInvalid: a file that is no YAML, or sets a field to what it cannot be.
    """
    folder = job.tree.real(job.request.source.path)
    if not job.tree.is_folder(folder):
        return
    names = set(job.tree.names(folder))
    found = [OVERRIDES] if OVERRIDES in names else []
    if any(name.startswith(_PREFIX) for name in names):
        # what is there for one application is not what another one gets
        job.facts.add("application")
        own = Template(APPLICATION_OVERRIDES).substitute(ARGOCD_APP_NAME=job.request.application)
        found += [own] if own in names else []
    for name in (OVERRIDES, APPLICATION_OVERRIDES):
        job.tree.reads.add(f"{folder}/{name}" if folder else name)
    for name in found:
        file = f"{folder}/{name}" if folder else name
        document = load_one(job.tree.read(file, _MAX_BYTES), file=file)
        source, warnings = overridden(job.request.source, document, file)
        job.request = replace(job.request, source=source)
        for warning in warnings:
            job.warn(f"{file}: {warning}")


def overridden(source: Source, patch: Any, file: str) -> tuple[Source, list[str]]:
    """The source as ``patch`` changes it, and what is to be said about the patch.

    Raises:
        SpecInvalid: no mapping, or the blocks are not what they have to be then.
    """
    if patch is None:
        return source, []
    if not isinstance(patch, Mapping):
        raise SpecInvalid("the file is no mapping", place=Place(file, 1))
    wanted = {key: value for key, value in patch.items() if key in TOOL_BLOCKS}
    helm_patch = wanted.get("helm")
    if isinstance(helm_patch, Mapping) and "valuesFrom" in helm_patch:
        raise SpecInvalid(
            "helm.valuesFrom is the Application's to say: it reads from the cluster",
            place=Place(file, field="helm.valuesFrom"),
        )
    origin = Origin(file, 1)
    merged = merge(tool_blocks(source), wanted)
    helm, kustomize, directory, plugin = read_tool_blocks(Fields(merged, "", origin))
    made = replace(source, helm=helm, kustomize=kustomize, directory=directory, plugin=plugin)
    return made, origin.warnings


def merge(value: Any, patch: Any) -> Any:
    """RFC 7396: ``patch`` laid over ``value``; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    made = dict(value) if isinstance(value, Mapping) else {}
    for key, part in patch.items():
        if part is None:
            made.pop(key, None)
        else:
            made[key] = merge(made.get(key), part)
    return made
