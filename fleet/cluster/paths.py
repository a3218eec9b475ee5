"""Where the API server keeps a kind, a namespace's part of it, and one object."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from fleet.errors import SpecInvalid
from fleet.model.clusters import ApiKind


def path_of(kind: ApiKind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The URL path, quoted; without ``name`` the collection.

    ``namespace`` is left out for cluster-scoped kinds, and where it is empty (all
    namespaces).

    Raises:
        SpecInvalid: a name that could leave its path segment. Quoting does not keep it in:
            the API server unquotes the path before it splits it.
    """
    parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    if namespace and kind.namespaced:
        parts += ["namespaces", namespace]
    parts += [part for part in (kind.plural, name, subresource) if part]
    return "/" + "/".join(_segment(part) for part in parts)


def with_query(path: str, **query: str | int | bool) -> str:
    """``path`` and the query parameters that are not empty; True becomes ``true``."""
    given = {k: "true" if v is True else v for k, v in query.items() if v not in ("", False)}
    return f"{path}?{urlencode(given)}" if given else path


def subject_of(kind: ApiKind, namespace: str = "", name: str = "") -> str:
    """How messages name what a call was about: ``Kind/namespace/name`` or ``Kind``."""
    parts = (kind.kind, namespace if kind.namespaced else "", name)
    return "/".join(part for part in parts if part)


def _segment(text: str) -> str:
    # The API server's own rule: apimachinery, ``IsValidPathSegmentName``.
    if text in (".", "..") or "/" in text or "%" in text:
        raise SpecInvalid(f"{text!r} cannot be the name of an object")
    return quote(text, safe=":")  # RBAC names hold colons
