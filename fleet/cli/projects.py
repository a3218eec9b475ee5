"""AppProject documents, changed entry by entry. Nothing here is asked of a server."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from fleet.errors import NotFound, UsageError
from fleet.model.documents import ARGO_API_VERSION

Document = dict[str, Any]

WINDOWS = "syncWindows"
CLUSTER_ALLOW, CLUSTER_DENY = "clusterResourceWhitelist", "clusterResourceBlacklist"
NAMESPACE_ALLOW, NAMESPACE_DENY = "namespaceResourceWhitelist", "namespaceResourceBlacklist"


def destination(text: str) -> Document:
    """``CLUSTER,NAMESPACE``: the cluster is a URL where it looks like one, else a name or glob.

    Raises:
        UsageError: no comma.
    """
    cluster, comma, namespace = text.rpartition(",")
    if not comma or not cluster or not namespace:
        raise UsageError(f"{text!r} is not CLUSTER,NAMESPACE", hint="For example 'eu-*,shop'.")
    key = "server" if "://" in cluster or cluster == "*" else "name"
    return {key: cluster, "namespace": namespace}


def kind_rule(text: str) -> Document:
    """``GROUP/KIND``; the core group is empty: ``/Secret`` or ``Secret``.

    Raises:
        UsageError: no kind.
    """
    group, _, kind = text.rpartition("/")
    if not kind:
        raise UsageError(f"{text!r} is not GROUP/KIND", hint="For example apps/DaemonSet.")
    return {"group": "" if group == "core" else group, "kind": kind}


def new_project(name: str, flags: Mapping[str, Any], base: Document | None) -> Document:
    """``base``, or an empty project, with the lists that flags give.

    Raises:
        UsageError: no name at all, or two different ones.
    """
    document = copy.deepcopy(base) or {
        "apiVersion": ARGO_API_VERSION,
        "kind": "AppProject",
        "metadata": {},
        "spec": {},
    }
    metadata = document.setdefault("metadata", {})
    name = name or metadata.get("name", "")
    if not name:
        raise UsageError("the project needs a NAME")
    if metadata.setdefault("name", name) != name:
        raise UsageError(f"the file is about project {metadata['name']}, not {name}")
    spec = document.setdefault("spec", {})
    lists = {
        "sourceRepos": list(flags["sources"]),
        "destinations": [destination(text) for text in flags["destinations"]],
        CLUSTER_ALLOW: [kind_rule(text) for text in flags["cluster_allow"]],
        CLUSTER_DENY: [kind_rule(text) for text in flags["cluster_deny"]],
        NAMESPACE_ALLOW: [kind_rule(text) for text in flags["namespace_allow"]],
        NAMESPACE_DENY: [kind_rule(text) for text in flags["namespace_deny"]],
    }
    spec.update({key: entries for key, entries in lists.items() if entries})
    if flags["description"] is not None:
        spec["description"] = flags["description"]
    return document


def with_entry(document: Document, key: str, entry: Any) -> Document | None:
    """With ``entry`` at the end of the list; None when it is there already."""
    entries = list((document.get("spec") or {}).get(key) or ())
    if any(_same(it, entry) for it in entries):
        return None
    return _with_list(document, key, [*entries, entry])


def without_entry(
    document: Document, key: str, entry: Any, *, missing_ok: bool = False
) -> Document | None:
    """Without ``entry``; None when it was not there and that is fine.

    Raises:
        NotFound: it was not there.
    """
    entries = list((document.get("spec") or {}).get(key) or ())
    left = [it for it in entries if not _same(it, entry)]
    if len(left) == len(entries):
        if missing_ok:
            return None
        name = document["metadata"]["name"]
        raise NotFound(
            f"project {name} has no such entry",
            hint=f"`fleet proj get {name}` lists what it has.",
            object=f"AppProject/{name}",
        )
    return _with_list(document, key, left)


def with_new_window(document: Document, window: Document) -> Document:
    """With a sync window behind the others."""
    return _with_list(document, WINDOWS, [*_windows(document), window])


def with_window(document: Document, id: int, fields: Document) -> Document | None:
    """With fields of a sync window changed; None when they were so already.

    Raises:
        NotFound: there is no such window.
    """
    windows = _windows(document)
    changed = {**_window(document, id), **fields}
    if changed == windows[id]:
        return None
    return _with_list(document, WINDOWS, [*windows[:id], changed, *windows[id + 1 :]])


def without_window(document: Document, id: int) -> Document:
    """Without a sync window.

    Raises:
        NotFound: there is no such window.
    """
    gone = _window(document, id)
    return _with_list(document, WINDOWS, [it for it in _windows(document) if it is not gone])


def _windows(document: Document) -> list[Document]:
    return list((document.get("spec") or {}).get(WINDOWS) or ())


def _window(document: Document, id: int) -> Document:
    windows, name = _windows(document), document["metadata"]["name"]
    if id >= len(windows):
        raise NotFound(
            f"project {name} has no sync window {id}",
            hint=f"`fleet proj windows list {name}` lists those it has.",
            object=f"AppProject/{name}",
        )
    return windows[id]


def _with_list(document: Document, key: str, entries: list[Any]) -> Document:
    """An empty list is left out: to some fields it would mean something else than none."""
    spec = {k: v for k, v in (document.get("spec") or {}).items() if k != key}
    return {**document, "spec": {**spec, key: entries} if entries else spec}


def _same(one: Any, other: Any) -> bool:
    """Equal but for parts that are empty, as ``name: ""`` of a destination."""
    if isinstance(one, dict) and isinstance(other, dict):
        return _filled(one) == _filled(other)
    return bool(one == other)


def _filled(entry: Document) -> Document:
    return {key: value for key, value in entry.items() if value}
