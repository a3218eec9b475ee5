"""``argocd.argoproj.io/manifest-generate-paths``: what an application says its source reads.

Fleet knows by itself what helm, kustomize and jsonnet read, so only plugins are held to it: they
are given these paths alone, and are asked again when one of them changed. Form: paths parted by
``;``, relative to the source's directory, or from the root of the repository with a ``/`` in
front.
"""

from __future__ import annotations

import posixpath
import re

from fleet.model.applications import Source
from fleet.model.objects import Manifest, annotations_of

ANNOTATION = "argocd.argoproj.io/manifest-generate-paths"
_WILDCARD = re.compile(r"[*?\[]")


def paths_read(document: Manifest, source: Source) -> tuple[str, ...]:
    """Paths of the tree, sorted, the source's own directory among them; none without the
    annotation, or when one of them is the whole tree or leads out of it. Of a path with a
    wildcard, the directory that all it can mean is below."""
    text = annotations_of(document).get(ANNOTATION, "")
    if not text.strip() or source.chart:
        return ()
    found = {posixpath.normpath(source.path or ".")}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        plain = _fixed(entry)
        base = "" if plain.startswith("/") else source.path
        found.add(posixpath.normpath(posixpath.join(base, plain.lstrip("/")) or "."))
    if any(path == "." or path.startswith("..") for path in found):
        return ()
    return tuple(sorted(found))


def _fixed(entry: str) -> str:
    if not _WILDCARD.search(entry):
        return entry
    return _WILDCARD.split(entry, maxsplit=1)[0].rpartition("/")[0] or (
        "/" if entry.startswith("/") else "."
    )
