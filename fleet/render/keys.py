"""The identity of a render: equal keys, equal manifests."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

import orjson

from fleet.model.renders import Reads, RenderRequest
from fleet.render.tools import Tools

#: Raise it when Fleet itself renders something differently than before.
RENDERER = 2

#: Fields of a source that say where it is, not what it renders.
_PLACES = ("repo_url", "target_revision", "tag_prefix", "ref", "name")


def render_key(
    request: RenderRequest, reads: Reads, hashes: Mapping[str, str | None], tools: Tools
) -> str:
    """SHA-256 of everything that the manifests depend on.

    Args:
        reads: what the last render of this source read.
        hashes: git object hash by path of ``reads.paths``, None where there is nothing; by
            ``$ref/path`` for ``reads.ref_paths``.

    Raises:
        KeyError: ``hashes`` lacks one of them.
    """
    source = dataclasses.asdict(request.source)
    for place in _PLACES:
        source.pop(place)
    if source["helm"] and not source["helm"]["values_from"]:
        del source["helm"]["values_from"]  # without any it is the source that it always was
    wanted = [*reads.paths, *(f"${ref}/{path}" for ref, path in reads.ref_paths)]
    material = {
        "renderer": RENDERER,
        "tools": [tools.helm.version, tools.kubectl.version],
        "source": source,
        "hashes": {path: hashes[path] for path in wanted},
        "facts": _facts(request, reads),
    }
    verified = [tree.verified for tree in (request.tree, *(tree for _, tree in request.refs))]
    if any(verified):
        material["verified"] = verified
    if request.values:
        material["values"] = [value.digest for value in request.values]
    return hashlib.sha256(orjson.dumps(material, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _facts(request: RenderRequest, reads: Reads) -> dict[str, object]:
    """What entered the output beside files; ``revision`` covers where the source is, too."""
    source = request.source
    known: dict[str, object] = {
        "application": request.application,
        "namespace": request.namespace,
        "project": request.project,
        "revision": [request.tree.revision, source.repo_url, source.target_revision],
        "cluster": [request.kube_version, list(request.api_versions)],
        # a plugin is told where the source is, whatever it makes of it
        "plugins": [
            *(dataclasses.asdict(plugin) for plugin in request.plugins),
            *([source.repo_url, source.target_revision] if request.plugins else []),
        ],
        # what was decrypted needs these; without one it is another render, or none
        "keys": [key for key in reads.keys if key in request.key_ids],
    }
    return {fact: value for fact, value in known.items() if getattr(reads, fact)}


def same_facts(one: RenderRequest, other: RenderRequest, reads: Reads) -> bool:
    """Whether both requests, equal in all else, give what ``reads`` was recorded for."""
    return _facts(one, reads) == _facts(other, reads)
