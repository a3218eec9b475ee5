"""Reading: lists by metadata, single objects, whole lists, logs.

Only a ``Status`` with reason NotFound about the very object means that it is absent, and
only a list that came to its end, page by page from one snapshot, is a list. Everything else
is an error: whoever reads absence out of a failure deletes what is running.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from fleet.cluster.calls import Call, call_about
from fleet.cluster.failures import decoded
from fleet.cluster.lines import lines
from fleet.cluster.metadata import (
    LIST_ACCEPT,
    OBJECT_ACCEPT,
    PAGE,
    PARTIAL,
    PageMeta,
    live_meta,
)
from fleet.cluster.paths import path_of, with_query
from fleet.cluster.transport import ClusterClient
from fleet.errors import ClusterUnreachable, ObjectRejected
from fleet.model.clusters import ApiKind
from fleet.model.live import ListResult, LiveMeta
from fleet.model.objects import Manifest

PAGE_SIZE = 500  # objects; client-go's and kubectl's
WHOLE_PAGE_SIZE = 100  # objects, which may have 1.5 MiB each
LOG_LINE_BYTES = 1 << 20

POD = ApiKind("", "v1", "Pod", "pods", namespaced=True)

#: The kind of the object by which clusters are told apart.
IDENTITY_KIND = ApiKind("", "v1", "Namespace", "namespaces", namespaced=False)

_Item = TypeVar("_Item")


class _WholePage(msgspec.Struct):
    """One page of a list of objects. An answer without ``items`` is no list."""

    kind: str
    metadata: PageMeta
    items: list[dict[str, Any]] | None


_WHOLE_PAGE = msgspec.json.Decoder(_WholePage)


async def list_metadata(
    client: ClusterClient,
    kind: ApiKind,
    *,
    namespace: str = "",
    label_selector: str = "",
    limit: int = PAGE_SIZE,
) -> ListResult:
    """Every object of ``kind``, by metadata alone, in the server's order.

    Args:
        namespace: "" means all.
        limit: objects a page, not in all.

    Raises:
        WatchExpired: the snapshot was compacted away between two pages; list again.
        ClusterError: any page failed. What came before it is dropped.
    """

    def read(body: bytes) -> tuple[list[LiveMeta], PageMeta]:
        page = PAGE.decode(body)
        _check_list(page.kind)
        return [live_meta(kind, item.metadata) for item in page.items or ()], page.metadata

    items, version = await _pages(
        client,
        kind,
        read,
        namespace=namespace,
        label_selector=label_selector,
        limit=limit,
        accept=LIST_ACCEPT,
    )
    return ListResult(kind, tuple(items), version)


async def list_objects(
    client: ClusterClient, kind: ApiKind, *, namespace: str = "", limit: int = WHOLE_PAGE_SIZE
) -> list[Manifest]:
    """Every object of ``kind``, whole, in the server's order. For what is asked once: nothing
    that Fleet looks at again and again is read like this.

    Raises:
        as ``list_metadata``; KindUnknown where the cluster has no such kind.
    """

    def read(body: bytes) -> tuple[list[Manifest], PageMeta]:
        page = _WHOLE_PAGE.decode(body)
        _check_list(page.kind)
        return page.items or [], page.metadata

    items, _ = await _pages(
        client,
        kind,
        read,
        namespace=namespace,
        label_selector="",
        limit=limit,
        accept="application/json",
    )
    return items


async def get_object(
    client: ClusterClient, kind: ApiKind, namespace: str, name: str, *, as_user: str = ""
) -> Manifest | None:
    """The object; None when the server says that there is none of this name.

    Args:
        as_user: in whose name it is asked for; "" for that of the client.
    """
    call = replace(_get(kind, namespace, name, "application/json"), as_user=as_user)
    body = await _found(client, call)
    if body is None:
        return None
    with decoded(call, client.name):
        found: Manifest = msgspec.json.decode(body, type=dict[str, object])
        return found


async def get_metadata(
    client: ClusterClient, kind: ApiKind, namespace: str, name: str
) -> LiveMeta | None:
    """The object's metadata; None when the server says that there is none of this name."""
    call = _get(kind, namespace, name, OBJECT_ACCEPT)
    body = await _found(client, call)
    if body is None:
        return None
    with decoded(call, client.name):
        return live_meta(kind, PARTIAL.decode(body).metadata)


async def pod_logs(
    client: ClusterClient,
    namespace: str,
    name: str,
    *,
    container: str = "",
    follow: bool = False,
    previous: bool = False,
    timestamps: bool = False,
    tail_lines: int | None = None,
    since_seconds: int | None = None,
) -> AsyncIterator[str]:
    """Lines of a container's log, without their ends, as they come.

    Close the iterator (``contextlib.aclosing``) to stop following.

    Raises:
        ObjectRejected: no such Pod or container, or it has not started.
    """
    path = with_query(
        path_of(POD, namespace, name, "log"),
        container=container,
        follow=follow,
        previous=previous,
        timestamps=timestamps,
        tailLines="" if tail_lines is None else tail_lines,
        sinceSeconds="" if since_seconds is None else since_seconds,
    )
    call = call_about("log", POD, "GET", path, namespace=namespace, name=name, accept="*/*")
    seconds = None if follow else client.limits.list_seconds
    async with client.stream(call, seconds=seconds) as chunks:
        async for line in lines(chunks, limit=LOG_LINE_BYTES, cut=True):
            yield line.decode(errors="replace")


def _get(kind: ApiKind, namespace: str, name: str, accept: str) -> Call:
    path = path_of(kind, namespace, name)
    return call_about("get", kind, "GET", path, namespace=namespace, name=name, accept=accept)


async def _found(client: ClusterClient, call: Call) -> bytes | None:
    try:
        return (await client.send(call)).body
    except ObjectRejected as refused:
        # KindUnknown and a 404 that is no Status are other errors and go on.
        if refused.reason == "NotFound":
            return None
        raise


def _check_list(kind: str) -> None:
    if not kind.endswith("List"):
        raise ValueError("not a list")


async def _pages(
    client: ClusterClient,
    kind: ApiKind,
    read: Callable[[bytes], tuple[list[_Item], PageMeta]],
    *,
    namespace: str,
    label_selector: str,
    limit: int,
    accept: str,
) -> tuple[list[_Item], str]:
    """All items, and the resourceVersion of the snapshot that they are from."""
    items: list[_Item] = []
    ends = time.monotonic() + client.limits.list_seconds
    token = ""
    while True:
        path = with_query(
            path_of(kind, namespace),
            labelSelector=label_selector,
            limit=limit,
            **{"continue": token},
        )
        call = call_about("list", kind, "GET", path, namespace=namespace, accept=accept, page=True)
        answer = await client.send(call)
        with decoded(call, client.name):
            page, meta = read(answer.body)
        items += page
        token = meta.continue_
        if not token:
            return items, meta.resource_version
        if time.monotonic() > ends:
            raise ClusterUnreachable(
                f"{call.subject}: list on {client.name} broken off: it did not end within "
                f"{client.limits.list_seconds:.0f} s"
            )
