"""What a project inherits of global projects: their lists, put behind its own.

As in Argo CD: entries that permit add up, entries that deny count as its own would.
Source: ``features.md`` §1.8.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleet.model.objects import Manifest

INHERITED = (
    "sourceRepos",
    "destinations",
    "clusterResourceWhitelist",
    "clusterResourceBlacklist",
    "namespaceResourceWhitelist",
    "namespaceResourceBlacklist",
    "syncWindows",
    "destinationServiceAccounts",
)


def effective_document(document: Manifest, inherits: Sequence[Manifest]) -> Manifest:
    """The document with what it inherits, in the order of ``inherits``."""
    spec = dict(document.get("spec") or {})
    for key in INHERITED:
        given = [(it.get("spec") or {}).get(key) or [] for it in inherits]
        more = [entry for entries in given for entry in entries]
        if more:
            spec[key] = [*(spec.get(key) or []), *more]
    return {**document, "spec": spec}
