"""The tool blocks of a source as its author would write them: the way back from ``source_spec``.

What an override file in a repository changes is a merge of two documents, so a parsed source
has to become one again.
"""

from __future__ import annotations

from typing import Any

from fleet.model.applications import (
    DirectorySource,
    HelmSource,
    JsonnetVar,
    KustomizeSource,
    PluginSource,
    Source,
)

TOOL_BLOCKS = ("helm", "kustomize", "directory", "plugin")


def tool_blocks(source: Source) -> dict[str, Any]:
    """``helm``, ``kustomize``, ``directory`` and ``plugin`` of a document, where they are set.

    Fields at their defaults are left out: reading the result gives the same blocks.
    """
    shapes = {
        "helm": None if source.helm is None else _helm(source.helm),
        "kustomize": None if source.kustomize is None else _kustomize(source.kustomize),
        "directory": None if source.directory is None else _directory(source.directory),
        "plugin": None if source.plugin is None else _plugin(source.plugin),
    }
    return {key: shape for key, shape in shapes.items() if shape is not None}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain(block: Any, **special: Any) -> dict[str, Any]:
    """The fields of a block under their names in YAML; ``special`` are those that look
    otherwise there than in Python."""
    found = {}
    for name in type(block).__slots__:
        value = special[name] if name in special else getattr(block, name)
        if value not in (None, "", (), [], {}, False):
            found[_camel(name)] = list(value) if isinstance(value, tuple) else value
    return found


def _helm(block: HelmSource) -> dict[str, Any]:
    shape = _plain(
        block,
        values_object=None,
        parameters=[_plain(it, value=None) | {"value": it.value} for it in block.parameters],
        file_parameters=[{"name": name, "path": path} for name, path in block.file_parameters],
        values_from=[_plain(it) for it in block.values_from],
    )
    if block.values_object is not None:  # an empty one, too, takes the place of ``values``
        shape["valuesObject"] = block.values_object
    return shape or {"version": "v3"}  # says nothing else than that Helm is the tool


def _kustomize(block: KustomizeSource) -> dict[str, Any]:
    return _plain(
        block,
        replicas=[{"name": it.name, "count": it.count} for it in block.replicas],
        common_labels=dict(block.common_labels),
        common_annotations=dict(block.common_annotations),
    )


def _directory(block: DirectorySource) -> dict[str, Any]:
    jsonnet = {
        "extVars": [_variable(it) for it in block.ext_vars],
        "tlas": [_variable(it) for it in block.tlas],
        "libs": list(block.libs),
    }
    shape = _plain(block, ext_vars=None, tlas=None, libs=None)
    given = {key: value for key, value in jsonnet.items() if value}
    return {**shape, "jsonnet": given} if given else shape


def _variable(variable: JsonnetVar) -> dict[str, Any]:
    return {"name": variable.name, "value": variable.value, "code": variable.code}


def _plugin(block: PluginSource) -> dict[str, Any]:
    return _plain(
        block,
        env=[{"name": name, "value": value} for name, value in block.env],
        parameters=[parameter.document() for parameter in block.parameters],
    )
