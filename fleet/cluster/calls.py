"""One request to an API server, as data: what is sent, what it is about, what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.cluster.paths import subject_of
from fleet.model.clusters import ApiKind

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large. Seconds are totals: a server that drips is cut off too."""

    connect_seconds: float = 5.0  # TCP and TLS together
    call_seconds: float = 30.0
    page_seconds: float = 60.0  # one page of a list
    list_seconds: float = 600.0  # all pages of a list
    idle_seconds: float = 120.0  # of a watch; bookmarks come once a minute
    page_bytes: int = 64 << 20
    object_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Args:
        verb: what messages and counters call it: get, list, watch, apply, delete, …
        kind: as counters know it, ``group/Kind``; for other paths the path.
        subject: what messages start with, ``Kind/namespace/name``.
        path: quoted, with its query.
        confidential: never quote the server's words: they may hold values of a Secret.
        page: a list: more time, more bytes, and its duration says nothing about load.
        as_user: in whose name; "" means our own.
    """

    verb: str
    kind: str
    subject: str
    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)  # may be a Secret
    content_type: str = JSON
    accept: str = JSON
    confidential: bool = False
    page: bool = False
    as_user: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer. Header names are lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]


def call_about(
    verb: str,
    kind: ApiKind,
    method: str,
    path: str,
    *,
    namespace: str = "",
    name: str = "",
    body: bytes | None = None,
    content_type: str = JSON,
    accept: str = JSON,
    page: bool = False,
) -> Call:
    """A call about objects of ``kind``."""
    return Call(
        verb=verb,
        kind=str(kind.group_kind),
        subject=subject_of(kind, namespace, name),
        method=method,
        path=path,
        body=body,
        content_type=content_type,
        accept=accept,
        confidential=not kind.group and kind.kind == "Secret",
        page=page,
    )


def call_to(path: str, *, accept: str = JSON, page: bool = False) -> Call:
    """A GET of a path that belongs to no kind: version, discovery."""
    return Call("get", path.partition("?")[0], path, "GET", path, accept=accept, page=page)
