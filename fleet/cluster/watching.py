"""Watching a kind, by metadata alone: one connection, no cache.

The loop that reconnects, waits and lists again lives with the caller; here is one watch.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec
import orjson

from fleet.cluster.answers import refusal
from fleet.cluster.calls import Call, call_about
from fleet.cluster.failures import decoded
from fleet.cluster.lines import lines
from fleet.cluster.metadata import OBJECT_ACCEPT, Partial, live_meta
from fleet.cluster.paths import path_of, with_query
from fleet.cluster.transport import ClusterClient
from fleet.errors import ClusterError
from fleet.model.clusters import ApiKind
from fleet.model.live import WatchEvent

WATCH_SECONDS = 300  # then the server ends it and it is resumed: spreads load after restarts
EVENT_BYTES = 8 << 20  # an object is at most 1.5 MiB in etcd, some more as JSON


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_EVENT = msgspec.json.Decoder(_Event)
_OBJECT = msgspec.json.Decoder(Partial)


async def watch(
    client: ClusterClient,
    kind: ApiKind,
    *,
    resource_version: str,
    label_selector: str = "",
    namespace: str = "",
    timeout_seconds: int = WATCH_SECONDS,
    whole: bool = False,
) -> AsyncGenerator[WatchEvent, None]:
    """Events after ``resource_version``, until the server ends the watch in good order.

    Bookmarks come as events of type BOOKMARK; resume from the last event's version. Close
    the iterator (``contextlib.aclosing``) to stop early.

    Args:
        timeout_seconds: after which the server ends the watch.
        whole: events carry the object's body, too.

    Raises:
        WatchExpired: the version is too old; list again.
        ClusterUnreachable: broken off, silent for ``limits.idle_seconds``, or nonsense.
        ClusterError: as ``ClusterClient.send``.
    """
    path = with_query(
        path_of(kind, namespace),
        watch=True,
        allowWatchBookmarks=True,
        resourceVersion=resource_version,
        labelSelector=label_selector,
        timeoutSeconds=timeout_seconds,
    )
    accept = "application/json" if whole else OBJECT_ACCEPT
    call = call_about("watch", kind, "GET", path, namespace=namespace, accept=accept)
    # The server was asked to end it by then. One that goes on is broken or hostile: a drip
    # of bytes that never becomes an event would hold the caller for ever.
    seconds = timeout_seconds + client.limits.idle_seconds
    async with client.stream(call, seconds=seconds) as chunks:
        with decoded(call, client.name):
            async for line in lines(chunks, limit=EVENT_BYTES):
                event = _EVENT.decode(line)
                if event.type == "ERROR":
                    raise _error(call, client.name, bytes(event.object))
                yield _event_of(kind, event, whole=whole)


def _event_of(kind: ApiKind, event: _Event, *, whole: bool) -> WatchEvent:
    meta = live_meta(kind, _OBJECT.decode(event.object).metadata)
    if event.type == "BOOKMARK":
        return WatchEvent(event.type, None, meta.resource_version)
    body = msgspec.json.decode(event.object, type=dict[str, Any]) if whole else None
    return WatchEvent(event.type, meta, meta.resource_version, body)


def _error(call: Call, cluster: str, status: bytes) -> ClusterError:
    """The error in a stream whose HTTP status was 200: its code is in the ``Status``."""
    found = orjson.loads(status)
    code = found.get("code") if isinstance(found, Mapping) else None
    return refusal(call, cluster, code if isinstance(code, int) else 500, status, {})
